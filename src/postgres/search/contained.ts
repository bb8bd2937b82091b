/**
 * `_contained=true` and `both`: resources within others. Containers are found by the tokens of what they contain; what
 * they contain is then judged as if it were a row. https://hl7.org/fhir/R4/search.html#contained
 */
import type { SearchPage, StoredVersion } from '../../ports/resource-store.ts';
import { formatJson, parseJson } from '../../standards/fhir/json.ts';
import { tooCostly } from '../../standards/fhir/outcome.ts';
import type { SearchRequest } from '../../standards/fhir/search/request.ts';
import { float8Array, int8Array, textArray } from '../binary.ts';
import { type Contained, containedId, containedIn, containsKey, maskedKey } from '../contained-tokens.ts';
import { toBigInt } from '../hash.ts';
import { MAIN_ARRAYS, mainArrays, mainRows, ROW_TOKENS, ROW_WORDS } from '../main-columns.ts';
import type { Row } from '../pools.ts';
import { toVersion } from '../reader.ts';
import { STORED_TYPES, tableOf } from '../tables.ts';
import type { NewVersion } from '../write-sql.ts';
import type { RowBuilder } from '../writer.ts';
import { resolveChains } from './chains.ts';
import type { StoreCondition } from './condition.ts';
import { compileFilter } from './filters.ts';
import { contextOf, type Run } from './page.ts';
import type { SearchOptions } from './search.ts';
import { and } from './sql.ts';
import { tokenAlternatives } from './token-keys.ts';
import { limitOf } from './walk.ts';

/** Containers that are read at a time, that one page looks at, and that a count looks at. */
const BATCH = 100;
const PAGE_MAX = 1_000;
const COUNT_MAX = 10_000;
/** Types that one statement asks: planning grows with them. */
const TYPES_MAX = 40;

/** After which container, and what in it, a page goes on; absent: before the first. */
interface ContainedPosition {
  readonly contained: { readonly type: string; readonly rid: string; readonly n: number } | 'first';
}

type Asked = NonNullable<SearchRequest['contained']>;
type Plain = (request: SearchRequest) => Promise<SearchPage>;

/** A page of what is contained; with `both`, of the resources themselves first, which `plain` finds. */
export async function runContained(
  options: SearchOptions,
  request: SearchRequest & { readonly contained: Asked },
  scope: string,
  plain: Plain,
  run: Run,
): Promise<SearchPage> {
  const { contained: asked, ...rest } = request;
  const count = request.summary === 'count' ? 0 : (request.count ?? options.pageSizeDefault);
  const position = request.cursor === undefined ? undefined : options.cursors.parse(scope, request.cursor); // sealed
  const inside = isContainedPosition(position) ? position : undefined;
  const own = asked.which === 'both' && !inside ? await plain(rest) : undefined;
  const base: SearchPage = own ?? { matches: [], included: [], issues: [] };
  const opening: Run = (text, values) => run(text, values, 'as-empty');
  const walk = await createWalk(options, request, asked, opening);
  const total = wantsTotal(request) ? (await ownTotal(asked, rest, base, plain)) + (await countAll(walk)) : undefined;
  if (own?.next !== undefined || count === 0) return { ...base, ...(total !== undefined && { total }) };
  const matches: StoredVersion[] = [...base.matches];
  const from = inside?.contained ?? 'first';
  let last: ContainedPosition['contained'] = from;
  let next: ContainedPosition | undefined;
  let looked = 0;
  for await (const { place, version, isContainer } of walk(from)) {
    if (isContainer && ++looked > PAGE_MAX) {
      next = { contained: last };
      break;
    }
    if (version) {
      if (matches.length === count) {
        next = { contained: last };
        break;
      }
      matches.push(version);
    }
    last = place;
  }
  return {
    matches,
    included: [],
    issues: base.issues,
    ...(total !== undefined && { total }),
    ...(next && { next: options.cursors.format(scope, next) }),
  };
}

/** Of the resources themselves; on later pages they are counted anew. */
async function ownTotal(asked: Asked, request: SearchRequest, page: SearchPage, plain: Plain): Promise<number> {
  if (asked.which === 'true') return 0;
  if (page.total !== undefined) return page.total;
  const { cursor: _none, ...whole } = request;
  return (await plain({ ...whole, summary: 'count', total: 'accurate', count: 0 })).total ?? 0;
}

const isContainedPosition = (position: unknown): position is ContainedPosition =>
  typeof position === 'object' && position !== null && 'contained' in position;

/** An estimate is the count itself: there are few. */
const wantsTotal = ({ total, summary, count }: SearchRequest): boolean =>
  total !== 'none' || summary === 'count' || count === 0;

