/** Whether the ends of a Period stand the right way round. FHIR R4 Period, invariant per-1 */

/** `2026`, `2026-05`, `2026-05-01`, or a time with seconds and an offset. */
type DateTimeText = string;

/**
 * Whether `end` is before `start`, as far as both say it: `2026-05-17` does not end before `2026-05`. Two times are
 * compared as instants, anything else by the parts that both have.
 */
export function endsBeforeStart(start: DateTimeText, end: DateTimeText): boolean {
  if (start.includes('T') && end.includes('T')) return Date.parse(end) < Date.parse(start);
  const both = Math.min(start.length, end.length, '2026-05-17'.length);
  return end.slice(0, both) < start.slice(0, both);
}
