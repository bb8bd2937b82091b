/** Partners by their certificates, over real sockets: SCRIPT without a token, HL7 v2 over mutual TLS. SECURITY PK-08, PK-09, PK-15 */
import { once } from 'node:events';
import { renameSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { expect } from 'chai';
import pg from 'pg';
import type { ContextLog } from '../../src/log.ts';
import { openPartnerTable } from '../../src/pki/partner-table.ts';
import { TlsFileError } from '../../src/pki/tls-files.ts';
import { createMllpFramer, formatFrame } from '../../src/standards/hl7v2/mllp-frame.ts';
import { extensions } from '../../src/standards/x509/extensions.ts';
import { authority, client, DAY_MS, type Made, server as serverCertificate } from '../support/authority.ts';
import { fixture } from '../support/fixtures.ts';
import { createMemoryLog, silentLog } from '../support/log.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { makeTempFolder } from '../support/temp-folder.ts';

const now = Date.now(); // TLS goes by the machine's clock
const times = { notBefore: now - DAY_MS, notAfter: now + 30 * DAY_MS };
const root = authority('Partners', times);
const own = authority('Server', times);
const host = serverCertificate('localhost', {
  issuer: own,
  extensions: [extensions.subjectAltName(['localhost', '127.0.0.1'])],
  ...times,
});
const org = (name: string, code: string): Made =>
  client(name, { issuer: root, extensions: [extensions.subjectAltName([`urn:mortar:org:${code}`])], ...times });
const surgery = org('Surgery', 'A83008');
const lab = org('Laboratory', 'LAB01');
const stranger = org('Stranger', 'X00000');

const NEW_RX = fixture('script/newrx-basic.xml').toString();
const PRESCRIBER = 'D:6301875277001';
const newRx = (id: string, from = '6301875277001'): string =>
  NEW_RX.replace('OWN0001A7F3C9D1', id).replace('6301875277001', from);
const adt = (id: string, facility = 'LAB01', kind = 'ADT^A08'): string =>
  `MSH|^~\\&|LIS|${facility}|MORTAR|HERE|20260115163000||${kind}|${id}|P|2.5.1\rEVN||20260115163000\rPID|1||77^^^LAB^MR||Doe^Jane||19700101|F\rPV1|1|O\r`;

describe('security › certificates of partners', function () {
  this.timeout(180_000);
  const folder = makeTempFolder();
  const at = (name: string, text: string): string => {
    const file = join(folder, name);
    writeFileSync(file, text, { mode: 0o600 });
    return file;
  };
  const table = join(folder, 'partners.json');
  let server: TestServer;
  const log = createMemoryLog();
  const context: ContextLog = { ...log, child: () => context };
  let clientId = 'to be registered';
  const write = (change: { lab?: object; surgery?: object } = {}): void => {
    writeFileSync(
      `${table}.new`,
      JSON.stringify([
        {
          certificate: { uri: 'urn:mortar:org:A83008' },
          organization: 'surgery-1',
          client: clientId,
          senders: [PRESCRIBER],
          ...change.surgery,
        },
        {
          certificate: { issuer: 'CN=Partners,O=Example', serial: lab.certificate.serial },
          organization: 'lab-1',
          senders: ['LIS|LAB01'],
          messages: ['ADT^A08'],
          ...change.lab,
        },
      ]),
    );
    renameSync(`${table}.new`, table);
  };

  before(async () => {
    write();
    server = await startTestServer({
      log: context,
      env: {
        HTTPS_PORT: '0',
        MLLPS_PORT: '0',
        TLS_CERT_FILE: at('tls.crt', host.pem),
        TLS_KEY_FILE: at('tls.key', host.keyPem),
        TLS_CLIENT_CA_FILE: at('ca.crt', root.pem),
        PARTNER_CERTIFICATES_FILE: table,
        REVOCATION: 'off',
        UNKNOWN_PARTNERS: 'accept',
      },
    });
    const answer = await fetch(`http://127.0.0.1:${server.port}/api/v2/admin/clients`, {
      method: 'POST',
      headers: { ...server.bearer, 'content-type': 'application/json' },
      body: JSON.stringify({
        client_name: 'Surgery',
        token_endpoint_auth_method: 'tls_client_auth',
        grant_types: ['client_credentials'],
        tls_client_auth_san_uri: 'urn:mortar:org:A83008',
        scope: 'system/Bundle.c',
      }),
    });
    expect(answer.status).equal(201);
    clientId = ((await answer.json()) as { client_id: string }).client_id;
    write();
    await sleep(2_500); // the table is looked at every two seconds
  });
  after(() => server?.stop());

  const certified = (made?: Made): ConnectionOptions => ({
    ca: own.pem,
    ...(made && { cert: made.pem, key: made.keyPem }),
  });
  function post(
    path: string,
    body: string,
    made?: Made,
    headers: Record<string, string> = {},
  ): Promise<{ status: number; text: string }> {
    const { promise, resolve, reject } = Promise.withResolvers<{ status: number; text: string }>();
    const options = { host: '127.0.0.1', port: server.httpsPort, method: 'POST', path, agent: false };
    request(
      { ...options, ...certified(made), headers: { 'content-type': 'application/xml', ...headers } },
      async (res) => {
        let text = '';
        for await (const chunk of res) text += chunk;
        resolve({ status: res.statusCode ?? 0, text });
      },
    )
      .on('error', reject)
      .end(body);
    return promise;
  }
  const script = (id: string, made?: Made, from?: string, headers?: Record<string, string>) =>
    post('/ncpdp/script', newRx(id, from), made, headers);

  const dial = (made?: Made): TLSSocket => {
    const socket = connect({ host: '127.0.0.1', port: server.mllpsPort ?? 0, ...certified(made) });
    socket.on('error', () => {}); // it is broken off
    return socket;
  };
  async function tell(socket: TLSSocket, message: string): Promise<string | undefined> {
    socket.write(formatFrame(Buffer.from(message)));
    const framer = createMllpFramer();
    const answer = Promise.withResolvers<string | undefined>();
    socket.on('data', (chunk: Buffer) => {
      for (const event of framer.push(chunk)) if (event.kind === 'frame') answer.resolve(event.bytes.toString());
    });
    socket.once('close', () => answer.resolve(undefined));
    return answer.promise;
  }
  const codeOf = (answer: string | undefined): string | undefined => /\rMSA\|(\w+)/.exec(answer ?? '')?.[1];
  const refusals = async (rule: string): Promise<readonly { readonly id: string }[]> => {
    const db = new pg.Client(server.database.connection('owner'));
    await db.connect();
    await sleep(50); // what is refused is written beside the answer
    try {
      return (await db.query<{ id: string }>('select id from audit.entry where rule = $1', [rule])).rows;
    } finally {
      await db.end();
    }
  };

  it('[PK-13] the server itself says at its start what ends soon', () => {
    const told = log.lines.filter(({ message }) => message === 'security alert').map(({ fields }) => fields);
    expect(told.some((fields) => String(fields?.['what']).startsWith('TLS_CERT_FILE: O=Example, CN=localhost'))).equal(
      true,
    );
    expect(told.every((fields) => fields?.['rule'] === 'expiring' && fields?.['days'] === 30)).equal(true);
  });

  describe('SCRIPT', () => {
    it('[PK-09] the certificate of a partner opens the door without a token, as the client of the table', async () => {
      const { status, text } = await script('CERT0001', surgery);
      expect([status, text]).deep.include(200);
      expect(text).contain('<Status>');
    });

    it('[PK-09] no certificate, one of nobody, and a partner without a client: 401', async () => {
      for (const made of [undefined, stranger, lab]) expect((await script('CERT0002', made)).status).equal(401);
    });

    it('[PK-09] a certificate opens no other door: FHIR wants a token', async () => {
      const { status } = await post('/fhir/R4/Patient', '{}', surgery, { 'content-type': 'application/fhir+json' });
      expect(status).equal(401);
      expect((await post('/gateway/messages', '', surgery)).status).oneOf([401, 405]);
    });

    it('[PK-09] a wrong token is not made good by a certificate', async () => {
      expect((await script('CERT0003', surgery, undefined, { authorization: 'Bearer nonsense' })).status).equal(401);
    });

    it('[PK-09] a message that names another sender is refused and recorded, with a token too', async () => {
      const before = (await refusals('sender-not-of-certificate')).length;
      const { authorization = '' } = server.bearer;
      for (const headers of [{}, { authorization }] as Record<string, string>[]) {
        const { text } = await script('CERT0004', surgery, '9999999999999', headers);
        expect(text).contain('<Error>').and.contain('not the partner');
      }
      expect(await refusals('sender-not-of-certificate')).length(before + 2);
      // Nothing of it stands in the way of the one whose name it bore.
      const { text } = await script('CERT0004', undefined, '9999999999999', { authorization });
      expect(text).contain('<Status>');
    });
  });

  describe('HL7 v2 over TLS', () => {
    it('[PK-15] a partner sends, and is answered', async () => {
      const socket = dial(lab);
      expect(codeOf(await tell(socket, adt('TLS1')))).equal('AA');
      socket.destroy();
    });

    it('[PK-15] no certificate, and one of no partner: broken off before a byte is read', async () => {
      for (const made of [undefined, stranger]) expect(await tell(dial(made), adt('TLS2'))).equal(undefined);
      expect(await refusals('certificate-missing')).length(1);
      expect(await refusals('certificate-unmapped')).length(1);
    });

    it('[PK-15] [PK-09] another sender, and a kind that the partner may not send: refused', async () => {
      const socket = dial(lab);
      const forged = await tell(socket, adt('TLS3', 'A83008'));
      expect(codeOf(forged)).oneOf(['AR', 'AE']);
      expect(forged).contain('not the partner');
      socket.destroy();
      const other = dial(lab);
      const refused = await tell(other, adt('TLS4', 'LAB01', 'ADT^A01'));
      expect(refused).contain('may not send');
      other.destroy();
    });

    it('[PK-15] without TLS it is on this machine alone, and off unless a table of partners is there', async () => {
      const { readConfig } = await import('../../src/config.ts');
      expect(() => readConfig({ MLLPS_PORT: '2576' })).throw(/MLLPS_PORT needs PARTNER_CERTIFICATES_FILE/);
      expect(() => readConfig({ PARTNER_CERTIFICATES_FILE: table })).throw(/needs TLS_CLIENT_CA_FILE/);
      expect(readConfig({}).mllpsPort).equal('off');
    });

    it('[PK-08] a partner who is disabled is cut off, others stay', async () => {
      const socket = dial(lab);
      expect(codeOf(await tell(socket, adt('TLS5')))).equal('AA');
      const closed = once(socket, 'close');
      write({ lab: { enabled: false } });
      await closed;
      expect(await tell(dial(lab), adt('TLS6'))).equal(undefined);
      expect((await refusals('certificate-partner-disabled')).length).greaterThan(0);
      expect((await script('CERT0005', surgery)).status).equal(200);
      write();
    });
  });

  describe('the table', () => {
    const read = (text: string): void => openPartnerTable({ file: at('odd.json', text), log: silentLog }).stop();
    for (const [text, words] of [
      ['', /JSON/],
      ['{}', /no JSON list/],
      ['[1]', /row 1 is no JSON object/],
      ['[{"organization": "1"}]', /row 1 needs "certificate"/],
      ['[{"certificate": {"uri": "a"}}]', /row 1 needs "organization"/],
      ['[{"certificate": {"uri": "a", "key": "b"}, "organization": "1"}]', /row 1 needs "certificate"/],
      ['[{"certificate": {"key": "12"}, "organization": "1"}]', /certificate\.key is no SHA-256/],
      ['[{"certificate": {"issuer": "nobody", "serial": "01"}, "organization": "1"}]', /certificate\.issuer: a name/],
      ['[{"certificate": {"issuer": "CN=a", "serial": "x"}, "organization": "1"}]', /serial is no number/],
      ['[{"certificate": {"uri": "a"}, "organization": "1", "sender": "x"}]', /member "sender"/],
      ['[{"certificate": {"uri": "a"}, "organization": "1", "senders": "x"}]', /senders is no list/],
      ['[{"certificate": {"uri": "a"}, "organization": "1", "enabled": "no"}]', /neither true nor false/],
      [
        '[{"certificate": {"uri": "a"}, "organization": "1"}, {"certificate": {"uri": "a"}, "organization": "2"}]',
        /rows 1 and 2 name the same/,
      ],
    ] as const)
      it(`[PK-09] is refused as a whole with ${text.slice(0, 60)}: ${words.source}`, () => {
        expect(() => read(text)).throw(TlsFileError, words);
      });

    it('[PK-12] a new one that cannot be used leaves the old one in place', async () => {
      writeFileSync(table, 'nonsense');
      await sleep(2_500);
      expect((await script('CERT0006', surgery)).status).equal(200);
      write();
    });
  });
});
