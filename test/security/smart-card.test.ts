/** Signing in with a smart card, over real sockets. SECURITY NH-11 */
import { writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ConnectionOptions, connect } from 'node:tls';
import { expect } from 'chai';
import pg from 'pg';
import { readConfig } from '../../src/config.ts';
import { extensions } from '../../src/standards/x509/extensions.ts';
import { createName } from '../../src/standards/x509/name.ts';
import { formatPem } from '../../src/standards/x509/pem.ts';
import { authority, client, DAY_MS, listOf, type Made, server as serverCertificate } from '../support/authority.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { makeTempFolder } from '../support/temp-folder.ts';

const now = Date.now(); // TLS goes by the machine's clock
const times = { notBefore: now - DAY_MS, notAfter: now + 30 * DAY_MS };
const POLICY = '1.2.826.0.1.99.1';
const withPolicy = [extensions.certificatePolicies([POLICY])];
const root = authority('Cards', times);
const other = authority('Others', times);
const bare = authority('Cards without the policy', { issuer: root, ...times });
const own = authority('Server', times);
const host = serverCertificate('localhost', {
  issuer: own,
  extensions: [extensions.subjectAltName(['localhost', '127.0.0.1'])],
  ...times,
});
const subjectOf = (user: string) =>
  createName([
    ['O', 'Cards'],
    ['UID', user],
    ['CN', 'Holder'],
  ]);
const card = (user: string, changes: Parameters<typeof client>[1] = {}): Made =>
  client('Holder', { issuer: root, subject: subjectOf(user), extensions: withPolicy, ...times, ...changes });

const doctor = card('555000000001');
const renewed = card('555000000001');
const lost = card('555000000001');
const unmapped = card('555000000009');
const disabled = card('555000000002');

