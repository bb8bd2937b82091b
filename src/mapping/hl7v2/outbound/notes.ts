/** Texts as NTE, a line each. */
import type { FieldInput } from '../../../standards/hl7v2/format.ts';
import type { Json } from '../compact.ts';
import { repeated } from './fields.ts';
import type { SegmentWriter } from './segment-writer.ts';
import { listOf, textOf } from './source.ts';

export function writeNotes(text: string | undefined, out: SegmentWriter): void {
  if (text === undefined) return;
  out.reset('NTE');
  for (const line of text.split('\n')) out.write('NTE', { 1: out.next('NTE'), 3: line });
}

/** Annotations. */
export const noteText = (notes: unknown): string | undefined =>
  listOf(notes)
    .flatMap((note) => textOf(note['text']) ?? [])
    .join('\n') || undefined;

/** All notes but the last: each has a repetition of its own, where the last is the NTE. */
export const firstNotes = (resource: Json): FieldInput =>
  repeated(
    listOf(resource['note'])
      .slice(0, -1)
      .map((note) => [undefined, textOf(note['text'])]),
  );
export const lastNote = (resource: Json): string | undefined => noteText(listOf(resource['note']).slice(-1));
