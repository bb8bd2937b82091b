import type { SortKey } from '../../standards/fhir/search/request.ts';
import type { Row } from '../pools.ts';
import { isDear } from './chains-cost.ts';
import type { FilterContext, StoreCondition } from './condition.ts';
import { chooseDriver, type Driver, type IndexEntries } from './driver.ts';
import type { Position } from './order.ts';
import { contextOf, type Run, type SearchTools } from './search-tools.ts';
import { runInSnapshot } from './snapshot.ts';
import { fromDriver, isNewest, runIfFew, runNewest, runSorted, type SortedRequest, where } from './sorted.ts';
import type { Params } from './sql.ts';
import {
  hotCode,
  hotWalk,
  isMainDateCondition,
  lastUpdatedWalk,
  limitOf,
  mainDateWalk,
  missingWalk,
  parameterWalk,
  ridWalk,
  type Walk,
  walkStatement,
} from './walk.ts';

/** Position of a page: the order it was made in, and the last row. */
export interface PagePosition extends Position {
  /** No `_sort` was given and the order is by main date, newest first. */
  readonly byDate: boolean;
  /** Instant of the first page, ms, and what the database had then; no snapshot: rows do not move in this order. */
  readonly start: number;
  readonly snapshot?: string;
}

export interface PageRequest {
  readonly type: string;
  readonly conditions: readonly StoreCondition[];
  readonly sort: readonly SortKey[];
  readonly count: number;
  readonly offset: number;
  readonly position?: PagePosition;
}

/** Rows: id, ver, lu, op, content, pat, rid, then the sort keys. */
export interface PageRows {
  readonly rows: readonly Row[];
  readonly next?: PagePosition;
}

/** Below this many rows a driver is always used. */
const DRIVER_ROWS_MIN = 200;
/** The same when each row costs a look-up elsewhere. */
const DEAR_ROWS_MAX = 40;
/** So many entries of an index are read and sorted in two milliseconds. */
const ENTRIES_MIN = 5_000;
const ENTRIES_MAX = 50_000;
/**
 * Reading and sorting an entry takes about 0.25 µs, trying a row of a walk 3 µs, and 21 matches are wanted: m entries cost
 * what a walk does at sqrt(250 × table).
 */
const ENTRIES_FACTOR = 250;
/** Sorting m matches costs about 1.2 µs each, walking to a match 2.5 µs a row: they are equal at sqrt(40 × table). */
const WALK_FACTOR = 40;

/** Reads one page. */
export async function searchPage(tools: SearchTools, request: PageRequest, run: Run): Promise<PageRows> {
  const { type, position, count } = request;
  const start = position?.start ?? tools.now();
  const plan = choosePlan(tools, request);
  // A row changed since the first page may have moved in the order: it is left out, so that none is seen twice.
  const conditions =
    position?.snapshot !== undefined
      ? [...request.conditions, { kind: 'unchanged', start, snapshot: position.snapshot } as const]
      : request.conditions;
  let snapshot = position?.snapshot;
  const readingIn = (sort: readonly SortKey[]): Run =>
    position || sort.length === 0
      ? run
      : async (text, values) => {
          const read = await runInSnapshot(run, text, values);
          snapshot ??= read.snapshot;
          return read.rows;
        };
  const limit = { rows: count + 1, offset: request.offset };
  const sorted = (driver: Driver | 'none', { sort }: Order): SortedRequest => ({
    type,
    driver,
    conditions,
    sort,
    limit,
    position,
  });
  const read = async (): Promise<{ readonly rows: readonly Row[]; readonly order: Order }> => {
    if (plan.driver) {
      const asked = sorted(plan.driver, plan);
      const entries = plan.driver === 'none' ? undefined : plan.driver.entries;
      const rows =
        entries && isNewest(asked, entries)
          ? await runNewest(tools, asked, entries, run)
          : await runSorted(tools, asked, readingIn(plan.sort));
      return { rows, order: plan };
    }
    if (plan.ifFew) {
      const { driver, entries, order } = plan.ifFew;
      const most = entriesMax(tools.frequencies.rows(type));
      const rows = await runIfFew(tools, sorted(driver, order), entries, most, readingIn(order.sort));
      tools.commonRanges.note(type, entries.ranges, rows ? 'few' : 'many');
      if (rows) return { rows, order };
    }
    return { rows: await runWalk(tools, type, conditions, plan, limit, position, readingIn(plan.sort)), order: plan };
  };
  const { rows, order } = await read();
  if (rows.length <= count) return { rows };
  const page = rows.slice(0, count);
  const last = page.at(-1);
  if (!last) return { rows: page };
  const keys = order.sort.map((_, i) =>
    last[7 + i] === null || last[7 + i] === undefined ? null : String(last[7 + i]),
  );
  return {
    rows: page,
    next: { keys, rid: last[6] as string, byDate: order.byDate, start, ...(snapshot !== undefined && { snapshot }) },
  };
}

