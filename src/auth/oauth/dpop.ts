/** Proofs that whoever sends a request holds a key: DPoP. RFC 9449 section 4. SECURITY ST-10 */
import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { calculateJwkThumbprint, compactVerify, decodeProtectedHeader, importJWK, type JWK } from 'jose';
import type { Clock } from '../../ports/clock.ts';
import type { Grants } from '../../ports/grants.ts';
import { ASSERTION_ALGS, isPublicKeyFor } from './client-keys.ts';
import type { DpopNonces } from './dpop-nonces.ts';

/** Why a proof is refused. For the audit trail. */
export type DpopFault =
  | 'missing'
  | 'malformed'
  | 'typ'
  | 'alg'
  | 'key'
  | 'signature'
  | 'htm'
  | 'htu'
  | 'iat'
  | 'jti'
  | 'ath'
  | 'nonce'
  | 'replayed';

export class DpopError extends Error {
  readonly fault: DpopFault;

  constructor(fault: DpopFault) {
    super(`the DPoP proof is refused: ${fault}`);
    this.name = 'DpopError';
    this.fault = fault;
  }
}

export interface DpopOptions {
  /** How clients reach the server, without a trailing slash. */
  readonly publicUrl: string;
  readonly grants: Pick<Grants, 'rememberProof'>;
  readonly nonces: DpopNonces;
  /** Whether a proof without a nonce of ours is refused; one that it holds must be ours in any case. */
  readonly needsNonce: boolean;
  readonly now: Clock;
}

export interface Dpop {
  /**
   * The thumbprint (RFC 7638) of the key that the proof of this request is signed with. With an access token the proof
   * must be about it. A proof is good once. Throws `DpopError`.
   */
  prove(req: IncomingMessage, accessToken?: string): Promise<string>;
  /** What the next proof may hold. */
  nonce(): Promise<string>;
}

export const DPOP_ALGS = ASSERTION_ALGS;

export const hasProof = (req: IncomingMessage): boolean => req.headers['dpop'] !== undefined;

const AROUND_MS = 60_000;
const PROOF_CHARS_MAX = 4096;
const JTI_CHARS_MAX = 255;

type Claims = Readonly<Record<string, unknown>>;

export function createDpop({ publicUrl, grants, nonces, needsNonce, now }: DpopOptions): Dpop {
  async function checkNonce(nonce: unknown): Promise<void> {
    if (nonce === undefined && !needsNonce) return;
    if (typeof nonce !== 'string' || !(await nonces.isCurrent(nonce))) throw new DpopError('nonce');
  }

  return {
    async prove(req, accessToken) {
      const proof = readProof(req);
      const { alg, jwk } = readHeader(proof);
      const claims = await verify(proof, alg, jwk);
      if (claims['htm'] !== req.method) throw new DpopError('htm');
      if (normalise(claims['htu']) !== normalise(publicUrl + urlOf(req))) throw new DpopError('htu');
      const { iat, jti } = claims;
      if (typeof iat !== 'number' || !(Math.abs(iat * 1000 - now()) <= AROUND_MS)) throw new DpopError('iat');
      if (typeof jti !== 'string' || jti === '' || jti.length > JTI_CHARS_MAX) throw new DpopError('jti');
      if (accessToken !== undefined && claims['ath'] !== digest(accessToken)) throw new DpopError('ath');
      await checkNonce(claims['nonce']);
      const jkt = await calculateJwkThumbprint(jwk);
      if (!(await grants.rememberProof(jkt, jti, iat * 1000 + AROUND_MS))) throw new DpopError('replayed');
      return jkt;
    },
    nonce: () => nonces.current(),
  };
}

/** Several headers of the name come joined by commas, which no proof holds. */
function readProof({ headers }: IncomingMessage): string {
  const proof = headers['dpop'];
  if (proof === undefined) throw new DpopError('missing');
  if (typeof proof !== 'string' || proof.length > PROOF_CHARS_MAX) throw new DpopError('malformed');
  return proof;
}

/** The key stands in the proof itself: it proves nothing but that it is the same one as before. */
function readHeader(proof: string): { readonly alg: string; readonly jwk: JWK } {
  const { typ, alg, jwk, crit } = parseHeader(proof);
  if (typ !== 'dpop+jwt') throw new DpopError('typ');
  if (alg === undefined || !DPOP_ALGS.includes(alg)) throw new DpopError('alg');
  if (typeof jwk !== 'object' || jwk === null || !isPublicKeyFor(jwk, alg)) throw new DpopError('key');
  if (crit !== undefined) throw new DpopError('malformed');
  const { kty, crv, x, y, n, e } = jwk;
  return { alg, jwk: kty === 'EC' ? ({ kty, crv, x, y } as JWK) : ({ kty, n, e } as JWK) }; // isPublicKeyFor knows no other
}

function parseHeader(proof: string) {
  try {
    return decodeProtectedHeader(proof);
  } catch {
    throw new DpopError('malformed');
  }
}

async function verify(proof: string, alg: string, jwk: JWK): Promise<Claims> {
  let payload: Uint8Array;
  try {
    ({ payload } = await compactVerify(proof, await importJWK(jwk, alg), { algorithms: [alg] }));
  } catch {
    throw new DpopError('signature');
  }
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload).toString('utf8'));
    if (typeof claims === 'object' && claims !== null && !Array.isArray(claims)) return claims as Claims; // an object
  } catch {
    // as for what is no object
  }
  throw new DpopError('malformed');
}

/** Without query and fragment (RFC 9449 section 4.3); scheme, host, port and dots as RFC 3986 section 6.2.2 has them. */
function normalise(url: unknown): string | undefined {
  if (typeof url !== 'string' || !URL.canParse(url)) return undefined;
  const { origin, pathname } = new URL(url);
  return origin + pathname;
}

const urlOf = (req: IncomingMessage & { readonly originalUrl?: string }): string => req.originalUrl ?? req.url ?? '';

const digest = (text: string): string => createHash('sha256').update(text).digest('base64url');
