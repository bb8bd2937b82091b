/** Many look-ups by identifier in one statement: what a message needs to know before it is applied. */
import type { Criteria, StoredVersion } from '../../ports/resource-store.ts';
import { toVersion } from '../reader.ts';
import { tableOf } from '../tables.ts';
import { contextOf, matchingRids, type Run, type SearchTools } from './page.ts';
import { identifiersAgree } from './search.ts';
import { tokenAlternatives } from './token-keys.ts';
import { limitOf } from './walk.ts';

/** The current versions that match each of the criteria, in their order; at most `limit` each. */
export async function findCurrent(
  tools: SearchTools,
  criteria: readonly Criteria[],
  limit: number,
  run: Run,
): Promise<readonly (readonly StoredVersion[])[]> {
  const context = contextOf(tools);
  const { params } = context;
  const max = limitOf(params, limit);
  const found: StoredVersion[][] = criteria.map(() => []);
  const parts = criteria.map(({ type, conditions }, i) => {
    const [condition] = conditions;
    const isPlain = conditions.length === 1 && tools.visible(type).length === 0;
    const keys = condition && isPlain ? tokenAlternatives(context, condition) : undefined;
    if (!keys) return undefined;
    const tokens = params.add(keys.map(String), 'bigint[]');
    // The fence leaves the token index as the only way to the rows.
    return `(select ${i} as n, m.id, m.ver, m.lu, m.op, m.content, m.pat
from (select * from ${tableOf(type).main} where tok && ${tokens} offset 0) m
where m.op <> 'D'
limit ${max})`;
  });
  const whole = parts.filter((part) => part !== undefined);
  const others = criteria.map(async (one, i) => {
    if (parts[i] !== undefined) return;
    const rows = await matchingRids(
      tools,
      one.type,
      [...one.conditions, ...tools.visible(one.type)],
      limit,
      run,
      CONTENT,
    );
    found[i] = rows.map((row) => toVersion(one.type, row));
  });
  const rows = whole.length > 0 ? await run(whole.join('\nunion all\n'), params.values) : [];
  await Promise.all(others);
  for (const row of rows) {
    const n = row[0] as number;
    const { type, conditions } = criteria[n] as Criteria; // numbered by us
    const version = toVersion(type, row, 1);
    if (identifiersAgree(conditions, version)) found[n]?.push(version);
  }
  return found;
}

const CONTENT = { columns: 'm.id, m.ver, m.lu, m.op, m.content, m.pat', join: () => '' };
