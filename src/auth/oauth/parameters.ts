/** Parameters of a form, each at most once. RFC 6749 section 3.2; SECURITY ST-01, SL-06 */
import type { Request } from 'express';
import { invalidRequest } from './oauth-error.ts';

export type Parameters = ReadonlyMap<string, string>;

const VALUE_CHARS_MAX = 16 * 1024;
const PARAMETERS_MAX = 50;

/** Reads the form that `express.urlencoded` has parsed; throws `invalid_request`. */
export function readForm(req: Request): Parameters {
  if (!req.is('application/x-www-form-urlencoded'))
    throw invalidRequest('the body must be application/x-www-form-urlencoded');
  if (req.originalUrl.includes('?')) throw invalidRequest('parameters belong into the body');
  return readParameters(req.body);
}

/** Parameters without a value count as absent (RFC 6749 section 3.1). */
export function readParameters(parsed: unknown): Parameters {
  const entries = Object.entries((parsed ?? {}) as Record<string, unknown>);
  if (entries.length > PARAMETERS_MAX) throw invalidRequest('there are too many parameters');
  const parameters = new Map<string, string>();
  for (const [name, value] of entries) {
    if (typeof value !== 'string') throw invalidRequest('a parameter is given more than once');
    if (value.length > VALUE_CHARS_MAX) throw invalidRequest('a parameter is too long');
    if (value !== '') parameters.set(name, value);
  }
  return parameters;
}

/** Throws `invalid_request` when it is not there. */
export function readParameter(parameters: Parameters, name: string): string {
  const value = parameters.get(name);
  if (value === undefined) throw invalidRequest(`${name} is missing`);
  return value;
}
