/**
 * What every request must pass before anything reads it. A page of another site that reaches this server through the
 * user's browser is told from a client of ours by `Host` (DNS rebinding) and `Origin` (RFC 6454).
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { isIPv6 } from 'node:net';
import { FhirError, type IssueCode, issue } from '../standards/fhir/outcome.ts';
import { allowOrigin, answerPreflight, corsClassOf, type IsRegisteredOrigin, isPreflight, mayRead } from './cors.ts';

/** Returns why a request is refused; undefined lets it in; `answered` when it was a question for the guard alone. */
export type Guard = (req: IncomingMessage, res: ServerResponse) => FhirError | 'answered' | undefined;

export interface GuardOptions {
  readonly port: number;
  readonly httpsPort?: number | undefined;
  readonly publicUrl: string;
  /** No origin unless given. */
  readonly isRegisteredOrigin?: IsRegisteredOrigin;
}

const URL_CHARS_MAX = 16 * 1024;
const HEADERS_MAX = 100;

/** The hosts and origins that are us: the loopback names with the ports, and the public URL. */
export function createGuard(options: GuardOptions): Guard {
  const { hosts, origins } = ownNames(options);
  const isRegistered = options.isRegisteredOrigin ?? (() => false);

  function checkOrigin(req: IncomingMessage, res: ServerResponse): FhirError | 'answered' | undefined {
    const corsClass = corsClassOf(req.url ?? '');
    const { origin } = req.headers;
    if (origin === undefined || origins.has(origin.toLowerCase()) || isOwnForm(req) || isFormOfApp(req))
      return undefined;
    if (corsClass === 'none' || !mayRead(origin, corsClass, isRegistered))
      return refuse(403, 'security', 'requests from pages of another origin are refused');
    allowOrigin(res, origin, corsClass);
    if (!isPreflight(req)) return undefined;
    answerPreflight(res, corsClass);
    return 'answered';
  }

  return (req, res) => {
    const url = req.url ?? '';
    if (url.length > URL_CHARS_MAX)
      return refuse(414, 'too-long', `the URL is longer than ${URL_CHARS_MAX} characters`);
    // An absolute URL would name a host of its own (RFC 9112 section 3.2.2), which only a proxy's client sends.
    if (!url.startsWith('/') && url !== '*') return refuse(400, 'invalid', 'the request target must be a path');
    if (req.rawHeaders.length > 2 * HEADERS_MAX)
      return refuse(431, 'too-long', `the request has more than ${HEADERS_MAX} header fields`);
    const host = req.headers.host?.toLowerCase();
    if (host === undefined || !(hosts.has(host) || isOwnAddress(req, host)))
      return refuse(421, 'security', `this server does not answer for that Host; it is ${[...hosts].join(', ')}`);
    if (hasTwoHosts(req.rawHeaders)) return refuse(400, 'invalid', 'the request has more than one Host header');
    return checkOrigin(req, res);
  };
}

/**
 * A page that sends no referrer sends `null` as the origin of its own forms. Which site a request comes from no page can
 * change, and the pages look for more than that (https://www.w3.org/TR/fetch-metadata/). SECURITY SL-11, WB-01
 */
const isOwnForm = ({ headers }: IncomingMessage): boolean =>
  headers.origin === 'null' && headers['sec-fetch-site'] === 'same-origin';

/** Where apps of any origin send a person's browser with a form: nothing happens there before the person is asked. SECURITY SL-01, SO-05 */
const isFormOfApp = ({ method, url = '' }: IncomingMessage): boolean =>
  method === 'POST' && /^\/oauth2\/(?:authorize|logout)(?:$|\?)/.test(url);

function ownNames({ port, httpsPort, publicUrl }: GuardOptions): { hosts: Set<string>; origins: Set<string> } {
  const own = new URL(publicUrl);
  const ports = [['http', port], ...(httpsPort === undefined ? [] : [['https', httpsPort] as const])] as const;
  const local = ports.flatMap(([scheme, number]) => LOCAL.map((name) => new URL(`${scheme}://${name}:${number}`)));
  const standardPort = { 'https:': '443', 'http:': '80' };
  // A URL leaves out the port that its scheme stands for; a client may write it.
  const hosts = [own, ...local].flatMap(({ host, port: given, protocol }) =>
    given === '' ? [host, `${host}:${standardPort[protocol as keyof typeof standardPort]}`] : [host],
  );
  return { hosts: new Set(hosts), origins: new Set([own, ...local].map(({ origin }) => origin)) };
}

const LOCAL = ['127.0.0.1', 'localhost', '[::1]'];

/** The address that the connection came to: another site's page can lend us its name, not an address of ours. */
function isOwnAddress({ socket }: IncomingMessage, host: string): boolean {
  const address = (socket.localAddress ?? '').replace(/^::ffff:(?=\d+\.)/i, '');
  return host === `${isIPv6(address) ? `[${address}]` : address}:${socket.localPort}`;
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
