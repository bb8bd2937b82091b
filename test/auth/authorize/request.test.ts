import { expect } from 'chai';
import type { Client } from '../../../src/ports/clients.ts';
import { FhirError, unavailable } from '../../../src/standards/fhir/outcome.ts';
import type { Page } from './browser.ts';
import { openWorld, REDIRECT, SCOPE, type World } from './world.ts';

describe('authorize › the request', () => {
  let world: World;
  let client: Client;
  before(async () => {
    world = await openWorld();
    client = await world.addClient();
  });
  after(() => world?.stop());

  const get = (more: Readonly<Record<string, string | undefined>>, of = client): Promise<Page> =>
    world.browser().get(world.ask(of, more).path);
  const errorOf = ({ status, out }: Page) => {
    expect(status).equal(303);
    expect(`${out?.origin}${out?.pathname}`).equal(REDIRECT);
    return Object.fromEntries(out?.searchParams ?? []);
  };
  const expectPage = (page: Page): void => {
    expect(page.status, page.text).equal(400);
    expect(page.headers.has('location')).equal(false);
    expect(page.h1).equal('The app cannot be connected');
  };

  it('[SL-01] GET and POST behave alike: both are checked and lead to an address that holds nothing but an id', async () => {
    const asked = world.ask(client);
    for (const page of [
      await world.browser().get(asked.path),
      await world.browser().post('/oauth2/authorize', asked.form),
    ]) {
      expect(page.h1).equal('Sign in');
      expect(page.trail[1]).match(/^\/oauth2\/authorize\/[\w-]{43}$/);
    }
    const wrong = world.ask(client, { aud: 'https://else.example.org' });
    const [a, b] = [await world.browser().get(wrong.path), await world.browser().post('/oauth2/authorize', wrong.form)];
    expect(errorOf(a)).deep.equal(errorOf(b));
    expect(errorOf(a)).include({ error: 'invalid_request' });
    const json = await fetch(`${world.url}/oauth2/authorize`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: '{}',
    });
    expect(json.status).equal(400);
  });

  describe('[SL-02] [IN-39] nobody is redirected before the redirect URI is known to be the client’s', () => {
    const FOREIGN: readonly (readonly [string, string])[] = [
      ['an added slash', `${REDIRECT}/`],
      ['a suffix', `${REDIRECT}x`],
      ['another case', 'https://APP.example.org/cb'],
      ['a query', `${REDIRECT}?x=1`],
      ['a user before the host', 'https://app.example.org@evil.example/cb'],
      ['a fragment', `${REDIRECT}#x`],
      ['another scheme', 'http://app.example.org/cb'],
      ['a port', 'https://app.example.org:8443/cb'],
      ['a path that climbs', 'https://app.example.org/x/../cb'],
      ['a script', 'javascript:alert(1)'],
    ];
    for (const [what, uri] of FOREIGN) it(`not with ${what}`, async () => expectPage(await get({ redirect_uri: uri })));

    it('not for an unknown, a disabled or no client, and not without a redirect URI', async () => {
      expectPage(await get({ client_id: 'nobody' }));
      expectPage(await get({ client_id: undefined }));
      expectPage(await get({ redirect_uri: undefined }));
      const disabled = await world.addClient();
      await world.store.clients.setDisabled(disabled.id, true);
      expectPage(await get({}, disabled));
      expect(world.audit.filter(({ rule }) => rule === 'client-disabled')).length(1);
    });

    it('a loopback address of a public client may have any port, and nothing else may differ', async () => {
      const redirectUris = ['http://127.0.0.1/cb', 'http://[::1]:4000/cb'];
      const native = await world.addClient({ redirectUris });
      for (const uri of ['http://127.0.0.1:50123/cb', 'http://127.0.0.1/cb', 'http://[::1]:7/cb'])
        expect((await get({ redirect_uri: uri }, native)).h1, uri).equal('Sign in');
      for (const uri of [
        'http://127.0.0.1:50123/cb2',
        'http://127.0.0.2:50123/cb',
        'http://127.0.0.1:99999/cb',
        'http://127.0.0.1:5@evil.example/cb',
        'http://127.0.0.1.evil.example/cb',
        'https://127.0.0.1:50123/cb',
      ])
        expectPage(await get({ redirect_uri: uri }, native));
      const web = await world.addClient({ kind: 'symmetric', redirectUris });
      expectPage(await get({ redirect_uri: 'http://127.0.0.1:50123/cb' }, web));
    });
  });

  describe('[SL-03] every other fault goes back with error, description, state and iss', () => {
    const CASES: readonly (readonly [error: string, what: string, more: Record<string, string | undefined>])[] = [
      ['invalid_request', 'no aud', { aud: undefined }],
      ['unsupported_response_type', 'the implicit grant', { response_type: 'token' }],
      ['invalid_scope', 'nothing that can be granted', { scope: 'patient/Nothing.rs' }],
      ['login_required', 'nobody to ask silently', { prompt: 'none' }],
    ];
    for (const [error, what, more] of CASES)
      it(`${error}: ${what}`, async () => {
        const answer = errorOf(await get(more));
        expect(answer).include({ error, state: 'st4te & more', iss: world.url });
        expect(answer['error_description']).match(/^[\x20-\x7e]{5,}$/);
      });

    it('unauthorized_client: an app that is registered to act for itself only', async () => {
      const service = await world.addClient({ scope: 'system/*.rs' });
      expect(errorOf(await get({}, service))).include({ error: 'unauthorized_client' });
    });

    it('server_error and temporarily_unavailable, when we are at fault', async () => {
      const faults: [string, Error][] = [
        ['temporarily_unavailable', unavailable('the database is away')],
        ['server_error', new Error('a bug')],
      ];
      for (const [error, fault] of faults) {
        const broken = await openWorld({
          requests: {
            add: async () => {
              throw fault;
            },
            find: async () => undefined,
            keep: async () => false,
            take: async () => false,
            purge: async () => 0,
          },
        });
        const app = await broken.addClient();
        const page = await broken.browser().get(broken.ask(app).path);
        expect(Object.fromEntries(page.out?.searchParams ?? [])).include({ error, iss: broken.url });
        expect(broken.log.lines.filter(({ level }) => level === 'error')).length(fault instanceof FhirError ? 0 : 1);
        await broken.stop();
      }
    });
  });

  describe('[SL-04] what every request must have', () => {
    const CASES: readonly (readonly [string, Record<string, string | undefined>])[] = [
      ['response_type', { response_type: undefined }],
      ['state', { state: undefined }],
      ['code_challenge', { code_challenge: undefined }],
      ['code_challenge_method', { code_challenge_method: undefined }],
      ['a challenge by S256, not plain', { code_challenge_method: 'plain' }],
      ['a challenge of 43 characters', { code_challenge: 'a'.repeat(42) }],
      ['a challenge of base64url', { code_challenge: `${'a'.repeat(42)}=` }],
      ['a state of bearable length', { state: 's'.repeat(2049) }],
      ['a prompt that is known', { prompt: 'create' }],
      ['a prompt none that stands alone', { prompt: 'none login' }],
      ['a max_age that is a number', { max_age: '-1' }],
      ['a response_mode that is supported', { response_mode: 'fragment' }],
    ];
    for (const [what, more] of CASES)
      it(`${what}: else invalid_request`, async () =>
        expect(errorOf(await get(more))).include({ error: 'invalid_request' }));

    it('a scope: else invalid_scope', async () =>
      expect(errorOf(await get({ scope: undefined }))).include({ error: 'invalid_scope' }));
  });

  it('[SL-05] aud, or resource, is a FHIR base URL of ours, with or without a slash at its end', async () => {
    for (const aud of [world.fhirBaseUrl, `${world.fhirBaseUrl}/`, `${world.url}/FHIR/R4`])
      expect((await get({ aud })).h1).equal('Sign in');
    expect((await get({ aud: undefined, resource: world.fhirBaseUrl })).h1).equal('Sign in');
    for (const more of [
      { aud: 'https://else.example.org/fhir' },
      { aud: `${world.fhirBaseUrl}//` },
      { aud: world.url },
      { resource: 'https://else.example.org' },
    ])
      expect(errorOf(await get(more))).include({ error: 'invalid_request' });
  });

  it('[SL-06] nothing may be given twice, or differ between query and body', async () => {
    const { path, form } = world.ask(client);
    expect(errorOf(await world.browser().get(`${path}&scope=openid`))).include({ error: 'invalid_request' });
    const twice = errorOf(await world.browser().get(`${path}&state=other`));
    expect(twice).include({ error: 'invalid_request' });
    expect(twice).not.property('state');
    expectPage(await world.browser().get(`${path}&client_id=${client.id}`));
    expectPage(await world.browser().get(`${path}&redirect_uri=${encodeURIComponent(REDIRECT)}`));
    expect(errorOf(await world.browser().post('/oauth2/authorize?scope=openid', form))).include({
      error: 'invalid_request',
    });
    expectPage(await world.browser().post('/oauth2/authorize?client_id=other', form));
    expect((await world.browser().post(`/oauth2/authorize?client_id=${client.id}`, form)).h1).equal('Sign in');
  });

  it('[SL-16] implicit and hybrid flows do not exist', async () => {
    for (const type of ['token', 'id_token', 'code token', 'code id_token', 'none'])
      expect(errorOf(await get({ response_type: type }))).include({ error: 'unsupported_response_type' });
  });

  it('[SC-10] too many scopes, too long a list, too many constraints: invalid_scope', async () => {
    const many = Array.from({ length: 201 }, (_, i) => `s${i}`).join(' ');
    const constrained = Array.from({ length: 41 }, (_, i) => `patient/Observation.rs?category=c${i}`).join(' ');
    for (const scope of [many, 'x'.repeat(8193), constrained])
      expect(errorOf(await get({ scope }))).include({ error: 'invalid_scope' });
  });

  it('[SC-13] system scopes need no person: invalid_scope', async () =>
    expect(errorOf(await get({ scope: 'openid system/Patient.rs' }))).include({ error: 'invalid_scope' }));

  it('what is not supported says so: request objects, registration in passing', async () => {
    expect(errorOf(await get({ request: 'a.b.c' }))).include({ error: 'request_not_supported' });
    expect(errorOf(await get({ registration: '{}' }))).include({ error: 'registration_not_supported' });
  });

  it('response_mode=form_post: faults too come in a form with a button, and the policy lets it go to that origin alone', async () => {
    const page = await get({ response_mode: 'form_post', aud: undefined });
    expect(page.status).equal(200);
    expect(page.text).include(`<form method="post" action="${REDIRECT}">`);
    expect(page.text).include('name="error" value="invalid_request"');
    expect(page.headers.get('content-security-policy')).include("form-action 'self' https://app.example.org;");
    const signIn = await world.browser().get('/sign-in');
    expect(signIn.headers.get('content-security-policy')).include("form-action 'self';");
  });

  it('[SD-06] is no door for scripts of other origins', async () => {
    const { path } = world.ask(client);
    const response = await fetch(world.url + path, {
      redirect: 'manual',
      headers: { Origin: 'https://app.example.org' },
    });
    expect(response.headers.has('access-control-allow-origin')).equal(false);
  });

  it('[SL-12] [ST-13] the database holds the request under a hash, and no launch handle', async () => {
    const handle = await world.store.grants.createLaunch({ clientId: client.id, userId: 'u' });
    const { path } = await get({ scope: `${SCOPE} launch`, launch: handle });
    const id = /authorize%2F([\w-]{43})/.exec(path)?.[1] ?? '';
    expect(id).not.equal('');
    const dump = await world.store.dump();
    expect(dump).include('sealedLaunch');
    expect(dump).not.include(id);
    expect(dump).not.include(handle);
  });
});

