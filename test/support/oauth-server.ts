/** The OAuth endpoints on a port of their own, with people, rights and an audit trail that the test holds in its hands. */
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from 'jose';
import { createOAuth, type OAuth, type OAuthOptions } from '../../src/auth/oauth/oauth.ts';
import { ensureOperator } from '../../src/auth/oauth/operator.ts';
import type { AuditEvent } from '../../src/ports/audit.ts';
import type { Client, NewClient } from '../../src/ports/clients.ts';
import type { UserGrant } from '../../src/ports/grants.ts';
import type { User } from '../../src/ports/users.ts';
import { type IdentityStore, newClient, openIdentityStore } from './identity-store.ts';
import { createMemoryLog } from './log.ts';
import { makeTempFolder } from './temp-folder.ts';

export interface StartOptions {
  readonly hasPages?: boolean;
  /** Another process of the same installation: its database, its public URL and its people. It stops before that one. */
  readonly beside?: OAuthServer;
}

export interface OAuthServer {
  /** Where this process answers. */
  readonly url: string;
  /** Where all processes of the installation answer, as clients know it. */
  readonly publicUrl: string;
  readonly fhirBaseUrl: string;
  readonly oauth: OAuth;
  readonly store: IdentityStore;
  readonly dataDir: string;
  readonly users: Map<string, User>;
  readonly audit: AuditEvent[];
  readonly log: ReturnType<typeof createMemoryLog>;
  /** Adds an app of the given kind; a symmetric one with its secret, an asymmetric one with its key. */
  addApp(more?: Partial<NewClient>): Promise<TestApp>;
  /** A code as the consent page would make it. */
  makeCode(app: TestApp, more?: Partial<UserGrant>): Promise<{ readonly code: string; readonly verifier: string }>;
  /** Posts a form; `auth` of the app is added. */
  post(path: string, form: Readonly<Record<string, string>>, headers?: Record<string, string>): Promise<Answer>;
  /** Code to tokens. */
  exchange(app: TestApp, more?: Partial<UserGrant>): Promise<Answer>;
  refresh(app: TestApp, token: string, form?: Readonly<Record<string, string>>): Promise<Answer>;
  call(token: string): Promise<number>;
  stop(): Promise<void>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: answers are looked at, not trusted
  readonly body: any;
}

export interface TestApp {
  readonly client: Client;
  readonly secret: string;
  readonly key: TestKey | undefined;
  /** Form fields by which the app says who it is. */
  auth(): Promise<Record<string, string>>;
}

export interface TestKey {
  readonly privateKey: CryptoKey;
  readonly jwk: JWK;
  readonly alg: string;
}

export const REDIRECT = 'https://app.example.org/cb';
export const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

export async function makeKey(alg = 'ES384'): Promise<TestKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return { privateKey, alg, jwk: { ...(await exportJWK(publicKey)), kid: randomUUID() } };
}

/** An assertion; claims and header replace what is right, `undefined` leaves out. */
export async function signAssertion(
  key: TestKey,
  claims: JWTPayload,
  header: Readonly<Record<string, unknown>> = {},
): Promise<string> {
  const all = { alg: key.alg, kid: key.jwk.kid, typ: 'JWT', ...header };
  return new SignJWT(claims).setProtectedHeader(JSON.parse(JSON.stringify(all))).sign(key.privateKey);
}

