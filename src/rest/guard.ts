/**
 * What every request must pass before anything reads it. A page of another site that reaches this server through the
 * user's browser is told from a client of ours by `Host` (DNS rebinding) and `Origin` (RFC 6454).
 */
import type { IncomingMessage } from 'node:http';
import { FhirError, type IssueCode, issue } from '../standards/fhir/outcome.ts';

/** Returns why a request is refused; undefined lets it in. */
export type Guard = (req: IncomingMessage) => FhirError | undefined;

const URL_CHARS_MAX = 16 * 1024;
const HEADERS_MAX = 100;

/** The hosts and origins that are us: the loopback names with the port, and the public URL. */
export function createGuard(port: number, publicUrl: string): Guard {
  const own = new URL(publicUrl);
  const names = ['127.0.0.1', 'localhost', '[::1]'].flatMap((name) =>
    port === 80 ? [name, `${name}:80`] : [`${name}:${port}`],
  );
  const standardPort = own.protocol === 'https:' ? '443' : '80';
  const publicHosts = own.port === '' ? [own.host, `${own.host}:${standardPort}`] : [own.host];
  const hosts = new Set([...names, ...publicHosts].map((host) => host.toLowerCase()));
  const origins = new Set([...names.map((name) => new URL(`http://${name}`).origin), own.origin]);

  return (req) => {
    const url = req.url ?? '';
    if (url.length > URL_CHARS_MAX)
      return refuse(414, 'too-long', `the URL is longer than ${URL_CHARS_MAX} characters`);
    // An absolute URL would name a host of its own (RFC 9112 section 3.2.2), which only a proxy's client sends.
    if (!url.startsWith('/') && url !== '*') return refuse(400, 'invalid', 'the request target must be a path');
    if (req.rawHeaders.length > 2 * HEADERS_MAX)
      return refuse(431, 'too-long', `the request has more than ${HEADERS_MAX} header fields`);
    const { host, origin } = req.headers;
    if (host === undefined || !hosts.has(host.toLowerCase()))
      return refuse(421, 'security', `this server does not answer for that Host; it is ${[...hosts].join(', ')}`);
    if (hasTwoHosts(req.rawHeaders)) return refuse(400, 'invalid', 'the request has more than one Host header');
    if (origin !== undefined && !origins.has(origin.toLowerCase()))
      return refuse(403, 'security', 'requests from pages of another origin are refused');
    return undefined;
  };
}

const refuse = (status: number, code: IssueCode, diagnostics: string): FhirError =>
  new FhirError(status, [issue(code, diagnostics)], { headers: { Connection: 'close' } });

/** Node keeps the first of several; another server on the way may have kept the last. */
function hasTwoHosts(rawHeaders: readonly string[]): boolean {
  let seen = false;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i];
    if (name?.length !== 4 || name.toLowerCase() !== 'host') continue;
    if (seen) return true;
    seen = true;
  }
  return false;
}