describe('authorize › requests in the store', () => {
  let world: World;
  before(async () => {
    world = await openWorld();
  });
  after(() => world?.stop());

  it('[SL-09] one person keeps what they settled, one answer ends it, and what is over is cleared away', async () => {
    const { requests } = world;
    const { id: clientId } = await world.addClient();
    const request = {
      clientId,
      redirectUri: REDIRECT,
      responseMode: 'query',
      state: 's',
      scope: 'openid',
      audience: world.fhirBaseUrl,
      challenge: 'c'.repeat(43),
      prompts: [],
    } as const;
    const id = await requests.add(request, 600_000);
    expect(await requests.find(id)).deep.equal({ ...request, progress: {}, createdAt: world.store.clock.now() });
    expect(await requests.keep(id, 'u1', { patientId: 'p1' })).equal(true);
    expect(await requests.keep(id, 'u2', { patientId: 'p2' })).equal(false);
    expect(await requests.find(id)).deep.include({ userId: 'u1', progress: { patientId: 'p1' } });
    const answers = await Promise.all(Array.from({ length: 10 }, () => requests.take(id)));
    expect(answers.filter(Boolean)).length(1);
    expect(await requests.find(id)).equal(undefined);
    const late = await requests.add(request, 600_000);
    await requests.add(request, 1_200_000);
    world.store.clock.pass(600_001);
    expect(await requests.find(late)).equal(undefined);
    expect(await requests.keep(late, 'u1', {})).equal(false);
    expect(await requests.take(late)).equal(false);
    expect(await requests.purge(10)).equal(1);
    expect(await requests.purge(10)).equal(0);
  });
});