/** One step: a container that was looked at, then each match in it. */
interface Step {
  readonly place: Exclude<ContainedPosition['contained'], 'first'>;
  readonly version?: StoredVersion;
  readonly isContainer: boolean;
}
type Walk = (from: ContainedPosition['contained']) => AsyncGenerator<Step>;

async function countAll(walk: Walk): Promise<number> {
  let [found, looked] = [0, 0];
  for await (const { version, isContainer } of walk('first')) {
    if (isContainer && ++looked > COUNT_MAX)
      throw tooCostly(`More than ${COUNT_MAX} resources would have to be looked into to count: ask without _total`);
    if (version) found++;
  }
  return found;
}

/** All matches, containers by the names of their types and the newest first, what they contain in its order. */
async function createWalk(options: SearchOptions, request: SearchRequest, asked: Asked, run: Run): Promise<Walk> {
  const { type } = request;
  const conditions = await resolveChains(options, type, request.conditions, run);
  const isVisible = (container: string): boolean => !options.visible(container).some(({ kind }) => kind === 'never');
  const open = STORED_TYPES.filter((one) => isVisible(one) && asked.inside?.(one) !== false).toSorted();
  const types = await containerTypes(options, open, type, run);
  return async function* walk(from) {
    let at = from === 'first' ? 0 : Math.max(0, types.indexOf(from.type));
    let after = from === 'first' ? undefined : from;
    while (at < types.length) {
      const some = types.slice(at, at + TYPES_MAX);
      const rows = await containers(options, some, type, conditions, after, run);
      const found = await judge(options, rows, type, conditions, run);
      for (const { container, place, matching } of found) {
        const skipped = after && after.type === place.type && after.rid === place.rid ? after.n : -1;
        if (skipped < 0) yield { place: { ...place, n: -1 }, isContainer: true };
        // What has no id cannot be named by itself.
        const shown = asked.as === 'container' ? matching.slice(0, 1) : matching.filter((one) => one.fragment !== '');
        for (const { n, fragment } of shown)
          if (asked.as === 'container' ? skipped < 0 : n > skipped)
            yield {
              place: { ...place, n: asked.as === 'container' ? Number.MAX_SAFE_INTEGER : n },
              version: asked.as === 'container' ? container : { ...container, fragment },
              isContainer: false,
            };
      }
      const last = found.at(-1);
      if (rows.length < BATCH || !last) {
        at += TYPES_MAX;
        after = undefined;
      } else {
        at = types.indexOf(last.place.type);
        after = { ...last.place, n: Number.MAX_SAFE_INTEGER };
      }
    }
  };
}

/** Those of the types that contain one of the type wanted at all: usually a few, so that the policy is asked for these only. */
async function containerTypes(
  options: SearchOptions,
  types: readonly string[],
  wanted: string,
  run: Run,
): Promise<readonly string[]> {
  if (types.length === 0) return [];
  const { params } = contextOf(options);
  const key = params.add(String(containsKey(options.keys, wanted)), 'bigint');
  const parts = types.map((type, i) => `(select ${i} from ${tableOf(type).main} where tok @> array[${key}] limit 1)`);
  const rows = await run(parts.join('\nunion all\n'), params.values);
  const there = new Set(rows.map(([i]) => i));
  return types.filter((_, i) => there.has(i));
}

type ContainerRow = readonly [type: string, row: Row];

/** The next containers of these types that may contain a match and that the caller may see. */
async function containers(
  options: SearchOptions,
  types: readonly string[],
  wanted: string,
  conditions: readonly StoreCondition[],
  after: Step['place'] | undefined,
  run: Run,
): Promise<readonly ContainerRow[]> {
  const { keys } = options;
  const context = contextOf(options);
  const { params } = context;
  const limit = limitOf(params, BATCH);
  const tokens = [`tok @> array[${params.add(String(containsKey(keys, wanted)), 'bigint')}]`];
  for (const condition of conditions) {
    const isNegative = condition.kind === 'token' && condition.modifier === 'not';
    const alternatives = isNegative ? undefined : tokenAlternatives(context, condition);
    if (alternatives)
      tokens.push(
        `tok && ${params.add(
          alternatives.map((key) => String(maskedKey(keys, key))),
          'bigint[]',
        )}`,
      );
  }
  const parts = types.map((type, i) => {
    const where = ["m.op <> 'D'", ...options.visible(type).map((c) => compileFilter(context, type, c))];
    // The container at the position comes again: not all of what it contains has been shown.
    if (after?.type === type) where.push(`m.rid <= ${params.add(after.rid, 'bigint')}`);
    return `(select ${i} as t, m.id, m.ver, m.lu, m.op, m.content, m.pat, m.rid
from (select * from ${tableOf(type).main} where ${and(tokens)} offset 0) m
where ${and(where)}
order by m.rid desc limit ${limit})`;
  });
  const text = `select x.* from (\n${parts.join('\nunion all\n')}\n) x order by x.t, x.rid desc limit ${limit}`;
  const rows = await run(text, params.values);
  return rows.map(([i, ...row]) => [types[i as number] as string, row]); // numbered by us
}

