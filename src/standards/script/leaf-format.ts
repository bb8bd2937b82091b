/**
 * Formats of SCRIPT leaves: `an35` and `an2-50` text by length, `n1-3` digits (a decimal point is not counted), `sn4`
 * the same with a sign, `text` any length, `date`, `dateTime`, `yn`, `boolean`, `base64`, `code.List` (`code-lists.ts`).
 */
import { CODE_LISTS } from './code-lists.ts';

/** What is wrong with a value; `warning` where the value may be kept as it is. */
export interface LeafFault {
  readonly rule: 'length' | 'format' | 'code';
  readonly warning: boolean;
  /** What the format asks for, without the value. */
  readonly wants: string;
}

const fault = (rule: LeafFault['rule'], wants: string, warning = false): LeafFault => ({ rule, wants, warning });

type LeafCheck = (text: string) => LeafFault | undefined;

const FIXED = new Map<string, LeafCheck>([
  ['text', () => undefined],
  ['date', (text) => (isDate(text) ? undefined : fault('format', 'a date like 2026-01-31'))],
  ['dateTime', checkDateTime],
  ['yn', (text) => (TRUTHS.has(text) ? undefined : fault('format', 'Y or N'))],
  ['boolean', (text) => (TRUTHS.has(text) ? undefined : fault('format', 'true or false'))],
  ['base64', (text) => (/^[A-Za-z0-9+/\s]*={0,2}\s*$/.test(text) ? undefined : fault('format', 'base64'))],
]);

/** Read alike in every boolean-like element: public sources differ (reference section 5). */
export const TRUTHS: ReadonlyMap<string, boolean> = new Map([
  ['Y', true],
  ['N', false],
  ['true', true],
  ['false', false],
  ['1', true],
  ['0', false],
]);

const made = new Map<string, LeafCheck>();

/** The fault of a trimmed, non-empty value under a format; undefined when there is none. */
export function checkLeaf(format: string, text: string): LeafFault | undefined {
  let check = made.get(format);
  if (check === undefined) {
    check = createCheck(format);
    made.set(format, check);
  }
  return check(text);
}

/** Whether a format is known; the model's test asks. */
export const isLeafFormat = (format: string): boolean =>
  FIXED.has(format) || SIZED.test(format) || CODE_LISTS.has(format.replace('code.', ''));

const SIZED = /^(an|n|sn)(?:(\d+)-)?(\d+)$/;

function createCheck(format: string): LeafCheck {
  const fixed = FIXED.get(format);
  if (fixed) return fixed;
  if (format.startsWith('code.')) return codeCheck(format.slice('code.'.length));
  const [, kind, least = '1', most = ''] = SIZED.exec(format) ?? [];
  const [min, max] = [Number(least), Number(most)];
  if (kind === undefined) throw new Error(`the model has the unknown format ${format}`);
  if (kind === 'an') return textCheck(min, max);
  const shape = kind === 'sn' ? /^[+-]?(?=[\d.]*\d)\d*\.?\d*$/ : /^(?=[\d.]*\d)\d*\.?\d*$/;
  return (text) => {
    if (!shape.test(text)) return fault('format', 'a number');
    const digits = text.replaceAll(/\D/g, '').length;
    return digits < min || digits > max ? fault('length', `a number of ${range(min, max)} digits`) : undefined;
  };
}

const textCheck =
  (min: number, max: number): LeafCheck =>
  (text) => {
    // Characters, not UTF-16 units; counted only where it can matter.
    const length = text.length <= max ? text.length : [...text].length;
    return length < min || length > max ? fault('length', `${range(min, max)} characters`) : undefined;
  };

function codeCheck(name: string): LeafCheck {
  const list = CODE_LISTS.get(name);
  if (list === undefined) throw new Error(`the model has the unknown code list ${name}`);
  return (text) => {
    if (list.codes.has(text)) return undefined;
    if (list.read?.has(text)) return fault('code', `a code of ${name}; it is read as ${list.read.get(text)}`, true);
    return fault('code', `a code of ${name}`, !list.closed);
  };
}

const range = (min: number, max: number): string => (min === max ? `${max}` : `${min} to ${max}`);

const DATE = /^(\d{4})-(\d{2})-(\d{2})$/;
function isDate(text: string): boolean {
  const [, year, month, day] = DATE.exec(text) ?? [];
  if (year === undefined) return false;
  return Number(day) >= 1 && Number(day) <= daysIn(Number(year), Number(month));
}

function daysIn(year: number, month: number): number {
  if (month < 1 || month > 12 || year < 1) return 0;
  if (month === 2) return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28;
  return [4, 6, 9, 11].includes(month) ? 30 : 31;
}

const DATE_TIME = /^(\d{4}-\d{2}-\d{2})T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?(Z|[+-](?:0\d|1[0-4]):[0-5]\d)?$/;
function checkDateTime(text: string): LeafFault | undefined {
  const [, day = '', , zone] = DATE_TIME.exec(text) ?? [];
  if (!isDate(day)) return fault('format', 'a time like 2026-01-31T16:30:00Z');
  return zone === undefined ? fault('format', 'a time with its zone; it is read as UTC', true) : undefined;
}
