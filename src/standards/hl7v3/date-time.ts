/** V3 time stamps (TS), always in UTC. */

/** `YYYYMMDDHHmmss` of an instant in ms. */
export function formatDateTime(at: number): string {
  const iso = new Date(at).toISOString();
  return `${formatDay(iso)}${iso.slice(11, 13)}${iso.slice(14, 16)}${iso.slice(17, 19)}`;
}

/** `YYYYMMDD` of an instant in ms. */
export const formatDate = (at: number): string => formatDay(new Date(at).toISOString());

const formatDay = (iso: string): string => `${iso.slice(0, 4)}${iso.slice(5, 7)}${iso.slice(8, 10)}`;

/** The instant as FHIR writes it: `YYYY-MM-DDTHH:mm:ss+00:00`. */
export const formatIso = (at: number): string => `${new Date(at).toISOString().slice(0, 19)}+00:00`;

const TIME_STAMP = /^(\d{4})(\d{2})?(\d{2})?(?:(\d{2})(\d{2})?(\d{2})?(?:\.\d{1,4})?)?([+-]\d{4})?$/;

/** The instant in ms of a time stamp to any precision, in UTC where it names no zone; undefined for what is none. */
export function parseDateTime(text: string): number | undefined {
  const parts = TIME_STAMP.exec(text);
  if (parts === null) return undefined;
  const [, year = '', month = '01', day = '01', hour = '00', minute = '00', second = '00', zone = '+0000'] = parts;
  const at = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  // A day that no calendar has moves into the next month.
  if (Number.isNaN(at) || new Date(at).getUTCDate() !== Number(day) || hour === '24') return undefined;
  const shifted = at - offsetOf(zone);
  return shifted >= FIRST && shifted <= LAST ? shifted : undefined;
}

const FIRST = Date.parse('0001-01-01T00:00:00Z');
const LAST = Date.parse('9999-12-31T23:59:59Z');

const offsetOf = (zone: string): number =>
  (zone.startsWith('-') ? -1 : 1) * (Number(zone.slice(1, 3)) * 60 + Number(zone.slice(3))) * 60_000;

/** The date as FHIR writes it: `YYYY-MM-DD`. */
export const formatIsoDate = (at: number): string => new Date(at).toISOString().slice(0, 10);
