/**
 * Chains and `_has`: when the far side is selective it is looked up first and its keys take the place of the condition;
 * otherwise the condition stays and each row of the near side is tried. https://hl7.org/fhir/R4/search.html#chaining
 */
import type { Condition } from '../../standards/fhir/search/request.ts';
import { type Lanes, lanesToBigInt } from '../keys.ts';
import { tableOf } from '../tables.ts';
import type { StoreCondition } from './condition.ts';
import { isPatientParameter } from './driver.ts';
import { referenceMasks } from './hashes.ts';
import { estimateMatches, matchingRids } from './page.ts';
import { contextOf, type Run, type SearchTools } from './search-tools.ts';
import type { Params } from './sql.ts';

/** Keys of the far side that are put into a condition at most. */
const KEYS_MAX = 1_000;
/** Rows of an ordinary page. */
const PAGE_ROWS = 20;
/** Trying a row costs about as much as fetching this many matches of the far side. */
const TRY_COST = 10;

/** The conditions with chains resolved as far as that pays. */
export const resolveChains = (
  tools: SearchTools,
  type: string,
  conditions: readonly StoreCondition[],
  run: Run,
): Promise<readonly StoreCondition[]> =>
  Promise.all(
    conditions.map((condition) =>
      condition.kind === 'chain'
        ? resolveChain(tools, condition, run)
        : condition.kind === 'has'
          ? resolveHas(tools, type, condition, run)
          : condition,
    ),
  );

async function resolveChain(
  tools: SearchTools,
  condition: Extract<Condition, { kind: 'chain' }>,
  run: Run,
): Promise<StoreCondition> {
  const branches = await Promise.all(
    condition.branches.map(async (branch): Promise<StoreCondition> => {
      const unresolved: StoreCondition = { kind: 'chain', parameter: condition.parameter, branches: [branch] };
      const far = [branch.condition, ...tools.visible(branch.type)];
      const inner = await resolveChains(tools, branch.type, far, run);
      if (estimateMatches(tools, branch.type, inner) > KEYS_MAX) return unresolved;
      const rows = await matchingRids(tools, branch.type, inner, KEYS_MAX + 1, run);
      if (rows.length > KEYS_MAX) return unresolved;
      const rids = rows.map((row) => BigInt(row[0] as string));
      return { kind: 'targets', parameter: condition.parameter, type: branch.type, rids };
    }),
  );
  const [only] = branches;
  return branches.length === 1 && only ? only : { kind: 'any', conditions: branches };
}

/** Whether so many rows here are referred to that trying them one by one fills a page sooner than a look-up of all. */
function isCommon(matches: number, rows: number): boolean {
  const tries = PAGE_ROWS / Math.min(1, matches / Math.max(1, rows));
  return tries * TRY_COST < matches;
}

/** The keys of what a row refers to, of a type. */
export const referredKeys = (type: string, mask: Lanes) => ({
  columns: 't.rid',
  join: (params: Params): string =>
    `\ncross join unnest(m.tok) e join ${tableOf(type).main} t on t.rid = (e # ${params.add(String(lanesToBigInt(mask)), 'bigint')})`,
});

async function resolveHas(
  tools: SearchTools,
  type: string,
  condition: Extract<Condition, { kind: 'has' }>,
  run: Run,
): Promise<StoreCondition> {
  const far = [condition.condition, ...tools.visible(condition.type)];
  const inner = await resolveChains(tools, condition.type, far, run);
  const matches = estimateMatches(tools, condition.type, inner);
  if (matches > KEYS_MAX || isCommon(matches, tools.frequencies.rows(type))) return condition;
  const rids = new Set<bigint>();
  if (type === 'Patient' && isPatientParameter(contextOf(tools), condition.type, condition.parameter)) {
    const rows = await matchingRids(tools, condition.type, inner, KEYS_MAX + 1, run, {
      columns: 'm.pat',
      join: () => '',
    });
    for (const [rid] of rows) if (rid !== null) rids.add(BigInt(rid as string));
  } else
    for (const mask of referenceMasks(tools.keys, condition.parameter, type)) {
      // Each reference token of the row, unmasked, is tried as a key here: only true targets are found.
      const rows = await matchingRids(tools, condition.type, inner, KEYS_MAX + 1, run, referredKeys(type, mask));
      for (const [rid] of rows) rids.add(BigInt(rid as string));
    }
  return rids.size > KEYS_MAX ? condition : { kind: 'rids', rids: [...rids] };
}
