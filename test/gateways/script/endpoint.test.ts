import { createServer, request as httpRequest, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { createScriptEndpoint, type ScriptReception } from '../../../src/gateways/script/endpoint.ts';
import type { Log } from '../../../src/ports/log.ts';
import { FhirError, issue } from '../../../src/standards/fhir/outcome.ts';
import { findText } from '../../../src/standards/script/message.ts';
import { readScript } from '../../../src/standards/script/read.ts';
import { scriptFixture } from '../../standards/script/samples.ts';

const NEW_RX = scriptFixture('newrx-basic');
const ANSWER = scriptFixture('status-010');

interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

describe('gateways › script › endpoint', () => {
  let server: Server;
  let port: number;
  const received: Buffer[] = [];
  const logged: string[] = [];
  let admission: () => Promise<undefined>;
  let reception: () => Promise<ScriptReception>;
  const note = (message: string): void => void logged.push(message);
  const log: Log = { debug: note, info: note, warn: note, error: note };

  before((done) => {
    server = createServer(
      createScriptEndpoint({
        admit: () => admission(),
        receive: (raw) => {
          received.push(raw);
          return reception();
        },
        log,
        now: () => Date.UTC(2026, 0, 15),
        newId: () => '0198c5f2-7b1e-7c3a-9d7e-1a2b3c4d5e6f',
        limits: { bodyBytesMax: 20_000, bodyTimeoutMs: 300 },
      }),
    );
    server.listen(0, '127.0.0.1', () => {
      port = (server.address() as AddressInfo).port;
      done();
    });
  });
  after((done) => {
    server.closeAllConnections();
    server.close(done);
  });
  beforeEach(() => {
    received.length = 0;
    logged.length = 0;
    admission = async () => undefined;
    reception = async () => ({ answer: ANSWER, verdict: 'applied' });
  });

  function send(
    body: Buffer | undefined,
    options: { method?: string; path?: string; headers?: Record<string, string>; open?: boolean } = {},
  ): Promise<Reply> {
    const { method = 'POST', path = '/ncpdp/script', headers = {}, open = false } = options;
    return new Promise((resolve, reject) => {
      const req = httpRequest(
        { port, method, path, headers: { 'Content-Type': 'application/xml', ...headers } },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('end', () => {
            resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) });
            req.destroy();
          });
        },
      );
      req.on('error', reject);
      if (open) req.write(body ?? '');
      else req.end(body);
    });
  }
  const errorOf = ({ body }: Reply) => {
    const { message, header } = readScript(body);
    return [message?.kind, findText(message?.transaction, 'Code'), header.relatesToMessageId];
  };

  it('hands the very bytes on and sends the answer', async () => {
    const reply = await send(NEW_RX);
    expect([reply.status, reply.headers['content-type']]).deep.equal([200, 'application/xml; charset=utf-8']);
    expect(reply.body.equals(ANSWER)).equal(true);
    expect(received.map((raw) => raw.equals(NEW_RX))).deep.equal([true]);
  });

  for (const type of ['text/xml', 'application/xml; charset=utf-8', 'Application/XML'])
    it(`takes ${type}`, async () =>
      expect((await send(NEW_RX, { headers: { 'Content-Type': type } })).status).equal(200));

  it('an Error about usable XML is 200, one about none is 400', async () => {
    reception = async () => ({ answer: scriptFixture('error-900'), verdict: 'rejected' });
    expect((await send(scriptFixture('bad-missing-lastname'))).status).equal(200);
    for (const fixture of ['bad-truncated', 'bad-xxe'])
      expect((await send(scriptFixture(fixture))).status, fixture).equal(400);
    expect((await send(Buffer.from('hello'))).status).equal(400);
  });

  for (const [status, code] of [
    [401, 'login'],
    [403, 'forbidden'],
  ] as const)
    it(`[IN-02] ${status} and an Error before the message is read, for who may not send`, async () => {
      const headers = { 'WWW-Authenticate': 'Bearer' };
      admission = () => Promise.reject(new FhirError(status, [issue(code, 'not you')], { headers }));
      const reply = await send(NEW_RX);
      expect([reply.status, reply.headers['www-authenticate']]).deep.equal([status, 'Bearer']);
      expect(errorOf(reply).slice(0, 2)).deep.equal(['Error', '900']);
      expect(received).deep.equal([]);
    });

  it('what may not be answered has an empty body', async () => {
    reception = async () => ({ answer: Buffer.alloc(0), verdict: 'refused' });
    const reply = await send(ANSWER);
    expect([reply.status, reply.body.length, reply.headers['content-type']]).deep.equal([200, 0, undefined]);
  });

  for (const [title, options, status] of [
    ['another method', { method: 'PUT' }, 405],
    ['another path', { path: '/ncpdp/other' }, 404],
    ['another content type', { headers: { 'Content-Type': 'application/json' } }, 415],
    ['a compressed body', { headers: { 'Content-Encoding': 'gzip' } }, 415],
  ] as const)
    it(`${title}: ${status} with an Error, and nothing is handed on`, async () => {
      const reply = await send(NEW_RX, options);
      expect(reply.status).equal(status);
      expect(errorOf(reply)).deep.equal(['Error', '900', '0']);
      expect(received).deep.equal([]);
    });

  it('a body beyond the limit: 413 with an Error to its sender', async () => {
    const large = Buffer.concat([NEW_RX, Buffer.alloc(40_000, ' ')]);
    const reply = await send(large);
    expect([reply.status, ...errorOf(reply)]).deep.equal([413, 'Error', '601', 'OWN0001A7F3C9D1']);
    expect(received).deep.equal([]);
  });

  it('a body that does not end: 408', async () => {
    const reply = await send(NEW_RX.subarray(0, 100), { open: true });
    expect([reply.status, ...errorOf(reply)]).deep.equal([408, 'Error', '601', '0']);
  });

  it('a fault inside: 500 with Error 602, told in the log', async () => {
    reception = () => Promise.reject(new Error('no'));
    const reply = await send(NEW_RX);
    expect([reply.status, ...errorOf(reply)]).deep.equal([500, 'Error', '602', '0']);
    expect(logged).deep.equal(['a SCRIPT request failed']);
  });

  it('a sender that goes away harms nobody', async () => {
    const req = httpRequest({ port, method: 'POST', path: '/ncpdp/script', headers: { 'Content-Type': 'text/xml' } });
    req.on('error', () => undefined);
    req.write('<Message>');
    await new Promise((resolve) => setTimeout(resolve, 20));
    req.destroy();
    expect((await send(NEW_RX)).status).equal(200);
    expect(received.length).equal(1);
  });
});
