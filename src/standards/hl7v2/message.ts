/** A message: its segments, and access by path. HL7 v2.5.1 section 2.5. */
import type { Encoding } from './encoding.ts';
import { parsePlace } from './place.ts';
import { type Field, type Part, Segment } from './segment.ts';

/** A line and what stood between it and the next. */
export interface Line {
  readonly text: string;
  readonly terminator: string;
}

export class Message {
  readonly encoding: Encoding;
  /** As they came; absent in a message that was written or changed here. */
  readonly bytes: Buffer | undefined;
  /** Before the first segment: blank lines that were passed over. */
  readonly prologue: string;
  readonly #lines: readonly Line[];
  #segments: readonly Segment[] | undefined;
  readonly #byId = new Map<string, Segment[]>();

  constructor(encoding: Encoding, lines: readonly Line[], bytes?: Buffer, prologue = '') {
    this.encoding = encoding;
    this.#lines = lines;
    this.bytes = bytes;
    this.prologue = prologue;
  }

  /** In the order they came, those with unknown names too. */
  get segments(): readonly Segment[] {
    this.#segments ??= this.#open();
    return this.#segments;
  }

  #open(): readonly Segment[] {
    return this.#lines.map(({ text, terminator }) => {
      const id = text.slice(0, 3).toUpperCase();
      const others = this.#byId.get(id);
      const segment = new Segment(text, this.encoding, (others?.length ?? 0) + 1, terminator);
      if (others === undefined) this.#byId.set(id, [segment]);
      else others.push(segment);
      return segment;
    });
  }

  /** MSH. */
  get header(): Segment {
    // The parser and the writer make no message without one.
    return this.segments[0] as Segment;
  }

  find(id: string, occurrence = 1): Segment | undefined {
    return this.all(id)[occurrence - 1];
  }

  all(id: string): readonly Segment[] {
    return this.segments.length === 0 ? [] : (this.#byId.get(id) ?? []);
  }

  /** The field or part at `PID.5.1`, `PID-3[2].4`, `NK1[2]-5`; undefined when there is no such segment. */
  at(path: string): Field | Part | undefined {
    const place = parsePlace(path);
    if (place?.field === undefined) return undefined;
    const field = this.find(place.segment, place.occurrence)?.field(place.field);
    if (field === undefined || (place.repetition === undefined && place.component === undefined)) return field;
    const repetition = field.at(place.repetition);
    if (place.component === undefined) return repetition;
    const component = repetition.at(place.component);
    return place.subcomponent === undefined ? component : component.at(place.subcomponent);
  }

  /** The decoded first leaf at a path; empty when nothing is there. */
  value(path: string): string {
    const place = parsePlace(path);
    if (place?.field === undefined) return '';
    const { field, component, subcomponent, repetition } = place;
    return this.find(place.segment, place.occurrence)?.value(field, component, subcomponent, repetition) ?? '';
  }
}

/** MSH-9 in the words of the standard: `ADT^A01`; the structure (MSH-9.3) is not believed, as senders get it wrong. */
export function kindOf(message: Message): string {
  const type = message.header.field(9).at(1);
  const [code, event] = [type.at(1).value, type.at(2).value];
  return event === '' ? code : `${code}^${event}`;
}

/** The three numbers of `2.5.1`, for comparing; undefined when it is not a version. */
export function versionOf(message: Message): number | undefined {
  const [, major, minor, patch = '0'] = /^(\d)\.(\d)(?:\.(\d))?/.exec(message.header.value(12)) ?? [];
  return major === undefined ? undefined : Number(major) * 100 + Number(minor) * 10 + Number(patch);
}
