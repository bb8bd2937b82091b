/** FHIR dates and times to V3, all through UTC. */
import { formatDate, formatDateTime } from '../../standards/hl7v3/date-time.ts';
import { invalidValue } from './fault.ts';

const DATE = /^(\d{4})(?:-(0[1-9]|1[0-2])(?:-(0[1-9]|[12]\d|3[01]))?)?$/;
const DATE_TIME =
  /^(\d{4})(?:-(0[1-9]|1[0-2])(?:-(0[1-9]|[12]\d|3[01])(?:T([01]\d|2[0-3]):([0-5]\d):([0-5]\d)(?:\.\d+)?(Z|[+-](?:(?:0\d|1[0-3]):[0-5]\d|14:00)))?)?)?$/;

/** A FHIR dateTime as the V3 time in UTC, its fraction cut off; a date alone is midnight. */
export const dateTime = (text: string | undefined, path: string): string => formatDateTime(instantOf(text, path));

/** The date in UTC of a FHIR dateTime. */
export const dateOfDateTime = (text: string | undefined, path: string): string => formatDate(instantOf(text, path));

/** A FHIR date, which has no time; a missing month or day is the first. */
export function date(text: string | undefined, path: string): string {
  const parts = DATE.exec(text ?? '');
  const at = parts === null ? undefined : midnightOf(parts);
  if (at === undefined) throw invalidValue(`Incorrect format for date string '${text}'.`, path);
  return formatDate(at);
}

/** ms UTC. */
export function instantOf(text: string | undefined, path: string): number {
  const parts = DATE_TIME.exec(text ?? '');
  const day = parts === null ? undefined : midnightOf(parts);
  if (parts === null || day === undefined) throw wrongDateTime(text, path);
  const [, , , , hours = '0', minutes = '0', seconds = '0', zone = 'Z'] = parts;
  const at = day + ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000 - offsetOf(zone);
  // A zone may carry the first or last hours of the calendar out of it.
  if (at < FIRST || at > LAST) throw wrongDateTime(text, path);
  return at;
}

const FIRST = Date.parse('0001-01-01T00:00:00Z');
const LAST = Date.parse('9999-12-31T23:59:59Z');

const wrongDateTime = (text: string | undefined, path: string): Error =>
  invalidValue(`Incorrect format for date time string '${text}'.`, path);

const offsetOf = (zone: string): number =>
  zone === 'Z' ? 0 : (zone.startsWith('-') ? -1 : 1) * (Number(zone.slice(1, 3)) * 60 + Number(zone.slice(4))) * 60_000;

/** Undefined for a day that no calendar has. */
function midnightOf([, year = '', month = '01', day = '01']: readonly string[]): number | undefined {
  const at = Date.parse(`${year}-${month}-${day}T00:00:00Z`);
  return year !== '0000' && new Date(at).getUTCDate() === Number(day) ? at : undefined;
}
