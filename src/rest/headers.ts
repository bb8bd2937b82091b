/** Headers of every answer of every door, which a door may replace by its own. SECURITY WB-02, WB-03. */
import type { ServerResponse } from 'node:http';

type HeaderList = readonly (readonly [name: string, value: string])[];

const PLAIN: HeaderList = Object.freeze([
  ['X-Content-Type-Options', 'nosniff'],
  ['Referrer-Policy', 'no-referrer'],
  ['Cross-Origin-Opener-Policy', 'same-origin'],
  ['Cross-Origin-Resource-Policy', 'same-origin'],
  ['Permissions-Policy', 'camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()'],
  // Answers of an API are data: nothing in them may run, load, or be framed. Pages bring a policy of their own.
  ['Content-Security-Policy', "default-src 'none'; frame-ancestors 'none'; sandbox"],
] as const);

/** A year. Browsers ignore it on an answer that did not come over TLS. RFC 6797 section 7.2 */
const TLS: HeaderList = Object.freeze([
  ...PLAIN,
  ['Strict-Transport-Security', 'max-age=31536000; includeSubDomains'],
] as const);

/** Gives the answer its headers, before any handler sees it. */
export function setSecurityHeaders(res: ServerResponse, isTls: boolean): void {
  for (const [name, value] of isTls ? TLS : PLAIN) res.setHeader(name, value);
}

/** The same as lines of HTTP, for answers that are written without a `ServerResponse`. */
export const securityHeaderLines = (isTls: boolean): string =>
  (isTls ? TLS : PLAIN).map(([name, value]) => `${name}: ${value}\r\n`).join('');