export async function startOAuthServer(
  more: Partial<OAuthOptions> = {},
  { hasPages = true, beside }: StartOptions = {},
): Promise<OAuthServer> {
  const store = beside ? { ...beside.store, ...beside.store.again(), stop: async () => {} } : await openIdentityStore();
  const http = createServer();
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', () => resolve()));
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  const publicUrl = beside?.publicUrl ?? url;
  const fhirBaseUrl = `${publicUrl}/fhir/R4`;
  const users = beside?.users ?? new Map<string, User>();
  const audit: AuditEvent[] = [];
  const log = createMemoryLog();
  const dataDir = makeTempFolder();
  const operator = ensureOperator({ dataDir });
  const { now } = store.clock;
  const oauth = await createOAuth({
    issuer: publicUrl,
    fhirBaseUrl,
    otherFhirBaseUrls: [`${publicUrl}/FHIR/R4`],
    ...store,
    now,
    log,
    users: { find: async (id) => users.get(id) },
    findUserByName: async (name) => [...users.values()].find((user) => [user.name, user.email].includes(name)),
    organizationsBelow: async (ids) => ids.flatMap((id) => [id, `${id}-below`]),
    policy: {
      allows: ({ kind, user, scopes }, right) =>
        (right === 'admin:clients' || right === 'admin:keys') &&
        (user?.roles.includes('ADMIN') || (kind === 'client' && scopes.some(({ letters }) => letters.includes('c'))))
          ? { allowed: true }
          : { allowed: false, rule: 'test' },
    },
    audit: {
      async record(event) {
        audit.push(event);
      },
    },
    vocabulary: {
      isType: (type) => ['Patient', 'Observation', 'Condition'].includes(type),
      isParameter: (type, name) => type === 'Observation' && name === 'category',
    },
    operatorKeys: async () => operator.jwks,
    areOperatorTokensAllowed: true,
    isRegistrationOpen: true,
    ...(hasPages && {
      interactive: {
        authorizationUrl: `${publicUrl}/oauth2/authorize`,
        responseModes: ['query'],
        capabilities: ['launch-standalone'],
      },
    }),
    ...more,
  });
  http.on('request', oauth.app);
  if (!beside) addUser(users);

  const post: OAuthServer['post'] = async (path, form, headers = {}) =>
    read(await fetch(url + path, { method: 'POST', body: new URLSearchParams(form), headers }));

  const server: OAuthServer = {
    url,
    publicUrl,
    fhirBaseUrl,
    oauth,
    store,
    dataDir,
    users,
    audit,
    log,
    async addApp(of = {}) {
      const kind = of.kind ?? 'public';
      const key =
        kind === 'asymmetric' && of.jwks === undefined && of.jwksUri === undefined ? await makeKey() : undefined;
      const client = await store.clients.add(
        newClient({ redirectUris: [REDIRECT], ...(key && { jwks: { keys: [{ ...key.jwk }] } }), ...of }),
      );
      const secret = kind === 'symmetric' ? await store.clients.addSecret(client.id) : '';
      return {
        client,
        secret,
        key,
        async auth() {
          if (kind === 'symmetric') return { client_id: client.id, client_secret: secret };
          if (!key) return { client_id: client.id };
          const claims = assertionClaims(client.id, `${publicUrl}/oauth2/token`, now());
          return { client_assertion_type: ASSERTION_TYPE, client_assertion: await signAssertion(key, claims) };
        },
      };
    },
    async makeCode({ client }, of = {}) {
      const verifier = randomBytes(32).toString('base64url');
      const grant: UserGrant = {
        clientId: client.id,
        scope: 'openid fhirUser offline_access patient/*.rs',
        audience: fhirBaseUrl,
        patientId: 'p1',
        user: {
          id: 'u1',
          securityVersion: 1,
          sessionId: 's1',
          authTime: now(),
          amr: ['pwd', 'otp'],
          acr: 'urn:mortar:aal2',
        },
        ...of,
      };
      const challenge = createHash('sha256').update(verifier).digest('base64url');
      const binding = { redirectUri: REDIRECT, challenge, nonce: 'n-1' };
      return { code: await store.grants.createCode(grant, binding), verifier };
    },
    post,
    async exchange(app, of) {
      const { code, verifier } = await server.makeCode(app, of);
      return post('/oauth2/token', { ...codeForm(code, verifier), ...(await app.auth()) });
    },
    refresh: async (app, token, form = {}) =>
      post('/oauth2/token', { grant_type: 'refresh_token', refresh_token: token, ...(await app.auth()), ...form }),
    async call(token) {
      const req = requestWith({ authorization: `Bearer ${token}` });
      return oauth.authenticate(req, 'c').then(
        () => 200,
        (error: { status: number }) => error.status,
      );
    },
    async stop() {
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
      await store.stop();
    },
  };
  return server;
}

export const codeForm = (code: string, verifier: string): Record<string, string> => ({
  grant_type: 'authorization_code',
  code,
  redirect_uri: REDIRECT,
  code_verifier: verifier,
});

export const assertionClaims = (clientId: string, audience: string, now: number): JWTPayload => ({
  iss: clientId,
  sub: clientId,
  aud: audience,
  jti: randomUUID(),
  exp: Math.floor(now / 1000) + 240,
});

/** What `authenticate` looks at of a GET request. */
export const requestWith = (headers: Record<string, string>, url = '/fhir/R4/Patient/p1'): IncomingMessage =>
  ({
    method: 'GET',
    headers,
    rawHeaders: Object.entries(headers).flat(),
    url,
    socket: { remoteAddress: '192.0.2.1' },
  }) as unknown as IncomingMessage; // nothing else of it is read

export function addUser(users: Map<string, User>, more: Partial<User> = {}): User {
  const user: User = {
    id: 'u1',
    name: 'Ann Other',
    email: 'ann@example.org',
    roles: ['PRESCRIBER'],
    isDisabled: false,
    patientIds: [],
    practitionerId: 'pr1',
    practitionerRoleIds: ['role1'],
    organizationIds: ['org1'],
    securityVersion: 1,
    ...more,
  };
  users.set(user.id, user);
  return user;
}

export async function read(response: Response): Promise<Answer> {
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.includes('json') === true;
  return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text };
}
