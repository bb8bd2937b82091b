/** Texts as NTE, a line each. */

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
