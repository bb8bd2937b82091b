/** Formats of fields: what stands on the wire, and the plain text it means. Reference sections 15, 15.1 */
import { formatOverpunch, formatUnits, parseOverpunch, parseUnits } from './money.ts';

export type Format =
  /** `x20`: any printable character; trailing spaces say nothing. */
  | { readonly kind: 'text'; readonly max: number }
  /** `9(12)`: digits, kept as they are, since many are numbers of things and not amounts. */
  | { readonly kind: 'digits'; readonly max: number }
  /** `date`: CCYYMMDD */
  | { readonly kind: 'date'; readonly max: 8 }
  /** `s9(6)v99`: the last character bears the sign. */
  | { readonly kind: 'signed'; readonly max: number; readonly decimals: number }
  /** `9(7)v999`: without sign. */
  | { readonly kind: 'decimal'; readonly max: number; readonly decimals: number };

const NOTATION = /^(?:x(?<text>\d+)|(?<sign>s)?9\((?<whole>\d+)\)(?:v(?<fraction>9+))?|(?<date>date))$/;

/** Throws where a table is written wrong. */
export function parseFormat(notation: string): Format {
  const found = NOTATION.exec(notation)?.groups;
  if (!found) throw new Error(`no format: ${notation}`);
  const { text, sign, whole, fraction = '', date } = found;
  if (text !== undefined) return { kind: 'text', max: Number(text) };
  if (date !== undefined) return { kind: 'date', max: 8 };
  const max = Number(whole) + fraction.length;
  const decimals = fraction.length;
  if (sign !== undefined) return { kind: 'signed', max, decimals };
  return decimals > 0 ? { kind: 'decimal', max, decimals } : { kind: 'digits', max };
}

/** The plain text of a value: `6501.50`, `2.000`, `2026-01-16`. Undefined: it does not have the format. */
export function decodeValue(format: Format, value: string): string | undefined {
  switch (format.kind) {
    case 'text':
      return value.trimEnd();
    case 'digits':
      return /^\d+$/.test(value) ? value : undefined;
    case 'date':
      return isDate(value) ? `${value.slice(0, 4)}-${value.slice(4, 6)}-${value.slice(6)}` : undefined;
    case 'signed': {
      const units = parseOverpunch(value);
      return units === undefined ? undefined : formatUnits(units, format.decimals);
    }
    case 'decimal':
      return /^\d+$/.test(value) ? formatUnits(BigInt(value), format.decimals) : undefined;
  }
}

/** What stands on the wire for a plain text. Undefined: it has no place in the format. */
export function encodeValue(format: Format, text: string): string | undefined {
  const value = encode(format, text);
  return value === undefined || value.length > format.max || decodeValue(format, value) === undefined
    ? undefined
    : value;
}

function encode(format: Format, text: string): string | undefined {
  switch (format.kind) {
    case 'text':
      return /^[ -~]+$/.test(text) ? text.trimEnd() : undefined;
    case 'digits':
      return text;
    case 'date':
      return /^\d{4}-\d{2}-\d{2}$/.test(text) ? text.replaceAll('-', '') : undefined;
    case 'signed': {
      const units = parseUnits(text, format.decimals);
      return units === undefined ? undefined : formatOverpunch(units);
    }
    case 'decimal': {
      const units = parseUnits(text, format.decimals);
      return units === undefined || units < 0n ? undefined : String(units).padStart(format.max, '0');
    }
  }
}

const DAYS = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** CCYYMMDD of the calendar. */
export function isDate(text: string): boolean {
  if (!/^(?:1[89]|2[0-9])\d{6}$/.test(text)) return false;
  const [year, month, day] = [Number(text.slice(0, 4)), Number(text.slice(4, 6)), Number(text.slice(6))];
  const isLeap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  const last = month === 2 && !isLeap ? 28 : (DAYS[month - 1] ?? 0);
  return day >= 1 && day <= last;
}
