/** Dates moved by whole days, as exact as they were. https://hl7.org/fhir/R4/datatypes.html#dateTime */

const DAY_MS = 24 * 60 * 60 * 1000;
const FORM = /^(\d{4})(?:-(\d{2})(?:-(\d{2})(T.*)?)?)?$/;

/** The same time of day `days` later; undefined for what is no date of FHIR. */
export function shiftDate(text: string, days: number): string | undefined {
  const [, year, month, day, time = ''] = FORM.exec(text) ?? [];
  if (year === undefined) return undefined;
  // Of a year or a month the middle is moved.
  const at = Date.parse(`${year}-${month ?? '07'}-${day ?? (month === undefined ? '02' : '15')}T00:00:00Z`);
  if (Number.isNaN(at)) return undefined;
  const moved = new Date(at + days * DAY_MS).toISOString();
  if (!/^\d{4}-/.test(moved)) return undefined;
  if (month === undefined) return moved.slice(0, 4);
  return day === undefined ? moved.slice(0, 7) : moved.slice(0, 10) + time;
}
