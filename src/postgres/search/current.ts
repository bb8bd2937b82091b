/** Many look-ups by identifier in one statement: what a message needs to know before it is applied. */
import type { Criteria, StoredVersion } from '../../ports/resource-store.ts';
import { toVersion } from '../reader.ts';
import { tableOf } from '../tables.ts';
import type { FilterContext } from './condition.ts';
import { matchingRids } from './page.ts';
import { identifiersAgree } from './search.ts';
import { contextOf, type Run, type SearchTools } from './search-tools.ts';
import { tokenAlternatives } from './token-keys.ts';
import { limitOf } from './walk.ts';

/** The current versions that match each of the criteria, in their order; at most `limit` each. */
export async function findCurrent(
  tools: SearchTools,
  criteria: readonly Criteria[],
  limit: number,
  run: Run,
): Promise<readonly (readonly StoredVersion[])[]> {
  const found: StoredVersion[][] = criteria.map(() => []);
  const plain = new Map<string, Wanted>();
  const context = contextOf(tools);
  const others = criteria.map(async (one, i) => {
    const { type, conditions } = one;
    const [condition] = conditions;
    const isPlain = conditions.length === 1 && tools.visible(type).length === 0;
    const keys = condition && isPlain ? tokenAlternatives(context, condition) : undefined;
    if (keys) return addWanted(plain, type, i, keys);
    const rows = await matchingRids(tools, type, [...conditions, ...tools.visible(type)], limit, run, CONTENT);
    found[i] = rows.map((row) => toVersion(type, row));
  });
  const rows = plain.size > 0 ? await run(plainText(context, plain, limit), context.params.values) : [];
  await Promise.all(others);
  for (const row of rows) {
    const n = row[0] as number;
    const { type, conditions } = criteria[n] as Criteria; // numbered by us
    const version = toVersion(type, row, 1);
    if (identifiersAgree(conditions, version)) found[n]?.push(version);
  }
  return found;
}

/** Of one type: keys, and for each of the criteria which of them are its own. */
interface Wanted {
  readonly keys: string[];
  readonly first: number[];
  readonly last: number[];
  readonly number: number[];
}

function addWanted(wanted: Map<string, Wanted>, type: string, number: number, keys: readonly bigint[]): void {
  const known = wanted.get(type) ?? { keys: [], first: [], last: [], number: [] };
  wanted.set(type, known);
  known.first.push(known.keys.length + 1);
  for (const key of keys) known.keys.push(String(key));
  known.last.push(known.keys.length);
  known.number.push(number);
}

/** One part a type, in the order of their names: however many are looked for, the statement is one that is known. */
function plainText({ params }: FilterContext, wanted: ReadonlyMap<string, Wanted>, limit: number): string {
  const max = limitOf(params, limit);
  const parts = [...wanted]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([type, { keys, first, last, number }]) => {
      const [all, from, to, n] = [
        params.add(keys, 'bigint[]'),
        params.add(first, 'int[]'),
        params.add(last, 'int[]'),
        params.add(number, 'int[]'),
      ];
      // The fence leaves the token index as the only way to the rows.
      return `(select k.n, m.id, m.ver, m.lu, m.op, m.content, m.pat
from unnest(${from}, ${to}, ${n}) k(f, t, n)
cross join lateral (
  select * from (select * from ${tableOf(type).main} where tok && (${all})[k.f : k.t] offset 0) m
  where m.op <> 'D'
  limit ${max}) m)`;
    });
  return parts.join('\nunion all\n');
}

const CONTENT = { columns: 'm.id, m.ver, m.lu, m.op, m.content, m.pat', join: () => '' };
