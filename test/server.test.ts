import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { expect } from 'chai';
import pg from 'pg';
import type { FhirApi } from '../src/fhir-api.ts';
import { startServer } from '../src/server.ts';
import { createDatabase } from './support/database.ts';
import { startTestServer, type TestServer, testConfig, testLog } from './support/server.ts';

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** As `fetch`, which does not let a caller set `Host` or `Origin`. */
function send(server: TestServer, path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const options = { host: '127.0.0.1', port: server.port, path, method, headers, agent: false };
  request(options, async (res) => {
    const chunks: Buffer[] = [];
    for await (const chunk of res) chunks.push(chunk as Buffer);
    resolve({ status: res.statusCode ?? 0, headers: res.headers, body: Buffer.concat(chunks).toString('utf8') });
  })
    .on('error', reject)
    .end();
  return promise;
}

/** Sends bytes and gives back all that comes until the server closes. */
function sendRaw(server: TestServer, text: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let answer = '';
  const socket = connect(server.port, '127.0.0.1', () => socket.write(text));
  socket.setTimeout(5_000, () => socket.destroy());
  socket.on('data', (chunk) => {
    answer += chunk.toString('latin1');
  });
  socket.on('close', () => resolve(answer)).on('error', reject);
  return promise;
}

const issueOf = (answer: Answer): { code: string; diagnostics: string } => JSON.parse(answer.body).issue[0];

