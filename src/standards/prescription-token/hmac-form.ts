/**
 * The token as existing scanners read it: a JSON object and its HMAC-SHA256, over the object with its members sorted,
 * without spaces, in UTF-8. MISSION M10; SECURITY RX-03
 */
import { timingSafeEqual } from 'node:crypto';
import { isTokenId } from './token-id.ts';

export interface GivenPayload {
  readonly tokenId: string;
  readonly nonce: string;
  /** ms UTC */
  readonly expiresAt: number;
  /** What the signature is over. */
  readonly bytes: Buffer;
}

const PAYLOAD_BYTES_MAX = 4096;
const DEPTH_MAX = 4;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Members in the order of their code units at every level. Throws for a value that is no JSON, or is too deep. */
export function canonicalJson(value: unknown, depth = 0): string {
  if (depth > DEPTH_MAX) throw new RangeError('the payload is too deep');
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item, depth + 1)).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, member]) => `${JSON.stringify(name)}:${canonicalJson(member, depth + 1)}`);
  return `{${members.join(',')}}`;
}

/** Undefined where it is not the payload of a token at all. */
export function readPayload(payload: unknown): GivenPayload | undefined {
  if (typeof payload !== 'object' || payload === null || Array.isArray(payload)) return undefined;
  const { type, id, nonce, expiry } = payload as Record<string, unknown>;
  const expiresAt = typeof expiry === 'string' ? Date.parse(expiry) : Number.NaN;
  if (type !== 'PHB_PRESCRIPTION' || !isTokenId(id) || !isNonce(nonce) || Number.isNaN(expiresAt)) return undefined;
  try {
    const bytes = Buffer.from(canonicalJson(payload));
    return bytes.length > PAYLOAD_BYTES_MAX ? undefined : { tokenId: id, nonce, expiresAt, bytes };
  } catch {
    return undefined;
  }
}

export const isNonce = (text: unknown): text is string => typeof text === 'string' && UUID.test(text);

/** The 32 bytes of a signature, given in hex or base64url; undefined where it is neither. */
export function readMac(text: unknown): Buffer | undefined {
  if (typeof text !== 'string') return undefined;
  if (/^[0-9a-fA-F]{64}$/.test(text)) return Buffer.from(text, 'hex');
  return /^[A-Za-z0-9_-]{43}$/.test(text) ? Buffer.from(text, 'base64url') : undefined;
}

/** Looks at all of them, whichever fits. */
export function isOneOf(macs: readonly Buffer[], given: Buffer): boolean {
  let fits = false;
  for (const mac of macs) fits = timingSafeEqual(mac, given) || fits;
  return fits;
}
