/** The outer shell of a whole server: operators' pages (WB-08), TLS beside plain HTTP (PK-01), production (SU-07). */
import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { expect } from 'chai';
import type { FhirApi } from '../../src/fhir-api.ts';
import { startServer } from '../../src/server.ts';
import { createTestCa, writeTlsFiles } from '../support/ca.ts';
import { createDatabase } from '../support/database.ts';
import { send } from '../support/listener.ts';
import { startTestServer, type TestServer, testConfig, testLog } from '../support/server.ts';
import { makeTempFolder } from '../support/temp-folder.ts';

const api: FhirApi = { handle: (req, res) => void res.end(`fhir ${req.url}`) };
const createFhirApi = (): FhirApi => api;
const log = { ...testLog(), warn: () => {} };
const TOKEN = 'test-token-of-thirty-two-characters';
/** Makes a request one that a proxy has handed on. */
const FROM_AFAR = { 'X-Forwarded-For': '203.0.113.9' };

describe('security › shell', function () {
  this.timeout(180_000);

  describe('what is for operators', () => {
    let server: TestServer;
    before(async () => {
      server = await startTestServer({ createFhirApi, env: { METRICS_TOKEN: TOKEN }, log });
    });
    after(() => server.stop());
    const get = (path: string, headers: Record<string, string>) => send(server.port, path, { headers });

    it('[WB-08] metrics are for this machine and for whoever has the token', async () => {
      for (const headers of [{}, { ...FROM_AFAR, Authorization: `Bearer ${TOKEN}` }])
        expect((await get('/metrics', headers)).text).contains('process_resident_memory_bytes');
      for (const given of ['', `Bearer ${TOKEN}x`, `Bearer ${TOKEN.slice(1)}`, `Basic ${TOKEN}`, TOKEN, 'Bearer ']) {
        const answer = await get('/metrics', { ...FROM_AFAR, ...(given !== '' && { Authorization: given }) });
        expect(answer.status, given).equal(401);
        expect(answer.headers['www-authenticate']).contains('Bearer');
        expect(answer.text).not.contains('process_');
      }
    });

    it('[WB-08] others learn whether it is ready, and nothing of why', async () => {
      expect(JSON.parse((await get('/readyz', {})).text)).nested.include({ 'checks.database': 'up' });
      const answer = await get('/readyz', FROM_AFAR);
      expect([answer.status, JSON.parse(answer.text)]).deep.equal([200, { status: 'ready' }]);
      expect(JSON.parse((await get('/livez', FROM_AFAR)).text)).deep.equal({ status: 'alive' });
    });

    it('[WB-08] without METRICS_TOKEN no token opens them', async () => {
      const without = await startTestServer({ createFhirApi, log });
      for (const token of ['', 'undefined', TOKEN]) {
        const headers = { ...FROM_AFAR, Authorization: `Bearer ${token}` };
        expect((await send(without.port, '/metrics', { headers })).status).equal(401);
      }
      await without.stop();
    });

    it('[WB-03] tells neither its version nor what it is built with', async () => {
      const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
      for (const path of ['/', '/livez', '/nowhere']) {
        const { text, headers } = await get(path, FROM_AFAR);
        expect(`${text} ${JSON.stringify(headers)}`)
          .not.contains(version)
          .and.not.match(/express|node/i);
      }
    });
  });

  describe('with certificate files', () => {
    const ca = createTestCa();
    const files = writeTlsFiles(
      join(makeTempFolder(), 'tls'),
      ca.server(['127.0.0.1', 'localhost', 'fhir.example.org']),
      ca,
    );
    const env = { HTTPS_PORT: '0', TLS_CERT_FILE: files.certFile, TLS_KEY_FILE: files.keyFile };

    it('[PK-01] speaks TLS beside plain HTTP; links and ports.json say so', async () => {
      const server = await startTestServer({ createFhirApi, env, log });
      const { httpsPort = 0 } = server;
      expect(server.url).equal(`https://127.0.0.1:${httpsPort}`);
      const ports = JSON.parse(readFileSync(join(server.dataDir, 'ports.json'), 'utf8')) as object;
      expect(ports).include({ http: server.port, https: httpsPort, fhir: `https://127.0.0.1:${httpsPort}/fhir/R4` });
      expect((await send(httpsPort, '/fhir/R4/x', { tls: { ca: ca.certificate } })).text).equal('fhir /fhir/R4/x');
      expect((await send(server.port, '/fhir/R4/x')).text).equal('fhir /fhir/R4/x');
      await server.stop();
      expect(await send(httpsPort, '/', { tls: { ca: ca.certificate } }).catch(({ code }) => code)).equal(
        'ECONNREFUSED',
      );
    });

    it('[PK-01] on every address: TLS there, plain HTTP on this machine only', async () => {
      const more = { HOST: '0.0.0.0', PUBLIC_URL: 'https://fhir.example.org' };
      const server = await startTestServer({ createFhirApi, env: { ...env, ...more }, log });
      const { httpsPort = 0 } = server;
      try {
        const options = { headers: { Host: 'fhir.example.org' }, tls: { ca: ca.certificate } };
        expect((await send(httpsPort, '/livez', options)).status).equal(200);
        // 127.0.0.2 is of this machine too, and not where plain HTTP listens.
        expect(await reach('127.0.0.2', httpsPort)).equal('open');
        expect(await reach('127.0.0.2', server.port)).equal('ECONNREFUSED');
        expect(await reach('127.0.0.2', server.mllpPort ?? server.port)).equal('ECONNREFUSED');
      } finally {
        await server.stop();
      }
    });
  });

  it('[PK-01] makes a development certificate when HTTPS_PORT is given alone, and keeps it', async () => {
    const server = await startTestServer({ createFhirApi, env: { HTTPS_PORT: '0' }, log });
    expect(server.url).equal(`http://127.0.0.1:${server.port}`);
    const certificate = readFileSync(join(server.dataDir, 'tls/development.crt'), 'utf8');
    const answer = await send(server.httpsPort ?? 0, '/livez', { tls: { ca: certificate } });
    expect(answer.status).equal(200);
    await server.stop();
  });

  it('[SU-07] does not start for production when its clock and the database’s are more than 5 s apart', async () => {
    const database = await createDatabase();
    // The tests' Postgres runs with fsync=off, which production refuses before.
    const config = { ...testConfig(database), nodeEnv: 'production' } as const;
    const start = (skewMs: number) => startServer(config, log, { createFhirApi, now: () => Date.now() + skewMs });
    for (const skewMs of [-7_000, 7_000]) {
      const message = await start(skewMs).then(
        () => 'it started',
        (error: Error) => error.message,
      );
      expect(message).contains('clock').contains('7 s apart');
    }
    await (await start(2_000)).stop();
    await database.drop();
  });

  it('[SU-07] does not start with a key that other users may read', async () => {
    const database = await createDatabase();
    const ca = createTestCa();
    const files = writeTlsFiles(join(makeTempFolder(), 'tls'), ca.server(), ca);
    const copy = `${files.keyFile}.copy`;
    writeFileSync(copy, readFileSync(files.keyFile), { mode: 0o644 });
    const config = testConfig(database, { HTTPS_PORT: '0', TLS_CERT_FILE: files.certFile, TLS_KEY_FILE: copy });
    const failure = await startServer(config, log, { createFhirApi }).catch((error: Error) => error.message);
    expect(failure).contains('can be read by other users');
    await database.drop();
  });
});

/** Whether a connection can be made there; else why not. */
async function reach(host: string, port: number): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const socket = connect(port, host, () => resolve('open'));
  socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''));
  return promise.finally(() => socket.destroy());
}
