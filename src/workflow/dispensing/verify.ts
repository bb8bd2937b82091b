/**
 * Whether a token that was shown is good. Each check has the same work, whether an earlier one failed or not; the first
 * that failed is told. Nothing is changed but the log. MISSION M10; SECURITY RX-02, RX-03, RX-06, RX-08
 */
import { timingSafeEqual } from 'node:crypto';
import type { PrescriptionKeys } from '../../ports/prescription-keys.ts';
import { isOneOf, readMac, readPayload } from '../../standards/prescription-token/hmac-form.ts';
import { readJws } from '../../standards/prescription-token/jws-form.ts';
import type { FindTaskServices, FoundTask } from './find-task.ts';
import type { Fault } from './reasons.ts';
import { stateOf } from './states.ts';
import { createTaskLookup } from './task-lookup.ts';

/** As it was sent: one of the two forms. */
export interface ShownToken {
  /** Compact JWS. */
  readonly token?: unknown;
  readonly payload?: unknown;
  readonly signature?: unknown;
}

export interface Verdict {
  /** Undefined: it is good. */
  readonly fault: Fault | undefined;
  /** As it says itself, whether that is true or not. */
  readonly tokenId: string | undefined;
  readonly found: FoundTask | undefined;
  /** Whether who showed it is known to have had the token: then the state of the prescription may be told. */
  readonly isProved: boolean;
}

export interface VerifyServices extends FindTaskServices {
  readonly keys: PrescriptionKeys;
  /** Of our tokens. */
  readonly issuer: string;
  readonly now: () => number;
}

/** What clocks may differ by. SECURITY RX-08 */
const SKEW_MS = 120_000;
const NO_TOKEN = 'PHB-RX-00000000';
const NO_NONCE = '00000000-0000-0000-0000-000000000000';
const NO_BYTES = Buffer.alloc(64);

export type VerifyToken = (shown: ShownToken, pharmacyId?: string) => Promise<Verdict>;

export function createVerify(services: VerifyServices): VerifyToken {
  const { keys, issuer, now } = services;
  const lookUp = createTaskLookup(services);
  return async (shown, pharmacyId) => {
    const read = shown.token === undefined ? readHmacForm(keys, shown) : readJwsForm(keys, issuer, shown.token);
    const found = await lookUp(read.tokenId ?? NO_TOKEN);
    const nonce = Buffer.from(found?.token.nonce ?? NO_NONCE);
    const isSameNonce = timingSafeEqual(nonce, Buffer.from(read.nonce ?? NO_NONCE)) && read.nonce !== undefined;
    const isOurSignature = found !== undefined && read.isSignatureOf(found);
    const fault: Fault | undefined =
      read.fault === 'forged' && isOurSignature
        ? 'altered'
        : (read.fault ?? faultOf(found, { isSameNonce, expiresAt: read.expiresAt, at: now(), pharmacyId }));
    return { fault, tokenId: read.tokenId, found, isProved: read.fault === undefined && isSameNonce };
  };
}

/** What the record says of a token whose signature is ours. */
function faultOf(
  found: FoundTask | undefined,
  asked: {
    readonly isSameNonce: boolean;
    readonly expiresAt: number;
    readonly at: number;
    readonly pharmacyId: string | undefined;
  },
): Fault | undefined {
  if (asked.expiresAt <= asked.at) return 'expired';
  if (found && found.token.issuedAt > asked.at + SKEW_MS) return 'early';
  if (!found) return 'unknown';
  if (!asked.isSameNonce) return 'nonce';
  const state = stateOf(found.task);
  if (state !== 'ready') return state;
  const isElsewhere = found.pharmacyId !== undefined && found.pharmacyId !== asked.pharmacyId;
  if (asked.pharmacyId !== undefined && isElsewhere) return 'pharmacy';
  return undefined;
}

interface Read {
  readonly fault: Fault | undefined;
  readonly tokenId: string | undefined;
  readonly nonce: string | undefined;
  readonly expiresAt: number;
  /** Whether what was shown ends with the signature that we gave this token. */
  readonly isSignatureOf: (found: FoundTask) => boolean;
}

const NOTHING: Read = {
  fault: 'format',
  tokenId: undefined,
  nonce: undefined,
  expiresAt: 0,
  isSignatureOf: () => false,
};

function readJwsForm(keys: PrescriptionKeys, issuer: string, token: unknown): Read {
  const given = readJws(token);
  const verifier = keys.verifier(given?.keyId ?? '');
  const isSigned = (verifier ?? keys.anyVerifier()).verify(given?.bytes ?? NO_BYTES, given?.signature ?? NO_BYTES);
  if (!given) return NOTHING;
  const { claims } = given;
  const signedAt = claims.iat * 1000;
  const isOfTime = verifier !== undefined && verifier.signedFrom <= signedAt && signedAt < verifier.signedUntil;
  const signature = String(token).split('.')[2];
  return {
    fault: !verifier ? 'key' : !isSigned ? 'forged' : !isOfTime ? 'key' : claims.iss !== issuer ? 'issuer' : undefined,
    tokenId: claims.jti,
    nonce: claims.nonce,
    expiresAt: claims.exp * 1000,
    isSignatureOf: (found) => found.token.token.split('.')[2] === signature,
  };
}

function readHmacForm(keys: PrescriptionKeys, { payload, signature }: ShownToken): Read {
  const given = readPayload(payload);
  const mac = readMac(signature);
  const isSigned = isOneOf(keys.macs(given?.bytes ?? NO_BYTES), mac ?? NO_BYTES.subarray(0, 32));
  if (!given) return NOTHING;
  return {
    fault: mac && isSigned ? undefined : 'forged',
    tokenId: given.tokenId,
    nonce: given.nonce,
    expiresAt: given.expiresAt,
    isSignatureOf: (found) => mac !== undefined && found.token.signature === mac.toString('hex'),
  };
}
