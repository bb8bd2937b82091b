/**
 * Walks: reading an index in the order asked for, with every condition as a row filter, when the conditions match so many
 * rows that sorting them would cost more. docs/decisions/0003-storage.md
 */
import type { SearchParameter, SearchType } from '../../standards/fhir/search/parameter.ts';
import type { DateValue, SortKey } from '../../standards/fhir/search/request.ts';
import { HOT_TOKENS } from '../hot-tokens.ts';
import { keyOf, lanesToBigInt, tokenForms } from '../keys.ts';
import { tableOf } from '../tables.ts';
import type { FilterContext, StoreCondition } from './condition.ts';
import { compileFilter } from './filters.ts';
import { atomKeys } from './hashes.ts';
import type { OrderKey, Position } from './order.ts';
import { and, type Params } from './sql.ts';

/** Periods longer than this lie in an index of their own (31 days in ms; the number stands in migration 0001). */
const LONG_PERIOD_MS = 2_678_400_000;

/** What a walk reads: a `from` item with alias `m`, the key's expression and further filters. */
export interface Walk {
  readonly from: string;
  /** A second source of rows in the same order, merged with the first. */
  readonly also?: string;
  readonly key: OrderKey | undefined;
  /** Direction of rid when there is no key. Absent: newest first. */
  readonly ascending?: boolean;
  readonly filters: readonly string[];
}

/** By rid, newest first. */
export const ridWalk = (type: string): Walk => ({ from: `${tableOf(type).main} m`, key: undefined, filters: [] });

/** The rows that a walk by a key leaves out, in the direction of that key: the same order as that of `orderBy`. */
export function missingWalk(context: FilterContext, type: string, { by, descending }: SortKey): Walk {
  const table = typeof by === 'string' ? undefined : SIDE_TABLE[by.type];
  const atom = typeof by === 'string' ? undefined : by.atoms[0];
  const isMain = atom !== undefined && context.parameters.get(type)?.mainDate === atom;
  const absent = (): string => {
    if (isMain || !table || !atom || typeof by === 'string') return 'm.sd is null';
    const key = context.params.add(String(lanesToBigInt(atomKeys(context.keys, by, atom).plain)), 'bigint');
    return `not exists (select from ${tableOf(type)[table]} o where o.rid = m.rid and o.h = ${key} offset 0)`;
  };
  return { ...ridWalk(type), ascending: !descending, filters: [absent()] };
}

export const lastUpdatedWalk = (type: string, descending: boolean): Walk => ({
  from: `${tableOf(type).main} m`,
  key: { expression: 'm.lu', type: 'bigint', descending, nullable: false },
  filters: [],
});

/** By the main date, rows without one left out; bounded by the date conditions. */
export function mainDateWalk(
  context: FilterContext,
  type: string,
  conditions: readonly StoreCondition[],
  descending: boolean,
): Walk {
  const { main } = tableOf(type);
  const key: OrderKey = { expression: 'm.sd', type: 'bigint', descending, nullable: false };
  const { low, high } = mainDateBounds(context, type, conditions);
  if (low === undefined && high === undefined) return { from: `${main} m`, key, filters: ['m.sd is not null'] };
  const bounds = [
    `se - sd <= ${LONG_PERIOD_MS}`,
    'sd is not null',
    ...(low === undefined ? [] : [`sd >= ${context.params.add(low, 'bigint')}`]),
    ...(high === undefined ? [] : [`sd <= ${context.params.add(high, 'bigint')}`]),
  ];
  return {
    from: `(select * from ${main} where ${and(bounds)}) m`,
    also: `(select * from ${main} where se - sd > ${LONG_PERIOD_MS}) m`,
    key,
    filters: [],
  };
}

interface DateBounds {
  readonly low?: number;
  readonly high?: number;
}

