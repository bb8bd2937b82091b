import { expect } from 'chai';
import { fetchGuarded, isBlocked } from '../../../src/auth/oauth/guarded-fetch.ts';

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
});