interface Judged {
  readonly container: StoredVersion;
  readonly place: { readonly type: string; readonly rid: string };
  readonly matching: readonly { readonly n: number; readonly fragment: string }[];
}

/** What matches in each container: all that they contain of the type is asked in one statement. */
async function judge(
  options: SearchOptions,
  rows: readonly ContainerRow[],
  wanted: string,
  conditions: readonly StoreCondition[],
  run: Run,
): Promise<readonly Judged[]> {
  const candidates: { readonly made: NewVersion; readonly of: number; readonly n: number; readonly one: Contained }[] =
    [];
  const versions = rows.map(([type, row]) => toVersion(type, row));
  for (const [of, { id, lastUpdated, content }] of versions.entries()) {
    if (content === '') continue; // it could not be opened
    const resource = parseJson(content) as Readonly<Record<string, unknown>>; // stored text was checked
    for (const [n, one] of containedIn(resource, (type) => options.parameters.get(type) !== undefined).entries())
      if (one.type === wanted) candidates.push({ made: asVersion(options.rowOf, id, n, one, lastUpdated), of, n, one });
  }
  const keys = await matchingRids(
    options,
    wanted,
    candidates.map(({ made }) => made),
    conditions,
    run,
  );
  return versions.map((container, of) => ({
    container,
    place: { type: container.type, rid: rows[of]?.[1][6] as string },
    matching: candidates
      .filter(({ made, of: owner }) => owner === of && keys.has(ridOf(made)))
      .map(({ n, one }) => ({ n, fragment: one.fragment })),
  }));
}

const ridOf = ({ row }: NewVersion): string => String(toBigInt(row.ridHi, row.ridLo));

/** A contained resource as a row would hold it: under a key that nothing refers to, and the id by which its container names it. */
const asVersion = (rowOf: RowBuilder, id: string, n: number, one: Contained, lastUpdated: number): NewVersion => ({
  table: tableOf(one.type),
  id: one.fragment,
  ver: 1,
  lu: lastUpdated,
  op: 'C',
  content: formatJson(one.resource),
  row: rowOf(one.resource, one.type, containedId(id, n), lastUpdated),
});

/** Keys of those that meet the conditions. */
async function matchingRids(
  options: SearchOptions,
  type: string,
  versions: readonly NewVersion[],
  conditions: readonly StoreCondition[],
  run: Run,
): Promise<ReadonlySet<string>> {
  if (versions.length === 0 || conditions.length === 0) return new Set(versions.map(ridOf));
  const context = { ...contextOf(options), isCandidate: true };
  const { params } = context;
  params.values.push(...mainArrays(versions)); // the first parameters
  const [nh, nv, nw, nr, sh, sv, sr]: [number[], number[], number[], number[], number[], string[], number[]] = [
    [],
    [],
    [],
    [],
    [],
    [],
    [],
  ];
  for (const { row } of versions) {
    nh.push(...row.nh);
    nv.push(...row.nv);
    nw.push(...row.nw);
    for (const _ of row.nv) nr.push(row.ridHi, row.ridLo);
    sh.push(...row.sh);
    sv.push(...row.sv);
    for (const _ of row.sv) sr.push(row.ridHi, row.ridLo);
  }
  const at = MAIN_ARRAYS;
  params.values.push(
    int8Array(nh, nv.length),
    float8Array(nv, nv.length),
    float8Array(nw, nv.length),
    int8Array(nr, nv.length),
    int8Array(sh, sv.length),
    textArray(sv),
    int8Array(sr, sv.length),
  );
  const text = `with m as (
  select u.rid, u.pat, u.lu::bigint as lu, u.sd::bigint as sd, u.se::bigint as se, u.pm, u.id, ${ROW_TOKENS} as tok, u.content, ${ROW_WORDS} as txt
  from ${mainRows()}
), m_n as (
  select u.h, u.v, u.w, u.rid from unnest($${at + 1}::bigint[], $${at + 2}::float8[], $${at + 3}::float8[], $${at + 4}::bigint[]) u(h, v, w, rid)
), m_s as (
  select u.h, u.v, u.rid from unnest($${at + 5}::bigint[], $${at + 6}::text[], $${at + 7}::bigint[]) u(h, v, rid)
)
select m.rid::text from m where ${and(conditions.map((condition) => compileFilter(context, type, condition)))}`;
  return new Set((await run(text, params.values)).map(([rid]) => rid as string));
}
