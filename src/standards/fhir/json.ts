/**
 * The one reader and the one writer of FHIR JSON. https://hl7.org/fhir/R4/json.html
 * Every digit of a number is kept (https://hl7.org/fhir/R4/datatypes.html#decimal: "the precision of the decimal value
 * has significance"), and what I-JSON (RFC 7493) forbids is refused instead of being quietly changed.
 */
import { isUtf8 } from 'node:buffer';
import { jsonFault } from './json-fault.ts';
import { type JsonLimits, type JsonPath, type LossyNumbers, scanJson } from './json-scan.ts';
import { badRequest } from './outcome.ts';

export const JSON_LIMITS: JsonLimits = {
  depth: 64,
  nodes: 2_000_000,
  digits: 64,
  keys: 10_000,
  stringBytes: 5 * 1024 * 1024,
  base64Bytes: 50 * 1024 * 1024,
};

/** What Node 24 has beyond the typed library: https://github.com/tc39/proposal-json-parse-with-source */
const JSON_24 = JSON as unknown as {
  rawJSON(text: string): unknown;
  parse(text: string, reviver: (key: string, value: unknown, context: { source: string }) => unknown): unknown;
};

const DECIMAL = /^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$/;

/** A number whose digits JavaScript would not print as they came: `1.00`, `12345678901234567.10`. Immutable. */
export class Decimal {
  readonly text: string;
  /** The nearest number JavaScript has; infinite for `1e400`. */
  readonly value: number;

  constructor(text: string) {
    if (!DECIMAL.test(text)) throw badRequest('A decimal must be written like 0.5, -12 or 1.5e3');
    this.text = text;
    this.value = Number(text);
    Object.freeze(this);
  }

  toString(): string {
    return this.text;
  }

  /** Makes plain `JSON.stringify` write the digits as they came. */
  toJSON(): unknown {
    return JSON_24.rawJSON(this.text);
  }
}

export const isNumber = (value: unknown): value is number | Decimal =>
  typeof value === 'number' || value instanceof Decimal;

/** The number itself, whichever way it is kept. */
export const numberOf = (value: number | Decimal): number => (typeof value === 'number' ? value : value.value);

/**
 * Returns the value of a JSON text in UTF-8, a byte order mark aside. Numbers whose digits would be lost are `Decimal`s.
 * Throws a FhirError that says where the text is wrong and how to mend it: 400, or 413 for a string beyond its limit.
 */
export function parseJson(source: string | Buffer, limits: JsonLimits = JSON_LIMITS): unknown {
  let bytes: Buffer;
  let text: string;
  if (typeof source === 'string') {
    text = source.charCodeAt(0) === 0xfeff ? source.slice(1) : source;
    if (!text.isWellFormed()) throw loneSurrogate(text);
    bytes = Buffer.from(text, 'utf8');
  } else {
    bytes = source[0] === 0xef && source[1] === 0xbb && source[2] === 0xbf ? source.subarray(3) : source;
    if (!isUtf8(bytes)) throw notUtf8(bytes);
    text = bytes.toString('utf8');
  }
  const lossy = scanJson(bytes, limits);
  if (lossy === undefined) return JSON.parse(text);
  return lossy.more ? parseEveryDigit(text) : withDecimals(text, lossy);
}

/** The JSON text of a value; `Decimal`s are written with the digits they came with. */
export function formatJson(value: unknown, pretty = false): string {
  return pretty ? JSON.stringify(value, undefined, 2) : JSON.stringify(value);
}

/**
 * A reviver makes `JSON.parse` four times slower, so the few numbers the strict pass has named are put in place by
 * their paths; their digits are read by a reviver only when there are many.
 */
function withDecimals(text: string, lossy: LossyNumbers): unknown {
  const root: unknown = JSON.parse(text);
  let replaced = root;
  lossy.paths.forEach((path, at) => {
    const decimal = new Decimal(lossy.texts[at]!);
    if (path.length === 0) replaced = decimal;
    else setAt(root, path, decimal);
  });
  return replaced;
}

function setAt(root: unknown, path: JsonPath, value: Decimal): void {
  // The strict pass took the path from this very text, so each step exists.
  let parent = root as Record<string | number, unknown>;
  for (let i = 0; i < path.length - 1; i++) parent = parent[path[i]!] as Record<string | number, unknown>;
  parent[path[path.length - 1]!] = value;
}

const parseEveryDigit = (text: string): unknown =>
  JSON_24.parse(text, (_key, value, context) =>
    typeof value === 'number' && String(value) !== context.source ? new Decimal(context.source) : value,
  );

function loneSurrogate(text: string): Error {
  const whole = text.toWellFormed();
  let at = 0;
  while (text.charCodeAt(at) === whole.charCodeAt(at)) at++;
  const bytes = Buffer.from(whole, 'utf8');
  return jsonFault(bytes, Buffer.byteLength(whole.slice(0, at)), 'Half a character (a lone surrogate) stands', {
    code: 'invalid',
    mend: 'send whole characters',
  });
}

function notUtf8(bytes: Buffer): Error {
  // What cannot be decoded comes back as U+FFFD: the first difference is the fault.
  const again = Buffer.from(bytes.toString('utf8'), 'utf8');
  let at = 0;
  while (at < bytes.length && bytes[at] === again[at]) at++;
  return jsonFault(bytes, at, 'The text is not UTF-8', {
    code: 'invalid',
    mend: 'send it in UTF-8, the only encoding of FHIR JSON',
  });
}
