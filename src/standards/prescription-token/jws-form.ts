/**
 * The token as a compact JWS: RFC 7515 section 7.1, ES256, at most 1,000 bytes so that its QR code stays readable.
 * SECURITY RX-01, RX-02
 */
import { isNonce } from './hmac-form.ts';
import { isTokenId } from './token-id.ts';

export const TOKEN_BYTES_MAX = 1000;
const SIGNATURE_BYTES = 64;
/** Exactly as it is written: whatever says it otherwise, or says more, is no token of ours. */
const HEADER = /^\{"alg":"ES256","kid":"([A-Za-z0-9_-]{1,64})","typ":"rx\+jwt"\}$/;

export interface TokenClaims {
  readonly iss: string;
  /** The token's id. */
  readonly jti: string;
  readonly nonce: string;
  /** A pseudonym of the patient. */
  readonly sub: string;
  readonly name: string;
  readonly dob?: string;
  readonly medication: string;
  readonly dose: string;
  readonly quantity?: string;
  /** The pharmacy's code. */
  readonly pharmacy: string;
  /** Seconds. */
  readonly iat: number;
  readonly exp: number;
  /** `1/1` */
  readonly issue: string;
}

export interface GivenJws {
  readonly keyId: string;
  readonly claims: TokenClaims;
  /** What the signature is over. */
  readonly bytes: Buffer;
  readonly signature: Buffer;
}

/** Texts are shortened, each to its share, until it fits; `sign` is by the key of `keyId`. */
export function formatJws(claims: TokenClaims, keyId: string, sign: (bytes: Buffer) => Buffer): string {
  const header = base64url(`{"alg":"ES256","kid":"${keyId}","typ":"rx+jwt"}`);
  const fit = (share: number): string => `${header}.${base64url(JSON.stringify(shortened(claims, share)))}`;
  const signatureLength = Math.ceil((SIGNATURE_BYTES * 4) / 3) + 1;
  let share = 160;
  let input = fit(share);
  while (input.length + signatureLength > TOKEN_BYTES_MAX && share > 8) {
    share = Math.floor(share * 0.8);
    input = fit(share);
  }
  return `${input}.${sign(Buffer.from(input)).toString('base64url')}`;
}

/** Undefined where it has not the form of a token of ours; nothing is verified. */
export function readJws(text: unknown): GivenJws | undefined {
  if (typeof text !== 'string' || text.length > TOKEN_BYTES_MAX) return undefined;
  const [, header = '', body = '', mac = ''] = /^([\w-]+)\.([\w-]+)\.([\w-]{86})$/.exec(text) ?? [];
  const [, keyId] = HEADER.exec(Buffer.from(header, 'base64url').toString()) ?? [];
  const claims = keyId === undefined ? undefined : readClaims(Buffer.from(body, 'base64url').toString());
  if (keyId === undefined || !claims) return undefined;
  return { keyId, claims, bytes: Buffer.from(`${header}.${body}`), signature: Buffer.from(mac, 'base64url') };
}

function readClaims(text: string): TokenClaims | undefined {
  let claims: unknown;
  try {
    claims = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof claims !== 'object' || claims === null || Array.isArray(claims)) return undefined;
  const { iss, jti, nonce, pharmacy, iat, exp } = claims as Record<string, unknown>;
  const isToken =
    isTokenId(jti) &&
    isNonce(nonce) &&
    typeof iss === 'string' &&
    typeof pharmacy === 'string' &&
    isTime(iat) &&
    isTime(exp);
  return isToken ? (claims as TokenClaims) : undefined; // what is relied on was looked at
}

const isTime = (value: unknown): boolean => typeof value === 'number' && Number.isFinite(value);

const base64url = (text: string): string => Buffer.from(text).toString('base64url');

const FREE_TEXTS = ['name', 'medication', 'dose', 'quantity', 'pharmacy'] as const;

function shortened(claims: TokenClaims, bytesMax: number): TokenClaims {
  const texts = FREE_TEXTS.flatMap((name) => {
    const text = claims[name];
    return text === undefined ? [] : [[name, shorten(text, bytesMax)] as const];
  });
  return { ...claims, ...Object.fromEntries(texts) };
}

/** By whole characters; what was left out is told by an ellipsis. */
function shorten(text: string, bytesMax: number): string {
  if (Buffer.byteLength(text) <= bytesMax) return text;
  let kept = '';
  for (const character of text) {
    if (Buffer.byteLength(kept + character) > bytesMax - 3) break;
    kept += character;
  }
  return `${kept}…`;
}