describe('authorize › pushed requests', () => {
  let world: World;
  before(async () => {
    world = await openWorld();
  });
  after(() => world?.stop());

  const push = async (client: Client, form: URLSearchParams, secret?: string) => {
    const body = new URLSearchParams(form);
    body.set('client_id', client.id);
    if (secret !== undefined) body.set('client_secret', secret);
    const response = await fetch(`${world.url}/oauth2/par`, { method: 'POST', body });
    return { status: response.status, body: (await response.json()) as Record<string, string> };
  };
  const confidential = async (more: object = {}) => {
    const client = await world.addClient({ kind: 'symmetric', ...more });
    return { client, secret: await world.store.clients.addSecret(client.id) };
  };

  it('[SL-17] a pushed request is checked, kept, and used once by its client through its name alone', async () => {
    const { client, secret } = await confidential({ needsPushedRequests: true });
    const asked = world.ask(client);
    const { status, body } = await push(client, asked.form, secret);
    expect(status).equal(201);
    expect(body['expires_in']).equal(90);
    const query = new URLSearchParams({ client_id: client.id, request_uri: body['request_uri'] ?? '' });
    const other = await confidential();
    const foreign = new URLSearchParams({ client_id: other.client.id, request_uri: body['request_uri'] ?? '' });
    expect((await world.browser().get(`/oauth2/authorize?${foreign}`)).status).equal(400);
    // What stands in the browser beside the name has no effect.
    const page = await world.browser().get(`/oauth2/authorize?${query}&scope=openid&redirect_uri=https://evil.example`);
    expect(page.h1).equal('Sign in');
    expect((await world.browser().get(`/oauth2/authorize?${query}`)).status).equal(400);
    expect(await world.store.dump()).not.include(secret);
  });

  it('[SL-17] a client that must push is refused otherwise; a pushed request ends after 90 seconds', async () => {
    const { client, secret } = await confidential({ needsPushedRequests: true });
    const asked = world.ask(client);
    const direct = await world.browser().get(asked.path);
    expect(direct.out?.searchParams.get('error')).equal('invalid_request');
    const { body } = await push(client, asked.form, secret);
    world.store.clock.pass(90_001);
    const query = new URLSearchParams({ client_id: client.id, request_uri: body['request_uri'] ?? '' });
    expect((await world.browser().get(`/oauth2/authorize?${query}`)).status).equal(400);
  });

  it('[SL-17] the client proves who it is, and faults are told at once', async () => {
    const { client, secret } = await confidential();
    const { form } = world.ask(client);
    expect((await push(client, form, 'wrong')).status).equal(401);
    expect((await push(client, form)).body).include({ error: 'invalid_client' });
    const cases: [Record<string, string>, string][] = [
      [{ redirect_uri: 'https://evil.example' }, 'invalid_request'],
      [{ aud: 'https://evil.example' }, 'invalid_request'],
      [{ request_uri: 'urn:x' }, 'invalid_request'],
      [{ response_type: 'token' }, 'unsupported_response_type'],
      [{ scope: 'system/*.rs' }, 'invalid_scope'],
    ];
    for (const [more, error] of cases) {
      const answer = await push(client, world.ask(client, more).form, secret);
      expect(answer).deep.include({ status: 400 });
      expect(answer.body).include({ error });
    }
    expect((await fetch(`${world.url}/oauth2/par`)).status).equal(405);
  });

  it('[SL-17] [ST-13] a launch is kept sealed, and nobody brings a sealed one of their own', async () => {
    const { client, secret } = await confidential();
    const user = await world.addPerson();
    const handle = await world.store.grants.createLaunch({ clientId: client.id, userId: user.id, patientId: 'p1' });
    const { form } = world.ask(client, { scope: 'openid launch patient/Patient.rs', launch: handle });
    const { body } = await push(client, form, secret);
    expect(await world.store.dump()).not.include(handle);
    const query = new URLSearchParams({ client_id: client.id, request_uri: body['request_uri'] ?? '' });
    const browser = await world.signedIn(user);
    expect((await browser.get(`/oauth2/authorize?${query}`)).h1).equal('Share information with Growth Chart?');
    const own = world.ask(client, { sealed_launch: 'AAAA' });
    const pushed = await push(client, own.form, secret);
    const next = new URLSearchParams({ client_id: client.id, request_uri: pushed.body['request_uri'] ?? '' });
    expect((await browser.get(`/oauth2/authorize?${next}`)).h1).equal('Share information with Growth Chart?');
  });
});
