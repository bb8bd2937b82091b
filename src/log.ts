/**
 * The log: one JSON object a line on stderr, so that stdout holds results only. Callers log ids, codes and counts; the
 * redaction below is the net under that rule. SECURITY: DP-06.
 */
import winston from 'winston';
import type { Log } from './ports/log.ts';

export type LogLevel = keyof Log;

/** A log whose lines all carry the fields of its ancestors, such as `correlationId`. */
export interface ContextLog extends Log {
  child(fields: Readonly<Record<string, unknown>>): ContextLog;
}

export interface LogOptions {
  readonly level: LogLevel;
  /** stderr unless a test listens. */
  readonly stream?: NodeJS.WritableStream;
}

const LEVELS: Readonly<Record<LogLevel, number>> = { error: 0, warn: 1, info: 2, debug: 3 };
/** Written by us: a field of one of these names is kept under another. */
const RESERVED = new Set(['time', 'level', 'message']);

/** Creates the log. */
export function createLog({ level, stream = process.stderr }: LogOptions): ContextLog {
  const logger = winston.createLogger({
    levels: { ...LEVELS },
    level,
    format: winston.format.printf(formatLine),
    transports: [new winston.transports.Stream({ stream })],
  });
  const enabled = (candidate: LogLevel): boolean => LEVELS[candidate] <= LEVELS[level];
  const withContext = (context: Readonly<Record<string, unknown>>): ContextLog => {
    const write =
      (name: LogLevel) =>
      (message: string, fields: Readonly<Record<string, unknown>> = {}): void => {
        if (enabled(name)) logger.log({ level: name, message, fields: { ...context, ...fields } });
      };
    return {
      error: write('error'),
      warn: write('warn'),
      info: write('info'),
      debug: write('debug'),
      child: (fields) => withContext({ ...context, ...fields }),
    };
  };
  return withContext({});
}

function formatLine({ level, message, fields }: winston.Logform.TransformableInfo): string {
  const line: Record<string, unknown> = { time: new Date().toISOString(), level, message: scrubText(String(message)) };
  for (const [key, value] of Object.entries(redact(fields) as Record<string, unknown>)) // fields is a plain object
    line[RESERVED.has(key) ? `${key}_` : key] = value;
  return JSON.stringify(line);
}

/** Anywhere in a key: secrets. */
const SECRET_KEY = /authori[sz]ation|cookie|password|passwd|secret|token|credential|apikey|privatekey|assertion|otp$/;

/** The whole key: elements and message parts that hold what people are, have or take. */
const PATIENT_KEYS: ReadonlySet<string> = new Set(
  [
    'address addressline answer attachment birthdate birthplace body bundle city comment contact contained content',
    'contents criteria data deceaseddatetime description detail details diagnosis display div dob document dosage',
    'email entry family familyname firstname forename fullurl gender given givenname identifier identifiers input',
    'lastname line maidenname maritalstatus medication mobile mrn name names narrative nhsnumber note notes',
    'output parameters params patient patientname payload person phone photo postalcode postcode prefix query',
    'querystring raw reason request resource resources response row rows search segment segments sql statement street',
    'suffix surname telecom telephone text value values where xml zip hl7 internalquery bindings',
  ].flatMap((line) => line.split(' ')),
);

const DEPTH_MAX = 6;
const ENTRIES_MAX = 50;
const TEXT_CHARS_MAX = 2_000;

/** A copy of a field that may be logged. */
function redact(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return scrubText(value);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'function' || typeof value === 'symbol') return `[${typeof value}]`;
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= DEPTH_MAX) return '[deep]';
  if (value instanceof Error) return describeError(value, depth);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'invalid date' : value.toISOString();
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `[${value.byteLength} bytes]`;
  if (Array.isArray(value)) return redactList(value, depth);
  if (value instanceof Map) return redactObject(Object.fromEntries(value), depth);
  if (value instanceof Set) return redactList([...value], depth);
  if (value instanceof URL) return scrubText(value.href);
  return redactObject(value, depth);
}

