/**
 * Search values of stored rows, made again in the background: after an upgrade that keeps more of them than before. A row
 * is found by what it has until its turn comes; whoever is killed in between goes on where the last batch ended.
 */
import { setTimeout } from 'node:timers/promises';
import type { ReindexBatch, ReindexBatches } from '../ports/reindexing.ts';
import { parseJson } from '../standards/fhir/json.ts';
import type { SearchParameters } from '../standards/fhir/search/parameter.ts';
import { errorCode } from './database-error.ts';
import type { Shield } from './encryption/shield.ts';
import { inTransaction, type Send } from './in-transaction.ts';
import type { Pools } from './pools.ts';
import { replaceSearchValues } from './search-values.ts';
import { STORED_TYPES, type TypeTable, tableOf } from './tables.ts';
import type { RowBuilder } from './writer.ts';

/** What is made again: `quantities`: types that have a quantity to search by. */
export type ReindexScope = 'all' | 'quantities';

export interface ReindexStatus {
  readonly scope: ReindexScope;
  /** ms; absent: it was asked for by an upgrade. */
  readonly started?: number;
  /** ms; absent: it is under way. */
  readonly finished?: number;
  /** Types that are done, of how many. */
  readonly types: number;
  readonly typesAll: number;
  readonly rows: number;
}

export interface Reindex extends ReindexBatches {
  /** Has everything made again from the start. */
  request(scope: ReindexScope): Promise<void>;
  /** Absent: nothing has ever been made again. */
  status(): Promise<ReindexStatus | undefined>;
  /** Goes on where the last run stopped, until there is nothing left or the signal comes. */
  run(signal?: AbortSignal): Promise<'nothing' | 'stopped' | 'done'>;
}

export interface ReindexTools {
  readonly pools: Pools;
  readonly parameters: SearchParameters;
  readonly rowOf: RowBuilder;
  /** Absent: nothing is stored encrypted. */
  readonly shield: Shield | undefined;
  /** Key of a resource. */
  readonly ridOf: (id: string) => bigint;
  /** Of this process: searches ask it. What another has done is known after the next run. */
  readonly olderRows: { remain: boolean };
  readonly now: () => number;
}

/** Row of `mortar.meta`. */
const REINDEX = 'reindex';
const BATCH = 100;
const FIRST = String(-(2n ** 63n));
export const LOCK_NOT_AVAILABLE = '55P03';
const BUSY_MS = 20;

/** `after`: a rid of the type at `type` in the list of types of this scope. A migration writes the scope alone. */
interface Progress {
  readonly scope: ReindexScope;
  readonly started?: number;
  readonly finished?: number;
  readonly type?: number;
  readonly after?: string;
  readonly rows?: number;
}

export function createReindex(tools: ReindexTools): Reindex {
  const { pools, now, ridOf, olderRows } = tools;
  /** Waits for those who hold one of the rows. */
  async function batch(type: string, after: string | undefined, signal: AbortSignal, limit = BATCH) {
    for (;;) {
      signal.throwIfAborted();
      const done = await inTransaction(pools.transactions, (send) =>
        reindexRows(tools, send, tableOf(type), after, limit),
      ).catch((error: unknown): ReindexBatch | undefined => {
        if (errorCode(error) !== LOCK_NOT_AVAILABLE) throw error;
        return undefined;
      });
      if (done) return done;
      await setTimeout(BUSY_MS);
    }
  }
  return {
    batch: (type, after, signal) => batch(type, after, signal),
    async one(type, id, signal) {
      await batch(type, String(BigInt.asIntN(64, ridOf(id)) - 1n), signal, 1);
    },

    async request(scope) {
      const value = JSON.stringify({ scope, started: now() } satisfies Progress);
      await pools.writes.query({
        text: 'insert into mortar.meta (name, value) values ($1, $2) on conflict (name) do update set value = excluded.value',
        values: [REINDEX, value],
      });
      olderRows.remain = true;
    },

    async status() {
      const [row] = await pools.writes.query({
        text: 'select value from mortar.meta where name = $1',
        values: [REINDEX],
      });
      if (!row) return undefined;
      const { scope, started, finished, type = 0, rows = 0 } = JSON.parse(row[0] as string) as Progress; // ours
      return {
        scope,
        ...(started !== undefined && { started }),
        ...(finished !== undefined && { finished }),
        types: type,
        typesAll: typesOf(tools, scope).length,
        rows,
      };
    },

    async run(signal) {
      for (let moved = false; ; moved = true) {
        if (signal?.aborted) return 'stopped';
        const result = await inTransaction(pools.transactions, (send) => step(tools, send)).catch((error: unknown) => {
          if (errorCode(error) !== LOCK_NOT_AVAILABLE) throw error;
          return 'busy' as const;
        });
        if (result === 'busy') await setTimeout(BUSY_MS);
        if (result === 'nothing') {
          olderRows.remain = false;
          return moved ? 'done' : 'nothing';
        }
      }
    },
  };
}

