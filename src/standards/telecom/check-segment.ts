/** What a single segment must hold to: formats, codes, rows and their counts. */
import type { Issue } from '../fhir/outcome.ts';
import { CODE_LISTS } from './codes.ts';
import { decodeValue } from './formats.ts';
import type { TelecomField, TelecomSegment } from './message.ts';
import { fieldName } from './model.ts';
import { type FieldModel, isRows, type RowsModel, type SegmentModel } from './notation.ts';
import { type RowTree, readRows } from './rows.ts';
import { type TelecomPlace, type TelecomRule, telecomIssue } from './rule-issue.ts';

export function checkSegment(
  segment: TelecomSegment,
  model: SegmentModel,
  transaction: number | undefined,
): readonly Issue[] {
  const place: TelecomPlace = { transaction, segment: segment.id };
  const tree = readRows(segment, model);
  const issues: Issue[] = [];
  for (const field of tree.surplus) {
    const known = model.fields.get(field.id);
    const at = { ...place, field: known ? fieldName(known) : printable(field.id), at: field.at };
    if (known) issues.push(telecomIssue('repeated', at, 'stands twice: the first is taken, the other kept', known));
    else
      issues.push(
        telecomIssue('unknown-field', at, 'is no field of this segment: it is kept as it is', { severity: 'warning' }),
      );
  }
  for (const field of segment.fields) {
    const known = model.fields.get(field.id);
    if (known) checkField(field, known, place, issues);
  }
  checkCounts(tree, model.items, model, { ...place, at: segment.at }, issues);
  return issues;
}

/** Ids of fields are two characters: others are not shown, as they may be part of a value. */
const printable = (id: string): string => (/^[A-Z0-9]{2}$/.test(id) ? id : 'a field');

function checkField(field: TelecomField, model: FieldModel, place: TelecomPlace, issues: Issue[]): void {
  const at: TelecomPlace = { ...place, field: fieldName(model), at: field.at };
  const { format, reject } = model;
  const value = field.value.trimEnd();
  const add = (rule: TelecomRule, what: string, severity?: 'warning'): void => {
    issues.push(telecomIssue(rule, at, what, { reject, ...(severity && { severity }) }));
  };
  if (value === '') return void add('empty', 'is empty: it is left out when there is nothing to say');
  if (/[^ -~]/.test(field.value)) add('characters', 'has a character that is not printable ASCII');
  if (value.length > format.max) return void add('length', `has ${value.length} characters: at most ${format.max}`);
  if (decodeValue(format, value) === undefined && format.kind === 'date')
    return void add('date', 'is no date of the calendar: CCYYMMDD');
  if (decodeValue(format, value) === undefined) return void add('format', `is not of the format ${model.notation}`);
  if (format.kind === 'text' && !LOWER_CASE.has(field.id) && /[a-z]/.test(value))
    add('lower-case', 'has small letters: capitals are the custom', 'warning');
  const codes = CODE_LISTS.get(field.id);
  if (codes && !codes.isOpen && !codes.codes.has(value) && !codes.codes.has(value.replace(/^0(?=.)/, '')))
    add('code', 'has a code that is not in its list', 'warning');
}

/** E-mail and web addresses. */
const LOWER_CASE: ReadonlySet<string> = new Set(['HN', 'MA']);

function checkCounts(
  tree: RowTree,
  items: SegmentModel['items'],
  model: SegmentModel,
  place: TelecomPlace,
  issues: Issue[],
): void {
  for (const item of items) {
    if (!isRows(item)) continue;
    const rows = tree.rows.get(item.lead) ?? [];
    checkCount(tree, rows.length, item, model, place, issues);
    for (const row of rows) checkCounts(row, item.items, model, place, issues);
  }
}

function checkCount(
  tree: RowTree,
  rows: number,
  { count, lead, reject }: RowsModel,
  model: SegmentModel,
  place: TelecomPlace,
  issues: Issue[],
): void {
  if (count === undefined) return;
  const field = tree.fields.get(count);
  const stated = field === undefined ? 0 : Number(field.value);
  if (stated === rows || (field !== undefined && !/^\d+ *$/.test(field.value))) return;
  const [counter, leading] = [count, lead].map((id) => {
    const known = model.fields.get(id);
    return known ? fieldName(known) : id;
  });
  const what = `says ${field === undefined ? 'nothing' : stated}, and ${rows} of ${leading} follow`;
  issues.push(telecomIssue('rows', { ...place, field: counter, ...(field && { at: field.at }) }, what, { reject }));
}
