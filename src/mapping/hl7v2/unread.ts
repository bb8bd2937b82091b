/** What a message held that no map took: told as notes, by place and never by value. */
import type { Issue } from '../../standards/fhir/outcome.ts';
import type { Message } from '../../standards/hl7v2/message.ts';
import type { Field, Segment } from '../../standards/hl7v2/segment.ts';
import { leavesOf, type Reading } from './cursor.ts';

/** A message has at most so many notes; the last says how many more there were. */
const NOTES_MAX = 100;

/** Segments that have a map, and their fields that mean nothing to FHIR: positions, and what another field says too. */
const MEANINGLESS = new Map<string, readonly number[]>([
  ['EVN', [1, 2, 6]],
  ['PID', [1]],
  ['NK1', [1]],
  ['PV1', [1]],
  ['AL1', [1]],
  ['DG1', [1]],
  ['IN1', [1]],
  ['NTE', [1, 2]],
  ['ROL', [1]],
  ['IAM', [1]],
  ['PR1', [1]],
  ['OBR', [1]],
  ['OBX', [1]],
  ['SPM', [1]],
  ['SCH', []],
  ['RGS', [1]],
  ['AIS', [1, 2]],
  ['AIG', [1, 2]],
  ['AIL', [1, 2]],
  ['AIP', [1, 2]],
  ['TXA', [1]],
  ['FT1', [1]],
  ['MRG', []],
  ['MFI', []],
  ['MFE', []],
  ['STF', []],
  ['PRA', []],
  ['LOC', []],
  ['RXD', [1]],
  ['RXG', [1, 2]],
  ['RXA', [1, 2]],
  ['PD1', []],
  ['PV2', []],
  ['ORC', []],
  ['RXO', []],
  ['RXE', []],
  ['RXR', []],
  ['RXC', []],
  ['TQ1', [1]],
]);
/** Envelopes; they are answered, not mapped. */
const ENVELOPES = new Set(['MSH', 'SFT', 'DSC']);

/** One note a place: a segment without a map, a field of which nothing was read, or a component. Repetitions share theirs. */
export function findUnread({ segments }: Message, reading: Reading): readonly Issue[] {
  const places = new Set<string>();
  for (const segment of segments) {
    if (ENVELOPES.has(segment.id)) continue;
    const skipped = MEANINGLESS.get(segment.id);
    if (skipped !== undefined) for (const place of unreadOf(segment, skipped, reading)) places.add(place);
    else if (segment.text.length > 4 && /^[A-Z][A-Z0-9]{2}$/.test(segment.id) && !isAllRead(segment, reading))
      places.add(segment.id);
  }
  const notes = [...places].map((place) => note(`${place} is not mapped: it is kept in the message alone`, place));
  if (notes.length <= NOTES_MAX) return notes;
  return [...notes.slice(0, NOTES_MAX), note(`${notes.length - NOTES_MAX} more places are not mapped`)];
}

/** A segment without a map of which a partner's rules took everything. */
function isAllRead(segment: Segment, reading: Reading): boolean {
  if (!reading.hasRead || segment.fieldCount > RULED_MAX) return false;
  return unreadOf(segment, [], reading).length === 0;
}

/** Segments with more fields are nobody's mapping by hand. */
const RULED_MAX = 50;

/** `PID-8`, `PID-5.2` … */
function unreadOf(segment: Segment, skipped: readonly number[], reading: Reading): readonly string[] {
  const places: string[] = [];
  const count = segment.fieldCount;
  for (let n = 1; n <= count; n++) {
    const field = segment.field(n);
    if (field.raw !== '' && !isReadWhole(field, reading) && !skipped.includes(n) && !field.isEmpty)
      for (const place of placesIn(field, reading)) places.push(`${segment.id}-${place}`);
  }
  return places;
}

/** The usual field: every leaf that holds something became part of something. */
function isReadWhole(field: Field, reading: Reading): boolean {
  for (const repetition of field.repetitions)
    for (const component of repetition.parts)
      for (const leaf of component.parts) if (leaf.raw !== '' && leaf.readBy !== reading) return false;
  return true;
}

/** Whether a segment has a map. */
export const isMappedSegment = (id: string): boolean => MEANINGLESS.has(id);

/** `8` for a field of which nothing was read, else `8.2` for each component with something unread. */
function placesIn(field: Field, reading: Reading): readonly string[] {
  const components = new Set<string>();
  let someRead = false;
  for (const repetition of field.repetitions)
    for (const component of repetition.parts) {
      if (component.raw === '') continue;
      let unread = false;
      for (const leaf of leavesOf(component)) {
        if (leaf.raw === '') continue;
        if (leaf.readBy === reading) someRead = true;
        else unread = true;
      }
      if (unread) components.add(`${field.number}.${component.place.component ?? 1}`);
    }
  if (components.size === 0) return [];
  return someRead ? [...components] : [String(field.number)];
}

const note = (diagnostics: string, place?: string): Issue => ({
  severity: 'information',
  code: 'informational',
  diagnostics,
  ...(place !== undefined && { expression: [place] }),
});

/** The same fault in many repetitions is told once a place; errors are all kept. */
export function boundIssues(issues: readonly Issue[]): readonly Issue[] {
  const seen = new Set<string>();
  const kept = issues.filter((issue) => {
    const key = `${issue.severity} ${issue.diagnostics} ${issue.expression?.[0]}`;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
  if (kept.length <= ISSUES_MAX) return kept;
  const rest = kept.length - ISSUES_MAX;
  return [
    ...kept.slice(0, ISSUES_MAX),
    { severity: 'warning', code: 'informational', diagnostics: `${rest} more issues` },
  ];
}

const ISSUES_MAX = 500;
