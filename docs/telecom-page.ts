/** The parts of `docs/ncpdp-telecom.md` that are printed from src/standards/telecom. */
import { SEGMENTS } from '../src/standards/telecom/model.ts';
import { type FieldModel, isRows, type RowsModel } from '../src/standards/telecom/notation.ts';
import { REJECT_CODES } from '../src/standards/telecom/reject-codes.ts';

const printed = (page: string, name: string, text: string): string => {
  const start = `<!-- printed: ${name} -->`;
  const from = page.indexOf(start);
  const to = page.indexOf('<!-- end -->', from);
  if (from < 0 || to < from) throw new Error(`docs/ncpdp-telecom.md has no ${start} … <!-- end -->`);
  return `${page.slice(0, from + start.length)}\n\n${text}\n\n${page.slice(to)}`;
};

/** The page with its tables of segments and reject codes made anew. */
export const formatTelecomPage = (page: string): string =>
  printed(printed(page, 'segments', segments()), 'rejects', rejects());

function segments(): string {
  const rows = SEGMENTS.map(
    ({ id, name, items }) => `| AM${id} ${name} | ${items.map(fieldWords).join(' · ') || '(kept as it is)'} |`,
  );
  return `| segment | fields, in the order in which they are written |\n|---|---|\n${rows.join('\n')}`;
}

/** Rows that repeat stand in brackets. */
const fieldWords = (item: FieldModel | RowsModel): string =>
  isRows(item) ? `[${item.items.map(fieldWords).join(' · ')}]` : `${item.number}-${item.id} ${item.notation}`;

function rejects(): string {
  const rows = [...REJECT_CODES]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([code, { meaning, action }]) => `| ${code} | ${meaning} | ${action} |`);
  return `| code | meaning | what follows |\n|---|---|---|\n${rows.join('\n')}`;
}
