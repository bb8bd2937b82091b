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

/**
 * The same where the index has fewer than `most` entries; undefined where it has more, and nothing else has been read then.
 * The entries are counted and read in one statement.
 */
export async function runIfFew(
  tools: SearchTools,
  request: SortedRequest,
  entries: IndexEntries,
  most: number,
  run: Run,
): Promise<readonly Row[] | undefined> {
  const context = contextOf(tools);
  const { params } = context;
  const max = params.add(most, 'int');
  const lists = entries.rids(params).map((rids) => `(${rids} limit ${max})`);
  const page = pageStatement(context, request, entries.from(`(select c.rid from c where counted.n < ${max})`));
  const text = `with c as materialized (
${lists.join('\nunion all\n')}
)
select p.*, counted.n from (select count(*)::int as n from c) counted
left join lateral (
${page}
) p on true`;
  const rows = await run(text, params.values);
  const [first] = rows;
  if (!first || (first.at(-1) as number) >= most) return undefined;
  return first[0] === null ? [] : rows.map((row) => row.slice(0, -1)); // the count stands in a row of its own
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
