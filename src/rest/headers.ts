/** Headers of every answer of every door, which a door may replace by its own. SECURITY WB-02, WB-03. */
import { type OutgoingHttpHeader, type OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { TLSSocket } from 'node:tls';

type HeaderList = readonly (readonly [name: string, value: string])[];

const PLAIN: HeaderList = Object.freeze([
  ['X-Content-Type-Options', 'nosniff'],
  ['Referrer-Policy', 'no-referrer'],
  ['Cross-Origin-Opener-Policy', 'same-origin'],
  ['Cross-Origin-Resource-Policy', 'same-origin'],
  ['Permissions-Policy', 'camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()'],
  // Answers of an API are data: nothing in them may run, load, or be framed. Pages bring a policy of their own.
  ['Content-Security-Policy', "default-src 'none'; frame-ancestors 'none'; sandbox"],
  ['Vary', 'Origin'], // the guard asks for it, whoever is called
] as const);

/** A year. Browsers ignore it on an answer that did not come over TLS. RFC 6797 section 7.2 */
const TLS: HeaderList = Object.freeze([
  ...PLAIN,
  ['Strict-Transport-Security', 'max-age=31536000; includeSubDomains'],
] as const);

/** A list, the same flat, and where in that each value stands, by its name in lower case. */
const prepared = (list: HeaderList) => ({
  list,
  flat: list.flat(),
  places: new Map(list.map(([name], n) => [name.toLowerCase(), 2 * n + 1])),
});
const OF_PLAIN = prepared(PLAIN);
const OF_TLS = prepared(TLS);

/** Has the answer begin with its headers, whatever handler writes it. */
export function setSecurityHeaders(res: ServerResponse): void {
  res.writeHead = writeHead; // of the answer itself: Express gives it another prototype
}

/** `ServerResponse.writeHead`: all at once where nothing was set before, which takes half as long as one by one. */
function writeHead(this: ServerResponse, ...given: unknown[]): ServerResponse {
  const { list, flat, places } = this.req.socket instanceof TLSSocket ? OF_TLS : OF_PLAIN;
  const [status, headers] = given as [number, unknown];
  if (given.length !== 2 || !isPlainObject(headers) || this.getHeaderNames().length > 0) {
    for (const [name, value] of list) if (!this.hasHeader(name)) this.setHeader(name, value);
    return Reflect.apply(ServerResponse.prototype.writeHead, this, given) as ServerResponse;
  }
  const all: (OutgoingHttpHeader | undefined)[] = [...flat];
  for (const name of Object.keys(headers)) {
    const place = places.get(name.toLowerCase());
    if (place === undefined) all.push(name, headers[name]);
    else all[place] = headers[name];
  }
  return ServerResponse.prototype.writeHead.call(this, status, all as OutgoingHttpHeader[]); // Node says which is undefined
}

const isPlainObject = (headers: unknown): headers is OutgoingHttpHeaders =>
  typeof headers === 'object' && headers !== null && !Array.isArray(headers);

/** The same as lines of HTTP, for answers that are written without a `ServerResponse`. */
export const securityHeaderLines = (isTls: boolean): string =>
  (isTls ? TLS : PLAIN).map(([name, value]) => `${name}: ${value}\r\n`).join('');
