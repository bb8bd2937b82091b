/**
 * The fields of segments by their places, as plain text: `07/D2`, `05/5C[0]/HC[1]/DV` (the segment, the rows it stands
 * in, the field). What the mapping reads and writes, so that it knows neither widths nor overpunches nor counts.
 */
import { decodeValue, encodeValue } from '../../standards/telecom/formats.ts';
import type { TelecomField, TelecomSegment } from '../../standards/telecom/message.ts';
import { findSegmentModel } from '../../standards/telecom/model.ts';
import { type FieldModel, isRows, type SegmentModel } from '../../standards/telecom/notation.ts';
import { fieldsOf, type RowTree, readRows } from '../../standards/telecom/rows.ts';

export interface Leaf {
  readonly path: string;
  /** Plain text (`6501.50`, `2026-01-16`); the wire's own where `model` is absent. */
  readonly text: string;
  /** Absent for what the standard does not know, or what does not have its format. */
  readonly model?: FieldModel;
}

/** Every field with something in it. Counts that agree with their rows say nothing more, and are left out. */
export function leavesOf(segments: readonly TelecomSegment[]): readonly Leaf[] {
  const seen = new Map<string, number>();
  return segments.flatMap((segment) => {
    const times = seen.get(segment.id) ?? 0;
    seen.set(segment.id, times + 1);
    const key = times === 0 ? segment.id : `${segment.id}[${times}]`;
    const model = findSegmentModel(segment.id);
    if (model === undefined) return orEmpty(key, rawLeaves(key, segment.fields));
    const tree = readRows(segment, model);
    return orEmpty(key, [...treeLeaves(key, tree, model.items, model), ...rawLeaves(key, tree.surplus)]);
  });
}

/** A segment with nothing in it is a place all the same: `14/.` */
const orEmpty = (key: string, leaves: readonly Leaf[]): readonly Leaf[] =>
  leaves.length > 0 ? leaves : [{ path: `${key}/.`, text: '' }];

/** Written as `+0`, `+1` …, since nothing is known of their order. */
const rawLeaves = (key: string, fields: readonly TelecomField[]): readonly Leaf[] =>
  fields.map(({ id, value }, index) => ({ path: `${key}/+${index}/${id}`, text: value }));

function treeLeaves(prefix: string, tree: RowTree, items: SegmentModel['items'], model: SegmentModel): readonly Leaf[] {
  return items.flatMap((item): readonly Leaf[] => {
    if (isRows(item))
      return (tree.rows.get(item.lead) ?? []).flatMap((row, index) =>
        treeLeaves(`${prefix}/${item.lead}[${index}]`, row, item.items, model),
      );
    const field = tree.fields.get(item.id);
    if (!field || field.value.trimEnd() === '') return [];
    const counted = items.find((other) => isRows(other) && other.count === item.id);
    if (counted && isRows(counted) && Number(field.value) === (tree.rows.get(counted.lead) ?? []).length) return [];
    const text = decodeValue(item.format, field.value.trimEnd());
    const isPlain = text !== undefined && /^[ -~]+$/.test(text);
    const path = `${prefix}/${item.id}`;
    return [isPlain ? { path, text, model: item } : { path: path.replace('/', '/!/'), text: field.value }];
  });
}

interface Building {
  readonly fields: Map<string, TelecomField>;
  readonly rows: Map<string, (Building | undefined)[]>;
}

const building = (): Building => ({ fields: new Map(), rows: new Map() });

export interface Assembled {
  readonly segments: readonly TelecomSegment[];
  /** Paths whose text has no place in the format of its field, or that are no path. */
  readonly refused: readonly string[];
}

const ROWS_MAX = 1_000;

/** Segments of these places, in the order in which D.0 is written, with counts for their rows. */
export function assemble(values: ReadonlyMap<string, string>): Assembled {
  const trees = new Map<string, { readonly tree: Building; readonly raw: TelecomField[] }>();
  const refused: string[] = [];
  for (const [path, text] of values) {
    const [key = '', ...steps] = path.split('/');
    const model = findSegmentModel(key.slice(0, 2));
    const at = trees.get(key) ?? { tree: building(), raw: [] };
    trees.set(key, at);
    if (steps[0] === '.') continue;
    if (/^\+\d+$/.test(steps[0] ?? '')) at.raw.push({ id: steps[1] ?? '', value: text, at: 0 });
    else if (!model || !putLeaf(at.tree, steps, text, model)) refused.push(path);
  }
  const segments = [...trees].map(([key, { tree, raw }]) => {
    const model = findSegmentModel(key.slice(0, 2));
    const known = model ? fieldsOf(counted(tree, model.items), model.items) : [];
    return { id: key.replace(/\[\d+\]$/, ''), fields: [...known, ...raw], at: 0 };
  });
  return { segments: segments.toSorted((a, b) => rank(a.id) - rank(b.id)), refused };
}

function putLeaf(tree: Building, steps: readonly string[], text: string, model: SegmentModel): boolean {
  const isRaw = steps[0] === '!';
  const names = isRaw ? steps.slice(1) : steps;
  const id = names.at(-1) ?? '';
  const field = model.fields.get(id);
  if (!field) return false;
  const value = isRaw ? text : encodeValue(field.format, text);
  if (value === undefined) return false;
  let at = tree;
  for (const step of names.slice(0, -1)) {
    const [, lead = '', index = ''] = /^([A-Z0-9]{2})\[(\d{1,3})\]$/.exec(step) ?? [];
    if (lead === '' || Number(index) >= ROWS_MAX) return false;
    const rows = at.rows.get(lead) ?? [];
    at.rows.set(lead, rows);
    const row = rows[Number(index)] ?? building();
    rows[Number(index)] = row;
    at = row;
  }
  at.fields.set(id, { id, value, at: 0 });
  return true;
}

/** With the counts of its rows, gaps closed. */
function counted(tree: Building, items: SegmentModel['items']): RowTree {
  const fields = new Map(tree.fields);
  const rows = new Map<string, readonly RowTree[]>();
  for (const item of items) {
    if (!isRows(item)) continue;
    const list = (tree.rows.get(item.lead) ?? []).filter((row) => row !== undefined);
    if (list.length === 0) continue;
    rows.set(
      item.lead,
      list.map((row) => counted(row, item.items)),
    );
    if (item.count !== undefined && !fields.has(item.count))
      fields.set(item.count, { id: item.count, value: String(list.length), at: 0 });
  }
  return { fields, rows };
}

/** The custom of writing: insurance before patient, the claim first, then who paid, the price, and the rest. */
const ORDER = '04 01 07 05 11 02 03 06 08 09 10 12 13 14 15 16 20 25 27 29 21 22 23 24 26 28'.split(' ');
const rank = (id: string): number => (ORDER.includes(id) ? ORDER.indexOf(id) : ORDER.length);
