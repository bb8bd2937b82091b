/**
 * The strict pass over a JSON text (RFC 8259, I-JSON RFC 7493 section 2): one loop over the bytes that builds nothing.
 * It finds what `JSON.parse` lets pass (duplicate and prototype keys, lone surrogates, numbers whose digits would be
 * lost, sizes without a bound) and says better than `JSON.parse` where a text is broken.
 */
import {
  broken,
  controlCharacter,
  costly,
  noColon,
  notAfterValue,
  notKey,
  notNumber,
  notValue,
  tooDeep,
  tooMany,
  trailing,
} from './json-broken.ts';
import { jsonFault } from './json-fault.ts';
import { checkKey, createFrames, decodeKey, type Frames } from './json-keys.ts';

export interface JsonLimits {
  readonly depth: number;
  readonly nodes: number;
  /** Digits in one number, the exponent's included. */
  readonly digits: number;
  /** Keys in one object. */
  readonly keys: number;
  /** Bytes in one string. */
  readonly stringBytes: number;
  /** Bytes in one string that holds nothing but base64. */
  readonly base64Bytes: number;
}

/** Keys and array positions that lead from the root to a value. */
export type JsonPath = readonly (string | number)[];

/** Numbers that JavaScript would print otherwise; `more` when there are too many to list. */
export interface LossyNumbers {
  readonly paths: JsonPath[];
  /** Their digits, in the order of `paths`. */
  readonly texts: string[];
  more: boolean;
}

const LOSSY_PATHS_MAX = 256;

const VALUE = 0;
const FIRST_VALUE = 1;
const AFTER = 2;
const KEY = 3;
const FIRST_KEY = 4;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const ZERO = 0x30;
const NINE = 0x39;

/** Bytes that stand for themselves in a string. */
const PLAIN = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte < 0x20 || byte === QUOTE || byte === BACKSLASH ? 0 : 1,
);

const isSpace = (byte: number): boolean => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;

let shared: Frames | undefined;

/**
 * Passes once over `bytes` (valid UTF-8 without a byte order mark) and returns the numbers whose digits `JSON.parse`
 * would lose. Throws a FhirError at the first fault.
 */
export function scanJson(bytes: Buffer, limits: JsonLimits): LossyNumbers | undefined {
  if (shared === undefined || shared.depth < limits.depth) shared = createFrames(limits.depth);
  const frames = shared;
  const { isArray, index, keyFrom, keyTo, keyCount } = frames;
  const length = bytes.length;
  let lossy: LossyNumbers | undefined;
  let depth = 0;
  let nodes = 0;
  let state = VALUE;
  let i = 0;
  for (;;) {
    let byte = i < length ? bytes[i]! : 0;
    while (byte <= 0x20 && isSpace(byte)) {
      i++;
      byte = i < length ? bytes[i]! : 0;
    }
    if (state === AFTER) {
      if (depth === 0) {
        if (i < length) throw trailing(bytes, i);
        return lossy;
      }
      if (byte === COMMA) {
        i++;
        if (isArray[depth] === 1) {
          index[depth]!++;
          state = VALUE;
        } else state = KEY;
      } else if (byte === (isArray[depth] === 1 ? 0x5d : 0x7d)) {
        i++;
        depth--;
      } else throw notAfterValue(bytes, i, isArray[depth] === 1);
    } else if (state >= KEY) {
      if (byte === QUOTE) {
        const from = i + 1;
        const end = stringEnd(bytes, from, limits);
        const to = end < 0 ? -end : end;
        checkKey(bytes, from, to, end < 0, depth, frames, limits.keys);
        keyFrom[depth] = from;
        keyTo[depth] = to;
        i = to + 1;
        if (bytes[i] !== COLON) {
          while (i < length && isSpace(bytes[i]!)) i++;
          if (bytes[i] !== COLON) throw noColon(bytes, i);
        }
        i++;
        state = VALUE;
      } else if (byte === 0x7d && state === FIRST_KEY) {
        i++;
        depth--;
        state = AFTER;
      } else throw notKey(bytes, i, state === FIRST_KEY);
    } else if (byte === QUOTE) {
      nodes++;
      const end = stringEnd(bytes, i + 1, limits);
      i = (end < 0 ? -end : end) + 1;
      state = AFTER;
    } else if (byte === 0x7b || byte === 0x5b) {
      nodes++;
      i++;
      if (++depth > limits.depth) throw tooDeep(bytes, i - 1, limits.depth);
      if (byte === 0x5b) {
        isArray[depth] = 1;
        index[depth] = 0;
        state = FIRST_VALUE;
      } else {
        isArray[depth] = 0;
        keyCount[depth] = 0;
        frames.sets[depth] = undefined;
        state = FIRST_KEY;
      }
    } else if (byte === 0x2d || (byte >= ZERO && byte <= NINE)) {
      nodes++;
      const end = numberEnd(bytes, i, limits);
      if (end < 0) {
        lossy ??= { paths: [], texts: [], more: false };
        if (lossy.paths.length < LOSSY_PATHS_MAX) {
          lossy.paths.push(pathOf(bytes, depth, frames));
          lossy.texts.push(bytes.toString('latin1', i, -end));
        } else lossy.more = true;
        i = -end;
      } else i = end;
      state = AFTER;
    } else if (byte === 0x5d && state === FIRST_VALUE) {
      i++;
      depth--;
      state = AFTER;
    } else {
      nodes++;
      i = literalEnd(bytes, i);
      state = AFTER;
    }
    if (nodes > limits.nodes) throw tooMany(bytes, i, limits.nodes);
  }
}

