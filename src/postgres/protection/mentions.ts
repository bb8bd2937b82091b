/**
 * Every stored text that mentions something, current and old, by reading all of them in small pieces: references stand
 * also where no search parameter looks (extensions, narratives, versions that were replaced). What is stored encrypted is
 * opened here; its plaintext never goes to the database. SECURITY DP-04
 */
import type { Shield } from '../encryption/shield.ts';
import type { Pipeline, Row } from '../pools.ts';
import { STORED_TYPES, tableOf } from '../tables.ts';
import { usedTypes } from './used-types.ts';

const ROWS = 500;
/** Rows of a type whose texts are large. */
const FEW_ROWS = 10;
/** Types that are read side by side. */
const TOGETHER = 8;
/** UTF-16 units of sealed texts that are opened at a time; one that is larger comes alone. */
const OPEN_MAX = 1024 * 1024;
const LARGE: ReadonlySet<string> = new Set(['Binary', 'Bundle']);
const LOWEST = String(-(2n ** 63n));

/** Stands in every text with sealed values. */
export const SEALED = ',"~":"v1.';

/** What texts are searched for: a reference, an identifier's value, a data key. One word each. */
export const words = {
  reference: (type: string, id: string): string => `${type}/${id}`,
  identifier: (value: string): string => `"value":${JSON.stringify(value)}`,
  dataKey: (id: string): string => `"v1.${id}`,
};
const REFERENCE = `(?:${STORED_TYPES.join('|')})/[A-Za-z0-9.-]{1,64}`;
const OTHERS = '"value":"[^"\\\\]{1,64}"|"v1\\.[0-9a-f]{16}';
/** Finds every such word in a text. */
export const WORDS = `(\\m${REFERENCE}|${OTHERS})`;
/** The same here. */
const WORD = new RegExp(`(?<![\\p{L}\\p{N}_])${REFERENCE}|${OTHERS}`, 'gu');

/** Every such word of a plaintext. */
export const mentionsIn = (text: string): ReadonlySet<string> =>
  new Set(Array.from(text.matchAll(WORD), ([word]) => word));

export interface MentionTools {
  /** Texts as they are stored. */
  readonly rawReads: Pipeline;
  /** Absent: nothing is stored encrypted. */
  readonly shield: Shield | undefined;
}

interface Search extends MentionTools {
  readonly wanted: ReadonlySet<string>;
  readonly found: (type: string, rid: string) => void;
  readonly signal: AbortSignal | undefined;
}

/** Calls `found` with the rid of each resource one of whose versions holds one of the words, type by type. */
export async function findMentions(
  tools: MentionTools,
  wanted: readonly string[],
  found: (type: string, rid: string) => void,
  signal?: AbortSignal,
): Promise<void> {
  const search: Search = { ...tools, wanted: new Set(wanted), found, signal };
  const { all: types } = await usedTypes(tools.rawReads);
  for (let at = 0; at < types.length; at += TOGETHER)
    await Promise.all(
      types.slice(at, at + TOGETHER).flatMap((type) => [readTable(search, type, false), readTable(search, type, true)]),
    );
}

async function readTable(search: Search, type: string, isHistory: boolean): Promise<void> {
  const { rawReads, wanted, found, signal } = search;
  const { main, history } = tableOf(type);
  const version = isHistory ? 'ver' : '0';
  const rows = LARGE.has(type) ? FEW_ROWS : ROWS;
  for (let [rid, ver] = [LOWEST, 0]; ; ) {
    signal?.throwIfAborted();
    const page = await rawReads.query({
      // The primary key gives the order.
      text: `with b as materialized (
  select rid, ${version} as ver, content from ${isHistory ? history : main} t
  where (rid, ${version}) > ($1::bigint, $2::int) order by rid${isHistory ? ', ver' : ''} limit ${rows}
)
select rid::text, ver, exists (
  select from regexp_matches(b.content, $3, 'g') w where w[1] in (select u from unnest($4::text[]) u)),
  case when position('${SEALED}' in b.content) > 0 then length(b.content) end
from b order by b.rid, b.ver`,
      values: [rid, ver, WORDS, [...wanted]],
    });
    for (const [each, , isHit] of page) if (isHit) found(type, each as string);
    await readSealed(
      search,
      type,
      isHistory,
      page.filter(([, , isHit, length]) => !isHit && length !== null),
    );
    const last = page.at(-1);
    if (!last || page.length < rows) return;
    [rid, ver] = [last[0] as string, last[1] as number];
  }
}

/** Looks into the texts of these rows (rid, version, hit, length). One that cannot be opened by anybody is passed over. */
async function readSealed(search: Search, type: string, isHistory: boolean, rows: readonly Row[]): Promise<void> {
  const { rawReads, shield, wanted, found, signal } = search;
  if (!shield) return;
  const { main, history } = tableOf(type);
  for (let at = 0; at < rows.length; ) {
    signal?.throwIfAborted();
    const some: Row[] = [];
    for (let room = OPEN_MAX; at < rows.length; at++) {
      const row = rows[at] as Row; // at is in it
      room -= row[3] as number;
      if (room < 0 && some.length > 0) break;
      some.push(row);
    }
    const texts = await rawReads.query({
      text: isHistory
        ? `select h.rid::text, m.id, h.content from unnest($1::bigint[], $2::int[]) k(rid, ver)
join ${history} h on h.rid = k.rid and h.ver = k.ver join ${main} m on m.rid = h.rid`
        : `select rid::text, id, content from ${main} where rid = any($1::bigint[])`,
      values: [some.map(([rid]) => rid), ...(isHistory ? [some.map(([, ver]) => ver)] : [])],
    });
    for (const [rid, , text] of await shield.open(texts, 'as-empty'))
      if (!wanted.isDisjointFrom(mentionsIn(text as string))) found(type, rid as string);
  }
}
