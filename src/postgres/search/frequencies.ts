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
}

export interface Frequencies {
  rows(type: string): number;
  /** Whether Postgres has analysed the type's table; otherwise every estimate is a guess. */
  isKnown(type: string): boolean;
  /** Estimated rows that hold any of these tokens. */
  tokenRows(type: string, keys: readonly bigint[]): number;
  /** Reads the statistics again now (after a bulk load and ANALYZE). */
  refresh(): Promise<void>;
  stop(): void;
}

export function createFrequencies(reads: Pipeline, log: Log): Frequencies {
  let types = new Map<string, TypeFrequencies>();

  async function refresh(): Promise<void> {
    const rows = await reads.query({
      text: `select c.relname, c.reltuples::float8, s.most_common_elems::text::bigint[]::text[], s.most_common_elem_freqs::float8[]
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace and n.nspname = 'fhir'
left join pg_catalog.pg_stats s on s.schemaname = 'fhir' and s.tablename = c.relname and s.attname = 'tok'
where c.relkind = 'r' and c.reltuples > 0`,
      values: [],
    });
    const byTable = new Map(STORED_TYPES.map((type) => [type.toLowerCase(), type]));
    const next = new Map<string, TypeFrequencies>();
    for (const [name, tuples, elements, shares] of rows) {
      const type = byTable.get(name as string);
      if (type === undefined) continue;
      const list = (elements as string[] | null) ?? [];
      const freqs = ((shares as number[] | null) ?? []).slice(0, list.length); // minimum, maximum and nulls follow
      const common = new Map(list.map((key, i) => [key, freqs[i] as number]));
      next.set(type, { rows: tuples as number, common, least: list.length > 0 ? Math.min(...freqs) : SHARE_UNKNOWN });
    }
    types = next;
  }

  const timer = setInterval(() => {
    refresh().catch((error: Error) => log.debug('statistics could not be read', { cause: error.message }));
  }, REFRESH_MS);
  timer.unref();

  return {
    rows: (type) => types.get(type)?.rows ?? ROWS_UNKNOWN,
    isKnown: (type) => types.has(type),
    tokenRows(type, keys) {
      const known = types.get(type);
      const rows = known?.rows ?? ROWS_UNKNOWN;
      let share = 0;
      for (const key of keys)
        share += known?.common.get(String(key)) ?? Math.min(SHARE_UNKNOWN, (known?.least ?? SHARE_UNKNOWN) / 2);
      return Math.max(1, Math.min(1, share) * rows);
    },
    refresh,
    stop: () => clearInterval(timer),
  };
}
