/**
 * What is told of a JSON text that cannot be read: where it is wrong and how to mend it, never what it says of a patient.
 */
import { FhirError, type IssueCode, issue } from './outcome.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** Names that may be repeated in an error text: element names, not data that took the place of one. */
export const SAFE_NAME = /^_?[A-Za-z][A-Za-z0-9]{0,63}$/;

export interface FaultDetails {
  readonly status?: number;
  readonly code?: IssueCode;
  /** Ends the sentence: what to do about it. */
  readonly mend: string;
  /** The key the fault is about, as it is read (not yet part of the path when the fault is met). */
  readonly key?: string;
}

/** The error for a fault at byte `offset`; everything before `offset` is known to be well-formed. */
export function jsonFault(bytes: Uint8Array, offset: number, what: string, details: FaultDetails): FhirError {
  const path = withKey(pathAt(bytes, offset), details.key);
  const where = `at ${lineAndColumn(bytes, offset)}${path === '' ? '' : `, in ${path}`}`;
  const { status = 400, code = 'structure' } = details;
  return new FhirError(status, [issue(code, `${what} ${where}; ${details.mend}`, path === '' ? undefined : path)]);
}

/** Names a key for an error text, or says that it cannot be shown. */
export const keyInWords = (key: string): string => (SAFE_NAME.test(key) ? `the key '${key}'` : 'a key');

/** Describes a byte without showing data: punctuation by itself, anything else by its kind. */
export function byteInWords(byte: number | undefined): string {
  if (byte === undefined) return 'the end of the text';
  const character = String.fromCharCode(byte);
  if (byte === 0x27) return 'a single quote';
  if (byte === QUOTE) return 'a string';
  if (/[0-9]/.test(character)) return 'a digit';
  if (/[A-Za-z]/.test(character)) return 'a letter';
  if (byte > 0x7f) return 'a character outside ASCII';
  if (byte < 0x20 || byte === 0x7f)
    return `the control character U+${byte.toString(16).toUpperCase().padStart(4, '0')}`;
  return `'${character}'`;
}

function lineAndColumn(bytes: Uint8Array, offset: number): string {
  let line = 1;
  let start = 0;
  for (let i = 0; i < offset; i++)
    if (bytes[i] === 0x0a) {
      line++;
      start = i + 1;
    }
  let column = 1;
  // Continuation bytes of UTF-8 are not characters of their own.
  for (let i = start; i < offset; i++) if ((bytes[i]! & 0xc0) !== 0x80) column++;
  return `line ${line}, column ${column}`;
}

const withKey = (path: string, key: string | undefined): string =>
  key === undefined || !SAFE_NAME.test(key) ? path : path === '' ? key : `${path}.${key}`;

interface Level {
  readonly array: boolean;
  index: number;
  key: string | undefined;
  /** Whether the next string is a key. */
  atKey: boolean;
}

/** FHIRPath of the innermost element open at `offset`; stops before a name that must not be shown. */
function pathAt(bytes: Uint8Array, offset: number): string {
  const levels: Level[] = [];
  let type = '';
  for (let i = 0; i < offset; i++) {
    const byte = bytes[i]!;
    const level = levels[levels.length - 1];
    if (byte === QUOTE) {
      const end = stringEnd(bytes, i + 1, offset);
      if (level?.atKey) {
        if (end < offset) level.key = textOf(bytes, i + 1, end);
      } else if (levels.length === 1 && level?.key === 'resourceType') type = textOf(bytes, i + 1, end);
      i = end;
    } else if (byte === 0x7b) levels.push({ array: false, index: 0, key: undefined, atKey: true });
    else if (byte === 0x5b) levels.push({ array: true, index: 0, key: undefined, atKey: false });
    else if (byte === 0x7d || byte === 0x5d) levels.pop();
    else if (byte === 0x3a && level !== undefined) level.atKey = false;
    else if (byte === 0x2c && level !== undefined) {
      if (level.array) level.index++;
      else {
        level.atKey = true;
        level.key = undefined;
      }
    }
  }
  let path = SAFE_NAME.test(type) ? type : '';
  for (const level of levels) {
    if (level.array) path += `[${level.index}]`;
    else if (level.key === undefined || !SAFE_NAME.test(level.key)) break;
    else path = withKey(path, level.key);
  }
  return path;
}

function stringEnd(bytes: Uint8Array, from: number, offset: number): number {
  let i = from;
  while (i < offset && bytes[i] !== QUOTE) i += bytes[i] === BACKSLASH ? 2 : 1;
  return i;
}

/** The text of a short string between quotes; a long one is no name and is not decoded. */
const textOf = (bytes: Uint8Array, from: number, to: number): string =>
  to - from > 64 ? '' : String.fromCharCode(...bytes.subarray(from, to));
