/** Pages of what a driver yields: gathered, sorted, cut. docs/decisions/0003-storage.md */
import type { SortKey } from '../../standards/fhir/search/request.ts';
import type { Row } from '../pools.ts';
import { tableOf } from '../tables.ts';
import type { FilterContext, StoreCondition } from './condition.ts';
import { type Driver, type IndexEntries, namedRids } from './driver.ts';
import { compileFilter } from './filters.ts';
import { afterPosition, type OrderKey, orderBy, orderKeys, type Position } from './order.ts';
import { contextOf, type Run, type SearchTools } from './search-tools.ts';
import { and } from './sql.ts';
import { limitOf } from './walk.ts';

/** What is to be read of the matches of a driver. */
export interface SortedRequest {
  readonly type: string;
  readonly driver: Driver | 'none';
  readonly conditions: readonly StoreCondition[];
  readonly sort: readonly SortKey[];
  readonly limit: { readonly rows: number; readonly offset: number };
  readonly position: Position | undefined;
}

/** All matches of the driver, sorted. Rows as of `PageRows`. */
export function runSorted(tools: SearchTools, request: SortedRequest, run: Run): Promise<readonly Row[]> {
  const context = contextOf(tools);
  const from = fromDriver(context, request.type, request.driver);
  return run(pageStatement(context, request, from), context.params.values);
}

/** So many times the rows of a page are looked at first: what a row has several values of comes several times. */
const LIKELY = 4;

/** Whether the page is in the order of rid and nearly every row that the entries lead to is on it: Consents keep few back. */
export const isNewest = ({ sort, conditions }: SortedRequest, { of }: IndexEntries): boolean =>
  sort.length === 0 && conditions.every((condition) => condition === of || condition.kind === 'undenied');

/**
 * The newest matches of a driver. Of its entries, which come in the order of their values, only the newest are kept as they
 * are read, so that thousands are neither sorted nor told apart; all of them where these do not fill the page.
 */
export async function runNewest(
  tools: SearchTools,
  request: SortedRequest,
  entries: IndexEntries,
  run: Run,
): Promise<readonly Row[]> {
  const { rows } = await likelyFirst(request, async (kept) => {
    const context = contextOf(tools);
    const source = `(${entries.rids(context.params).join(' union all ')})`;
    const c = newestOf(context, request, source, kept);
    const page = pageStatement(context, { ...request, position: undefined }, entries.from('c'));
    const text = `with c as materialized ${c}
${countedText('(select count(*)::int as n from c)', page)}`;
    return countedRows(await run(text, context.params.values));
  });
  return rows;
}

/**
 * All matches, sorted, where the index has fewer than `most` entries; undefined where it has more, and nothing else has
 * been read then. The entries are counted and read in one statement.
 */
export async function runIfFew(
  tools: SearchTools,
  request: SortedRequest,
  entries: IndexEntries,
  most: number,
  run: Run,
): Promise<readonly Row[] | undefined> {
  const byRid = isNewest(request, entries);
  const read = async (kept: number | null): Promise<CountedRows> => {
    const context = contextOf(tools);
    const max = context.params.add(most, 'int');
    const lists = entries.rids(context.params).map((rids) => `(${rids} limit ${max})`);
    const few = `(select unnest(counted.rids) as rid where counted.n < ${max})`;
    const page = byRid
      ? pageStatement(context, { ...request, position: undefined }, entries.from(newestOf(context, request, few, kept)))
      : pageStatement(context, request, entries.from(few));
    const counted = `(select count(*)::int as n, array_agg(e.rid) as rids from (
${lists.join('\nunion all\n')}
) e)`;
    return countedRows(await run(countedText(counted, page), context.params.values));
  };
  const { rows, count } = await (byRid ? likelyFirst(request, read, most) : read(null));
  return count < most ? rows : undefined;
}

/** Reads with the newest entries that are likely to fill the page, and with all where they do not; `most` are too many. */
async function likelyFirst(
  { limit }: SortedRequest,
  read: (kept: number | null) => Promise<CountedRows>,
  most = Number.POSITIVE_INFINITY,
): Promise<CountedRows> {
  const likely = LIKELY * (limit.rows + limit.offset);
  const found = await read(likely);
  const isWhole = found.rows.length >= limit.rows || found.count < likely || found.count >= most;
  return isWhole ? found : read(null);
}

/** So many entries, or all, of the newest rows after the position. */
const newestOf = (
  { params }: FilterContext,
  { position }: SortedRequest,
  source: string,
  kept: number | null,
): string =>
  `(select e.rid from ${source} e${position ? ` where e.rid < ${params.add(position.rid, 'bigint')}` : ''} order by e.rid desc limit ${params.add(kept, 'int')})`;

interface CountedRows {
  readonly rows: readonly Row[];
  /** Entries that were read. */
  readonly count: number;
}

/** A page beside the count of the entries that it was made from. */
const countedText = (counted: string, page: string): string => `select p.*, counted.n from ${counted} counted
left join lateral (
${page}
) p on true`;

/** The count stands in a row of its own where nothing matches. */
function countedRows(rows: readonly Row[]): CountedRows {
  const [first] = rows;
  const count = (first?.at(-1) ?? 0) as number; // the last column of the statement
  return { rows: first?.[0] === null ? [] : rows.map((row) => row.slice(0, -1)), count };
}

function pageStatement(context: FilterContext, request: SortedRequest, from: string): string {
  const { type, driver, conditions, sort, limit, position } = request;
  const { params } = context;
  const keys: OrderKey[] = orderKeys(context, type, sort);
  const descending = sort[0]?.descending ?? true;
  const columns = keys.map((k, i) => `, ${k.expression} as k${i + 1}`).join('');
  const ordered = driver === 'none' ? undefined : driver.ordered;
  const offset = limit.offset > 0 ? ` offset ${params.add(limit.offset, 'int')}` : '';
  const select = `select m.id, m.ver, m.lu, m.op, m.content, m.pat, m.rid${columns}
from ${from}
where ${where(context, type, driver, conditions)}`;
  if (keys.length === 0 && ordered) {
    const after = position ? `\n  and ${ordered} < ${params.add(position.rid, 'bigint')}` : '';
    return `${select}${after}
order by ${ordered} desc
limit ${limitOf(params, limit.rows)}${offset}`;
  }
  return `select x.* from (
${select}
) x
${position ? `where ${afterPosition(keys, descending, position, params)}\n` : ''}order by ${orderBy(keys, descending)}
limit ${limitOf(params, limit.rows)}${offset}`;
}

export function fromDriver(context: FilterContext, type: string, driver: Driver | 'none'): string {
  return driver === 'none' ? `${tableOf(type).main} m` : driver.from(context.params);
}

export function where(
  context: FilterContext,
  type: string,
  driver: Driver | 'none',
  conditions: readonly StoreCondition[],
): string {
  const answered: readonly StoreCondition[] = driver === 'none' ? [] : driver.answers;
  const named = conditions.map((c) => namedRids(context, c)).find((rids) => rids !== undefined);
  const within: FilterContext = named ? { ...context, among: { alias: 'm', rids: named } } : context;
  const filters = conditions.filter((c) => !answered.includes(c)).map((c) => compileFilter(within, type, c));
  return and(["m.op <> 'D'", ...filters]);
}
