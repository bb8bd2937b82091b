/** JSON doors: bodies read and checked, answers sent, faults as problem documents. RFC 9457 */
import type { NextFunction, Request, RequestHandler, Response } from 'express';
import type { Log } from '../../ports/log.ts';
import { FhirError, textOf } from '../../standards/fhir/outcome.ts';

/** A fault with a code that programs can act on. */
export class Problem extends Error {
  readonly status: number;
  readonly code: string;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, code: string, detail: string, headers: Readonly<Record<string, string>> = {}) {
    super(detail);
    this.name = 'Problem';
    this.status = status;
    this.code = code;
    this.headers = headers;
  }
}

export const throttled = (retryAfterMs: number): Problem =>
  new Problem(429, 'throttled', 'Too many attempts: wait, then try again', {
    'Retry-After': String(Math.max(1, Math.ceil(retryAfterMs / 1000))),
  });

/** Runs a handler; what it throws becomes a problem document. */
export const answering =
  (log: Log, handle: (req: Request, res: Response) => Promise<void>): RequestHandler =>
  async (req, res) => {
    try {
      await handle(req, res);
    } catch (error) {
      sendProblem(res, error, log);
    }
  };

/** What Express itself refuses: bodies that are too large or no JSON. */
export const problemErrors =
  (log: Log) =>
  (error: unknown, _req: Request, res: Response, _next: NextFunction): void =>
    sendProblem(res, error, log);

function sendProblem(res: Response, error: unknown, log: Log): void {
  if (res.headersSent) {
    res.destroy();
    return;
  }
  const { status, code, message, headers } = toProblem(error, log);
  res.status(status).set(headers);
  res.type('application/problem+json');
  res.send(JSON.stringify({ type: 'about:blank', title: code, status, code, detail: message }));
}

const CODES = new Map([
  [400, 'invalid_request'],
  [401, 'unauthorized'],
  [403, 'forbidden'],
  [404, 'not_found'],
  [409, 'conflict'],
  [413, 'too_large'],
  [415, 'unsupported_media_type'],
  [503, 'unavailable'],
]);

function toProblem(error: unknown, log: Log): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof FhirError) {
    const [first] = error.issues;
    const code = first?.details?.coding[0]?.code ?? (first?.code === 'duplicate' ? 'duplicate' : undefined);
    return new Problem(
      error.status,
      code ?? CODES.get(error.status) ?? 'error',
      error.issues.map(textOf).join('; '),
      error.headers,
    );
  }
  const status = statusOf(error);
  if (status === 413) return new Problem(413, 'too_large', 'The body is larger than the 64 KiB allowed here');
  if (status === 415) return new Problem(415, 'unsupported_media_type', 'The body is sent as it is, in UTF-8');
  if (status === 400) return new Problem(400, 'invalid_request', 'The request cannot be read: send valid JSON');
  log.error('a request failed', { error });
  return new Problem(500, 'server_error', 'The server failed; its log says why');
}

const statusOf = (error: unknown): number | undefined =>
  typeof error === 'object' && error !== null && 'status' in error && typeof error.status === 'number'
    ? error.status
    : undefined;

/** A field of a JSON body: what it must be, and its value. */
export interface Field<T> {
  readonly about: string;
  parse(value: unknown): T | undefined;
  readonly isOptional?: true;
}

type Fields = Readonly<Record<string, Field<unknown>>>;
type Values<F extends Fields> = {
  readonly [K in keyof F]: F[K] extends Field<infer T> ? (F[K]['isOptional'] extends true ? T | undefined : T) : never;
};

/** The members of a JSON body, each checked. Throws 400 that names every wrong one; a member without a name here is wrong. */
export function readFields<F extends Fields>(req: Request, fields: F): Values<F> {
  if (!/^application\/json\s*(?:;|$)/i.test(req.headers['content-type'] ?? ''))
    throw new Problem(415, 'unsupported_media_type', 'Send the body as application/json');
  const body: unknown = req.body;
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw new Problem(400, 'invalid_request', 'The body is a JSON object');
  const given = new Map<string, unknown>(Object.entries(body));
  const faults = [...given.keys()]
    .filter((name) => !Object.hasOwn(fields, name))
    .map((name) => `${JSON.stringify(name.slice(0, 40))} is not a member here`);
  const values = new Map<string, unknown>();
  for (const [name, field] of Object.entries(fields)) {
    const value = given.get(name);
    if (value === undefined && field.isOptional) continue;
    const parsed = field.parse(value);
    if (parsed === undefined) faults.push(`${name} is ${field.about}`);
    else values.set(name, parsed);
  }
  if (faults.length > 0) throw new Problem(400, 'invalid_request', faults.join('; '));
  return Object.fromEntries(values) as Values<F>; // each was parsed by its field
}

/** A text of a length; control characters are refused. */
export const text = (about: string, max: number): Field<string> => ({
  about: `${about}, at most ${max} characters`,
  parse: (value) =>
    typeof value === 'string' && value.trim() !== '' && value.length <= max && !/\p{Cc}/u.test(value)
      ? value
      : undefined,
});

/** Any text at all up to a length: passwords are taken as they are. */
export const secretText = (about: string): Field<string> => ({
  about,
  parse: (value) => (typeof value === 'string' && value !== '' && value.length <= 1024 ? value : undefined),
});

const EMAIL = /^[^\s@<>"(),:;\\[\]\p{Cc}]{1,64}@[\p{L}\p{N}](?:[\p{L}\p{N}.-]{0,251}[\p{L}\p{N}])?$/u;

/** Whether a text has the form of an e-mail address. */
export const isEmail = (value: string): boolean => value.length <= 254 && EMAIL.test(value) && !value.includes('..');

export const email: Field<string> = {
  about: 'an e-mail address',
  parse: (value) => (typeof value === 'string' && isEmail(value.trim()) ? value.trim() : undefined),
};

export const optional = <T>(field: Field<T>): Field<T> & { readonly isOptional: true } => ({
  ...field,
  isOptional: true,
});