/** The place of the quote that closes the string which begins at `from`; negative when the string has an escape. */
function stringEnd(bytes: Buffer, from: number, limits: JsonLimits): number {
  const length = bytes.length;
  let i = from;
  let sign = 1;
  while (i < length) {
    if (PLAIN[bytes[i]!] === 1) {
      i++;
      continue;
    }
    const byte = bytes[i]!;
    if (byte === QUOTE) {
      if (i - from > limits.stringBytes) checkLongString(bytes, from, i, limits);
      return i * sign;
    }
    if (byte === BACKSLASH) {
      sign = -1;
      i = escapeEnd(bytes, i);
    } else throw controlCharacter(bytes, i, byte);
  }
  throw broken(bytes, from - 1, 'the text ends inside the string that begins here', 'close it with a double quote');
}

function escapeEnd(bytes: Buffer, at: number): number {
  switch (bytes[at + 1]) {
    case QUOTE:
    case BACKSLASH:
    case 0x2f: // slash
    case 0x6e: // n
    case 0x72: // r
    case 0x74: // t
      return at + 2;
    case 0x62: // b
      throw controlCharacter(bytes, at, 8);
    case 0x66: // f
      throw controlCharacter(bytes, at, 12);
    case 0x75: // u
      break;
    default:
      throw broken(
        bytes,
        at,
        'there is an escape that JSON does not have',
        'write a backslash itself as two backslashes',
      );
  }
  const unit = hexUnit(bytes, at + 2);
  if (unit < 0) throw broken(bytes, at, 'a \\u escape lacks its four hexadecimal digits', 'write it as \\u00e9');
  // https://hl7.org/fhir/R4/datatypes.html#string: no characters below U+0020 but tab, line feed and carriage return.
  if (unit < 0x20 && unit !== 9 && unit !== 10 && unit !== 13) throw controlCharacter(bytes, at, unit);
  if (unit < 0xd800 || unit > 0xdfff) return at + 6;
  const next = bytes[at + 6] === BACKSLASH && bytes[at + 7] === 0x75 ? hexUnit(bytes, at + 8) : -1;
  if (unit > 0xdbff || next < 0xdc00 || next > 0xdfff)
    throw jsonFault(bytes, at, 'Half a character (a lone surrogate) is escaped', {
      code: 'invalid',
      mend: 'escape both halves, or send the character itself in UTF-8',
    });
  return at + 12;
}