describe('security › smart cards', function () {
  this.timeout(180_000);
  const folder = makeTempFolder();
  const at = (name: string, text: string): string => {
    const file = join(folder, name);
    writeFileSync(file, text, { mode: 0o600 });
    return file;
  };
  const row = (user: string, email: string) => ({
    certificate: { issuer: 'CN=Cards,O=Example', subject: `CN=Holder,UID=${user},O=Cards` },
    user: email,
  });
  let server: TestServer;
  before(async () => {
    const list = (by: Made, revoked: Parameters<typeof listOf>[1] = []): string =>
      formatPem('X509 CRL', listOf(by, revoked, { thisUpdate: now - 1000, nextUpdate: now + DAY_MS }));
    server = await startTestServer({
      env: {
        HTTPS_PORT: '0',
        TLS_CERT_FILE: at('tls.crt', host.pem),
        TLS_KEY_FILE: at('tls.key', host.keyPem),
        TLS_CLIENT_CA_FILE: at('clients.crt', other.pem),
        TLS_CLIENT_CRL_FILE: at(
          'all.crl',
          list(root, [[lost, { revokedAt: now - 1000, reason: 'keyCompromise' }]]) + list(bare) + list(other),
        ),
        CARD_PORT: '0',
        CARD_CA_FILE: at('cards.crt', root.pem + bare.pem),
        CARD_POLICY: POLICY,
        CARD_HOLDERS_FILE: at(
          'holders.json',
          JSON.stringify([
            row('555000000001', 'doctor@demo.example'),
            row('555000000002', 'pharmacist@demo.example'),
            row('555000000003', 'nobody@demo.example'),
          ]),
        ),
      },
    });
    await server.loadDemo();
    await query("update auth.person set is_disabled = true where email = 'pharmacist@demo.example'");
  });
  after(() => server?.stop());

  async function query(text: string, values: readonly unknown[] = []): Promise<readonly { readonly id: string }[]> {
    const db = new pg.Client(server.database.connection('owner'));
    await db.connect();
    try {
      return (await db.query(text, [...values])).rows;
    } finally {
      await db.end();
    }
  }
  async function countOf(rule: string): Promise<number> {
    await sleep(50); // what is refused is written beside the answer
    return (await query('select id::text from audit.entry where rule = $1', [rule])).length;
  }

  interface Answer {
    readonly status: number;
    readonly location: string | undefined;
    readonly cookie: string | undefined;
    readonly text: string;
  }
  const certified = (made?: Made): ConnectionOptions => ({
    ca: own.pem,
    ...(made && { cert: made.pem, key: made.keyPem }),
  });
  /** Undefined when the connection was broken off. */
  function visit(
    path: string,
    tls: ConnectionOptions,
    headers: Record<string, string> = {},
    port = server.cardPort,
  ): Promise<Answer | undefined> {
    const { promise, resolve } = Promise.withResolvers<Answer | undefined>();
    request({ host: '127.0.0.1', port, path, agent: false, headers, ...tls }, async (res) => {
      let text = '';
      for await (const chunk of res) text += chunk;
      const [cookie] = res.headers['set-cookie'] ?? [];
      resolve({ status: res.statusCode ?? 0, location: res.headers.location, cookie: cookie?.split(';')[0], text });
    })
      .on('error', () => resolve(undefined))
      .end();
    return promise;
  }
  const CARD = '/sign-in/card';

  it('[NH-11] a card signs its holder in, with a second factor, and leads on to the site', async () => {
    for (const made of [doctor, renewed]) {
      const answer = await visit(`${CARD}?next=%2Fmy-apps`, certified(made));
      expect(answer).include({ status: 303, location: `${server.url}/my-apps` });
      const account = await visit('/account', { ca: own.pem }, { cookie: answer?.cookie ?? '' }, server.httpsPort);
      expect(account?.status).equal(200);
    }
    expect(await countOf('signed-in-card')).equal(2);
    const [session] = await query(
      `select s.amr::text as id from auth.session s join auth.person p on p.id = s.person_id where p.email = 'doctor@demo.example' limit 1`,
    );
    expect(session?.id).include('sc').include('mfa');
  });

  it('[NH-11] the page to sign in says where', async () => {
    const page = await visit('/sign-in', { ca: own.pem }, {}, server.httpsPort);
    expect(page?.text).include(`:${server.cardPort}${CARD}`).include('smart card');
  });

  const REFUSED: readonly (readonly [what: string, code: string, tls: () => ConnectionOptions])[] = [
    ['no card', 'missing', () => certified()],
    [
      'a certificate for servers',
      'wrong-usage',
      () => certified(serverCertificate('localhost', { issuer: root, ...times })),
    ],
    ['a revoked card', 'revoked', () => certified(lost)],
    ['a card without the policy', 'policy', () => certified(client('Holder', { issuer: root, ...times }))],
    [
      'a card of an authority that was not given the policy',
      'policy',
      () => certified(card('555000000001', { issuer: bare })),
    ],
    [
      'a certificate of those who may connect elsewhere',
      'unknown-issuer',
      () => certified(card('555000000001', { issuer: other })),
    ],
    ['an expired card', 'expired', () => certified(card('555000000001', { notAfter: now - 1000 }))],
  ];
  for (const [what, code, tls] of REFUSED)
    it(`[NH-11] ${what}: broken off, and recorded`, async () => {
      const before = await countOf(`certificate-${code}`);
      expect(await visit(CARD, tls())).equal(undefined);
      expect(await countOf(`certificate-${code}`)).equal(before + 1);
    });

  for (const [what, made, rule] of [
    ['a card that nobody has mapped', unmapped, 'card-unknown'],
    ['a card whose account is not there', card('555000000003'), 'card-unknown'],
    ['a card of somebody who is disabled', disabled, 'card-disabled'],
  ] as const)
    it(`[NH-11] ${what}: no session, and it is recorded`, async () => {
      const before = await countOf(rule);
      const answer = await visit(CARD, certified(made));
      expect(answer).include({ status: 403, cookie: undefined });
      expect(await countOf(rule)).equal(before + 1);
    });

  it('[NH-11] another site cannot sign somebody in, nor lead them away', async () => {
    const answer = await visit(CARD, certified(doctor), { 'sec-fetch-site': 'cross-site' });
    expect(answer).include({ status: 403, cookie: undefined });
    expect((await visit(`${CARD}?next=//evil.example`, certified(doctor)))?.location).equal(`${server.url}/account`);
  });

  for (const version of ['TLSv1.2', 'TLSv1.3'] as const)
    it(`[NH-11] ${version}: one proof, one session: neither a second request nor a resumed connection signs in`, async () => {
      const options = {
        host: '127.0.0.1',
        port: server.cardPort ?? 0,
        ...certified(doctor),
        maxVersion: version,
      } as const;
      const ask = `GET ${CARD} HTTP/1.1\r\nHost: 127.0.0.1:${server.cardPort}\r\n\r\n`;
      const twice = async (session?: Buffer): Promise<{ answers: string; session?: Buffer; isReused: boolean }> => {
        const socket = connect({ ...options, ...(session && { session }) });
        let answers = '';
        let given: Buffer | undefined;
        let isReused = true;
        socket.once('secureConnect', () => {
          isReused = socket.isSessionReused();
        });
        socket.on('session', (one) => {
          given = one;
        });
        socket.on('error', () => {}); // it is closed
        socket.on('data', (chunk: Buffer) => {
          answers += chunk.toString();
        });
        socket.write(ask + ask);
        await new Promise((resolve) => socket.once('close', resolve));
        return { answers, ...(given && { session: given }), isReused };
      };
      const first = await twice();
      expect(first.answers.match(/HTTP\/1\.1 303/g)).length(1);
      expect(first.answers.match(/HTTP\/1\.1/g)).length(1);
      const again = await twice(first.session);
      expect(again.isReused).equal(false);
      expect(again.answers.match(/HTTP\/1\.1 303/g)).length(1);
    });

  it('[NH-11] nothing else is served there, and a card opens nothing elsewhere', async () => {
    for (const path of ['/', '/sign-in', '/fhir/R4/Patient', '/account'])
      expect((await visit(path, certified(doctor)))?.status).equal(404);
    expect(await visit('/fhir/R4/metadata', certified(doctor), {}, server.httpsPort)).equal(undefined);
    expect((await visit(CARD, { ca: own.pem }, {}, server.httpsPort))?.status).equal(404);
  });

  it('[NH-11] is off unless all of it is set', () => {
    expect(readConfig({}).cardPort).equal('off');
    expect(() => readConfig({ CARD_PORT: '8444', HTTPS_PORT: '8443', CARD_CA_FILE: import.meta.filename })).throw(
      /CARD_PORT needs/,
    );
  });
});
