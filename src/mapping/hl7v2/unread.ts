/** What a message held that no map took: told as notes, by place and never by value. */
import type { Issue } from '../../standards/fhir/outcome.ts';
import type { Message } from '../../standards/hl7v2/message.ts';
import type { Field, Segment } from '../../standards/hl7v2/segment.ts';
import { leavesOf, type Reading } from './cursor.ts';

/** A message has at most so many notes; the last says how many more there were. */
const NOTES_MAX = 100;

/** Positions, and fields that say again what another says, mean nothing to FHIR. */
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

/** One note a place: a segment of which nothing was read, a field, or a component. Repetitions share theirs. */
export function findUnread({ segments }: Message, { used }: Reading): readonly Issue[] {
  const places = new Set<string>();
  for (const segment of segments) {
    if (ENVELOPES.has(segment.id)) continue;
    const { all, unread } = unreadOf(segment, used);
    if (unread.length === 0) continue;
    if (!/^[A-Z][A-Z0-9]{2}$/.test(segment.id)) continue;
    if (unread.length === all && !MEANINGLESS.has(segment.id)) places.add(segment.id);
    else for (const field of unread) for (const place of placesIn(field, used)) places.add(`${segment.id}-${place}`);
  }
  const notes = [...places].map((place) => note(`${place} is not mapped: it is kept in the message alone`, place));
  if (notes.length <= NOTES_MAX) return notes;
  return [...notes.slice(0, NOTES_MAX), note(`${notes.length - NOTES_MAX} more places are not mapped`)];
}

function unreadOf(segment: Segment, used: Reading['used']): { all: number; unread: readonly Field[] } {
  const skipped = MEANINGLESS.get(segment.id) ?? [];
  const unread: Field[] = [];
  let all = 0;
  for (let n = 1; n <= segment.fieldCount; n++) {
    const field = segment.field(n);
    if (field.raw === '' || skipped.includes(n) || field.isEmpty) continue;
    all++;
    if (placesIn(field, used).length > 0) unread.push(field);
  }
  return { all, unread };
}

/** `8` for a field of which nothing was read, else `8.2` for each component with something unread. */
function placesIn(field: Field, used: Reading['used']): readonly string[] {
  const components = new Set<string>();
  let someRead = false;
  for (const repetition of field.repetitions)
    for (const component of repetition.parts) {
      if (component.raw === '') continue;
      let unread = false;
      for (const leaf of leavesOf(component)) {
        if (leaf.raw === '') continue;
        if (used.has(leaf)) someRead = true;
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
