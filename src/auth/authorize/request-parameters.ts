/** Parameters of an authorization request, from the query or a form, each at most once. RFC 6749 section 3.1; SECURITY SL-01, SL-06 */
import type { Request } from 'express';
import { invalidRequest } from '../oauth/oauth-error.ts';
import type { Parameters } from '../oauth/parameters.ts';

export interface AskedParameters {
  /** Those without a value count as absent. */
  readonly values: Parameters;
  /** Given more than once, or with two values: nothing can be believed of them. */
  readonly repeated: ReadonlySet<string>;
  /** The launch of a pushed request, which is kept sealed. */
  readonly sealedLaunch?: string;
}

const PARAMETERS_MAX = 50;
const VALUE_CHARS_MAX = 16 * 1024;

/** Reads the query and the text of a form; throws `invalid_request` for a body of another kind, and above the limits. */
export function collectParameters(req: Request): AskedParameters {
  const values = new Map<string, string>();
  const repeated = new Set<string>();
  for (const source of sourcesOf(req)) {
    const own = new Set<string>();
    for (const [name, value] of source) {
      if (own.has(name) || (values.has(name) && values.get(name) !== value)) repeated.add(name);
      own.add(name);
      if (own.size > PARAMETERS_MAX) throw invalidRequest('there are too many parameters');
      if (value.length > VALUE_CHARS_MAX) throw invalidRequest('a parameter is too long');
      if (value !== '') values.set(name, value);
    }
  }
  return { values, repeated };
}

function sourcesOf(req: Request): URLSearchParams[] {
  const mark = req.originalUrl.indexOf('?');
  const query = new URLSearchParams(mark < 0 ? '' : req.originalUrl.slice(mark + 1));
  if (req.method !== 'POST') return [query];
  if (typeof req.body !== 'string') throw invalidRequest('the body must be application/x-www-form-urlencoded');
  return [query, new URLSearchParams(req.body)];
}
