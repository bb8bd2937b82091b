/** Public keys of a client, registered with it or fetched from its URL. SECURITY SA-06, SA-07, SA-08 */
import { type CryptoKey, importJWK, type JWK } from 'jose';
import type { Client } from '../../ports/clients.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Fetched } from './guarded-fetch.ts';

export interface KeyQuestion {
  readonly kid: string;
  readonly alg: string;
  /** The `jku` of the header, which proves nothing and must be the registered URL. */
  readonly jku?: string;
}

export type FoundKey =
  | { readonly key: CryptoKey | Uint8Array }
  | { readonly failure: 'no-key' | 'unreachable' | 'not-registered' };

/** Whose keys: a client's, or those of somebody else under an id that is nobody's. */
export type KeyHolder = Pick<Client, 'id' | 'jwks' | 'jwksUri'>;

export type FindClientKey = (holder: KeyHolder, question: KeyQuestion) => Promise<FoundKey>;

export interface ClientKeysOptions {
  readonly fetch: (url: string) => Promise<Fetched>;
  readonly now: Clock;
}

const MINUTE_MS = 60_000;
const CACHED_MS = 5 * MINUTE_MS;
const CACHED_MAX_MS = 60 * MINUTE_MS;
const KEPT_WHEN_DOWN_MS = 60 * MINUTE_MS;
const REFETCH_AFTER_MS = MINUTE_MS;
const RETRY_AFTER_MS = 10_000;
const KEYS_MAX = 50;
const REMEMBERED_MAX = 1000;
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];

/** What a signature algorithm needs of its key (RFC 7518). */
const FITTING = new Map<string, (jwk: JWK) => boolean>([
  ...['RS256', 'RS384', 'RS512'].map((alg) => [alg, (jwk: JWK) => jwk.kty === 'RSA' && isLongEnough(jwk)] as const),
  ['ES256', (jwk) => jwk.kty === 'EC' && jwk.crv === 'P-256'],
  ['ES384', (jwk) => jwk.kty === 'EC' && jwk.crv === 'P-384'],
]);

export const ASSERTION_ALGS: readonly string[] = ['RS384', 'ES384', 'RS512', 'RS256', 'ES256'];

interface CachedSet {
  readonly keys: readonly JWK[] | undefined;
  readonly fetchedAt: number;
  readonly freshUntil: number;
}

export function createClientKeys({ fetch, now }: ClientKeysOptions): FindClientKey {
  const sets = new Map<string, CachedSet>();
  const fetching = new Map<string, Promise<CachedSet>>();
  /** When a client last made us fetch: what one client asks for does not spend the turn of another of the same URL. */
  const askedAt = new Map<string, number>();

  async function refetch(url: string): Promise<CachedSet> {
    const at = now();
    const before = sets.get(url);
    let next: CachedSet;
    try {
      const { text, headers } = await fetch(url);
      const keys = parseJwks(JSON.parse(text));
      next = { keys, fetchedAt: at, freshUntil: at + cachedMs(headers['cache-control']) };
    } catch {
      const kept = before && at - before.fetchedAt <= KEPT_WHEN_DOWN_MS ? before.keys : undefined;
      next = { keys: kept, fetchedAt: before?.fetchedAt ?? 0, freshUntil: at + RETRY_AFTER_MS };
    }
    putLast(sets, url, next);
    return next;
  }

  /** One request at a time for a URL. */
  function load(url: string): Promise<CachedSet> {
    const known = fetching.get(url);
    if (known) return known;
    const loading = refetch(url).finally(() => fetching.delete(url));
    fetching.set(url, loading);
    return loading;
  }

  function loadFor(clientId: string, url: string): Promise<CachedSet> {
    putLast(askedAt, clientId, now());
    return load(url);
  }

  async function keysAt(url: string, kid: string, clientId: string): Promise<readonly JWK[] | undefined> {
    let set = sets.get(url);
    if (!set || now() >= set.freshUntil) set = await loadFor(clientId, url);
    const isUnknown = set.keys !== undefined && !set.keys.some((key) => key.kid === kid);
    const at = askedAt.get(clientId) ?? Number.NEGATIVE_INFINITY;
    if (isUnknown && now() - at >= REFETCH_AFTER_MS) set = await loadFor(clientId, url);
    return set.keys;
  }

  return async (client, question) => {
    if (question.jku !== undefined && question.jku !== client.jwksUri) return { failure: 'no-key' };
    if (client.jwks === undefined && client.jwksUri === undefined) return { failure: 'not-registered' };
    const keys =
      client.jwksUri === undefined ? parseJwks(client.jwks) : await keysAt(client.jwksUri, question.kid, client.id);
    if (!keys) return { failure: 'unreachable' };
    const fitting = keys.filter((jwk) => isFitting(jwk, question));
    const [jwk] = fitting;
    if (fitting.length !== 1 || !jwk) return { failure: 'no-key' };
    try {
      return { key: await importJWK({ ...jwk, alg: question.alg }, question.alg) };
    } catch {
      return { failure: 'no-key' };
    }
  };
}