function redactList(list: readonly unknown[], depth: number): unknown[] {
  const kept = list.slice(0, ENTRIES_MAX).map((entry) => redact(entry, depth + 1));
  return list.length > ENTRIES_MAX ? [...kept, `[${list.length - ENTRIES_MAX} more]`] : kept;
}

function redactObject(object: object, depth: number): Record<string, unknown> {
  const safe: Record<string, unknown> = Object.create(null);
  for (const [key, value] of Object.entries(object).slice(0, ENTRIES_MAX))
    safe[scrubText(key)] = isRedactedKey(key) && value !== undefined ? describeHidden(value) : redact(value, depth + 1);
  return safe;
}

function isRedactedKey(key: string): boolean {
  const bare = key.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
  return SECRET_KEY.test(bare) || PATIENT_KEYS.has(bare);
}

const describeHidden = (value: unknown): string =>
  Array.isArray(value) ? `[redacted list of ${value.length}]` : `[redacted ${value === null ? 'null' : typeof value}]`;

const URL_CREDENTIALS = /([a-z][a-z0-9+.-]*:\/\/)[^\s/@]+@/gi;
const URL_QUERY = /([a-z][a-z0-9+.-]*:\/\/[^\s?#"']+)[?#][^\s"']*/gi;
const PATH_QUERY = /(\/[A-Za-z$_][^\s?"']*)\?[^\s"']+/g;
const BEARER = /\b(Bearer|Basic|DPoP)\s+[A-Za-z0-9+/=._~-]+/gi;
const JWT = /\beyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?/g;
const TEN_DIGITS = /(?<![\d.])\d{3}[ -]?\d{3}[ -]?\d{4}(?![\d.])/g;

/** Text without credentials, tokens, query strings and NHS numbers, cut to a bounded length. */
function scrubText(text: string): string {
  const short = text.length > TEXT_CHARS_MAX ? `${text.slice(0, TEXT_CHARS_MAX)}…` : text;
  return short
    .replace(URL_CREDENTIALS, '$1[redacted]@')
    .replace(URL_QUERY, '$1?[redacted]')
    .replace(PATH_QUERY, '$1?[redacted]')
    .replace(BEARER, '$1 [redacted]')
    .replace(JWT, '[redacted]')
    .replace(TEN_DIGITS, (digits) => (isNhsNumber(digits) ? '[redacted]' : digits));
}

/** Modulus 11, as the NHS Data Dictionary gives it. */
function isNhsNumber(text: string): boolean {
  const digits = text.replaceAll(/\D/g, '');
  let sum = 0;
  for (let i = 0; i < 9; i += 1) sum += Number(digits[i]) * (10 - i);
  return (11 - (sum % 11)) % 11 === Number(digits[9]);
}

/** Error properties that name things of ours or of the system, never a value. */
const ERROR_FIELDS = ['code', 'errno', 'syscall', 'address', 'port', 'status', 'schema', 'table', 'constraint'];

/** An error with its causes. Of a Postgres error `detail`, `where` and `internalQuery` are left out: they quote values. */
function describeError(error: Error, depth: number): Record<string, unknown> {
  const safe: Record<string, unknown> = Object.create(null);
  safe['type'] = error.name;
  safe['message'] = safeMessage(error);
  for (const field of ERROR_FIELDS) {
    const value: unknown = Reflect.get(error, field);
    if (typeof value === 'string' || typeof value === 'number') safe[field] = redact(value);
  }
  // The first lines repeat the message.
  const frames = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
  if (frames.length > 0) safe['stack'] = frames.map((line) => scrubText(line.trim()));
  if (error instanceof AggregateError) safe['errors'] = redactList(error.errors, depth + 1);
  if (error.cause !== undefined) safe['cause'] = redact(error.cause, depth + 1);
  return safe;
}

function safeMessage(error: Error): string {
  // JSON.parse quotes the text it could not read.
  if (error instanceof SyntaxError) return '[left out: it quotes the text]';
  const code: unknown = Reflect.get(error, 'code');
  // Class 22, data exception, and what a function raises quote the value: invalid input syntax for type integer: "…".
  if (typeof code === 'string' && /^(22|P0)[0-9A-Z]{3}$/.test(code)) return '[left out: it quotes a value]';
  return scrubText(error.message);
}
