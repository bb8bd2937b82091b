/**
 * Where the values of posted search parameters stand, for all processes of a database: each says what it makes values of,
 * and when all do, what was stored before is done in one pass. docs/fhir.md, docs/decisions/0003-storage.md
 */
import type { CustomParameterDesk, CustomParameterStatus } from '../ports/custom-parameters.ts';
import type { IndexState } from '../standards/fhir/search/custom-registry.ts';
import { errorCode } from './database-error.ts';
import { inTransaction, type Send } from './in-transaction.ts';
import type { Pools } from './pools.ts';
import { LOCK_NOT_AVAILABLE, type ReindexTools, reindexRows } from './reindex.ts';
import { tableOf } from './tables.ts';

/** A posted parameter that this process makes values of. */
export interface IndexedParameter {
  readonly id: string;
  readonly version: number;
  readonly fingerprint: string;
  readonly types: readonly string[];
}

/** What this process knows. */
export interface KnownParameters {
  readonly list: readonly IndexedParameter[];
  /** Version of a SearchParameter of which what it defines, if anything, has effect here. */
  versionOf(id: string): number | undefined;
  /** Resolves when no write of before goes on. */
  drained(): Promise<void>;
}

export interface CustomParameterBook extends CustomParameterDesk {
  /** Notes what this process knows; resolves to where each parameter stands. */
  agree(known: KnownParameters): Promise<ReadonlyMap<string, IndexState>>;
  /** It defines nothing any more as of this version. */
  retire(id: string, version: number): Promise<void>;
  /** Takes away rows of SearchParameters that are gone, and of those that ended a day ago. */
  tidy(known: Pick<KnownParameters, 'list'>): Promise<void>;
  /** One batch of a pass, or the beginning or end of one; `nothing`: none is due, `busy`: somebody holds a row. */
  step(): Promise<'nothing' | 'busy' | 'more'>;
}

export interface BookOptions extends Pick<ReindexTools, 'pools' | 'rowOf' | 'shield'> {
  /** The lease of this process. */
  readonly worker: number;
  readonly holder: string;
}

/** Raised with what `custom-parameter.ts` calls by that name; an older release never takes a newer one's place. */
const FORMAT = 1;
const TIDY_AGE = "interval '1 minute'";
const RETIRED_AGE = "interval '1 day'";

export function createCustomParameterBook(options: BookOptions): CustomParameterBook {
  const { pools, worker, holder } = options;
  const { writes }: Pools = pools;
  let told = '0';

  const note = (list: readonly IndexedParameter[]): Promise<unknown> =>
    writes.query({
      text: `insert into mortar.custom_parameter as c (id, version, fingerprint, format, types)
select x.id, x.version, x.fingerprint, ${FORMAT}, x.types
from json_to_recordset($1::json) x(id text, version int, fingerprint text, types text[])
on conflict (id) do update set
  version = excluded.version, fingerprint = excluded.fingerprint, format = excluded.format, types = excluded.types,
  state = 'waiting', generation = nextval('mortar.custom_parameter_generation'), fence = null, pass = null, rows = null,
  changed_at = now(), ready_at = null
where c.version < excluded.version and (c.state = 'retired' or c.fingerprint is distinct from excluded.fingerprint)
   or c.version = excluded.version and (c.state = 'retired' or c.format < excluded.format)`,
      values: [JSON.stringify(list)],
    });

  const read = async (): Promise<readonly StateRow[]> =>
    (await writes.query({
      text: `select c.id, c.version, c.fingerprint, c.state, c.generation::text, cardinality(p.types), p.type, p.rows::text
from mortar.custom_parameter c left join mortar.index_pass p on p.id = c.pass order by c.generation`,
      values: [],
    })) as unknown as readonly StateRow[]; // the columns above

  return {
    async agree(known) {
      let rows = await read();
      const missing = known.list.filter((one) => isUnnoted(one, rows));
      if (missing.length > 0) {
        await note(missing);
        rows = await read();
      }
      const mine = new Map(known.list.map((one) => [one.id, one.fingerprint]));
      const states = new Map<string, IndexState>();
      let reached = told;
      let isBehind = false;
      for (const [id, version, fingerprint, state, generation, types, type, done] of rows) {
        isBehind ||= (known.versionOf(id) ?? 0) < version || (mine.get(id) ?? fingerprint) !== fingerprint;
        if (!isBehind && BigInt(generation) > BigInt(reached)) reached = generation;
        if (fingerprint !== null)
          states.set(id, { fingerprint, isReady: state === 'ready', progress: progressOf(state, types, type, done) });
      }
      if (reached !== told) {
        await known.drained();
        await writes.query({
          text: 'update mortar.worker set parameters = $3::bigint, parameters_by = $2::text where number = $1::int and holder = $2::text',
          values: [worker, holder, reached],
        });
        told = reached;
      }
      return states;
    },

    async retire(id, version) {
      await writes.query({
        text: `update mortar.custom_parameter
set version = $2::int, state = 'retired', fingerprint = null, pass = null, changed_at = now(), ready_at = null,
  generation = nextval('mortar.custom_parameter_generation')
where id = $1::text and (version < $2::int or version = $2::int and state <> 'retired')`,
        values: [id, version],
      });
    },

    async tidy({ list }) {
      await writes.query({
        text: `update mortar.custom_parameter set state = 'retired', pass = null, changed_at = now()
where state <> 'retired' and changed_at < now() - ${TIDY_AGE} and not id = any($1::text[])`,
        values: [list.map(({ id }) => id)],
      });
      await writes.query({
        text: `delete from mortar.custom_parameter where state = 'retired' and changed_at < now() - ${RETIRED_AGE}`,
        values: [],
      });
    },

    async status() {
      const rows = await writes.query({
        text: `select c.id, c.state, coalesce(p.type, case c.state when 'ready' then cardinality(c.types) else 0 end),
  coalesce(cardinality(p.types), cardinality(c.types)), coalesce(p.rows, c.rows, 0)::text,
  extract(epoch from c.changed_at) * 1000, extract(epoch from c.ready_at) * 1000
from mortar.custom_parameter c left join mortar.index_pass p on p.id = c.pass order by c.id`,
        values: [],
      });
      return rows.map(([id, state, types, typesAll, done, changed, ready]) => ({
        id: id as string,
        state: state as CustomParameterStatus['state'], // the table allows no other
        types: types as number,
        typesAll: typesAll as number,
        rows: Number(done),
        changed: Math.round(Number(changed)),
        ...(ready !== null && { ready: Math.round(Number(ready)) }),
      }));
    },

    step: () =>
      inTransaction(pools.transactions, async (send) => {
        const begun = await begin(send);
        return (await advance(options, send)) || begun ? ('more' as const) : ('nothing' as const);
      }).catch((error: unknown) => {
        if (errorCode(error) !== LOCK_NOT_AVAILABLE) throw error;
        return 'busy' as const;
      }),
  };
}

