/** SECURITY WB-06, class `token`. */
import { expect } from 'chai';
import { createRateLimits } from '../../../src/rest/rate-limit.ts';
import { type OAuthServer, startOAuthServer, type TestApp } from '../../support/oauth-server.ts';

describe('oauth › limit of the token endpoint', () => {
  let server: OAuthServer;
  let address = '192.0.2.1';
  let pass: (ms: number) => void;
  beforeEach(async () => {
    let at = 0;
    const limits = createRateLimits({ now: () => at });
    pass = (ms) => {
      at += ms;
    };
    server = await startOAuthServer({
      limitToken: (key) => limits.check('token', key),
      addressOf: () => address,
    });
    address = '192.0.2.1';
  });
  afterEach(() => server.stop());

  const ask = async (app: TestApp, more: Record<string, string> = {}) =>
    server.post('/oauth2/token', { grant_type: 'refresh_token', refresh_token: 'x', ...(await app.auth()), ...more });
  const statuses = async (count: number, of: () => Promise<{ status: number }>): Promise<string> => {
    const all: number[] = [];
    for (let i = 0; i < count; i += 1) all.push((await of()).status);
    return [...new Set(all)].join(' ');
  };

  it('[WB-06] 60 a minute; then 429 with when to come back, and no line in the trail', async () => {
    const app = await server.addApp({ kind: 'symmetric' });
    expect(await statuses(60, () => ask(app))).equal('400');
    const before = server.audit.length;
    const { status, headers, body } = await ask(app);
    expect([status, body.error]).deep.equal([429, 'temporarily_unavailable']);
    expect(headers.get('retry-after')).equal('1');
    expect([headers.get('ratelimit-limit'), headers.get('ratelimit-remaining')]).deep.equal(['60', '0']);
    expect(server.audit.length).equal(before);
    pass(1000);
    expect((await ask(app)).status, 'a second later').equal(400);
  });

  it('[WB-06] a confidential client has one limit from wherever it comes', async () => {
    const app = await server.addApp({ kind: 'symmetric' });
    expect(await statuses(30, () => ask(app))).equal('400');
    address = '192.0.2.2';
    expect(await statuses(30, () => ask(app))).equal('400');
    expect((await ask(app)).status).equal(429);
  });

  it('[WB-06] a guesser is limited, and takes nothing from the client itself', async () => {
    const app = await server.addApp({ kind: 'symmetric' });
    address = '198.51.100.9';
    expect(await statuses(60, () => ask(app, { client_secret: 'guess' }))).equal('401');
    expect((await ask(app, { client_secret: 'guess' })).status).equal(429);
    address = '192.0.2.1';
    expect((await ask(app)).status).equal(400);
  });

  it('[WB-06] the users of a public client are many: each address has its own', async () => {
    const app = await server.addApp();
    expect(await statuses(61, () => ask(app))).equal('400 429');
    address = '192.0.2.2';
    expect((await ask(app)).status).equal(400);
  });

  it('[WB-06] ids that are none are counted together', async () => {
    let n = 0;
    const form = () => {
      n += 1;
      return server.post('/oauth2/token', { grant_type: 'refresh_token', client_id: `?${n}` });
    };
    expect(await statuses(61, form)).equal('401 429');
  });
});
