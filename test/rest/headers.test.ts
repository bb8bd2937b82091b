/** SECURITY WB-02 (the API's part) and WB-03: headers of every answer of every door. */
import { get } from 'node:http';
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

/** Headers as they came, names in lower case. */
function rawHeaders(port: number, path: string) {
  const { promise, resolve, reject } = Promise.withResolvers<{
    readonly status: number | undefined;
    readonly headers: readonly [string, string][];
  }>();
  get({ host: '127.0.0.1', port, path, agent: false }, (res) => {
    const { rawHeaders: raw } = res;
    res.resume();
    resolve({
      status: res.statusCode,
      headers: raw.flatMap((text, n) =>
        n % 2 === 0 ? [[text.toLowerCase(), raw[n + 1] ?? ''] as [string, string]] : [],
      ),
    });
  }).on('error', reject);
  return promise;
}

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
        [
          'set-before',
          (_req, res) => {
            res.setHeader('referrer-policy', 'origin');
            res.writeHead(201, 'Made', { 'content-security-policy': "default-src 'self'", VARY: 'Accept' });
            res.end();
          },
        ],
        [
          'implicit',
          (_req, res) => {
            res.statusCode = 202;
            res.end('said');
          },
        ],
        [
          'list',
          (_req, res) => {
            res.writeHead(200, ['Referrer-Policy', 'origin', 'X-Own', '1']);
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

  for (const [path, status, own] of [
    ['/page', 200, { 'content-security-policy': "default-src 'self'" }],
    [
      '/set-before',
      201,
      { 'referrer-policy': 'origin', 'content-security-policy': "default-src 'self'", vary: 'Accept' },
    ],
    ['/implicit', 202, {}],
    ['/list', 200, { 'referrer-policy': 'origin', 'x-own': '1' }],
  ] as const)
    it(`[WB-03] ${path}: none is missing and none is there twice, however a door writes its own`, async () => {
      const answer = await rawHeaders(http.port, path);
      expect(answer.status).equal(status);
      const names = answer.headers.map(([name]) => name);
      expect(names).length(new Set(names).size);
      expect(Object.fromEntries(answer.headers)).include({ ...EXPECTED, vary: 'Origin', ...own });
    });
});