type StateRow = readonly [
  id: string,
  version: number,
  fingerprint: string | null,
  state: CustomParameterStatus['state'],
  generation: string,
  types: number | null,
  type: number | null,
  rows: string | null,
];

function isUnnoted({ id, version, fingerprint }: IndexedParameter, rows: readonly StateRow[]): boolean {
  const row = rows.find(([noted]) => noted === id);
  return !row || (row[1] <= version && (row[2] !== fingerprint || row[3] === 'retired'));
}

function progressOf(state: string, types: number | null, type: number | null, rows: string | null): string {
  if (state !== 'indexing' || types === null) return 'it waits until every process of this server knows it';
  return `${rows} resources done, ${type} of ${types} types`;
}

/** Takes what every process makes values of into a pass, when all that was written before is over. */
async function begin(send: Send): Promise<boolean> {
  const fenced = await send({
    text: `update mortar.custom_parameter c set fence = pg_current_xact_id()
where c.state = 'waiting' and c.fence is null and not exists (
  select from mortar.worker w
  where w.leased_until > now() and not (w.parameters >= c.generation and w.parameters_by is not distinct from w.holder)
) returning 1`,
    values: [],
  });
  const due = await send({
    text: `select id, types from mortar.custom_parameter
where state = 'waiting' and fence < pg_snapshot_xmin(pg_current_snapshot()) for update skip locked`,
    values: [],
  });
  if (due.length === 0) return fenced.length > 0;
  const types = [...new Set(due.flatMap(([, all]) => all as readonly string[]))].sort();
  await send({
    text: `with p as (insert into mortar.index_pass (types) values ($1::text[]) returning id)
update mortar.custom_parameter c set state = 'indexing', pass = p.id from p where c.id = any($2::text[])`,
    values: [types, due.map(([id]) => id)],
  });
  return true;
}

/** One batch of the oldest pass, and the new position, or neither. */
async function advance(tools: BookOptions, send: Send): Promise<boolean> {
  // The lock on the pass keeps two processes from doing the same batch.
  const [pass] = await send({
    text: `select p.id::text, p.types, p.type, p.after::text,
  exists (select from mortar.custom_parameter c where c.pass = p.id) as wanted
from mortar.index_pass p order by p.id limit 1 for update of p skip locked`,
    values: [],
  });
  if (!pass) return false;
  const [id, types, at, after, isWanted] = pass as readonly [string, readonly string[], number, string | null, boolean];
  const type = types[at];
  if (!isWanted || type === undefined) {
    await send({
      text: `update mortar.custom_parameter c set state = 'ready', ready_at = now(), pass = null, rows = p.rows
from mortar.index_pass p where c.pass = p.id and p.id = $1::bigint`,
      values: [id],
    });
    await send({ text: 'delete from mortar.index_pass where id = $1::bigint', values: [id] });
    return true;
  }
  const { last, count } = await reindexRows(tools, send, tableOf(type), after ?? undefined);
  await send({
    text: 'update mortar.index_pass set type = $2::int, after = $3::bigint, rows = rows + $4::int where id = $1::bigint',
    values: [id, last === undefined ? at + 1 : at, last ?? null, count],
  });
  return true;
}
