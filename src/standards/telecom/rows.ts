/** A segment as a tree: its fields by name, and the rows that repeat, within one another. Reference section 15.2 */
import type { TelecomField, TelecomSegment } from './message.ts';
import { isRows, type RowsModel, type SegmentModel } from './notation.ts';

export interface RowTree {
  /** The first of each field. */
  readonly fields: ReadonlyMap<string, TelecomField>;
  /** By the id of the field that begins a row. */
  readonly rows: ReadonlyMap<string, readonly RowTree[]>;
}

export interface SegmentTree extends RowTree {
  /** Fields the model does not have, and repetitions of those that do not repeat; in their order. */
  readonly surplus: readonly TelecomField[];
}

interface Open {
  readonly fields: Map<string, TelecomField>;
  readonly rows: Map<string, Open[]>;
}

const open = (): Open => ({ fields: new Map(), rows: new Map() });

/** The count is never trusted: rows are told by the fields that begin them. */
export function readRows(segment: TelecomSegment, model: SegmentModel): SegmentTree {
  const root = open();
  const surplus: TelecomField[] = [];
  for (const field of segment.fields) {
    const within = model.rowsOf.get(field.id);
    if (within === undefined) surplus.push(field);
    else if (!place(root, within, field)) surplus.push(field);
  }
  return { ...root, surplus };
}

function place(root: Open, within: readonly RowsModel[], field: TelecomField): boolean {
  let at = root;
  for (const [depth, { lead }] of within.entries()) {
    const list = at.rows.get(lead) ?? [];
    at.rows.set(lead, list);
    const last = list.at(-1);
    const isInnermost = depth === within.length - 1;
    const begins = isInnermost && (field.id === lead || last?.fields.has(field.id) === true);
    if (last === undefined || begins) list.push(open());
    at = list.at(-1) as Open; // one was there or has been put there
  }
  if (at.fields.has(field.id)) return false;
  at.fields.set(field.id, field);
  return true;
}

/** The fields of a tree in the order of the table. */
export function fieldsOf(tree: RowTree, items: SegmentModel['items']): readonly TelecomField[] {
  return items.flatMap((item): readonly TelecomField[] => {
    if (isRows(item)) return (tree.rows.get(item.lead) ?? []).flatMap((row) => fieldsOf(row, item.items));
    const field = tree.fields.get(item.id);
    return field ? [field] : [];
  });
}
