/**
 * FHIR dates as the closed range of milliseconds they stand for: `2013` is the whole year. A time without an offset is
 * read as UTC. https://hl7.org/fhir/R4/search.html#date, https://hl7.org/fhir/R4/datatypes.html#dateTime
 */

export interface DateRange {
  readonly low: number;
  readonly high: number;
}

const DAY = 86_400_000;
const DASH = 45;
const COLON = 58;
const T = 84;

/** Two digits at `at`, or NaN. */
const two = (text: string, at: number): number => {
  const tens = text.charCodeAt(at) - 48;
  const ones = text.charCodeAt(at + 1) - 48;
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : Number.NaN;
};

const isLeap = (year: number): boolean => (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
const daysIn = (year: number, month: number): number =>
  month === 2 ? (isLeap(year) ? 29 : 28) : month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;

/** Days from 1970-01-01 to the first of a month, in the proleptic Gregorian calendar. */
function monthStart(year: number, month: number): number {
  // The year is counted from March, so that a leap day is its last.
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5);
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

/** The last reading's end, beside the returned start: the hot path allocates nothing. */
let highest = Number.NaN;

/** First millisecond of a date, dateTime or instant, or NaN; `lastHigh` then gives its last. */
export function readLow(text: string): number {
  highest = Number.NaN;
  const length = text.length;
  const year = two(text, 0) * 100 + two(text, 2);
  if (!(year >= 1)) return Number.NaN;
  if (length === 4) {
    highest = monthStart(year + 1, 1) * DAY - 1;
    return monthStart(year, 1) * DAY;
  }
  const month = text.charCodeAt(4) === DASH ? two(text, 5) : Number.NaN;
  if (!(month >= 1 && month <= 12)) return Number.NaN;
  const first = monthStart(year, month);
  if (length === 7) {
    highest = (first + daysIn(year, month)) * DAY - 1;
    return first * DAY;
  }
  const day = text.charCodeAt(7) === DASH ? two(text, 8) : Number.NaN;
  if (!(day >= 1 && day <= daysIn(year, month))) return Number.NaN;
  const midnight = (first + day - 1) * DAY;
  if (length === 10) {
    highest = midnight + DAY - 1;
    return midnight;
  }
  return text.charCodeAt(10) === T ? readTime(text, midnight) : Number.NaN;
}

/** The end that belongs to the last call of `readLow`. */
export const lastHigh = (): number => highest;

/** `Thh:mm[:ss[.fraction]][offset]`; search allows the seconds to be left out. */
function readTime(text: string, midnight: number): number {
  const hour = two(text, 11);
  const minute = text.charCodeAt(13) === COLON ? two(text, 14) : Number.NaN;
  // 24:00 is no FHIR time: https://hl7.org/fhir/R4/datatypes.html#dateTime
  if (!(hour <= 23 && minute <= 59)) return Number.NaN;
  let at = 16;
  let low = midnight + hour * 3_600_000 + minute * 60_000;
  let width = 60_000;
  if (text.charCodeAt(at) === COLON) {
    const second = two(text, 17);
    if (!(second <= 60)) return Number.NaN; // 60: a leap second, as the instant after it
    low += second * 1000;
    width = 1000;
    at = 19;
    if (text.charCodeAt(at) === 46) {
      const start = ++at;
      let scale = 100;
      let fraction = 0;
      for (let digit = text.charCodeAt(at) - 48; digit >= 0 && digit <= 9; digit = text.charCodeAt(++at) - 48) {
        fraction += digit * scale;
        scale /= 10;
      }
      const digits = at - start;
      if (digits === 0) return Number.NaN;
      low += Math.floor(fraction + 1e-6);
      width = digits === 1 ? 100 : digits === 2 ? 10 : 1;
    }
  }
  const offset = readOffset(text, at);
  low -= offset;
  highest = low + width - 1;
  return low;
}

/** Offset from UTC in ms of the rest of the text; nothing and `Z` are 0. */
function readOffset(text: string, at: number): number {
  const sign = text.charCodeAt(at);
  if (at === text.length || (sign === 90 && at + 1 === text.length)) return 0;
  const hours = two(text, at + 1);
  const minutes = two(text, at + 4);
  const fits = text.length === at + 6 && text.charCodeAt(at + 3) === COLON && hours <= 14 && minutes <= 59;
  if (!fits || (sign !== 43 && sign !== DASH)) return Number.NaN;
  return (sign === DASH ? -1 : 1) * (hours * 60 + minutes) * 60_000;
}

/** The range a date, dateTime or instant stands for; `undefined` when the text is none. */
export function parseDate(text: string): DateRange | undefined {
  const low = readLow(text);
  return Number.isNaN(low) ? undefined : { low, high: highest };
}
