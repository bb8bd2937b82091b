/** The faults a JSON text can have, in words: what was expected, what stands there, and how to mend it. */
import { byteInWords, jsonFault } from './json-fault.ts';

export const broken = (bytes: Uint8Array, at: number, what: string, mend: string): Error =>
  jsonFault(bytes, at, `This is not JSON: ${what}`, { mend });

export const controlCharacter = (bytes: Uint8Array, at: number, unit: number): Error =>
  jsonFault(
    bytes,
    at,
    unit === 9 || unit === 10 || unit === 13
      ? 'A string holds a tab or a line end that is not escaped'
      : `A string holds the control character U+${unit.toString(16).toUpperCase().padStart(4, '0')}`,
    {
      code: 'invalid',
      mend:
        unit === 9 || unit === 10 || unit === 13
          ? 'write it as \\t, \\n or \\r'
          : 'remove it; FHIR strings have no control characters but tab, line feed and carriage return',
    },
  );

export const notNumber = (bytes: Uint8Array, at: number, why: string): Error =>
  broken(bytes, at, `a number is malformed, ${why}`, 'write it like 0.5, -12 or 1.5e3');

export function notValue(bytes: Uint8Array, at: number): Error {
  const byte = bytes[at];
  const found = `expected a value but found ${byteInWords(byte)}`;
  if (byte === undefined) return broken(bytes, at, found, 'the text is empty or was cut off; send it whole');
  if (byte === 0x5d || byte === 0x7d) return broken(bytes, at, found, 'remove the comma before it or add the value');
  if (byte === 0x27) return broken(bytes, at, found, 'put strings in double quotes');
  if (byte === 0x2f) return broken(bytes, at, found, 'remove comments, JSON has none');
  if (byte === 0x2b || byte === 0x2e) return notNumber(bytes, at, 'it begins with a plus sign or a point');
  return broken(
    bytes,
    at,
    found,
    'a value is an object, an array, a string in double quotes, a number, true, false or null',
  );
}

export function notKey(bytes: Uint8Array, at: number, first: boolean): Error {
  const byte = bytes[at];
  const found = `expected a key in double quotes${first ? " or '}'" : ''} but found ${byteInWords(byte)}`;
  if (byte === undefined) return broken(bytes, at, found, 'the text was cut off; send it whole');
  if (byte === 0x7d) return broken(bytes, at, found, 'remove the comma before it');
  return broken(bytes, at, found, 'put the key in double quotes');
}

export const noColon = (bytes: Uint8Array, at: number): Error =>
  broken(bytes, at, `expected ':' after the key but found ${byteInWords(bytes[at])}`, 'write "key": value');

export function notAfterValue(bytes: Uint8Array, at: number, inArray: boolean): Error {
  const found = `expected ',' or '${inArray ? ']' : '}'}' but found ${byteInWords(bytes[at])}`;
  return broken(
    bytes,
    at,
    found,
    bytes[at] === undefined
      ? 'the text was cut off; send it whole'
      : 'add the comma or bracket that is missing before it',
  );
}

export const trailing = (bytes: Uint8Array, at: number): Error =>
  broken(bytes, at, `expected the end of the text but found ${byteInWords(bytes[at])}`, 'send one value only');

export const costly = (bytes: Uint8Array, at: number, what: string, mend: string): Error =>
  jsonFault(bytes, at, what, { code: 'too-costly', mend });
export const tooDeep = (bytes: Uint8Array, at: number, max: number): Error =>
  costly(bytes, at, `The text is nested deeper than ${max} levels`, 'send a flatter resource');
export const tooMany = (bytes: Uint8Array, at: number, max: number): Error =>
  costly(bytes, at, `The text holds more than ${max} values`, 'send it in several requests');