/** Bounds of `sd` from conditions with one value; for rows whose period is short unless `boundsOf` says otherwise. */
function mainDateBounds(
  context: FilterContext,
  type: string,
  conditions: readonly StoreCondition[],
  boundsOf: (value: DateValue) => DateBounds = lowBounds,
): DateBounds {
  const lows: number[] = [];
  const highs: number[] = [];
  for (const condition of conditions) {
    const [value] =
      isMainDateCondition(context, type, condition) && condition.values.length === 1 ? condition.values : [];
    if (!value) continue;
    const { low, high } = boundsOf(value);
    if (low !== undefined) lows.push(low);
    if (high !== undefined) highs.push(high);
  }
  return {
    ...(lows.length > 0 && { low: Math.max(...lows) }),
    ...(highs.length > 0 && { high: Math.min(...highs) }),
  };
}

/** Of every row: one with a long period may begin long before a date that it lasts beyond. */
const startBounds = (value: DateValue): DateBounds =>
  value.prefix === 'gt' || value.prefix === 'ge' ? {} : lowBounds(value);

function lowBounds({ prefix, low, high }: DateValue): DateBounds {
  switch (prefix) {
    case 'eq':
      return { low, high };
    case 'gt':
    case 'ge':
      return { low: Math.min(low, high - LONG_PERIOD_MS) };
    case 'sa':
      return { low: high };
    case 'lt':
    case 'eb':
      return { high: low };
    case 'le':
      return { high };
    default:
      return {};
  }
}

export function isMainDateCondition(
  context: FilterContext,
  type: string,
  condition: StoreCondition,
): condition is Extract<StoreCondition, { kind: 'date' }> {
  const mainDate = context.parameters.get(type)?.mainDate;
  return (
    condition.kind === 'date' && condition.parameter.atoms.length === 1 && condition.parameter.atoms[0] === mainDate
  );
}

/** By main date over the rows of one hot token that have one; bounded by the date conditions. */
export function hotWalk(
  context: FilterContext,
  type: string,
  condition: StoreCondition,
  conditions: readonly StoreCondition[],
  descending: boolean,
): Walk | undefined {
  const code = hotCode(type, condition);
  if (code === undefined || condition.kind !== 'token') return undefined;
  const atom = condition.parameter.atoms[0];
  if (!atom) return undefined;
  const key = keyOf(context.keys, atomKeys(context.keys, condition.parameter, atom).value, tokenForms.code(code));
  const { low, high } = mainDateBounds(context, type, conditions, startBounds);
  const bounds = [
    ...(low === undefined ? [] : [`v >= ${context.params.add(low, 'float8')}`]),
    ...(high === undefined ? [] : [`v <= ${context.params.add(high, 'float8')}`]),
  ];
  return sideWalk(context, type, 'numbers', String(key), descending, ['m.sd is not null'], bounds);
}

/** The code of a condition that hot tokens can answer: one value of the type's hot parameter. */
export function hotCode(type: string, condition: StoreCondition): string | undefined {
  if (condition.kind !== 'token' || condition.modifier !== undefined || condition.values.length !== 1) return undefined;
  const { atoms } = condition.parameter;
  if (atoms.length !== 1 || atoms[0]?.code !== HOT_TOKENS.get(type)) return undefined;
  return condition.values[0]?.code;
}

/** By a parameter kept in a side table; a row with several values stands where its first value in the order is. */
export function parameterWalk(
  context: FilterContext,
  type: string,
  parameter: SearchParameter,
  descending: boolean,
): Walk | undefined {
  const atom = parameter.atoms[0];
  if (parameter.atoms.length !== 1 || !atom) return undefined;
  const table = SIDE_TABLE[parameter.type];
  if (!table) return undefined;
  const key = String(lanesToBigInt(atomKeys(context.keys, parameter, atom).plain));
  const name = tableOf(type)[table];
  const earlier = (a: string, b: string): string => `${a} ${descending ? '>' : '<'} ${b}`;
  // Of periods that begin together one is taken.
  const first = atom.multiple
    ? [
        `not exists (select from ${name} o where o.rid = d.rid and o.h = ${context.params.add(key, 'bigint')} and ${table === 'strings' ? earlier('o.v', 'd.v') : `(${earlier('o.v', 'd.v')} or o.v = d.v and ${earlier('coalesce(o.w, o.v)', 'coalesce(d.w, d.v)')})`})`,
      ]
    : [];
  return sideWalk(context, type, table, key, descending, first);
}

