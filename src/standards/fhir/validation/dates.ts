/**
 * FHIR dates and times, down to the days a month really has. https://hl7.org/fhir/R4/datatypes.html#dateTime
 * Each function returns what is wrong, or undefined. A leap second (`:60`) is allowed, as the official patterns allow it.
 */

const ZERO = 0x30;
const DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

const DATE_FORM = 'must be a date: YYYY, YYYY-MM or YYYY-MM-DD';
const DATE_TIME_FORM =
  'must be a date, or a date and time with seconds and zone: YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm:ss+zz:zz';
const INSTANT_FORM = 'must be an instant with seconds and zone: YYYY-MM-DDThh:mm:ss.sss+zz:zz';
const TIME_FORM = 'must be a time of day without zone: hh:mm:ss';
const YEAR = 'must have a year from 0001 to 9999';
const MONTH = 'must have a month from 01 to 12';
const DAY = 'must name a day that the month has';
const CLOCK = 'must have a time from 00:00:00 to 23:59:60';
const ZONE = 'must end in a zone: Z, or an offset from -14:00 to +14:00';
const FRACTION = 'must have digits after the point of the seconds';

/** The number written in two digits at `at`; NaN when they are none. */
function two(text: string, at: number): number {
  const tens = text.charCodeAt(at) - ZERO;
  const units = text.charCodeAt(at + 1) - ZERO;
  return tens >= 0 && tens <= 9 && units >= 0 && units <= 9 ? tens * 10 + units : Number.NaN;
}

export function dateFault(text: string): string | undefined {
  return text.length > 10 ? DATE_FORM : dayFault(text, DATE_FORM);
}

export function dateTimeFault(text: string): string | undefined {
  if (text.length <= 10) return dayFault(text, DATE_TIME_FORM);
  return dayFault(text.slice(0, 10), DATE_TIME_FORM) ?? zonedTimeFault(text, DATE_TIME_FORM);
}

export function instantFault(text: string): string | undefined {
  if (text.length <= 10) return INSTANT_FORM;
  return dayFault(text.slice(0, 10), INSTANT_FORM) ?? zonedTimeFault(text, INSTANT_FORM);
}

export function timeFault(text: string): string | undefined {
  const end = clockEnd(text, 0);
  if (end < 0) return clockFault(end, TIME_FORM);
  return end === text.length ? undefined : TIME_FORM;
}

/** `YYYY`, `YYYY-MM` or `YYYY-MM-DD`. */
function dayFault(text: string, form: string): string | undefined {
  const length = text.length;
  if (length !== 10 && length !== 7 && length !== 4) return form;
  const year = two(text, 0) * 100 + two(text, 2);
  if (Number.isNaN(year)) return form;
  if (year === 0) return YEAR;
  if (length === 4) return undefined;
  const month = two(text, 5);
  if (text.charCodeAt(4) !== 0x2d || Number.isNaN(month)) return form;
  if (month < 1 || month > 12) return MONTH;
  if (length === 7) return undefined;
  const day = two(text, 8);
  if (text.charCodeAt(7) !== 0x2d || Number.isNaN(day)) return form;
  const days = month === 2 && isLeap(year) ? 29 : DAYS[month - 1]!;
  return day < 1 || day > days ? DAY : undefined;
}

const isLeap = (year: number): boolean => (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;

/** What follows the day: `Thh:mm:ss.fff` and a zone. */
function zonedTimeFault(text: string, form: string): string | undefined {
  if (text.charCodeAt(10) !== 0x54) return form;
  const end = clockEnd(text, 11);
  if (end < 0) return clockFault(end, form);
  const sign = text.charCodeAt(end);
  if (sign === 0x5a) return end + 1 === text.length ? undefined : ZONE;
  if ((sign !== 0x2b && sign !== 0x2d) || text.length !== end + 6 || text.charCodeAt(end + 3) !== 0x3a) return ZONE;
  const hours = two(text, end + 1);
  const minutes = two(text, end + 4);
  return (hours <= 13 && minutes <= 59) || (hours === 14 && minutes === 0) ? undefined : ZONE;
}

const BAD_FORM = -1;
const BAD_CLOCK = -2;
const BAD_FRACTION = -3;
const clockFault = (code: number, form: string): string =>
  code === BAD_CLOCK ? CLOCK : code === BAD_FRACTION ? FRACTION : form;

/** Where `hh:mm:ss.fff` ends, or one of the negative codes. */
function clockEnd(text: string, at: number): number {
  const hours = two(text, at);
  const minutes = two(text, at + 3);
  const seconds = two(text, at + 6);
  if (Number.isNaN(hours + minutes + seconds)) return BAD_FORM;
  if (text.charCodeAt(at + 2) !== 0x3a || text.charCodeAt(at + 5) !== 0x3a) return BAD_FORM;
  if (hours > 23 || minutes > 59 || seconds > 60) return BAD_CLOCK;
  let end = at + 8;
  if (text.charCodeAt(end) !== 0x2e) return end;
  end++;
  while (text.charCodeAt(end) >= ZERO && text.charCodeAt(end) <= ZERO + 9) end++;
  return end === at + 9 ? BAD_FRACTION : end;
}