interface Order {
  readonly sort: readonly SortKey[];
  readonly byDate: boolean;
}

/** A driver, or a walk in the order. */
interface Plan extends Order {
  readonly driver?: Driver | 'none';
  /** A driver that comes before the walk, in an order of its own, if it yields few rows. */
  readonly ifFew?: { readonly driver: Driver; readonly entries: IndexEntries; readonly order: Order };
}

function choosePlan(tools: SearchTools, request: PageRequest): Plan {
  const { type, conditions, sort, position } = request;
  const context = contextOf(tools);
  const driver = chooseDriver(context, tools.frequencies, type, conditions);
  // A chain that is tried row by row is dear: better to walk and stop at the end of the page than to try every row.
  const dear = conditions.some(isDear);
  const worth = dear ? DEAR_ROWS_MAX : Math.max(DRIVER_ROWS_MIN, Math.sqrt(WALK_FACTOR * tools.frequencies.rows(type)));
  const counted = driver?.entries && !dear ? tools.commonRanges.countOf(type, driver.entries.ranges) : undefined;
  const selective = driver !== undefined && (driver.isNamed === true || driver.rows <= worth || counted === 'few');
  // A walk would end only at the last row of the table where there is no match.
  const ifFew = (order: Order): Pick<Plan, 'ifFew'> =>
    driver?.entries && !dear && driver.rows > worth && counted === undefined
      ? { ifFew: { driver, entries: driver.entries, order } }
      : {};
  if (sort.length > 0) {
    const order = { sort, byDate: false };
    if (selective || !walkable(context, type, conditions, sort)) return { driver: driver ?? 'none', ...order };
    return { ...order, ...ifFew(order) };
  }
  const date = byDateSort(context, type);
  const dated = conditions.some((c) => isMainDateCondition(context, type, c) || hotCode(type, c) !== undefined);
  const orderOf = (byDate: boolean): Order => ({ sort: byDate && date ? date : [], byDate });
  if (selective) return { driver, ...orderOf(position?.byDate ?? false) };
  return {
    ...orderOf(position?.byDate ?? (date !== undefined && dated)),
    ...ifFew(orderOf(position?.byDate ?? false)),
  };
}

/** So many entries of an index are read at most before a walk is taken. */
const entriesMax = (rows: number): number =>
  Math.min(ENTRIES_MAX, Math.max(ENTRIES_MIN, Math.round(Math.sqrt(ENTRIES_FACTOR * rows))));

/** The order by main date, newest first. */
function byDateSort(context: FilterContext, type: string): readonly SortKey[] | undefined {
  const parameters = context.parameters.get(type);
  const main = parameters?.mainDate;
  const parameter =
    main && [...parameters.parameters.values()].find((p) => p.atoms.length === 1 && p.atoms[0] === main);
  return parameter && [{ by: parameter, descending: true }];
}

/** Whether an index gives the order asked for. */
function walkable(
  context: FilterContext,
  type: string,
  conditions: readonly StoreCondition[],
  sort: readonly SortKey[],
): boolean {
  return walkOf(context, type, conditions, sort) !== undefined;
}

/** The walk of a single sort key over the rows that have a value. */
function walkOf(
  context: FilterContext,
  type: string,
  conditions: readonly StoreCondition[],
  sort: readonly SortKey[],
): Walk | undefined {
  const [key] = sort;
  if (!key) return ridWalk(type);
  if (sort.length > 1 || key.by === '_id') return undefined;
  if (key.by === '_lastUpdated') return lastUpdatedWalk(type, key.descending);
  if (isMainDateKey(context, type, key)) {
    const hot = conditions.find((c) => hotCode(type, c) !== undefined);
    return (
      (hot && hotWalk(context, type, hot, conditions, key.descending)) ??
      mainDateWalk(context, type, conditions, key.descending)
    );
  }
  return parameterWalk(context, type, key.by, key.descending);
}

