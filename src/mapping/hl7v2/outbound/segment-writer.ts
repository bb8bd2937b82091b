/** Builds a message segment by segment: `write('PID', { 3: …, 5: … })`. */

import { type Encoding, HEADER_SEGMENTS } from '../../../standards/hl7v2/encoding.ts';
import { type FieldInput, formatSegment } from '../../../standards/hl7v2/format.ts';

export class SegmentWriter {
  readonly texts: string[] = [];
  readonly #encoding: Encoding;
  readonly #counts = new Map<string, number>();

  constructor(encoding: Encoding) {
    this.#encoding = encoding;
  }

  /** Fields by their numbers in the standard; what is not named is empty. */
  write(id: string, fields: Readonly<Record<number, FieldInput>>): void {
    const numbers = Object.keys(fields).map(Number);
    const first = HEADER_SEGMENTS.has(id) ? 3 : 1;
    const length = Math.max(first, ...numbers) - first + 1;
    const inputs = Array.from({ length }, (_, index) => fields[index + first]);
    this.texts.push(formatSegment(id, inputs, this.#encoding));
  }

  /** `1`, `2` … for segments that number themselves; `reset` begins anew in a group. */
  next(id: string): string {
    const count = (this.#counts.get(id) ?? 0) + 1;
    this.#counts.set(id, count);
    return String(count);
  }

  reset(...ids: readonly string[]): void {
    for (const id of ids) this.#counts.delete(id);
  }
}
