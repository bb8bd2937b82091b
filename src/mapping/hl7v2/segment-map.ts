/** Segment maps: rows of field, element and reader, compiled once. Null fields become elements to remove. */
import type { Cursor, SegmentCursor } from './cursor.ts';

/** What a field's text is in FHIR; undefined for nothing. A list is appended element by element. */
export type Read = (cursor: Cursor) => unknown;

/**
 * Field, element, reader. `name[]`: every repetition is appended. `hospitalization.admitSource`: one level down.
 * `extension[]` with `url:`: appended as an extension. What is there already stays, so that the better row comes first.
 */
export type Row = readonly [field: number, element: string, read: Read];

/** A resource in the making. */
export class Draft {
  readonly content: Record<string, unknown>;
  readonly #removed = new Set<string>();

  constructor(content: Record<string, unknown>) {
    this.content = content;
  }

  set(element: string, value: unknown): void {
    if (value !== undefined && this.content[element] === undefined) this.content[element] = value;
  }

  append(element: string, value: unknown): void {
    if (value === undefined || (Array.isArray(value) && value.length === 0)) return;
    this.content[element] ??= [];
    const list = this.content[element] as unknown[]; // only this method makes lists here
    list.push(...(Array.isArray(value) ? value : [value]));
  }

  remove(element: string): void {
    this.#removed.add(element);
  }

  /** Elements that were null, and that nothing else of the message filled. */
  get removed(): readonly string[] {
    return [...this.#removed].filter((element) => this.content[element] === undefined);
  }
}

interface Step {
  readonly field: number;
  readonly apply: (draft: Draft, segment: SegmentCursor) => void;
}

export type SegmentMap = readonly Step[];

export const compileMap = (rows: readonly Row[]): SegmentMap => rows.map(compileRow);

function compileRow([field, element, read]: Row): Step {
  const isList = element.endsWith('[]');
  const [top = '', inner] = element.replace('[]', '').split('.');
  return {
    field,
    apply(draft, segment) {
      if (segment.field(field).isNull) {
        segment.ignore(field);
        removeFrom(draft, segment, field, top, inner);
      } else if (isList) for (const cursor of segment.all(field)) draft.append(top, read(cursor));
      else {
        const [first] = segment.all(field);
        if (first === undefined) return;
        if (inner === undefined) draft.set(top, read(first));
        else setInner(draft, top, inner, read(first));
      }
    },
  };
}

function setInner(draft: Draft, top: string, inner: string, value: unknown): void {
  if (value === undefined) return;
  draft.set(top, {});
  const object = draft.content[top] as Record<string, unknown>; // rows name one shape for an element
  object[inner] ??= value;
}

/** A part of an element cannot be removed from what is stored, only the whole. */
function removeFrom(draft: Draft, segment: SegmentCursor, field: number, top: string, inner: string | undefined): void {
  if (inner === undefined && top !== 'extension') draft.remove(top);
  else
    segment
      .at(field)
      .warn('not-supported', `Null here does not remove anything: ${top} is replaced only when the message brings one`);
}

export function applyMap(map: SegmentMap, segment: SegmentCursor, draft: Draft): void {
  for (const step of map) if (segment.field(step.field).raw !== '') step.apply(draft, segment);
}

/** An extension of the FHIR core with this kind of value. */
export const asExtension =
  (name: string, valueName: string, read: Read): Read =>
  (cursor) => {
    const value = read(cursor);
    const url = name.includes(':') ? name : `http://hl7.org/fhir/StructureDefinition/${name}`;
    return value === undefined ? undefined : { url, [valueName]: value };
  };
