/** SECURITY WB-02 (the API's part) and WB-03: headers of every answer of every door. */
import { connect } from 'node:net';
import { expect } from 'chai';
import type { HttpServer, RequestHandler } from '../../src/rest/http-server.ts';
import { sendOutcome } from '../../src/rest/send-outcome.ts';
import { notFound } from '../../src/standards/fhir/outcome.ts';
import { send, startListener } from '../support/listener.ts';

const EXPECTED = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'; sandbox",
};

describe('rest › headers', () => {
  let http: HttpServer;
  before(async () => {
    http = await startListener({
      fhir: (_req, res) => {
        res.writeHead(200, { 'Content-Type': 'application/fhir+json; charset=utf-8' });
        res.end('{}');
      },
      doors: new Map<string, RequestHandler>([
        ['throws', () => raise()],
        ['missing', (_req, res) => sendOutcome(res, notFound('That'))],
        [
          'page',
          (_req, res) => {
            res.writeHead(200, { 'content-security-policy': "default-src 'self'" });
            res.end();
          },
        ],
      ]),
    });
  });
  after(() => http.close(0));
  const raise = (): never => {
    throw new Error('a bug with a stack');
  };

  for (const [what, path, headers, status] of [
    ['FHIR', '/fhir/R4/Patient', {}, 200],
    ['the shell', '/', {}, 200],
    ['an error', '/missing', {}, 404],
    ['a handler that throws', '/throws', {}, 500],
    ['a refused Host', '/', { Host: 'evil.example' }, 421],
    ['a refused Origin', '/', { Origin: 'https://evil.example' }, 403],
  ] as const)
    it(`[WB-02] [WB-03] ${what}`, async () => {
      const answer = await send(http.port, path, { headers });
      expect(answer.status).equal(status);
      expect(answer.headers).include(EXPECTED);
      expect(answer.headers).not.any.keys('x-powered-by', 'server', 'strict-transport-security');
      expect(answer.text).not.match(/\bat .*\.ts:|a bug/);
    });

  it('[WB-03] what is no HTTP at all', async () => {
    const { promise, resolve } = Promise.withResolvers<string>();
    let text = '';
    connect(http.port, '127.0.0.1', function (this: import('node:net').Socket) {
      this.write('nonsense\r\n\r\n');
    })
      .on('data', (chunk) => {
        text += chunk.toString();
      })
      .on('close', () => resolve(text));
    const answer = (await promise).toLowerCase();
    for (const [name, value] of Object.entries(EXPECTED)) expect(answer).contains(`\r\n${name}: ${value}\r\n`);
  });

  it('a door may have a policy of its own', async () => {
    const { headers } = await send(http.port, '/page');
    expect(headers['content-security-policy']).equal("default-src 'self'");
    expect(headers['x-content-type-options']).equal('nosniff');
  });
});
