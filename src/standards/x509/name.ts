/** Distinguished names. RFC 5280 sections 4.1.2.4 and 7.1 */
import { cursorOver, DerFault, type DerValue, readDer, readOid, TAG, valuesIn } from './der.ts';
import { oid, printable, sequence, setOf, tagged, utf8 } from './der-write.ts';
import { ATTRIBUTES } from './oids.ts';

export interface Attribute {
  /** Object identifier. */
  readonly type: string;
  readonly value: string;
}

export interface Name {
  /** As it came. */
  readonly bytes: Buffer;
  /** Relative names in order, each with one attribute as a rule. */
  readonly parts: readonly (readonly Attribute[])[];
  /** Equal for names that are the same under RFC 5280 section 7.1: case and runs of spaces do not count. */
  readonly key: string;
}

const PARTS_MAX = 32;

export function readName(value: DerValue): Name {
  const parts = [...valuesIn(value.content, 'a name')].map(readPart);
  if (parts.length > PARTS_MAX) throw new DerFault('a name has too many parts');
  return { bytes: value.bytes, parts, key: keyOfParts(parts) };
}

function readPart(value: DerValue): readonly Attribute[] {
  if (value.tag !== TAG.set) throw new DerFault('a part of a name is of another type');
  return [...valuesIn(value.content, 'a part of a name')].map((item) => {
    const cursor = cursorOver(readDer(item.bytes, TAG.sequence, 'an attribute of a name').content);
    const type = readOid(cursor.next(TAG.oid, 'the type of an attribute'));
    const text = readText(cursor.any('the value of an attribute'));
    cursor.end('an attribute of a name');
    return { type, value: text };
  });
}

function readText({ tag, content, bytes }: DerValue): string {
  switch (tag) {
    case TAG.utf8String:
      return decodeUtf8(content);
    case TAG.printableString:
    case TAG.ia5String:
    case TAG.teletexString:
      return content.toString('latin1');
    case TAG.bmpString:
      if (content.length % 2 !== 0) throw new DerFault('a text is malformed');
      return Buffer.from(content).swap16().toString('utf16le');
    default:
      return `#${bytes.toString('hex')}`; // RFC 4514 section 2.4
  }
}

function decodeUtf8(content: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(content);
  } catch {
    throw new DerFault('a text is not UTF-8');
  }
}

/** In the order of the certificate. */
export const keyOfParts = (parts: Name['parts']): string =>
  JSON.stringify(
    parts.map((part) =>
      part.map(({ type, value }) => `${type}=${value.trim().replaceAll(/\s+/g, ' ').toLowerCase()}`).toSorted(),
    ),
  );

const SHORT = new Map([...ATTRIBUTES].map(([short, type]) => [type, short]));

/** `O=Example, CN=client`: in the order of the certificate, for people and logs; not to be compared. */
export const formatName = ({ parts }: Pick<Name, 'parts'>): string =>
  parts
    .map((part) => part.map(({ type, value }) => `${SHORT.get(type) ?? type}=${escapeText(value)}`).join('+'))
    .join(', ');

/** RFC 4514 section 2.4; a line break in a name must not make a line in a log. */
export const escapeText = (value: string): string =>
  value
    .replaceAll(/[\\,+"<>;=]/g, '\\$&')
    .replaceAll(/[\p{Cc}\u2028\u2029]/gu, (c) => `\\${c.charCodeAt(0).toString(16).padStart(2, '0')}`);

/** The first value of that attribute, by its short name. */
export function attributeOfName({ parts }: Name, short: string): string | undefined {
  const type = ATTRIBUTES.get(short);
  return parts.flat().find((attribute) => attribute.type === type)?.value;
}

/** `[['O', 'Example'], ['CN', 'client']]`, by short names. */
export function createName(attributes: readonly (readonly [short: string, value: string])[]): Name {
  const parts = attributes.map(([short, value]) => {
    const type = ATTRIBUTES.get(short);
    if (type === undefined) throw new DerFault(`${short} is not an attribute of names that is known`);
    const text = short === 'C' || short === 'serialNumber' ? printable(value) : utf8(value);
    return setOf(sequence(oid(type), short === 'emailAddress' || short === 'DC' ? ia5(value) : text));
  });
  return readName(readDer(sequence(...parts), TAG.sequence, 'a name'));
}

const ia5 = (text: string): Buffer => tagged(TAG.ia5String, Buffer.from(text, 'latin1'));
