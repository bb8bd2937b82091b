/**
 * Which pages of other origins may read which answers. SECURITY SD-06; https://fetch.spec.whatwg.org/#http-cors-protocol
 * Never with credentials: a cookie of ours is of no use to another site, and tokens travel in a header.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';

/** any: public documents; registered: what apps use; none: pages of our own, which no other site reads. */
export type CorsClass = 'any' | 'registered' | 'none';

/** Whether an active client has registered this origin (a redirect or launch URL of it). Asked for every such request. */
export type IsRegisteredOrigin = (origin: string) => boolean;

const ORIGIN_CHARS_MAX = 255;
const PUBLIC = /^(?:\/(?:fhir|FHIR)\/R4)?\/\.well-known\/|^\/(?:fhir|FHIR)\/R4\/metadata(?:$|\?)/;
const FOR_APPS = /^\/(?:fhir|FHIR)\/R4(?:$|[/?])|^\/oauth2\/(?:token|introspect|revoke|register)(?:$|[/?])/;

const METHODS = { any: 'GET, HEAD', registered: 'GET, HEAD, POST, PUT, PATCH, DELETE' } as const;
const REQUEST_HEADERS =
  'Accept, Authorization, Content-Type, DPoP, Idempotency-Key, If-Match, If-Modified-Since, If-None-Exist, If-None-Match, Prefer, X-Request-ID, X-Security-Context';
const ANSWER_HEADERS =
  'Content-Location, DPoP-Nonce, ETag, Last-Modified, Location, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, ' +
  'Retry-After, WWW-Authenticate, X-Request-ID, X-Security-Context';
const PREFLIGHT_SECONDS = '600';

/** By the path of the request, before it is decoded: what is written otherwise is of no class. */
export function corsClassOf(url: string): CorsClass {
  if (PUBLIC.test(url)) return 'any';
  return FOR_APPS.test(url) ? 'registered' : 'none';
}

/** Whether a page of this origin may read answers of the class. `null` stands for no origin in particular. */
export function mayRead(origin: string, corsClass: CorsClass, isRegistered: IsRegisteredOrigin): boolean {
  if (origin === 'null' || origin.length > ORIGIN_CHARS_MAX || corsClass === 'none') return false;
  return corsClass === 'any' || isRegistered(origin);
}

/** Lets the page read the answer to come. */
export function allowOrigin(res: ServerResponse, origin: string, corsClass: CorsClass): void {
  res.setHeader('Access-Control-Allow-Origin', corsClass === 'any' ? '*' : origin);
  res.setHeader('Access-Control-Expose-Headers', ANSWER_HEADERS);
  res.setHeader('Cross-Origin-Resource-Policy', 'cross-origin');
}

/** A browser's question before the request itself. https://fetch.spec.whatwg.org/#cors-preflight-fetch */
export const isPreflight = ({ method, headers }: IncomingMessage): boolean =>
  method === 'OPTIONS' && headers['access-control-request-method'] !== undefined;

/** Answers the question; `allowOrigin` has been called. */
export function answerPreflight(res: ServerResponse, corsClass: 'any' | 'registered'): void {
  res.writeHead(204, {
    'Access-Control-Allow-Methods': METHODS[corsClass],
    'Access-Control-Allow-Headers': REQUEST_HEADERS,
    'Access-Control-Max-Age': PREFLIGHT_SECONDS,
    Vary: 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers',
  });
  res.end();
}