describe('server', function () {
  this.timeout(180_000);
  let server: TestServer;
  let release: () => void = () => {};
  const api: FhirApi = {
    handle: (req, res) => {
      if (req.url?.endsWith('/throws')) throw new Error('a bug');
      if (req.url?.endsWith('/slow')) release = () => res.end('late but whole');
      else res.end(`fhir ${req.url}`);
    },
  };

  before(async () => {
    server = await startTestServer({ createFhirApi: () => api, log: quietLog() });
  });
  after(() => server.stop());

  it('hands /fhir/R4 and /FHIR/R4 to the FHIR API, and nothing else', async () => {
    for (const path of ['/fhir/R4', '/FHIR/R4', '/fhir/R4/', '/fhir/R4?x', '/fhir/R4/Patient/1?a=b'])
      expect((await send(server, path)).body).equal(`fhir ${path}`);
    for (const path of ['/fhir/R4x', '/fhir', '/Fhir/R4/Patient', '/x/fhir/R4', '//fhir/R4'])
      expect((await send(server, path)).status, path).equal(404);
  });

  it('answers an unknown path, a wrong method and a broken path with an OperationOutcome', async () => {
    const unknown = await send(server, '/nowhere');
    expect(unknown.status).equal(404);
    expect(unknown.headers['content-type']).equal('application/fhir+json; charset=utf-8');
    expect(issueOf(unknown).code).equal('not-found');
    const wrong = await send(server, '/livez', {}, 'DELETE');
    expect(wrong.status).equal(405);
    expect(wrong.headers['allow']).equal('GET, HEAD');
    expect((await send(server, '/%zz')).status).oneOf([400, 404]);
  });

  it('shows what it is at /', async () => {
    const landing = JSON.parse((await send(server, '/')).body) as { fhir: string };
    expect(landing.fhir).equal(`http://127.0.0.1:${server.port}/fhir/R4`);
  });

  it('is live and ready', async () => {
    expect((await send(server, '/livez')).status).equal(200);
    const ready = await send(server, '/readyz');
    expect(ready.status).equal(200);
    expect(JSON.parse(ready.body)).nested.include({ status: 'ready', 'checks.database': 'up' });
  });

  it('counts answers by route template, without ids or queries', async () => {
    await send(server, '/secret-path?family=Zebra');
    const { body, headers } = await send(server, '/metrics');
    expect(headers['content-type']).contains('text/plain');
    for (const name of [
      'mortar_http_response_seconds_count{method="GET",route="/livez",status="200"}',
      'mortar_database_connections{state="total"}',
      'nodejs_eventloop_lag_seconds{quantile="0.99"}',
      'process_resident_memory_bytes',
    ])
      expect(body).contains(name);
    expect(body).not.contains('Zebra').and.not.contains('secret-path');
  });

  it('writes the real port to ports.json', () => {
    const ports = JSON.parse(readFileSync(join(server.dataDir, 'ports.json'), 'utf8')) as Record<string, unknown>;
    expect(ports).include({ http: server.port, pid: process.pid, url: server.url });
  });

  describe('guard', () => {
    for (const host of ['evil.example', 'localhost', '127.0.0.1:1', 'localhost.evil.example:PORT', '0.0.0.0:PORT', ' '])
      it(`answers Host ${host.trim() || '(empty)'} with 421`, async () => {
        const answer = await send(server, '/fhir/R4', { Host: host.replace('PORT', String(server.port)) });
        expect(answer.status).equal(421);
        expect(issueOf(answer).code).equal('security');
      });

    for (const host of ['localhost:PORT', '127.0.0.1:PORT', '[::1]:PORT', 'LOCALHOST:PORT'])
      it(`takes Host ${host}`, async () => {
        expect((await send(server, '/livez', { Host: host.replace('PORT', String(server.port)) })).status).equal(200);
      });

    for (const origin of [
      'http://evil.example',
      'null',
      'http://localhost',
      'https://localhost:PORT',
      'http://127.0.0.1:1',
    ])
      it(`answers Origin ${origin} with 403`, async () => {
        const answer = await send(server, '/fhir/R4', { Origin: origin.replace('PORT', String(server.port)) });
        expect(answer.status).equal(403);
      });

    for (const [title, path, headers, status] of [
      ['a form of a page of ours, which names no origin', '/sign-in', { 'Sec-Fetch-Site': 'same-origin' }, 404],
      ['the same from another site', '/sign-in', { 'Sec-Fetch-Site': 'cross-site' }, 403],
      ['the same from a site beside ours', '/sign-in', { 'Sec-Fetch-Site': 'same-site' }, 403],
      ['one that does not say', '/sign-in', {}, 403],
      ['a form by which an app asks for authorization', '/oauth2/authorize', { 'Sec-Fetch-Site': 'cross-site' }, 404],
      ['what only begins like it', '/oauth2/authorize/1', { 'Sec-Fetch-Site': 'cross-site' }, 403],
    ] as const)
      it(`[WB-01] [SL-01] Origin null, ${title}: ${status === 403 ? 'refused' : 'goes on'}`, async () => {
        const answer = await send(server, path, { Origin: 'null', ...headers }, 'POST');
        // The shell alone answers here, and knows none of these paths.
        expect(answer.status === 403).equal(status === 403);
      });

    it('takes its own origin', async () => {
      expect((await send(server, '/livez', { Origin: `http://localhost:${server.port}` })).status).equal(200);
    });

    it('refuses a long URL, many headers, large headers', async () => {
      expect((await send(server, `/fhir/R4/Patient?x=${'y'.repeat(16_400)}`)).status).equal(414);
      const many = Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`x-${i}`, '1']));
      expect((await send(server, '/livez', many)).status).equal(431);
      expect((await send(server, '/livez', { 'x-large': 'z'.repeat(33_000) })).status).equal(431);
    });
  });

  describe('IN-37 › request smuggling', () => {
    const host = (): string => `Host: localhost:${server.port}\r\n`;
    for (const [title, headers] of [
      ['both Content-Length and Transfer-Encoding', 'Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
      ['two Content-Lengths that differ', 'Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd'],
      ['a Content-Length that is no number', 'Content-Length: +3\r\n\r\nabc'],
      ['a folded header', 'X-A: b\r\n c\r\n\r\n'],
      ['a space before the colon', 'X-A : b\r\n\r\n'],
      ['a bare line feed', 'X-A: b\nX-C: d\r\n\r\n'],
      ['an unknown transfer coding after chunked', 'Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n'],
      ['NUL in a header', 'X-A: b\0c\r\n\r\n'],
      ['a second Host', 'Host: evil.example\r\n\r\n'],
    ] as const)
      it(`answers ${title} with 400 and closes`, async () => {
        const answer = await sendRaw(server, `POST /fhir/R4 HTTP/1.1\r\n${host()}${headers}`);
        expect(answer).match(/^HTTP\/1\.1 400 /);
        expect(answer).contains('OperationOutcome');
        expect(answer.match(/^HTTP\/1\.1 /gm)).length(1);
      });

    it('answers an absolute request target with 400', async () => {
      const answer = await sendRaw(server, `GET http://evil.example/livez HTTP/1.1\r\n${host()}\r\n`);
      expect(answer).match(/^HTTP\/1\.1 400 /);
    });

    it('answers a request without Host with 421', async () => {
      expect(await sendRaw(server, 'GET /livez HTTP/1.0\r\n\r\n')).match(/^HTTP\/1\.1 421 /);
    });
  });

  it('RL-42 › survives a handler that throws', async () => {
    const answer = await send(server, '/fhir/R4/throws');
    expect(answer.status).equal(500);
    expect(issueOf(answer)).include({ code: 'exception' });
    expect(answer.body).not.contains('a bug');
    expect((await send(server, '/livez')).status).equal(200);
  });

  it('RL-30 › ends requests under way, says not ready meanwhile, and removes ports.json', async () => {
    const stopping = await startTestServer({ createFhirApi: () => api, env: { SHUTDOWN_DELAY_MS: '300' } });
    const slow = send(stopping, '/fhir/R4/slow');
    await until(() => send(stopping, '/livez'));
    const stopped = stopping.stop();
    const ready = await send(stopping, '/readyz');
    expect(ready.status).equal(503);
    expect(ready.headers['connection']).equal('close');
    expect(JSON.parse(ready.body)).include({ status: 'stopping' });
    setTimeout(release, 500);
    expect((await slow).body).equal('late but whole');
    await stopped;
    expect(existsSync(join(stopping.dataDir, 'ports.json'))).equal(false);
    expect(await send(stopping, '/livez').catch((error: { code: string }) => error.code)).equal('ECONNREFUSED');
  });

  it('RL-30 › breaks off what does not end in time', async () => {
    const env = { SHUTDOWN_TIMEOUT_MS: '100' };
    const stopping = await startTestServer({ createFhirApi: () => api, env, log: quietLog() });
    const slow = send(stopping, '/fhir/R4/slow').catch((error: { code: string }) => error.code);
    await until(() => send(stopping, '/livez'));
    const started = performance.now();
    await stopping.stop();
    expect(performance.now() - started).lessThan(30_000);
    expect(await slow).equal('ECONNRESET');
  });

  it('takes down what was begun when the start fails', async () => {
    const database = await createDatabase();
    const config = testConfig(database);
    const createFhirApi = (): never => {
      throw new Error('no API');
    };
    const failure = await startServer(config, testLog(), { createFhirApi }).catch((error: Error) => error.message);
    expect(failure).equal('no API');
    await database.drop();
  });

  it('gives back its leases when the start fails half way', async () => {
    const database = await createDatabase();
    const config = testConfig(database);
    writeFileSync(join(config.dataDir, 'operator.key'), 'no key', { mode: 0o600 });
    const failure = await startServer(config, quietLog()).catch((error: Error) => error.message);
    expect(failure).contain('operator.key');
    const client = new pg.Client(database.connection('owner'));
    await client.connect();
    const { rows } = await client.query('select number from mortar.worker where leased_until > now()');
    await client.end();
    expect(rows).deep.equal([]);
    await database.drop();
  });

  it('uses PUBLIC_URL in links and takes its host and origin', async () => {
    const env = { PUBLIC_URL: 'https://fhir.example.org/base' };
    const published = await startTestServer({ createFhirApi: () => api, env });
    expect(published.fhirBaseUrl).equal('https://fhir.example.org/base/fhir/R4');
    const headers = { Host: 'fhir.example.org', Origin: 'https://fhir.example.org' };
    expect((await send(published, '/livez', headers)).status).equal(200);
    await published.stop();
  });
});

/** Errors that a test provokes are not worth showing. */
function quietLog() {
  const log = testLog();
  return { ...log, error: () => {}, warn: () => {} };
}

/** Gives requests sent before it the time to arrive. */
async function until(arrived: () => Promise<unknown>): Promise<void> {
  await arrived();
  await new Promise((resolve) => setTimeout(resolve, 100));
}
