/** Two servers with data folders of their own on one database. */
import { copyFileSync, cpSync, existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { type RunningServer, startServer } from '../src/server.ts';
import { createTestCa, writeTlsFiles } from './support/ca.ts';
import { createDatabase, type TestDatabase } from './support/database.ts';
import { operatorToken, startTestServer, testConfig, testLog } from './support/server.ts';
import { makeTempFolder } from './support/temp-folder.ts';

const DAY_MS = 24 * 60 * 60_000;

describe('identity › nodes with data folders of their own', () => {
  let database: TestDatabase;
  let one: RunningServer;
  let two: RunningServer;
  let time = Date.now();
  const now = (): number => time;
  before(async () => {
    database = await createDatabase();
    one = await startServer(testConfig(database), testLog(), { now });
    const config = testConfig(database);
    // What seals is one for all processes of a database: the operator takes it along.
    cpSync(join(one.dataDir, 'keys'), join(config.dataDir, 'keys'), { recursive: true });
    two = await startServer(config, testLog(), { now });
  });
  after(async () => {
    await two?.stop();
    await one?.stop();
    await database?.drop();
  });

  const opens = async ({ url }: RunningServer, link: string): Promise<number> =>
    (await fetch(url + new URL(link).pathname)).status;

  it('[KS-01] the operator of each has tokens, also of the one that started first', async () => {
    for (const server of [one, two]) {
      const headers = { Authorization: `Bearer ${await operatorToken(server, { now })}` };
      expect((await fetch(`${server.fhirBaseUrl}/Patient`, { headers })).status).equal(200);
    }
  });

  it('[KS-01] a key that is made anew takes the place of the one before, and of no other node’s', async () => {
    const before = makeTempFolder();
    for (const name of ['operator.key', 'ports.json']) copyFileSync(join(two.dataDir, name), join(before, name));
    const { dataDir } = two;
    await two.stop();
    rmSync(join(dataDir, 'operator.key'));
    two = await startServer({ ...testConfig(database), dataDir }, testLog(), { now });
    copyFileSync(join(dataDir, 'ports.json'), join(before, 'ports.json'));
    await operatorToken(one, { now });
    await operatorToken(two, { now });
    const refused = await operatorToken({ dataDir: before }, { now }).catch((error: Error) => error.message);
    expect(refused).match(/client authentication failed/);
  });

  it('[KS-01] a node that has not been there for a day has no key any more', async () => {
    time += DAY_MS + 60_000;
    const refused = await operatorToken(one, { now }).catch((error: Error) => error.message);
    expect(refused).match(/client authentication failed/);
    time -= DAY_MS + 60_000;
    await operatorToken(one, { now });
  });

  it('[LG-16] the setup link of each is good, on both, until one was used; a new start replaces only its own', async () => {
    const links = [one.setupLink ?? '', two.setupLink ?? ''];
    expect(new Set(links).size).equal(2);
    for (const to of [one, two]) for (const link of links) expect(await opens(to, link), link).equal(200);
    await one.loadDemo();
    for (const to of [one, two]) for (const link of links) expect(await opens(to, link), 'there is one now').equal(404);
  });

  it('[LG-16] demo data brings an administrator: no link is left in the folder', () => {
    expect(existsSync(join(one.dataDir, 'setup-link'))).equal(false);
  });
});

describe('identity › what is served follows from the settings', () => {
  const methodsOf = async (env: Readonly<Record<string, string>>): Promise<readonly string[]> => {
    const server = await startTestServer({ env });
    try {
      const reply = await fetch(`http://127.0.0.1:${server.port}/.well-known/openid-configuration`);
      const document = (await reply.json()) as Record<string, unknown>;
      const methods = document['token_endpoint_auth_methods_supported'] as string[];
      expect(document['tls_client_certificate_bound_access_tokens']).equal(methods.includes('tls_client_auth'));
      return methods;
    } finally {
      await server.stop();
    }
  };

  it('[SD-04] client certificates are named only with TLS_CLIENT_CA_FILE', async () => {
    const folder = makeTempFolder();
    const ca = createTestCa();
    const { certFile, keyFile, caFile } = writeTlsFiles(join(folder, 'tls'), ca.server(), ca);
    expect(readFileSync(caFile, 'utf8')).match(/CERTIFICATE/);
    const tls = { TLS_CERT_FILE: certFile, TLS_KEY_FILE: keyFile, HTTPS_PORT: '0' };
    expect(await methodsOf(tls)).not.include('tls_client_auth');
    expect(await methodsOf({ ...tls, TLS_CLIENT_CA_FILE: caFile })).include('tls_client_auth');
  });
});
