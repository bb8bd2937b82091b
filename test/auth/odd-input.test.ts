/** What no honest program sends is the sender's fault, and no fault of ours: no 500, no line in the log of errors. */
import { expect } from 'chai';
import { startTestServer, type TestServer } from '../support/server.ts';

const NUL = Buffer.from('%00:x').toString('base64');
const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const ASSERTION = `${part({ alg: 'RS384', kid: 'a' })}.${part({ iss: 'a\0', sub: 'a\0' })}.AAAA`;
const JWT = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
const URI = { scope: 'user/*.rs', redirect_uris: ['https://app.example.org/\0'] };

describe('auth › odd input', () => {
  let server: TestServer;
  before(async () => {
    server = await startTestServer();
  });
  after(() => server.stop());

  for (const [method, path, body, headers] of [
    ['GET', '/oauth2/authorize?client_id=%00'],
    ['POST', '/oauth2/authorize', 'client_id=%00'],
    ['GET', '/oauth2/authorize/%zz'],
    ['GET', '/oauth2/logout?client_id=%00&post_logout_redirect_uri=%00'],
    ['POST', '/oauth2/par', 'client_id=%00'],
    ['POST', '/oauth2/token', 'grant_type=client_credentials&client_id=%00'],
    ['POST', '/oauth2/token', 'grant_type=client_credentials', { authorization: `Basic ${NUL}` }],
    [
      'POST',
      '/oauth2/token',
      `grant_type=client_credentials&client_assertion_type=${JWT}&client_assertion=${ASSERTION}`,
    ],
    ['GET', '/oauth2/register/%00', undefined, { authorization: 'Bearer abc' }],
    ['GET', '/oauth2/register/%zz', undefined, { authorization: 'Bearer abc' }],
    ['POST', '/oauth2/register', JSON.stringify(URI)],
    ['POST', '/api/v2/admin/clients', JSON.stringify(URI)],
    ['GET', '/api/v2/admin/clients/%00'],
    ['GET', '/api/v2/admin/clients/%zz'],
    ['GET', '/api/v2/admin/clients?after=%00'],
    ['GET', '/api/v2/admin/grants?user=%00'],
    ['GET', '/api/v2/admin/grants?client=%00'],
    ['POST', '/api/v2/auth/login', '{"email":"a\\u0000@example.org","password":"\\u0000"}'],
  ] as readonly (readonly [string, string, string?, Record<string, string>?])[])
    it(`[RL-42] ${method} ${path} ${body?.slice(0, 40) ?? ''}: below 500`, async () => {
      const type = body?.startsWith('{') ? 'application/json' : 'application/x-www-form-urlencoded';
      const reply = await fetch(server.url + path, {
        method,
        headers: { ...server.bearer, ...(body !== undefined && { 'Content-Type': type }), ...headers },
        ...(body !== undefined && { body }),
        redirect: 'manual',
      });
      expect(reply.status, await reply.text()).below(500);
    });
});
