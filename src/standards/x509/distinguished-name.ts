/** Distinguished names as text, the most specific part first: how a client's certificate is registered. RFC 4514 */
import { DerFault } from './der.ts';
import { type Attribute, escapeText, keyOfParts, type Name } from './name.ts';
import { ATTRIBUTES } from './oids.ts';

const CHARS_MAX = 1000;
const PARTS_MAX = 32;
const TYPES = new Map([...ATTRIBUTES].map(([short, type]) => [short.toUpperCase(), type]));
const SHORT = new Map([...ATTRIBUTES].map(([short, type]) => [type, short]));
/** RFC 4514 section 3: a backslash stands before a special character or two hexadecimal digits. */
const ESCAPED = /\\(?:([0-9A-Fa-f]{2})|([ "#+,;<=>\\]))/g;
const VALUE = /^(?:[^"+,;<>\\\p{Cc}]|\\[0-9A-Fa-f]{2}|\\[ "#+,;<=>\\])*$/u;

/** `CN=client,O=Example` of a certificate whose subject is Example first. */
export const formatDistinguishedName = ({ parts }: Pick<Name, 'parts'>): string =>
  parts
    .toReversed()
    .map((part) => part.map(({ type, value }) => `${SHORT.get(type) ?? type}=${escapeEnds(value)}`).join('+'))
    .join(',');

/** A name's `key`, of the text; names are the same when their keys are. Throws `DerFault` for what is no such text. */
export function keyOfDistinguishedName(text: string): string {
  if (text.length > CHARS_MAX) throw new DerFault('a name is too long');
  const parts = splitAt(text, ',').map((part) => splitAt(part, '+').map(readAttribute));
  if (parts.length > PARTS_MAX) throw new DerFault('a name has too many parts');
  return keyOfParts(parts.toReversed());
}

function readAttribute(text: string): Attribute {
  const [, given = '', value = ''] = /^\s*([A-Za-z][A-Za-z0-9-]*|\d+(?:\.\d+)+)\s*=([\s\S]*)$/.exec(text) ?? [];
  const type = /^\d/.test(given) ? given : TYPES.get(given.toUpperCase());
  if (type === undefined) throw new DerFault(`a name is written CN=…,O=…: "${text}" is no part of one`);
  const trimmed = value.replace(/^ +/, '').replace(/(?<!\\) +$/, '');
  if (!VALUE.test(trimmed)) throw new DerFault(`a name has a character that needs a backslash before it: "${text}"`);
  return { type, value: readEscapes(trimmed) };
}

/** Escaped bytes are those of UTF-8, of which several make a character. */
function readEscapes(value: string): string {
  const bytes: Buffer[] = [];
  let at = 0;
  for (const { index, 0: whole, 1: hex, 2: plain = '' } of value.matchAll(ESCAPED)) {
    bytes.push(Buffer.from(value.slice(at, index)), hex === undefined ? Buffer.from(plain) : Buffer.from(hex, 'hex'));
    at = index + whole.length;
  }
  return Buffer.concat([...bytes, Buffer.from(value.slice(at))]).toString('utf8');
}

/** At each of these characters that no backslash stands before. */
function splitAt(text: string, separator: ',' | '+'): string[] {
  const parts: string[] = [];
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '\\') i += 1;
    else if (text[i] === separator) {
      parts.push(text.slice(start, i));
      start = i + 1;
    }
  }
  return [...parts, text.slice(start)];
}

const escapeEnds = (value: string): string => escapeText(value).replace(/^[ #]/, '\\$&').replace(/ $/, '\\ ');
