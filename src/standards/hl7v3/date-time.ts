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
