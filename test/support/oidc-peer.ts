/**
 * An OpenID provider on a port of its own that plays NHS CIS2 or NHS login. Whoever comes is signed in as `person`, at
 * once; the ID token is signed here, so that a test can spoil it in any way.
 */
import { createSign, generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { JWK } from 'jose';
import { Provider } from 'oidc-provider';

export type Claims = Record<string, unknown>;

export interface PeerPerson {
  readonly sub: string;
  /** Of the ID token besides those of every token; a function is given what was asked for. */
  idToken: Claims;
  userinfo: Claims;
}

export interface OidcPeer {
  readonly issuer: string;
  /** `host:port` */
  readonly host: string;
  person: PeerPerson;
  /** Parameters of the authorization requests so far. */
  readonly requests: URLSearchParams[];
  /** Changes the claims of the next ID tokens; `undefined` leaves one out. */
  spoil?: ((claims: Claims) => Claims) | undefined;
  /** The algorithm that the ID token names: `none` signs nothing. */
  alg: 'RS256' | 'RS512' | 'PS256' | 'HS256' | 'none';
  /** Signs with a key that is not published. */
  isForged: boolean;
  /** Answers 503 to everything. */
  isDown: boolean;
  /** What userinfo says instead. */
  spoilUserinfo?: ((claims: Claims) => Claims) | undefined;
  /** A new key signs from now on, and the old one is published no more. */
  rotate(): void;
  /** An ID token for the person as an app would get it for itself. */
  makeIdToken(claims?: Claims): string;
  stop(): Promise<void>;
}

export interface PeerOptions {
  readonly clientId: string;
  /** Public half of the client's key. */
  readonly clientJwk: JWK;
  readonly redirectUri: string;
  readonly person: PeerPerson;
}

interface Key {
  readonly kid: string;
  readonly privateKey: KeyObject;
  readonly jwk: JWK;
}

const SCOPES = ['openid', 'profile', 'profile_extended', 'nationalrbacaccess', 'associatedorgs', 'selectedrole'];
const DIGESTS = new Map([
  ['RS256', 'RSA-SHA256'],
  ['RS512', 'RSA-SHA512'],
]);

function makeKey(): Key {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const kid = randomUUID();
  return { kid, privateKey, jwk: { ...(publicKey.export({ format: 'jwk' }) as JWK), kid, use: 'sig' } };
}

export async function startOidcPeer({ clientId, clientJwk, redirectUri, person }: PeerOptions): Promise<OidcPeer> {
  const http = createServer();
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const host = `127.0.0.1:${(http.address() as AddressInfo).port}`;
  const issuer = `http://${host}`;
  let key = makeKey();
  const forged = makeKey();
  const inner = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;

  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: clientId,
        redirect_uris: [redirectUri],
        response_types: ['code'],
        grant_types: ['authorization_code'],
        token_endpoint_auth_method: 'private_key_jwt',
        token_endpoint_auth_signing_alg: 'RS512',
        id_token_signed_response_alg: 'RS256',
        require_auth_time: true,
        jwks: { keys: [clientJwk] },
      },
    ],
    jwks: { keys: [{ ...inner.export({ format: 'jwk' }), kid: 'inner', use: 'sig' }] },
    enabledJWA: { clientAuthSigningAlgValues: ['RS512'], idTokenSigningAlgValues: ['RS256'] },
    scopes: SCOPES,
    extraParams: ['vtr'],
    acrValues: ['AAL3_ANY', 'AAL2_OR_AAL3_ANY'],
    pkce: { required: () => true },
    features: { devInteractions: { enabled: false } },
    cookies: { keys: [randomUUID()] },
    interactions: { url: (_ctx, { uid }) => `/interaction/${uid}` },
    ttl: { AccessToken: 300, AuthorizationCode: 60, IdToken: 300, Interaction: 600, Session: 600, Grant: 600 },
    findAccount: async (_ctx, accountId) => ({ accountId, claims: async () => ({ sub: accountId }) }),
    async loadExistingGrant(ctx) {
      const grant = new ctx.oidc.provider.Grant({ clientId, accountId: ctx.oidc.session?.accountId ?? '' });
      grant.addOIDCScope(SCOPES.join(' '));
      await grant.save();
      return grant;
    },
  });

  function sign(claims: Claims): string {
    const by = peer.isForged ? { ...forged, kid: key.kid } : key;
    const input = [{ alg: peer.alg, kid: by.kid }, claims]
      .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
      .join('.');
    if (peer.alg === 'none') return `${input}.`;
    const signature = createSign(DIGESTS.get(peer.alg) ?? 'RSA-SHA256')
      .update(input)
      .sign(by.privateKey);
    return `${input}.${signature.toString('base64url')}`;
  }

  const spoilt = (claims: Claims): Claims => peer.spoil?.(claims) ?? claims;

  /** What the library answers, with claims and signature of ours. */
  function rewrite(path: string, body: Claims): Claims {
    if (path === '/token' && typeof body['id_token'] === 'string') {
      const claims = JSON.parse(Buffer.from(body['id_token'].split('.')[1] ?? '', 'base64url').toString()) as Claims;
      const { at_hash: _hash, ...plain } = claims; // of another algorithm, perhaps
      return { ...body, id_token: sign(spoilt({ ...plain, ...peer.person.idToken })) };
    }
    if (path !== '/me' || body['sub'] === undefined) return body;
    const claims = { ...body, ...peer.person.userinfo };
    return peer.spoilUserinfo?.(claims) ?? claims;
  }

  function interceptJson(path: string, res: ServerResponse): void {
    const end = res.end.bind(res) as (body?: unknown) => ServerResponse;
    res.end = ((body?: unknown) => {
      if (typeof body !== 'string' && !Buffer.isBuffer(body)) return end(body);
      const text = JSON.stringify(rewrite(path, JSON.parse(body.toString()) as Claims));
      res.setHeader('Content-Length', Buffer.byteLength(text));
      return end(text);
    }) as typeof res.end;
  }

  async function interact(req: IncomingMessage, res: ServerResponse): Promise<void> {
    await provider.interactionFinished(req, res, { login: { accountId: peer.person.sub, remember: false } });
  }

  const answer = provider.callback();
  http.on('request', (req, res) => {
    const url = new URL(req.url ?? '/', issuer);
    if (peer.isDown) {
      res.writeHead(503).end();
      return;
    }
    if (url.pathname === '/jwks') {
      res.setHeader('Content-Type', 'application/json');
      res.end(JSON.stringify({ keys: [key.jwk] }));
      return;
    }
    if (url.pathname.startsWith('/interaction/')) {
      interact(req, res).catch((error: unknown) => res.writeHead(500).end(String(error)));
      return;
    }
    if (url.pathname === '/auth') peer.requests.push(url.searchParams);
    if (url.pathname === '/token' || url.pathname === '/me') interceptJson(url.pathname, res);
    answer(req, res);
  });

  const peer: OidcPeer = {
    issuer,
    host,
    person,
    requests: [],
    alg: 'RS256',
    isForged: false,
    isDown: false,
    rotate() {
      key = makeKey();
    },
    makeIdToken(claims = {}) {
      const now = Math.floor(Date.now() / 1000);
      return sign(
        spoilt({
          iss: issuer,
          sub: peer.person.sub,
          aud: clientId,
          iat: now,
          exp: now + 300,
          auth_time: now,
          nonce: randomUUID(),
          ...peer.person.idToken,
          ...peer.person.userinfo,
          ...claims,
        }),
      );
    },
    async stop() {
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
  return peer;
}
