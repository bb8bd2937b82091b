/** DT, DTM, TS and TM as they were sent. HL7 v2.5.1 section 2.A.22: `YYYY[MM[DD[HH[MM[SS[.S[S[S[S]]]]]]]]][+/-ZZZZ]`. */

/** The parts that were sent; those after the last are absent. */
export interface DateTime {
  readonly year: number;
  readonly month?: number;
  readonly day?: number;
  readonly hour?: number;
  readonly minute?: number;
  readonly second?: number;
  /** Milliseconds; finer digits are cut. */
  readonly millisecond?: number;
  /** Minutes east of UTC. */
  readonly offset?: number;
}

const COMPACT = /^(\d{4})(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:\.(\d{1,6}))?)?)?)?)?)?([+-]\d{4})?$/;
/** Seen in feeds: `1928-01-01`, `1928-01-01 10:20:30`, `1928-01-01T10:20:30.5Z`. */
const DASHED = /^(\d{4})-(\d\d)(?:-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?)?)?(Z|[+-]\d\d:?\d\d)?$/;

/** Undefined for what is no date, also `20261345` and `00000000`. Hour 24 is left to the caller. */
export function parseDateTime(text: string): DateTime | undefined {
  const match = COMPACT.exec(text) ?? DASHED.exec(text);
  if (match === null) return undefined;
  const [, year = '', month, day, hour, minute, second, fraction, zone] = match;
  const value: DateTime = {
    year: Number(year),
    ...(month !== undefined && { month: Number(month) }),
    ...(day !== undefined && { day: Number(day) }),
    ...(hour !== undefined && { hour: Number(hour) }),
    ...(minute !== undefined && { minute: Number(minute) }),
    ...(second !== undefined && { second: Number(second) }),
    ...(fraction !== undefined && { millisecond: Number(fraction.slice(0, 3).padEnd(3, '0')) }),
    ...(zone !== undefined && { offset: minutesOf(zone) }),
  };
  return isPossible(value) ? value : undefined;
}

/** Whether the text is in the form the standard gives, not only in one that is understood. */
export const isStandardDateTime = (text: string): boolean => COMPACT.test(text);

function minutesOf(zone: string): number {
  if (zone === 'Z') return 0;
  const digits = zone.replaceAll(':', '');
  const minutes = Number(digits.slice(1, 3)) * 60 + Number(digits.slice(3, 5));
  return digits.startsWith('-') ? -minutes : minutes;
}

function isPossible({ year, month = 1, day = 1, hour = 0, minute = 0, second = 0, offset = 0 }: DateTime): boolean {
  // 0001 and the like are fillers; what ends after 9999 cannot be written.
  if (year < 1000 || (year === 9999 && hour === 24) || month < 1 || month > 12 || day < 1 || day > daysIn(year, month))
    return false;
  if (hour > 24 || (hour === 24 && (minute > 0 || second > 0))) return false;
  return minute < 60 && second < 60 && Math.abs(offset) <= 14 * 60;
}

const daysIn = (year: number, month: number): number => {
  if (month === 2) return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28;
  return [4, 6, 9, 11].includes(month) ? 30 : 31;
};

/** `20260302101500+0000` of an instant, in UTC. */
export function formatInstant(at: number): string {
  return `${new Date(at).toISOString().slice(0, 19).replaceAll(/[-T:]/g, '')}+0000`;
}