function hexUnit(bytes: Buffer, from: number): number {
  if (from + 4 > bytes.length) return -1;
  let unit = 0;
  for (let i = from; i < from + 4; i++) {
    const byte = bytes[i]!;
    const lower = byte | 0x20;
    if (byte >= ZERO && byte <= NINE) unit = unit * 16 + byte - ZERO;
    else if (lower >= 0x61 && lower <= 0x66) unit = unit * 16 + lower - 0x57;
    else return -1;
  }
  return unit;
}

/** Where the number ends; negative when JavaScript would print the number with other characters than it came in. */
function numberEnd(bytes: Buffer, from: number, limits: JsonLimits): number {
  let i = bytes[from] === 0x2d ? from + 1 : from;
  const whole = i;
  i = digitsEnd(bytes, i);
  if (i === whole) throw notNumber(bytes, from, 'there is no digit after the minus sign');
  const wholeDigits = i - whole;
  if (bytes[whole] === ZERO && wholeDigits > 1) throw notNumber(bytes, from, 'it begins with a zero');
  let digits = wholeDigits;
  let plain = digits <= 15 && !(bytes[whole] === ZERO && whole > from);
  if (bytes[i] === 0x2e) {
    const fraction = i + 1;
    i = digitsEnd(bytes, fraction);
    if (i === fraction) throw notNumber(bytes, from, 'there is no digit after the point');
    digits += i - fraction;
    // Fifteen digits survive; a last zero does not, and below 0.000001 JavaScript changes to an exponent.
    plain = digits <= 15 && bytes[i - 1] !== ZERO && (bytes[whole] !== ZERO || !isZeros(bytes, fraction, fraction + 6));
  }
  if (bytes[i] === 0x65 || bytes[i] === 0x45) {
    const exponent = bytes[i + 1] === 0x2b || bytes[i + 1] === 0x2d ? i + 2 : i + 1;
    i = digitsEnd(bytes, exponent);
    if (i === exponent) throw notNumber(bytes, from, 'there is no digit in the exponent');
    digits += i - exponent;
    plain = false;
  }
  if (plain) return i;
  if (digits > limits.digits)
    throw costly(bytes, from, `There is a number of more than ${limits.digits} digits`, 'round it');
  const text = bytes.toString('latin1', from, i);
  return String(Number(text)) === text ? i : -i;
}

function digitsEnd(bytes: Buffer, from: number): number {
  let i = from;
  while (i < bytes.length && bytes[i]! >= ZERO && bytes[i]! <= NINE) i++;
  return i;
}

function isZeros(bytes: Buffer, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (bytes[i] !== ZERO) return false;
  return true;
}

function literalEnd(bytes: Buffer, at: number): number {
  const word = bytes[at] === 0x74 ? 'true' : bytes[at] === 0x66 ? 'false' : bytes[at] === 0x6e ? 'null' : '';
  if (word === '' || bytes.toString('latin1', at, at + word.length) !== word) throw notValue(bytes, at);
  return at + word.length;
}

/** How to reach the value being read, from the keys and positions of the open containers. */
function pathOf(bytes: Buffer, depth: number, frames: Frames): JsonPath {
  const path: (string | number)[] = [];
  for (let level = 1; level <= depth; level++)
    path.push(
      frames.isArray[level] === 1
        ? frames.index[level]!
        : decodeKey(bytes, frames.keyFrom[level]!, frames.keyTo[level]!),
    );
  return path;
}

const BASE64 = /^[A-Za-z0-9+/=\\nrt]*$/;

function checkLongString(bytes: Buffer, from: number, to: number, limits: JsonLimits): void {
  let max = limits.stringBytes;
  if (to - from <= limits.base64Bytes) {
    let at = from;
    // In slices: a string of 50 MiB is never copied whole.
    while (at < to && BASE64.test(bytes.toString('latin1', at, Math.min(at + 65_536, to)))) at += 65_536;
    if (at >= to) return;
  } else max = limits.base64Bytes;
  throw jsonFault(bytes, from - 1, `There is a string longer than ${max} bytes`, {
    status: 413,
    code: 'too-long',
    mend: 'send long content as a Binary and point to it',
  });
}