const typesOf = ({ parameters }: ReindexTools, scope: ReindexScope): readonly string[] =>
  scope === 'all' ? STORED_TYPES : STORED_TYPES.filter((type) => hasQuantities(parameters, type));

const hasQuantities = (parameters: SearchParameters, type: string): boolean =>
  (parameters.get(type)?.atoms ?? []).some((atom) => atom.type === 'quantity' || atom.components.includes('quantity'));

/** One batch and the new position, or neither. */
async function step(tools: ReindexTools, send: Send): Promise<'nothing' | 'more'> {
  // The lock on this row keeps two processes from doing the same batch.
  const [row] = await send({ text: 'select value from mortar.meta where name = $1 for update', values: [REINDEX] });
  const progress = row && (JSON.parse(row[0] as string) as Progress); // ours
  if (!progress || progress.finished !== undefined) return 'nothing';
  const { type: at = 0, after = FIRST, rows = 0 } = progress;
  const type = typesOf(tools, progress.scope)[at];
  const batch = type === undefined ? undefined : await reindexRows(tools, send, tableOf(type), after);
  const next: Progress =
    type === undefined
      ? { ...progress, finished: tools.now() }
      : batch?.last === undefined
        ? { ...progress, type: at + 1, after: FIRST }
        : { ...progress, type: at, after: batch.last, rows: rows + batch.count };
  await send({ text: 'update mortar.meta set value = $2 where name = $1', values: [REINDEX, JSON.stringify(next)] });
  return 'more';
}

/** Makes the values of the next rows after a rid again; `last`: the last of them, absent at the end of the table. */
export async function reindexRows(
  { rowOf, shield }: Pick<ReindexTools, 'rowOf' | 'shield'>,
  send: Send,
  table: TypeTable,
  after = FIRST,
  limit = BATCH,
): Promise<ReindexBatch> {
  const isEmpty = (await send({ text: `select 1 from ${table.main} limit 1`, values: [] })).length === 0;
  if (isEmpty) return { count: 0 };
  // See `replaceSearchValues`: writers of this table wait while a batch is done; who holds a row is waited for outside.
  await send({ text: `lock table ${table.main} in share row exclusive mode`, values: [] });
  const sealed = await send({
    text: `select m.rid::text, m.id, m.lu::text, m.op, m.content from ${table.main} m
where m.rid > $1::bigint order by m.rid limit $2 for update nowait`,
    values: [after, limit],
  });
  const last = sealed.at(-1);
  if (!last) return { count: 0 };
  // One that cannot be opened keeps the values it has.
  const rows = shield ? await shield.open(sealed, 'as-empty') : sealed;
  // Sent together, without waiting for one another; the first fault is thrown when all have been heard of.
  const done = await Promise.allSettled(
    (rows as readonly (readonly string[])[]).map(async ([rid, id, lu, op, content]) => {
      if (op === 'D' || content === undefined || content === '') return;
      const row = rowOf(parseJson(content) as Record<string, unknown>, table.type, id as string, Number(lu)); // checked when stored
      await replaceSearchValues(send, table, rid as string, row);
    }),
  );
  for (const one of done) if (one.status === 'rejected') throw one.reason;
  return { last: last[0] as string, count: rows.length };
}
