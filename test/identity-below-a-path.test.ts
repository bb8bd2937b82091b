/** Pages, cookies, redirects and discovery of a server that a proxy serves below a path and takes the path off. */
import { createHash, randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { basePathOf } from '../src/auth/pages/base-path.ts';
import { toBase32, totpCode, totpStep } from '../src/auth/people/totp.ts';
import { readConfig } from '../src/config.ts';
import { type Browser, createBrowser } from './auth/authorize/browser.ts';
import { startTestServer, type TestServer } from './support/server.ts';
import { type StrippingProxy, startStrippingProxy } from './support/stripping-proxy.ts';

const PATH = '/care/mortar';
const PASSWORD = 'correct-horse-battery';
const REDIRECT = 'https://app.example.org/cb';

describe('identity › below a path of the public URL', () => {
  let proxy: StrippingProxy;
  let server: TestServer;
  let url: string;
  let secret: Buffer;
  let clock = Date.now();
  before(async () => {
    proxy = await startStrippingProxy(PATH);
    url = proxy.origin + PATH;
    server = await startTestServer({ env: { PUBLIC_URL: url }, now: () => clock });
    proxy.forwardTo(server.port);
  });
  after(async () => {
    await server?.stop();
    await proxy?.stop();
  });

  const send = (path: string, init: RequestInit = {}): Promise<Response> =>
    fetch(url + path, { ...init, headers: { ...server.bearer, ...init.headers } });
  const sendJson = (path: string, body: object): Promise<Response> =>
    send(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
  const code = (): string => {
    clock += 30_000;
    return totpCode(secret, totpStep(clock));
  };

  /** Everything on the page that leads somewhere. */
  const leads = (text: string): string[] =>
    [...text.matchAll(/ (?:href|action|src)="([^"]*)"/g)]
      .map(([, to = '']) => to)
      .filter((to) => !/^(?:#|data:)/.test(to));

  async function looksRight(browser: Browser, path: string): Promise<void> {
    const { status, text } = await browser.get(PATH + path);
    expect(status, path).equal(200);
    for (const to of leads(text)) {
      expect(to, `${path} leads to ${to}`).match(/^\/care\/mortar\//);
      const [got, sent] = await Promise.all([fetch(proxy.origin + to), fetch(proxy.origin + to, { method: 'POST' })]);
      expect(got.status === 404 && sent.status === 404, to).equal(false);
    }
  }

  it('[LG-16] the link of the first administrator works, and what follows stays below the path', async () => {
    expect(server.setupLink).match(new RegExp(`^${url}/setup/`));
    const browser = createBrowser(proxy.origin);
    const page = await browser.get(new URL(server.setupLink ?? '').pathname);
    expect(page.h1).equal('Make the first administrator');
    const base32 = /<code id="key">([^<]*)/.exec(page.text)?.[1]?.replaceAll(' ', '') ?? '';
    secret = fromBase32(base32);
    expect(toBase32(secret)).equal(base32);
    const made = await browser.submit({ name: 'Ada', email: 'ada@example.org', password: PASSWORD, code: code() });
    expect(made.h1, made.text).equal('Your recovery codes');
    expect(made.path).equal(`${PATH}/account/recovery-codes`);
    expect((await browser.submit()).path).equal(`${PATH}/account`);
  });

  it('[LG-13] the cookie is one of its own, and of the path / as its kind needs', async () => {
    const reply = await fetch(`${url}/sign-in`, {
      method: 'POST',
      redirect: 'manual',
      headers: { Origin: proxy.origin, 'Content-Type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({ email: 'ada@example.org', password: PASSWORD }),
    });
    expect(reply.status).equal(303);
    expect(reply.headers.get('location')).equal(`${PATH}/sign-in/second-step`);
    expect(reply.headers.getSetCookie().join()).match(/^mortar-step\.care\.mortar=[\w-]{43}; Path=\/; HttpOnly/);
  });

  it('every page leads only to what there is below the path; signing out leads back to the sign-in', async () => {
    const browser = createBrowser(proxy.origin);
    for (const path of ['/sign-in', '/reset', '/reset/sent']) await looksRight(browser, path);
    const first = await browser.get(`${PATH}/account`);
    expect(first.path).equal(`${PATH}/sign-in`);
    await browser.submit({ email: 'ada@example.org', password: PASSWORD }, 'Sign in');
    const account = await browser.submit({ code: code() }, 'Continue');
    expect(account.path).equal(`${PATH}/account`);
    for (const path of ['/account', '/account/password', '/account/security-keys/add', '/my-apps'])
      await looksRight(browser, path);
    expect(proxy.missed).eql([]);
  });

  it('[SD-02] [SD-05] discovery names addresses below the path, and each answers there', async () => {
    for (const path of [
      '/fhir/R4/.well-known/smart-configuration',
      '/.well-known/openid-configuration',
      '/.well-known/oauth-authorization-server',
      `/.well-known/oauth-authorization-server${PATH}`,
    ]) {
      const document = (await (await send(path)).json()) as Record<string, unknown>;
      expect(document, path).property('issuer', url);
      for (const [name, value] of Object.entries(document)) {
        if (typeof value !== 'string' || !/^https?:/.test(value)) continue;
        expect(value, name).match(new RegExp(`^${url}`));
        if (name !== 'issuer') expect((await fetch(value)).status, name).not.equal(404);
      }
    }
  });

  it('[SL-15] an app asks, and gets its code and tokens; its logout ends there', async () => {
    const browser = createBrowser(proxy.origin);
    const client = (await (
      await sendJson('/api/v2/admin/clients', {
        client_name: 'Chart',
        token_endpoint_auth_method: 'none',
        redirect_uris: [REDIRECT],
        initiate_login_uri: 'https://app.example.org/launch',
        scope: 'openid fhirUser launch user/Patient.rs',
      })
    ).json()) as { client_id: string };
    expect(client, JSON.stringify(client)).property('client_id');
    const verifier = randomBytes(32).toString('base64url');
    const asked = new URLSearchParams({
      response_type: 'code',
      client_id: client.client_id,
      redirect_uri: REDIRECT,
      scope: 'openid fhirUser user/Patient.rs',
      state: 's',
      aud: `${url}/fhir/R4`,
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256',
    });
    await browser.get(`${PATH}/oauth2/authorize?${asked}`);
    expect(browser.page().path).match(/^\/care\/mortar\/sign-in\?next=/);
    await browser.submit({ email: 'ada@example.org', password: PASSWORD }, 'Sign in');
    const consent = await browser.submit({ code: code() }, 'Continue');
    expect(consent.h1).equal('Share information with Chart?');
    for (const to of leads(consent.text)) expect(to).match(/^\/care\/mortar\//);
    const { out } = await browser.submit({}, 'Share');
    expect(out?.searchParams.get('iss')).equal(url);
    const answer = await fetch(`${url}/oauth2/token`, {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'authorization_code',
        client_id: client.client_id,
        redirect_uri: REDIRECT,
        code: out?.searchParams.get('code') ?? '',
        code_verifier: verifier,
      }),
    });
    const tokens = (await answer.json()) as Record<string, string>;
    expect(tokens, JSON.stringify(tokens)).property('id_token');
    const userinfo = await fetch(`${url}/oauth2/userinfo`, {
      headers: { Authorization: `Bearer ${tokens['access_token']}` },
    });
    expect(userinfo.status).equal(200);
    const left = await browser.get(`${PATH}/oauth2/logout?id_token_hint=${tokens['id_token']}`);
    expect(left.text).contain(`href="${PATH}/sign-in"`);
    expect((await browser.get(`${PATH}/account`)).path).equal(`${PATH}/sign-in`);
  });

  it('an account that an administrator makes is found where its Location says', async () => {
    const reply = await sendJson('/api/v2/admin/users', { name: 'Bo', email: 'bo@example.org', roles: ['STAFF'] });
    expect(reply.status).equal(201);
    expect((await fetch(reply.headers.get('location') ?? '', { headers: server.bearer })).status).equal(200);
    expect((await reply.json()) as object)
      .property('reset_link')
      .match(new RegExp(`^${url}/reset/`));
  });
});

describe('identity › the path of the public URL', () => {
  it('is what pages begin with', () => {
    expect(basePathOf('https://host')).equal('');
    expect(basePathOf('https://host:8443/a/b')).equal('/a/b');
  });

  for (const bad of ['/a b', '/a;b', '/a//b', '/%61', '/a/../b', '/ä', '/a,b'])
    it(`${bad} is refused at the start`, () => {
      expect(() => readConfig({ PUBLIC_URL: `https://host${bad}` })).throw(/PUBLIC_URL/);
    });
  for (const good of ['', '/a', '/a/b-c', '/v1.2/~x_y'])
    it(`${good || 'none'} is taken`, () => {
      expect(readConfig({ PUBLIC_URL: `https://host${good}` }).publicUrl).equal(`https://host${good}`);
    });
});

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

function fromBase32(text: string): Buffer {
  const bits = [...text].map((letter) => BASE32.indexOf(letter).toString(2).padStart(5, '0')).join('');
  return Buffer.from((bits.match(/[01]{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
}
