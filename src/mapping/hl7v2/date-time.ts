/** Dates and times of HL7 v2 as FHIR's, with time zones. https://hl7.org/fhir/R4/datatypes.html#dateTime */
import type { DateTime } from '../../standards/hl7v2/date-time.ts';

export interface FormattedDateTime {
  readonly text: string;
  /** A local time that the change of clocks left out, or that came twice. */
  readonly fault?: 'gap' | 'overlap';
}

const two = (n: number): string => String(n).padStart(2, '0');

/** `1984`, `1984-05`, `1984-05-17`: as many parts as were sent. */
export function formatDate({ year, month, day }: DateTime): string {
  const head = String(year).padStart(4, '0');
  if (month === undefined) return head;
  return day === undefined ? `${head}-${two(month)}` : `${head}-${two(month)}-${two(day)}`;
}

/**
 * A date, or a time with seconds and an offset: its own, else `offset` (minutes, of MSH-7), else that of `timeZone` then.
 * A local time in the gap of spring gets the later offset; one that comes twice in autumn is the earlier instant.
 */
export function formatDateTime(value: DateTime, offset: number | undefined, timeZone: string): FormattedDateTime {
  const { hour, minute = 0, second = 0, millisecond } = value;
  if (hour === undefined || value.day === undefined) return { text: formatDate(value) };
  // Hour 24 is hour 0 of the next day; Date.UTC does the calendar.
  const wall = Date.UTC(value.year, (value.month ?? 1) - 1, value.day, hour, minute, second, millisecond ?? 0);
  const known = value.offset ?? offset;
  const found = known === undefined ? findOffset(wall, timeZone) : { minutes: known };
  const local = new Date(wall).toISOString();
  const text = `${local.slice(0, 19)}${millisecond === undefined ? '' : local.slice(19, 23)}${formatOffset(found.minutes)}`;
  return 'fault' in found && found.fault !== undefined ? { text, fault: found.fault } : { text };
}

const formatOffset = (minutes: number): string => {
  if (minutes === 0) return 'Z';
  const size = Math.abs(minutes);
  return `${minutes < 0 ? '-' : '+'}${two(Math.floor(size / 60))}:${two(size % 60)}`;
};

const DAY = 24 * 3_600_000;

function findOffset(wall: number, timeZone: string): { minutes: number; fault?: 'gap' | 'overlap' } {
  const [before, after] = [offsetAt(wall - DAY, timeZone), offsetAt(wall + DAY, timeZone)];
  if (before === after) return { minutes: before };
  const fits = [before, after].filter((minutes) => offsetAt(wall - minutes * 60_000, timeZone) === minutes);
  if (fits.length === 2) return { minutes: Math.max(before, after), fault: 'overlap' };
  return fits.length === 1 ? { minutes: fits[0] as number } : { minutes: Math.max(before, after), fault: 'gap' };
}

const ZONES_MAX = 64;
const zones = new Map<string, Intl.DateTimeFormat>();

const OFFSETS_MAX = 10_000;
/** By zone and quarter of an hour, at which zones change; a feed asks for the same again and again. */
const offsets = new Map<string, number>();

/** Minutes east of UTC in a zone at an instant; an unknown zone is UTC. */
function offsetAt(instant: number, timeZone: string): number {
  const key = `${Math.floor(instant / 900_000)} ${timeZone}`;
  const known = offsets.get(key);
  if (known !== undefined) return known;
  const offset = computeOffset(instant, timeZone);
  if (offsets.size >= OFFSETS_MAX) offsets.clear();
  offsets.set(key, offset);
  return offset;
}

function computeOffset(instant: number, timeZone: string): number {
  const text = formatterOf(timeZone)
    .formatToParts(instant)
    .find(({ type }) => type === 'timeZoneName')?.value;
  const [, sign, hours = '0', minutes = '0'] = /GMT([+-])(\d\d):(\d\d)/.exec(text ?? '') ?? [];
  return (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) || 0;
}

function formatterOf(timeZone: string): Intl.DateTimeFormat {
  const known = zones.get(timeZone);
  if (known !== undefined) return known;
  let formatter: Intl.DateTimeFormat;
  try {
    formatter = new Intl.DateTimeFormat('en-GB', { timeZone, timeZoneName: 'longOffset' });
  } catch {
    formatter = new Intl.DateTimeFormat('en-GB', { timeZone: 'UTC', timeZoneName: 'longOffset' });
  }
  if (zones.size < ZONES_MAX) zones.set(timeZone, formatter);
  return formatter;
}
