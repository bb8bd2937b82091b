import { createServer as createPlain, type RequestListener } from 'node:http';
import { createServer as createTls } from 'node:https';
import type { AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { expect } from 'chai';
import { fetchGuarded, type GuardedFetchOptions, isBlocked } from '../../../src/auth/oauth/guarded-fetch.ts';
import { createTestCa } from '../../support/ca.ts';

const LIMITS = { bytesMax: 1000, timeoutMs: 1000 };

describe('oauth › guarded fetch', () => {
  const blocked =
    '127.0.0.1 127.1.2.3 10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 169.254.169.254 100.64.0.1 0.0.0.0 224.0.0.1 ' +
    '255.255.255.255 :: ::1 ::ffff:127.0.0.1 ::ffff:8.8.8.8 fe80::1 fc00::1 fd12::1 ff02::1 64:ff9b::7f00:1 2002:7f00:1:: 2001:0:1::';
  for (const address of blocked.split(' '))
    it(`[IN-40] ${address} is not reached`, () => {
      expect(isBlocked(address)).equal(true);
    });
  for (const address of ['8.8.8.8', '172.32.0.1', '100.128.0.1', '2606:4700::1111', '2a00:1450::1'])
    it(`[IN-40] ${address} is of the Internet`, () => {
      expect(isBlocked(address)).equal(false);
    });

  const refused = [
    ['http://example.org/', 'not https'],
    ['https://127.0.0.1/', 'not public'],
    ['https://2130706433/', 'not public'],
    ['https://0x7f.1/', 'not public'],
    ['https://0177.0.0.1/', 'not public'],
    ['https://[::1]/', 'not public'],
    ['https://[::ffff:7f00:1]/', 'not public'],
    ['https://localhost/', 'not public'],
    ['https://127.0.0.1:22/', 'port'],
    ['https://user@example.org/', 'user name'],
    ['ftp://example.org/', 'not https'],
    ['file:///etc/passwd', 'not https'],
  ] as const;
  for (const [url, why] of refused)
    it(`[IN-40] ${url}: ${why}`, async () => {
      const error = await fetchGuarded(url, LIMITS).catch((caught: Error) => caught);
      expect(error).instanceOf(Error);
      expect((error as Error).message).include(why);
    });

  describe('names', () => {
    const at = (...addresses: readonly string[]) => ({
      ...LIMITS,
      resolve: async () => addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    });
    const why = async (url: string, options: GuardedFetchOptions): Promise<string> =>
      fetchGuarded(url, options).then(
        () => 'fetched',
        (error: Error) => error.message,
      );

    it('[IN-40] one private address among several is enough', async () => {
      for (const address of ['127.0.0.1', '10.0.0.1', '::1', '::ffff:127.0.0.1', '169.254.169.254'])
        expect(await why('https://example.org/', at('93.184.216.34', address)), address).include('not public');
      expect(await why('https://example.org/', at())).include('no address');
    });

    it('[IN-40] a listed host is that host alone, whatever begins or ends like it', async () => {
      const options = { ...at('127.0.0.1'), allowed: new Set(['good.example:443']) };
      for (const url of [
        'https://good.example.evil.example/',
        'https://evil.good.example/',
        'https://xgood.example/',
        'https://good.example:8443/',
        'http://good.example/',
      ])
        expect(await why(url, options), url).match(/not public|not https/);
      expect(await why('https://good.example@evil.example/', options)).include('user name');
    });

    it('[IN-40] addresses of this machine are not reached, public as they may be', async () => {
      const own = Object.values(networkInterfaces()).flatMap((list) => list?.map(({ address }) => address) ?? []);
      expect(own.length).above(0);
      for (const address of own) expect(await why('https://example.org/', at(address))).include('not public');
      const options = { ...at('93.184.216.34'), ownAddresses: () => ['93.184.216.34'] };
      expect(await why('https://example.org/', options)).include('not public');
    });

    it('[IN-40] the time runs while a name is resolved', async () => {
      const never = { ...LIMITS, timeoutMs: 20, resolve: () => new Promise<never>(() => {}) };
      expect(await why('https://example.org/', never)).include('too long');
    });
  });

  describe('connections', () => {
    const ca = createTestCa();
    async function listen(answer: RequestListener, tls?: { readonly certificate: string; readonly key: string }) {
      const server = tls ? createTls({ cert: tls.certificate, key: tls.key }, answer) : createPlain(answer);
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
      const { port } = server.address() as AddressInfo;
      return {
        port,
        async [Symbol.asyncDispose]() {
          server.closeAllConnections();
          await new Promise((resolve) => server.close(resolve));
        },
      };
    }
    /** A name that leads elsewhere the second time it is asked. */
    const rebinding = (port: number) => {
      let asked = 0;
      return {
        ...LIMITS,
        allowed: new Set([`peer.example:${port}`]),
        async resolve() {
          asked += 1;
          return [{ address: asked === 1 ? '127.0.0.1' : '192.0.2.1', family: 4 }];
        },
        asked: () => asked,
      };
    };

    it('[IN-40] the connection goes to the address that was checked, under the name', async () => {
      let host: string | undefined;
      await using peer = await listen((req, res) => {
        host = req.headers.host;
        res.end('{}');
      });
      const options = rebinding(peer.port);
      expect((await fetchGuarded(`http://peer.example:${peer.port}/`, options)).text).equal('{}');
      expect([host, options.asked()]).deep.equal([`peer.example:${peer.port}`, 1]);
    });

    it('[IN-40] [PK-16] a certificate must be of a CA that is believed, and of the name', async () => {
      const answer: RequestListener = (_req, res) => void res.end('{}');
      await using right = await listen(answer, ca.server(['peer.example']));
      await using wrong = await listen(answer, ca.server(['other.example']));
      const get = (port: number, more = {}) =>
        fetchGuarded(`https://peer.example:${port}/`, { ...rebinding(port), ...more }).then(
          ({ text }) => text,
          (error: NodeJS.ErrnoException) => error.code,
        );
      expect(await get(right.port, { ca: ca.certificate })).equal('{}');
      expect(await get(right.port)).equal('UNABLE_TO_VERIFY_LEAF_SIGNATURE');
      expect(await get(wrong.port, { ca: ca.certificate })).equal('ERR_TLS_CERT_ALTNAME_INVALID');
    });

    it('[IN-40] redirects are not followed, and what an answer says is not repeated', async () => {
      let reached = 0;
      await using inside = await listen((_req, res) => {
        reached += 1;
        res.end('secret');
      });
      await using peer = await listen((_req, res) => {
        res.writeHead(302, { Location: `http://127.0.0.1:${inside.port}/` }).end('a word of theirs');
      });
      const error = await fetchGuarded(`http://peer.example:${peer.port}/`, {
        ...rebinding(peer.port),
        bearer: 'token',
      }).catch((caught: Error) => caught);
      expect(error).instanceOf(Error).with.property('message').that.include('302').and.not.include('theirs');
      expect(reached).equal(0);
    });

    it('[IN-40] answers have a size and a time', async () => {
      await using long = await listen((_req, res) => void res.end('x'.repeat(LIMITS.bytesMax + 1)));
      await using slow = await listen((_req, res) => void res.write('x'));
      const get = (port: number) =>
        fetchGuarded(`http://peer.example:${port}/`, { ...rebinding(port), timeoutMs: 100 }).then(
          () => 'fetched',
          (error: Error) => error.message,
        );
      expect(await get(long.port)).include('too long');
      expect(await get(slow.port)).match(/abort/);
    });
  });
});
