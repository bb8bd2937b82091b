/**
 * Every stored text that mentions something, current and old, by reading all of them in small pieces: references stand
 * also where no search parameter looks (extensions, narratives, versions that were replaced). SECURITY DP-04
 */
import type { Pipeline } from '../pools.ts';
import { STORED_TYPES, tableOf } from '../tables.ts';
import { usedTypes } from './used-types.ts';

const ROWS = 500;
/** Rows of a type whose texts are large. */
const FEW_ROWS = 10;
/** Types that are read side by side. */
const TOGETHER = 8;
const LARGE: ReadonlySet<string> = new Set(['Binary', 'Bundle']);
const LOWEST = String(-(2n ** 63n));

/** What texts are searched for: a reference, an identifier's value, a data key. One word each. */
export const words = {
  reference: (type: string, id: string): string => `${type}/${id}`,
  identifier: (value: string): string => `"value":${JSON.stringify(value)}`,
  dataKey: (id: string): string => `"v1.${id}`,
};
/** Finds every such word in a text. */
export const WORDS = `(\\m(?:${STORED_TYPES.join('|')})/[A-Za-z0-9.-]{1,64}|"value":"[^"\\\\]{1,64}"|"v1\\.[0-9a-f]{16})`;

/** Calls `found` with the rid of each resource one of whose versions holds one of the words, type by type. */
export async function findMentions(
  reads: Pipeline,
  wanted: readonly string[],
  found: (type: string, rid: string) => void,
  signal?: AbortSignal,
): Promise<void> {
  const { all: types } = await usedTypes(reads);
  for (let at = 0; at < types.length; at += TOGETHER)
    await Promise.all(
      types.slice(at, at + TOGETHER).flatMap((type) => {
        const { main, history } = tableOf(type);
        return [main, history].map((table) => readTable(reads, table, type, wanted, found, signal));
      }),
    );
}

async function readTable(
  reads: Pipeline,
  table: string,
  type: string,
  wanted: readonly string[],
  found: (type: string, rid: string) => void,
  signal: AbortSignal | undefined,
): Promise<void> {
  const version = table.endsWith('_h') ? 'ver' : '0';
  const rows = LARGE.has(type) ? FEW_ROWS : ROWS;
  for (let [rid, ver] = [LOWEST, 0]; ; ) {
    signal?.throwIfAborted();
    const page = await reads.query({
      // The primary key gives the order.
      text: `with b as materialized (
  select rid, ${version} as ver, content from ${table} t
  where (rid, ${version}) > ($1::bigint, $2::int) order by rid${version === 'ver' ? ', ver' : ''} limit ${rows}
)
select rid::text, ver, exists (
  select from regexp_matches(b.content, $3, 'g') w where w[1] in (select u from unnest($4::text[]) u)) from b order by b.rid, b.ver`,
      values: [rid, ver, WORDS, wanted],
    });
    for (const [each, , isHit] of page) if (isHit) found(type, each as string);
    const last = page.at(-1);
    if (!last || page.length < rows) return;
    [rid, ver] = [last[0] as string, last[1] as number];
  }
}