/** As the newest; the oldest goes when there are too many. */
function putLast<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key);
  map.set(key, value);
  if (map.size <= REMEMBERED_MAX) return;
  for (const oldest of map.keys()) {
    map.delete(oldest);
    return;
  }
}

/** A set of public keys; throws an `Error` that says what is wrong, for a registration. */
export function checkJwks(value: unknown): void {
  const keys = parseJwks(value);
  if (keys.length === 0) throw new Error('jwks has no keys');
  for (const jwk of keys) {
    if (PRIVATE_MEMBERS.some((member) => member in jwk)) throw new Error('jwks holds a private key');
    if (typeof jwk.kid !== 'string' || jwk.kid === '' || jwk.kid.length > 255)
      throw new Error('a key of jwks has no kid');
    if (
      jwk.kty === 'RSA' ? !isLongEnough(jwk) : jwk.kty !== 'EC' || !['P-256', 'P-384', 'P-521'].includes(jwk.crv ?? '')
    )
      throw new Error('a key of jwks is neither RSA of 2048 bits or more nor EC of P-256, P-384 or P-521');
  }
}

function parseJwks(value: unknown): readonly JWK[] {
  const keys = (value as { readonly keys?: unknown } | undefined)?.keys;
  if (!Array.isArray(keys)) throw new Error('jwks has no list of keys');
  if (keys.length > KEYS_MAX) throw new Error(`jwks has more than ${KEYS_MAX} keys`);
  if (!keys.every((key) => typeof key === 'object' && key !== null)) throw new Error('a key of jwks is not an object');
  return keys as JWK[]; // objects; each member is looked at where it is used
}

const isFitting = (jwk: JWK, { kid, alg }: KeyQuestion): boolean =>
  jwk.kid === kid &&
  (jwk.use === undefined || jwk.use === 'sig') &&
  (jwk.alg === undefined || jwk.alg === alg) &&
  isPublicKeyFor(jwk, alg);

/** Whether it is no more than a public key, and of the kind and length that the algorithm needs. */
export const isPublicKeyFor = (jwk: JWK, alg: string): boolean =>
  !PRIVATE_MEMBERS.some((member) => member in jwk) && (FITTING.get(alg)?.(jwk) ?? false);

/** 2048 bits. */
function isLongEnough({ n }: JWK): boolean {
  const modulus = Buffer.from(typeof n === 'string' ? n : '', 'base64url');
  const first = modulus.findIndex((byte) => byte !== 0);
  return first >= 0 && (modulus.length - first) * 8 - Math.clz32(modulus[first] ?? 0) + 24 >= 2048;
}

/** Never longer than the answer allows, and an hour at most. */
function cachedMs(header: string | string[] | undefined): number {
  const text = String(header ?? '').toLowerCase();
  if (/\bno-store\b|\bno-cache\b/.test(text)) return 0;
  const [, seconds] = /\bmax-age=(\d{1,9})\b/.exec(text) ?? [];
  return seconds === undefined ? CACHED_MS : Math.min(Number(seconds) * 1000, CACHED_MAX_MS);
}
