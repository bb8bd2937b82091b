/**
 * Mortar as relying party of one OpenID provider: authorization code, PKCE, `private_key_jwt`.
 * https://openid.net/specs/openid-connect-core-1_0.html SECURITY NH-04, NH-08
 */
import { createPublicKey, type KeyObject, randomUUID } from 'node:crypto';
import { calculateJwkThumbprint, exportJWK, type JWK, SignJWT } from 'jose';
import type { Clock } from '../../ports/clock.ts';
import { createClientKeys } from '../oauth/client-keys.ts';
import { fetchGuarded } from '../oauth/guarded-fetch.ts';
import { challengeOf } from '../oauth/pkce.ts';
import { type Claims, type IdToken, verifyIdToken } from './id-token.ts';
import { type LogoutToken, verifyLogoutToken } from './logout-token.ts';
import { createMetadata, type Metadata } from './metadata.ts';
import { UpstreamRefusal } from './refusal.ts';

export interface RelyingPartyOptions {
  readonly issuer: string;
  readonly clientId: string;
  /** RSA private key whose public half the provider knows. */
  readonly key: KeyObject;
  readonly redirectUri: string;
  /** `host:port` of a provider in the own network. SECURITY IN-40 */
  readonly allowedHosts?: ReadonlySet<string>;
  readonly now: Clock;
}

export interface Answer {
  readonly idToken: IdToken;
  /** Claims of userinfo. */
  readonly userinfo: Claims;
}

/** What makes one sign-in distinct; kept in the browser alone. */
export interface SignInSecrets {
  readonly state: string;
  readonly nonce: string;
  /** PKCE. */
  readonly verifier: string;
}

export interface RelyingParty {
  readonly issuer: string;
  /** Where the browser goes. */
  authorizationUrl(secrets: SignInSecrets, parameters: Readonly<Record<string, string>>): Promise<string>;
  /** Exchanges the code that came back. `iss`: what the answer says of who sent it (RFC 9207). Throws `UpstreamRefusal`. */
  redeem(code: string, iss: string | undefined, secrets: Omit<SignInSecrets, 'state'>): Promise<Answer>;
  /** Claims of an ID token that another program got for our client id. */
  verify(idToken: string): Promise<IdToken>;
  /** The provider's word that somebody has signed out there. Throws `UpstreamRefusal`. */
  verifyLogout(logoutToken: string): Promise<LogoutToken>;
  /** The public half of our key, for registration with the provider. */
  publicJwk(): Promise<JWK>;
}

const LIMITS = { bytesMax: 256 * 1024, timeoutMs: 10_000 };
const ASSERTION_SECONDS = 120;
const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

export function createRelyingParty(options: RelyingPartyOptions): RelyingParty {
  const { issuer, clientId, key, redirectUri, allowedHosts, now } = options;
  const limits = { ...LIMITS, ...(allowedHosts && { allowed: allowedHosts }) };
  const fetch = (url: string) => fetchGuarded(url, limits);
  const metadata = createMetadata(issuer, fetch, now);
  const findKey = createClientKeys({ fetch, now });

  async function publicJwk(): Promise<JWK> {
    const jwk = await exportJWK(createPublicKey(key));
    return { ...jwk, kid: await calculateJwkThumbprint(jwk), use: 'sig', alg: 'RS512' };
  }

  /** The document; a provider that does not answer is no fault of ours. */
  const reach = (): Promise<Metadata> => metadata().catch(unavailable('discovery'));

  async function assertion(tokenUrl: string): Promise<string> {
    const seconds = Math.floor(now() / 1000);
    const { kid = '' } = await publicJwk();
    return new SignJWT({ jti: randomUUID() })
      .setProtectedHeader({ alg: 'RS512', typ: 'JWT', kid })
      .setIssuer(clientId)
      .setSubject(clientId)
      .setAudience(tokenUrl)
      .setIssuedAt(seconds)
      .setExpirationTime(seconds + ASSERTION_SECONDS)
      .sign(key);
  }

  async function fetchTokens(tokenUrl: string, code: string, verifier: string): Promise<Claims> {
    const form = new URLSearchParams({
      grant_type: 'authorization_code',
      code,
      redirect_uri: redirectUri,
      code_verifier: verifier,
      client_id: clientId,
      client_assertion_type: ASSERTION_TYPE,
      client_assertion: await assertion(tokenUrl),
    });
    const { text } = await fetchGuarded(tokenUrl, { ...limits, form }).catch(codeRefused);
    return readObject(text, 'token');
  }

  const expected = (jwksUrl: string) => ({ issuer, clientId, jwksUrl, now: now() });

  return {
    issuer,
    publicJwk,

    async authorizationUrl({ state, nonce, verifier }, parameters) {
      const url = new URL((await reach()).authorizationUrl);
      const all = {
        ...parameters,
        response_type: 'code',
        client_id: clientId,
        redirect_uri: redirectUri,
        state,
        nonce,
        code_challenge: challengeOf(verifier),
        code_challenge_method: 'S256',
      };
      for (const [name, value] of Object.entries(all)) url.searchParams.set(name, value);
      return url.toString();
    },

    async redeem(code, iss, { nonce, verifier }) {
      const { tokenUrl, userinfoUrl, jwksUrl, namesItself } = await reach();
      if (iss === undefined ? namesItself : iss !== issuer) throw new UpstreamRefusal('id-token', 'answer-issuer');
      const { access_token: accessToken, id_token: token } = await fetchTokens(tokenUrl, code, verifier);
      if (typeof accessToken !== 'string' || typeof token !== 'string')
        throw new UpstreamRefusal('id-token', 'no-tokens');
      const idToken = await verifyIdToken(token, { ...expected(jwksUrl), nonce, accessToken }, findKey);
      const { text } = await fetchGuarded(userinfoUrl, { ...limits, bearer: accessToken }).catch(
        unavailable('userinfo'),
      );
      const userinfo = readObject(text, 'userinfo');
      // Somebody else's claims are of no use (OpenID Connect Core section 5.3.2).
      if (userinfo['sub'] !== idToken.subject) throw new UpstreamRefusal('id-token', 'userinfo-sub');
      return { idToken, userinfo };
    },

    verifyLogout: async (token) => verifyLogoutToken(token, expected((await reach()).jwksUrl), findKey),

    verify: async (token) => verifyIdToken(token, expected((await reach()).jwksUrl), findKey),
  };
}

/** The message of what failed may hold an address, so that only its place is kept. */
const unavailable = (where: string) => (): never => {
  throw new UpstreamRefusal('unavailable', where);
};

/** What the provider refuses is the answer's fault, be it forged, used or too old. */
function codeRefused(error: unknown): never {
  const isRefused = error instanceof Error && /status 4\d\d$/.test(error.message);
  throw isRefused ? new UpstreamRefusal('id-token', 'code-refused') : new UpstreamRefusal('unavailable', 'token');
}

function readObject(text: string, where: string): Claims {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Claims; // an object
  } catch {
    // As any other text that is no object.
  }
  throw new UpstreamRefusal('unavailable', `${where}-form`);
}