const SIDE_TABLE: Partial<Record<SearchType, 'numbers' | 'strings'>> = {
  date: 'numbers',
  number: 'numbers',
  quantity: 'numbers',
  string: 'strings',
};

function sideWalk(
  context: FilterContext,
  type: string,
  table: 'numbers' | 'strings',
  key: string,
  descending: boolean,
  filters: readonly string[],
  bounds: readonly string[] = [],
): Walk {
  const { main } = tableOf(type);
  const direction = descending ? 'desc' : 'asc';
  return {
    from: `(select v, ${table === 'numbers' ? 'w, ' : ''}rid from ${tableOf(type)[table]} where ${and([`h = ${context.params.add(key, 'bigint')}`, ...bounds])}${AFTER} order by v ${direction}, rid ${direction} offset 0) d
cross join lateral (select * from ${main} where rid = d.rid offset 0) m`,
    key: { expression: 'd.v', type: table === 'numbers' ? 'float8' : 'text', descending, nullable: false },
    filters,
  };
}

/** Stands in a walk's text where the position goes, so that the index is entered there. */
const AFTER = '/*after*/';

/** The walk as a statement of `limit` rows after `position`. */
export function walkStatement(
  context: FilterContext,
  type: string,
  walk: Walk,
  conditions: readonly StoreCondition[],
  limit: { readonly rows: number; readonly offset: number },
  position: Position | undefined,
): string {
  const { params } = context;
  const descending = walk.key?.descending ?? walk.ascending !== true;
  const order = descending ? 'desc' : 'asc';
  const before = descending ? '<' : '>';
  let { from } = walk;
  const where = ["m.op <> 'D'", ...walk.filters, ...conditions.map((c) => compileFilter(context, type, c))];
  if (position) {
    const rid = params.add(position.rid, 'bigint');
    if (!walk.key) where.push(`m.rid ${before} ${rid}`);
    else {
      const value = params.add(position.keys[0], walk.key.type);
      if (from.includes(AFTER)) from = from.replace(AFTER, ` and (v, rid) ${before} (${value}, ${rid})`);
      else
        where.push(
          `${walk.key.expression} ${before}= ${value}`,
          `(${walk.key.expression}, m.rid) ${before} (${value}, ${rid})`,
        );
    }
  }
  from = from.replace(AFTER, '');
  const ridOf = from.includes(' d\n') ? 'd.rid' : 'm.rid';
  const keyColumn = walk.key ? `, ${walk.key.expression} as k` : '';
  const ordering = `order by ${walk.key ? `${walk.key.expression} ${order}, ` : ''}${ridOf} ${order}`;
  const part = (
    source: string,
    rows: string,
  ): string => `select m.id, m.ver, m.lu, m.op, m.content, m.pat, m.rid${keyColumn}
from ${source}
where ${and(where)}
${ordering}
limit ${rows}`;
  const offset = limit.offset > 0 ? ` offset ${params.add(limit.offset, 'int')}` : '';
  if (walk.also === undefined) return part(from, limitOf(params, limit.rows)) + offset;
  // Each part stops at the limit by itself, so that its index gives the order.
  const rows = limitOf(params, limit.rows + limit.offset);
  return `select * from ((${part(from, rows)}) union all (${part(walk.also, rows)})) u
order by k ${order}, rid ${order}
limit ${limitOf(params, limit.rows)}${offset}`;
}

export const limitOf = (params: Params, rows: number): string => params.add(rows, 'int');
