/** Encoding characters of one message. HL7 v2.5.1 section 2.5.4; MSH-1 and MSH-2 in section 2.15.9. */
import type { Issue } from '../fhir/outcome.ts';
import { issue } from '../fhir/outcome.ts';
import type { Mapped } from '../mapped.ts';
import type { CharacterSet } from './character-set.ts';

/** The delimiters of one message and its character set, which `\X..\` escapes are written in. */
export interface Encoding {
  readonly field: string;
  readonly component: string;
  readonly repetition: string;
  /** Empty: this message has no escaping (MSH-2 of two characters). */
  readonly escape: string;
  /** Empty: this message has no subcomponents. */
  readonly subcomponent: string;
  /** From version 2.7 on; empty where the message names none. */
  readonly truncation: string;
  readonly charset: CharacterSet;
}

export const STANDARD_ENCODING: Encoding = {
  field: '|',
  component: '^',
  repetition: '~',
  escape: '\\',
  subcomponent: '&',
  truncation: '',
  charset: 'utf8',
};

/** Segments whose first field is the field separator itself and whose second is never split. */
export const HEADER_SEGMENTS: ReadonlySet<string> = new Set(['MSH', 'FHS', 'BHS']);

const ENCODING_CHARACTERS_MAX = 5;

/**
 * Reads the delimiters off the beginning of a header segment (`MSH|^~\&|…`). Two or three encoding characters are taken
 * as they are, with an issue; one alone, and a repeated or alphanumeric one, is refused (ERR 102 at MSH-2).
 */
export function readEncoding(header: string, charset: CharacterSet): Mapped<Encoding> {
  const id = header.slice(0, 3);
  const field = header.slice(3, 4);
  if (!isDelimiter(field)) return { issues: [issue('value', 'The field separator cannot be used', `${id}-1`)] };
  const end = header.indexOf(field, 4);
  const characters = header.slice(4, end === -1 ? undefined : end);
  if (!areDelimiters(field, characters))
    return { issues: [issue('value', 'The encoding characters cannot be used', `${id}-2`)] };
  const [component = '', repetition = '', mark = '', subcomponent = '', truncation = ''] = characters;
  const value = { field, component, repetition, escape: mark, subcomponent, truncation, charset };
  return { value, issues: characters.length < 4 ? [shortOf(id, characters.length)] : [] };
}

const shortOf = (id: string, count: number): Issue => ({
  severity: 'warning',
  code: 'value',
  diagnostics: `${count} encoding characters of 4: those that are missing are not used in this message`,
  expression: [`${id}-2`],
});

/** Printable ASCII other than letters and digits. */
const isDelimiter = (text: string): boolean => /^[!-/:-@[-`{-~]$/.test(text);

function areDelimiters(field: string, characters: string): boolean {
  if (characters.length < 2 || characters.length > ENCODING_CHARACTERS_MAX) return false;
  const all = [field, ...characters];
  return all.every(isDelimiter) && new Set(all).size === all.length;
}