const isMainDateKey = (context: FilterContext, type: string, key: SortKey): boolean =>
  typeof key.by !== 'string' && key.by.atoms.length === 1 && key.by.atoms[0] === context.parameters.get(type)?.mainDate;

/** Rows that have a value in index order, then those that have none. */
async function runWalk(
  tools: SearchTools,
  type: string,
  conditions: readonly StoreCondition[],
  plan: Plan,
  limit: { readonly rows: number; readonly offset: number },
  position: PagePosition | undefined,
  run: Run,
): Promise<readonly Row[]> {
  const [key] = plan.sort;
  const inMissing = key !== undefined && position !== undefined && position.keys[0] === null;
  let rows: readonly Row[] = [];
  if (!inMissing) {
    const context = contextOf(tools);
    const walk = walkOf(context, type, conditions, plan.sort);
    if (!walk) throw new Error('a plan without driver needs a walk');
    const text = walkStatement(context, type, walk, conditions, limit, position);
    rows = await run(text, context.params.values);
  }
  if (!key || key.by === '_lastUpdated' || rows.length >= limit.rows) return rows;
  const skipped = limit.offset > 0 && rows.length === 0 ? await presentRows(tools, type, conditions, plan, run) : 0;
  const context = contextOf(tools);
  const rest = { rows: limit.rows - rows.length, offset: rows.length > 0 ? 0 : Math.max(0, limit.offset - skipped) };
  const from = inMissing ? position : undefined;
  const text = walkStatement(context, type, missingWalk(context, type, key), conditions, rest, from);
  const more = await run(text, context.params.values);
  return [...rows, ...more.map((row) => [...row, null])];
}

/** How many rows an offset has passed over before those without a value begin. */
async function presentRows(
  tools: SearchTools,
  type: string,
  conditions: readonly StoreCondition[],
  plan: Plan,
  run: Run,
): Promise<number> {
  const context = contextOf(tools);
  const walk = walkOf(context, type, conditions, plan.sort);
  if (!walk) return 0;
  const text = walkStatement(context, type, walk, conditions, { rows: 2 ** 31 - 1, offset: 0 }, undefined);
  const rows = await run(`select count(*)::int from (${text}) x`, context.params.values);
  return rows[0]?.[0] as number;
}

/** Exact number of matches. */
export async function countMatches(
  tools: SearchTools,
  type: string,
  conditions: readonly StoreCondition[],
  run: Run,
): Promise<number> {
  const context = contextOf(tools);
  const driver = chooseDriver(context, tools.frequencies, type, conditions) ?? 'none';
  const text = `select count(*)::int
from ${fromDriver(context, type, driver)}
where ${where(context, type, driver, conditions)}`;
  const rows = await run(text, context.params.values);
  return rows[0]?.[0] as number;
}

/** At most `limit` rids of matches, in no order; for chains, conditional interactions and the like. */
export async function matchingRids(
  tools: SearchTools,
  type: string,
  conditions: readonly StoreCondition[],
  limit: number,
  run: Run,
  select: { readonly columns: string; readonly join: (params: Params) => string } = {
    columns: 'm.rid, m.id',
    join: () => '',
  },
): Promise<readonly Row[]> {
  const context = contextOf(tools);
  const driver = chooseDriver(context, tools.frequencies, type, conditions) ?? 'none';
  const text = `select distinct ${select.columns}
from ${fromDriver(context, type, driver)}${select.join(context.params)}
where ${where(context, type, driver, conditions)}
limit ${limitOf(context.params, limit)}`;
  return run(text, context.params.values);
}

/** Estimated matches: what the best driver yields, else the whole table. */
export const estimateMatches = (tools: SearchTools, type: string, conditions: readonly StoreCondition[]): number =>
  chooseDriver(contextOf(tools), tools.frequencies, type, conditions)?.rows ?? tools.frequencies.rows(type);
