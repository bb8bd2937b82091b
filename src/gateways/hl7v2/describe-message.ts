/** A message for people: each leaf that was sent, under its place. Holds patient data: for the message log only. */
import type { Message } from '../../standards/hl7v2/message.ts';
import type { Part, Segment } from '../../standards/hl7v2/segment.ts';

export interface DescribedSegment {
  readonly segment: string;
  /** `{ "PID-5.1": "SMITH" }`; null where two double quotes were sent. */
  readonly values: Readonly<Record<string, string | null>>;
}

/** A message longer than this is shown by its beginning; all of it is in the raw bytes. */
const LEAVES_MAX = 20_000;

export function describeMessage(message: Message): readonly DescribedSegment[] {
  const described: DescribedSegment[] = [];
  let leaves = 0;
  for (const segment of message.segments) {
    if (leaves >= LEAVES_MAX) break;
    const values = Object.fromEntries(valuesOf(segment, LEAVES_MAX - leaves));
    leaves += Object.keys(values).length + 1;
    described.push({ segment: segment.id, values });
  }
  return described;
}

function* valuesOf(segment: Segment, max: number): Generator<[string, string | null]> {
  let left = max;
  for (let n = 1; n <= segment.fieldCount; n++) {
    const field = segment.field(n);
    if (field.raw === '') continue;
    for (const repetition of field.repetitions)
      for (const leaf of leavesOf(repetition)) {
        if (left-- <= 0) return;
        yield [leaf.toString(), leaf.isNull ? null : leaf.value];
      }
  }
}

/** The parts that are not divided further: a field of one value stands under the field's own place. */
function leavesOf(part: Part): readonly Part[] {
  if (part.raw === '') return [];
  const { parts } = part;
  if (parts.length === 1) return [part];
  return parts.flatMap((inner) => (inner === part ? [part] : leavesOf(inner)));
}
