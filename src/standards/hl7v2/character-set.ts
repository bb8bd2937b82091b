/** Character sets of MSH-18, table 0211. HL7 v2.5.1 section 2.15.9.18. */
import { isAscii, isUtf8 } from 'node:buffer';
import iconv from 'iconv-lite';
import type { Issue } from '../fhir/outcome.ts';

/** Names of iconv-lite; `iso-2022-jp`, which it does not know, is read by the platform's own decoder. */
export type CharacterSet = string;

export interface DecodedBytes {
  readonly text: string;
  readonly charset: CharacterSet;
  readonly issues: readonly Issue[];
}

const UTF8 = 'utf8';
const FALLBACK = 'windows-1252';
const ISO_2022_JP = 'iso-2022-jp';

/** 8859/1 is read as windows-1252, its superset in practice. `UNICODE` is deprecated; the UK ITK profile means UTF-8. */
const CHARACTER_SETS = new Map<string, CharacterSet>([
  ['8859/1', FALLBACK],
  ...[2, 3, 4, 5, 6, 7, 8, 9, 15].map((part): [string, string] => [`8859/${part}`, `iso-8859-${part}`]),
  ['UNICODE UTF-8', UTF8],
  ['UNICODE', UTF8],
  ['UTF-8', UTF8],
  ...['ISO IR6', 'ISO IR14', 'ISO IR87', 'ISO IR159'].map((name): [string, string] => [name, ISO_2022_JP]),
  ['GB 18030-2000', 'gb18030'],
  ['KS X 1001', 'euc-kr'],
  ['BIG-5', 'big5'],
]);

/** The set that MSH-18 names, as far as it can be written. */
export const findCharacterSet = (name: string): CharacterSet | undefined => {
  const found = CHARACTER_SETS.get(name.toUpperCase());
  return found === ISO_2022_JP ? undefined : (found ?? (name === '' || name === 'ASCII' ? UTF8 : undefined));
};

/** Sets that a receiver without agreement reads by looking at the bytes. */
const UNDECLARED = new Set(['', 'ASCII', 'ISO IR6', 'ISO IR14']);

/** The header cannot be longer than this before MSH-18. */
const HEADER_BYTES_MAX = 4096;
const MSH_18 = 18;

/** Decodes a message as its MSH-18 says; undeclared: UTF-8, or windows-1252 where the bytes are not UTF-8. */
export function decodeBytes(bytes: Buffer): DecodedBytes {
  const declared = readCharacterSets(bytes);
  const named = declared.find((name) => !UNDECLARED.has(name));
  const charset = named === undefined ? undefined : CHARACTER_SETS.get(named);
  const issues: Issue[] = [];
  if (named !== undefined && charset === undefined)
    issues.push(warning('not-supported', 'The character set is not known'));
  if (charset !== ISO_2022_JP && isAscii(bytes))
    return { text: bytes.toString('latin1'), charset: charset ?? UTF8, issues };
  if (charset === undefined) return decodeUndeclared(bytes, issues);
  if (charset !== UTF8) return { text: decodeAs(bytes, charset), charset, issues };
  if (!isUtf8(bytes)) issues.push(warning('value', 'Bytes that are not UTF-8 were replaced'));
  return { text: bytes.toString('utf8'), charset, issues };
}

function decodeUndeclared(bytes: Buffer, issues: Issue[]): DecodedBytes {
  if (isUtf8(bytes)) return { text: bytes.toString('utf8'), charset: UTF8, issues };
  issues.push(warning('value', 'No character set is declared and the bytes are not UTF-8: read as windows-1252'));
  return { text: iconv.decode(bytes, FALLBACK), charset: FALLBACK, issues };
}

const decodeAs = (bytes: Buffer, charset: CharacterSet): string =>
  charset === ISO_2022_JP ? new TextDecoder(ISO_2022_JP).decode(bytes) : iconv.decode(bytes, charset);

const warning = (code: Issue['code'], diagnostics: string): Issue => ({
  severity: 'warning',
  code,
  diagnostics,
  expression: ['MSH-18'],
});

/** MSH-18 of the first header, found in the bytes: every delimiter is ASCII in all sets that are taken. */
function readCharacterSets(bytes: Buffer): readonly string[] {
  const start = bytes.indexOf('MSH');
  if (start === -1 || start > HEADER_BYTES_MAX) return [];
  const head = bytes.toString('latin1', start, Math.min(bytes.length, start + endOfLine(bytes, start)));
  const separator = head.charAt(3);
  let from = 3;
  for (let n = 2; n < MSH_18 && from !== -1; n++) from = head.indexOf(separator, from + 1);
  if (separator === '' || from === -1) return [];
  const end = head.indexOf(separator, from + 1);
  const field = head.slice(from + 1, end === -1 ? undefined : end);
  if (field === '') return [];
  return field.split(head.charAt(5), SETS_MAX).map((name) => name.trim().toUpperCase());
}

const SETS_MAX = 8;

/** How long the header is, at most `HEADER_BYTES_MAX`. */
function endOfLine(bytes: Buffer, start: number): number {
  const max = Math.min(HEADER_BYTES_MAX, bytes.length - start);
  for (let length = 0; length < max; length++) {
    const byte = bytes[start + length];
    if (byte === 0x0d || byte === 0x0a) return length;
  }
  return max;
}

/** Text as the bytes of a set. What the set cannot hold becomes `?`; iso-2022-jp cannot be written and gives UTF-8. */
export const encodeText = (text: string, charset: CharacterSet): Buffer =>
  charset === UTF8 || charset === ISO_2022_JP ? Buffer.from(text, 'utf8') : iconv.encode(text, charset);

/** The characters that a run of bytes stands for: what `\X..\` holds. */
export const decodeRun = (bytes: Buffer, charset: CharacterSet): string =>
  charset === UTF8 ? bytes.toString('utf8') : decodeAs(bytes, charset);
