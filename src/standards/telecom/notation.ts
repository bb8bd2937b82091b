/**
 * The notation of the segment tables. A line is `id number format [!reject] name`; lines below `rows COUNT [!reject]`
 * and further in are one row of fields that repeats, begun by the first of them and counted by the field COUNT.
 */
import { type Format, parseFormat } from './formats.ts';

export interface FieldModel {
  /** `C2` of 302-C2. */
  readonly id: string;
  /** `302`; empty where it is not published. */
  readonly number: string;
  readonly name: string;
  readonly format: Format;
  /** As in the table: `x20`. */
  readonly notation: string;
  /** Reject code of 511-FB for one that is missing or invalid: its id, unless it is older than that habit. */
  readonly reject: string;
}

export interface RowsModel {
  /** The field that says how many rows follow; undefined where none does. */
  readonly count: string | undefined;
  /** Reject code of 511-FB where count and rows differ. */
  readonly reject: string;
  /** The id of the field that begins a row. */
  readonly lead: string;
  readonly items: readonly (FieldModel | RowsModel)[];
}

export interface SegmentModel {
  /** `07` of AM07. */
  readonly id: string;
  readonly name: string;
  readonly side: 'request' | 'response';
  readonly items: readonly (FieldModel | RowsModel)[];
  readonly fields: ReadonlyMap<string, FieldModel>;
  /** The rows a field stands in, outermost first. */
  readonly rowsOf: ReadonlyMap<string, readonly RowsModel[]>;
}

export const isRows = (item: FieldModel | RowsModel): item is RowsModel => 'lead' in item;

interface Line {
  readonly indent: number;
  readonly words: readonly string[];
}

/** Throws where a table is written wrong. */
export function segment(id: string, name: string, side: SegmentModel['side'], table: string): SegmentModel {
  const lines = table
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line): Line => ({ indent: line.length - line.trimStart().length, words: line.trim().split(/\s+/) }));
  const fields = new Map<string, FieldModel>();
  const rowsOf = new Map<string, readonly RowsModel[]>();
  const items = readItems(lines, fields);
  noteRows(items, [], rowsOf);
  return { id, name, side, items, fields, rowsOf };
}

function readItems(lines: readonly Line[], fields: Map<string, FieldModel>): readonly (FieldModel | RowsModel)[] {
  const items: (FieldModel | RowsModel)[] = [];
  for (let i = 0; i < lines.length; i++) {
    const { indent, words } = lines[i] as Line; // within the list
    if (words[0] !== 'rows') {
      const field = readField(words);
      if (fields.has(field.id)) throw new Error(`${field.id} stands twice in a segment`);
      fields.set(field.id, field);
      items.push(field);
      continue;
    }
    let end = i + 1;
    while (end < lines.length && (lines[end] as Line).indent > indent) end += 1;
    const inner = readItems(lines.slice(i + 1, end), fields);
    const lead = inner[0];
    if (lead === undefined || isRows(lead)) throw new Error('a row begins with a field');
    const [, count, reject] = words;
    items.push({
      count: count === '-' ? undefined : count,
      reject: reject?.startsWith('!') ? reject.slice(1) : (count ?? 'R8'),
      lead: lead.id,
      items: inner,
    });
    i = end - 1;
  }
  return items;
}

function readField([id = '', number = '', notation = '', ...rest]: readonly string[]): FieldModel {
  const reject = rest[0]?.startsWith('!') ? rest[0].slice(1) : id;
  const name = rest.filter((word, at) => at > 0 || !word.startsWith('!')).join(' ');
  return { id, number: number === '-' ? '' : number, name, format: parseFormat(notation), notation, reject };
}

function noteRows(
  items: readonly (FieldModel | RowsModel)[],
  within: readonly RowsModel[],
  rowsOf: Map<string, readonly RowsModel[]>,
): void {
  for (const item of items)
    if (isRows(item)) noteRows(item.items, [...within, item], rowsOf);
    else rowsOf.set(item.id, within);
}
