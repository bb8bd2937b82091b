/** How common tokens are and how large tables are, from Postgres' own statistics; refreshed every few minutes. */
import type { Log } from '../../ports/log.ts';
import type { Pipeline } from '../pools.ts';
import { STORED_TYPES } from '../tables.ts';

const REFRESH_MS = 120_000;
/** Until Postgres has analysed a table, it is taken to be this large. */
const ROWS_UNKNOWN = 1_000;
/** Share of rows of a token that is not among the most common, when nothing better is known. */
const SHARE_UNKNOWN = 0.001;

interface TypeFrequencies {
  readonly rows: number;
  readonly common: ReadonlyMap<string, number>;
  /** Share of the rarest token that is listed. */
  readonly least: number;
  /** Share of rows that hold a word, of the most common ones. */
  readonly words: ReadonlyMap<string, number>;
}

export interface Frequencies {
  rows(type: string): number;
  /** Estimated rows that hold any of these tokens. */
  tokenRows(type: string, keys: readonly bigint[]): number;
  /** Estimated rows that hold a word. */
  wordRows?(type: string, word: string): number;
  /** Reads the statistics again now (after a bulk load and ANALYZE). */
  refresh(): Promise<void>;
  stop(): void;
}

export function createFrequencies(reads: Pipeline, log: Log): Frequencies {
  let types = new Map<string, TypeFrequencies>();

  async function refresh(): Promise<void> {
    const rows = await reads.query({
      text: `select c.relname, c.reltuples::float8, s.most_common_elems::text::bigint[]::text[], s.most_common_elem_freqs::float8[],
  w.most_common_elems::text::text[], w.most_common_elem_freqs::float8[], w.null_frac::float8
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace and n.nspname = 'fhir'
left join pg_catalog.pg_stats s on s.schemaname = 'fhir' and s.tablename = c.relname and s.attname = 'tok'
left join pg_catalog.pg_stats w on w.schemaname = 'fhir' and w.tablename = c.relname and w.attname = 'txt'
where c.relkind = 'r' and c.reltuples > 0`,
      values: [],
    });
    const byTable = new Map(STORED_TYPES.map((type) => [type.toLowerCase(), type]));
    const next = new Map<string, TypeFrequencies>();
    for (const [name, tuples, elements, shares, words, wordShares, wordless] of rows) {
      const type = byTable.get(name as string);
      if (type === undefined) continue;
      const list = (elements as string[] | null) ?? [];
      const freqs = ((shares as number[] | null) ?? []).slice(0, list.length); // minimum, maximum and nulls follow
      const common = new Map(list.map((key, i) => [key, freqs[i] as number]));
      next.set(type, {
        rows: tuples as number,
        common,
        least: list.length > 0 ? Math.min(...freqs) : SHARE_UNKNOWN,
        words: shareOfWords(words as string[] | null, wordShares as number[] | null, wordless as number | null),
      });
    }
    types = next;
  }

  const timer = setInterval(() => {
    refresh().catch((error: Error) => log.debug('statistics could not be read', { cause: error.message }));
  }, REFRESH_MS);
  timer.unref();

  return {
    rows: (type) => types.get(type)?.rows ?? ROWS_UNKNOWN,
    tokenRows(type, keys) {
      const known = types.get(type);
      const rows = known?.rows ?? ROWS_UNKNOWN;
      let share = 0;
      for (const key of keys)
        share += known?.common.get(String(key)) ?? Math.min(SHARE_UNKNOWN, (known?.least ?? SHARE_UNKNOWN) / 2);
      return Math.max(1, Math.min(1, share) * rows);
    },
    wordRows(type, word) {
      const known = types.get(type);
      return Math.max(1, (known?.words.get(word) ?? SHARE_UNKNOWN) * (known?.rows ?? ROWS_UNKNOWN));
    },
    refresh,
    stop: () => clearInterval(timer),
  };
}

/** Postgres tells the shares among rows that have any word. */
function shareOfWords(
  words: readonly string[] | null,
  shares: readonly number[] | null,
  wordless: number | null,
): ReadonlyMap<string, number> {
  const having = 1 - (wordless ?? 0);
  return new Map((words ?? []).map((word, i) => [word, (shares?.[i] ?? SHARE_UNKNOWN) * having]));
}
