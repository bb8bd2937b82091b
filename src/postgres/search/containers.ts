/**
 * Resources that contain others: found by the tokens of what they contain, which is then judged as if it were a row.
 * https://hl7.org/fhir/R4/search.html#contained
 */
import type { StoredVersion } from '../../ports/resource-store.ts';
import { formatJson, parseJson } from '../../standards/fhir/json.ts';
import { float8Array, int8Array, textArray } from '../binary.ts';
import { type Contained, containedId, containedIn, containsKey, maskedKey } from '../contained-tokens.ts';
import { toBigInt } from '../hash.ts';
import { MAIN_ARRAYS, mainArrays, mainRows, ROW_TOKENS, ROW_WORDS } from '../main-columns.ts';
import type { Row } from '../pools.ts';
import { toVersion } from '../reader.ts';
import { tableOf } from '../tables.ts';
import type { NewVersion } from '../write-sql.ts';
import type { RowBuilder } from '../writer.ts';
import type { StoreCondition } from './condition.ts';
import { compileFilter } from './filters.ts';
import type { SearchOptions } from './search.ts';
import { contextOf, type Run } from './search-tools.ts';
import { and } from './sql.ts';
import { tokenAlternatives } from './token-keys.ts';
import { limitOf } from './walk.ts';

/** Containers that are read at a time. */
export const BATCH = 100;

export type ContainerRow = readonly [type: string, row: Row];

/** Where a walk over containers is. */
export interface ContainerPlace {
  readonly type: string;
  readonly rid: string;
}

/** The next containers of these types that may contain a match, that meet what else is asked of them, and that the caller may see. */
export async function containers(
  options: SearchOptions,
  types: readonly string[],
  wanted: string,
  conditions: readonly StoreCondition[],
  after: ContainerPlace | undefined,
  run: Run,
  also: readonly StoreCondition[] = [],
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
    const where = ["m.op <> 'D'", ...[...also, ...options.visible(type)].map((c) => compileFilter(context, type, c))];
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

export interface Judged {
  readonly container: StoredVersion;
  readonly place: ContainerPlace;
  readonly matching: readonly { readonly n: number; readonly fragment: string }[];
}

/** What matches in each container: all that they contain of the type is asked in one statement. */
export async function judge(
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
