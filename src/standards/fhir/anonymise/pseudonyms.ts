/**
 * What stands in the place of what is somebody's: the same for the same value and key, and without the key nobody can go
 * back. SECURITY DP-08
 */
import { createHmac } from 'node:crypto';

/** Bytes that depend on the key, what they are for, and the value. */
export type Draw = (purpose: string, value: string) => Buffer;

export const createDraw =
  (key: Buffer): Draw =>
  (purpose, value) =>
    createHmac('sha256', key).update(purpose).update('\u0000').update(value).digest();

/** An id in the form of a UUID. */
export function pseudonymousId(draw: Draw, path: string): string {
  const hex = draw('id', path).toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), `8${hex.slice(13, 16)}`, `a${hex.slice(17, 20)}`, hex.slice(20, 32)].join(
    '-',
  );
}

const FAMILY = (
  'Alderbrook Birchwell Cloverly Dunmarsh Elmstone Fernley Gorsefield Hazelden Ivybridge Juniperly Kestrelham Larchwood ' +
  'Mistlewick Nettlecombe Oakhollow Pinecroft Quillstead Rowanby Sedgemoor Thistledown Umberleigh Vetchley Willowmere ' +
  'Yarrowby Zinniahurst Applegarth Brackenrig Cedarholm Dockendale Eelgrass'
).split(' ');
const GIVEN = (
  'Ada Basil Clement Dora Edwin Flora Gus Hetty Ira Jonah Kit Lottie Milo Nell Otis Pearl Quentin Rosa Silas Tilda Una ' +
  'Vernon Winnie Xanthe Yvo Zelda'
).split(' ');

const pick = (list: readonly string[], byte: number): string => list[byte % list.length] ?? '';

export function pseudonymousName(
  draw: Draw,
  whose: string,
): { readonly family: string; readonly given: readonly string[] } {
  const bytes = draw('name', whose);
  return { family: pick(FAMILY, bytes.readUInt16BE(0)), given: [pick(GIVEN, bytes.readUInt16BE(2))] };
}

/** A street that is nowhere; ZZ99 is the pseudo postcode area of the NHS for addresses that are not known. */
export function pseudonymousAddress(draw: Draw, whose: string) {
  const bytes = draw('address', whose);
  return {
    line: [`${1 + (bytes[0] ?? 0)} ${pick(FAMILY, bytes[1] ?? 0)} Street`],
    city: 'Testham',
    postalCode: 'ZZ99 3WZ',
  };
}

/** Numbers that Ofcom keeps for drama, and addresses of a domain that is nobody's (RFC 2606). */
export function pseudonymousContact(draw: Draw, system: string | undefined, value: string): string {
  const bytes = draw('contact', value);
  const digits = String(bytes.readUInt16BE(0) % 1000).padStart(3, '0');
  if (system === 'email') return `person-${bytes.toString('hex', 2, 8)}@example.org`;
  if (system === 'phone' || system === 'sms') return `07700 900${digits}`;
  if (system === 'fax' || system === 'pager') return `01632 960${digits}`;
  return `https://example.org/${bytes.toString('hex', 2, 8)}`;
}

/** A value of an identifier. */
export const pseudonymousValue = (draw: Draw, system: string, value: string): string =>
  `T${draw('identifier', `${system}|${value}`).toString('hex').slice(0, 20).toUpperCase()}`;

const RANGE = 1_000_000;

/**
 * NHS numbers of the range 999, which no person has, each with its check digit; no two numbers become one. It depends on
 * the order in which numbers come, too.
 * https://www.datadictionary.nhs.uk/attributes/nhs_number.html
 */
export function createTestNhsNumbers(draw: Draw): (value: string) => string {
  const known = new Map<string, string>();
  const used = new Set<string>();
  return (value) => {
    const name = draw('nhs-number', value).toString('base64');
    const before = known.get(name);
    if (before !== undefined) return before;
    let at = draw('nhs-number', value).readUInt32BE(0) % RANGE;
    for (let tries = 0; tries < RANGE; tries += 1, at = (at + 1) % RANGE) {
      const number = withCheckDigit(`999${String(at).padStart(6, '0')}`);
      if (number === undefined || used.has(number)) continue;
      used.add(number);
      known.set(name, number);
      return number;
    }
    throw new Error('there are more NHS numbers than the test range has');
  };
}

/** Undefined for digits that have no check digit (modulus 11 gives 10). */
function withCheckDigit(digits: string): string | undefined {
  const sum = [...digits].reduce((total, digit, i) => total + Number(digit) * (10 - i), 0);
  const check = (11 - (sum % 11)) % 11;
  return check === 10 ? undefined : `${digits}${check}`;
}
