/** V3 time stamps (TS), always in UTC. */

/** `YYYYMMDDHHmmss` of an instant in ms. */
export const formatDateTime = (at: number): string => new Date(at).toISOString().slice(0, 19).replaceAll(/[-T:]/g, '');

/** `YYYYMMDD` of an instant in ms. */
export const formatDate = (at: number): string => formatDateTime(at).slice(0, 8);

/** The instant as FHIR writes it: `YYYY-MM-DDTHH:mm:ss+00:00`. */
export const formatIso = (at: number): string => `${new Date(at).toISOString().slice(0, 19)}+00:00`;
