/**
 * Numbers that name prescribers, pharmacies, drugs and payers in the United States (reference section 22). Each `is…`
 * says whether a text has the form and the check digit; whether there is such a one is a directory's question.
 */

/** National Provider Identifier: ten digits, the first 1 or 2, Luhn over `80840` and the number. 45 CFR 162.406 */
export const isNpi = (text: string): boolean => /^[12]\d{9}$/.test(text) && luhnSum(text) % 10 === LUHN_REST;

/** What the digits of the prefix 80840 add (24), so that the whole is divisible by ten. */
const LUHN_REST = (10 - (24 % 10)) % 10;

/** From the right, every second digit is doubled, and 9 taken off when that is over 9. */
function luhnSum(digits: string): number {
  let sum = 0;
  for (let at = digits.length - 1, twice = false; at >= 0; at -= 1, twice = !twice) {
    const digit = digits.charCodeAt(at) - 48;
    sum += twice ? (digit > 4 ? 2 * digit - 9 : 2 * digit) : digit;
  }
  return sum;
}

/** The number with its check digit. `nine`: the first nine digits. */
export function npiOf(nine: string): string {
  const digit = [...'0123456789'].find((last) => luhnSum(nine + last) % 10 === LUHN_REST);
  return nine + String(digit);
}

/** What the first letter of a DEA number says of the registrant. */
export type DeaRegistrant = 'prescriber' | 'not a prescriber' | 'unknown';

export interface DeaNumber {
  readonly registrant: DeaRegistrant;
  /** The letter of the last or business name, or `9`. */
  readonly nameLetter: string;
  /** What stands behind the hyphen: who acts under an institution's number. */
  readonly suffix?: string;
}

const DEA = /^([A-Z])([A-Z9])(\d{6})(\d)(?:-([A-Z0-9]{1,10}))?$/i;
const PRESCRIBERS = new Set(['A', 'B', 'F', 'G', 'M']);
const NOT_PRESCRIBERS = new Set(['P', 'R']);

/** The parts of a DEA registration number whose check digit is right; undefined for anything else. 21 CFR 1301 */
export function parseDeaNumber(text: string): DeaNumber | undefined {
  const [, first = '', second = '', digits = '', check = '', suffix] = DEA.exec(text) ?? [];
  if (first === '' || deaCheckDigit(digits) !== check) return undefined;
  const letter = first.toUpperCase();
  const registrant = PRESCRIBERS.has(letter)
    ? 'prescriber'
    : NOT_PRESCRIBERS.has(letter)
      ? 'not a prescriber'
      : 'unknown';
  return { registrant, nameLetter: second.toUpperCase(), ...(suffix !== undefined && { suffix }) };
}

export const isDeaNumber = (text: string): boolean => parseDeaNumber(text) !== undefined;

/** Of the first six digits: (d1+d3+d5 + 2·(d2+d4+d6)) mod 10. */
export function deaCheckDigit(six: string): string {
  const sum = [...six].reduce((total, digit, at) => total + Number(digit) * (at % 2 === 0 ? 1 : 2), 0);
  return String(sum % 10);
}

/** Whether the second letter is the first of a last or business name; a number's `9` fits every name. */
export const deaFitsName = ({ nameLetter }: DeaNumber, names: readonly string[]): boolean =>
  nameLetter === '9' || names.some((name) => letterOf(name) === nameLetter);

/** The first letter without its accents: `Özil` and `OZIL` have the same. */
const letterOf = (name: string): string | undefined =>
  name
    .normalize('NFD')
    .replaceAll(/[^A-Za-z]/g, '')
    .charAt(0)
    .toUpperCase() || undefined;

/** National Drug Code as it is stored and billed: 11 digits (5-4-2) without hyphens. */
export const isNdc11 = (text: string): boolean => /^\d{11}$/.test(text);

/**
 * The 11 digits of a code with hyphens: 4-4-2, 5-3-2 and 5-4-1 have their short part padded, 5-4-2 is whole. Eleven
 * digits stay as they are. Ten bare digits are ambiguous: undefined, as for anything else. 21 CFR 207.33
 */
export function ndc11Of(text: string): string | undefined {
  if (isNdc11(text)) return text;
  const [, labeler = '', product = '', packaged = ''] = /^(\d{4,5})-(\d{3,4})-(\d{1,2})$/.exec(text) ?? [];
  const digits = labeler.length + product.length + packaged.length;
  if (digits < 10) return undefined;
  return labeler.padStart(5, '0') + product.padStart(4, '0') + packaged.padStart(2, '0');
}

export type Ndc10Shape = '4-4-2' | '5-3-2' | '5-4-1';

/**
 * The hyphenated ten digits of an 11-digit code in the shape the directory gives for it; undefined where the digit the
 * shape has no room for is not a zero.
 */
export function ndc10Of(ndc11: string, shape: Ndc10Shape): string | undefined {
  if (!isNdc11(ndc11)) return undefined;
  const lengths = shape.split('-').map(Number);
  const parts = [ndc11.slice(0, 5), ndc11.slice(5, 9), ndc11.slice(9)];
  const short = parts.map((part, at) => part.slice(part.length - (lengths[at] ?? 0)));
  const isPadded = parts.every((part, at) => part === (short[at] ?? '').padStart(part.length, '0'));
  return isPadded ? short.join('-') : undefined;
}

/** Shapes an 11-digit code may have had: one where only one part begins with a zero. */
export const ndc10Shapes = (ndc11: string): readonly Ndc10Shape[] =>
  (['4-4-2', '5-3-2', '5-4-1'] as const).filter((shape) => ndc10Of(ndc11, shape) !== undefined);

/** Bank identification number of a payer: six digits, eight in newer cards. Text: leading zeros count. ISO/IEC 7812 */
export const isIin = (text: string): boolean => /^(?:\d{6}|\d{8})$/.test(text);

/** The six digits of the D.0 header. */
export const bin6Of = (iin: string): string | undefined => (isIin(iin) ? iin.slice(0, 6) : undefined);

/** Processor control number: up to ten printable characters, case kept. */
export const isPcn = (text: string): boolean => /^[\x20-\x7E]{1,10}$/.test(text);

/** NCPDP provider id of a pharmacy: seven digits. How its check digit is made is not public, and it is not checked. */
export const isNcpdpId = (text: string): boolean => /^\d{7}$/.test(text);
