/**
 * Records whose time has passed: a patient without contact for so many years. When in doubt, a record stays. Dead letters
 * have a time of their own. SECURITY DP-01; MISSION M7
 */
import { randomUUID } from 'node:crypto';
import type { Clock } from '../../ports/clock.ts';
import type { PurgeCounts, PurgeRun } from '../../ports/protection.ts';
import { inTransaction } from '../in-transaction.ts';
import type { Pools } from '../pools.ts';
import { addCounts } from './erasures.ts';
import { HeldError } from './guard.ts';
import { HOLDING } from './holds.ts';
import { type Candidate, type ContactTools, findCandidates, lastContacts } from './last-contact.ts';
import type { Removal } from './removal.ts';

export interface RetentionOptions extends ContactTools {
  readonly pools: Pools;
  readonly removal: Removal;
  /** After the last contact. */
  readonly years: number;
  readonly mode: 'on' | 'dry-run';
  readonly deadLetterDays: number;
  readonly now: Clock;
}

export interface Retention {
  /** When the last run began, ms UTC. */
  lastRun(): Promise<number | undefined>;
  run(signal?: AbortSignal): Promise<PurgeRun>;
  /** Newest first. */
  runs(limit: number): Promise<readonly PurgeRun[]>;
}

const DAY_MS = 24 * 60 * 60 * 1000;
/** When a record in doubt is looked at again. */
const DOUBT_MS = 30 * DAY_MS;
/** When one that a hold keeps is looked at again, where every text had to be read to find that out. */
const HELD_MS = 7 * DAY_MS;
/** Records that are removed together: each time every text is read once. */
const TOGETHER = 500;
const DEAD_BATCH = 1000;

const NO_COUNTS: PurgeCounts = {
  patients: 0,
  due: 0,
  held: 0,
  inDoubt: 0,
  removed: 0,
  resources: {},
  deadMessages: 0,
  deadJobs: 0,
};

/** The same day some years earlier or later; the 29th of February becomes the 1st of March. */
export function addYears(at: number, years: number): number {
  const date = new Date(at);
  return date.setUTCFullYear(date.getUTCFullYear() + years);
}

export function createRetention(options: RetentionOptions): Retention {
  const { pools, removal, keys, years, mode, deadLetterDays, now } = options;

  const note = (id: string, counts: Partial<PurgeCounts>): Promise<void> =>
    inTransaction(pools.transactions, (send) => addCounts(send, 'protection.purge_run', id, counts));

  const lookAgain = (later: readonly (readonly [rid: string, at: number])[]): Promise<unknown> =>
    pools.writes.query({
      text: `insert into protection.not_due (rid, look_again) select * from unnest($1::bigint[], $2::bigint[])
on conflict (rid) do update set look_again = excluded.look_again`,
      values: [later.map(([rid]) => rid), later.map(([, at]) => at)],
    });

  /** Those of a page whose time has passed; the others are not looked at again before it has. */
  async function dueOf(id: string, page: readonly Candidate[], cutoff: number): Promise<readonly string[]> {
    const contacts = await lastContacts(options, page);
    const due: string[] = [];
    const later: [rid: string, at: number][] = [];
    let inDoubt = 0;
    for (const { rid, id: patientId } of page) {
      const contact = contacts.get(rid);
      if (contact === undefined) {
        inDoubt++;
        later.push([rid, now() + DOUBT_MS]);
      } else if (contact > cutoff) later.push([rid, addYears(contact, years)]);
      else due.push(patientId);
    }
    await lookAgain(later);
    await note(id, { patients: page.length, due: due.length, inDoubt });
    return due;
  }

  /** Those on which no hold is; of a run that only counts, with what would go. */
  async function unheld(id: string, due: readonly string[]): Promise<readonly string[]> {
    if (due.length === 0) return [];
    const { holds, resources } = await removal.review(...due);
    if (holds.length === 0) {
      if (mode === 'dry-run') await note(id, { resources });
      return due;
    }
    if (due.length === 1) {
      await note(id, { held: 1 });
      return [];
    }
    const middle = Math.ceil(due.length / 2);
    return [...(await unheld(id, due.slice(0, middle))), ...(await unheld(id, due.slice(middle)))];
  }

  /**
   * A hold that is found only as every text is read (or came meanwhile) does not say whose record it keeps: the others are
   * found by halves, so that they go.
   */
  async function removeSome(id: string, patientIds: readonly string[], signal: AbortSignal | undefined): Promise<void> {
    try {
      await removal.remove(patientIds, {
        ...(signal && { signal }),
        note: (send, { resources = {} }) =>
          addCounts(send, 'protection.purge_run', id, { resources, removed: resources['Patient'] ?? 0 }),
      });
    } catch (error) {
      if (!(error instanceof HeldError)) throw error;
      const [first, ...others] = patientIds;
      if (others.length === 0) {
        await note(id, { held: 1 });
        if (first !== undefined) await lookAgain([[String(keys.rids.rid(first)), now() + HELD_MS]]);
        return;
      }
      const middle = Math.ceil(patientIds.length / 2);
      await removeSome(id, patientIds.slice(0, middle), signal);
      await removeSome(id, patientIds.slice(middle), signal);
    }
  }

  return {
    async lastRun() {
      const [row] = await pools.reads.query({ text: 'select max(started_at) from protection.purge_run', values: [] });
      return row?.[0] instanceof Date ? row[0].getTime() : undefined;
    },

    async run(signal) {
      const startedAt = now();
      const [id, cutoff] = [randomUUID(), addYears(startedAt, -years)];
      await pools.writes.query({
        text: 'insert into protection.purge_run (id, mode, cutoff, started_at) values ($1, $2, $3, $4)',
        values: [id, mode, new Date(cutoff), new Date(startedAt)],
      });
      let waiting: string[] = [];
      for (let after: Candidate | undefined; ; ) {
        signal?.throwIfAborted();
        const page = await findCandidates(pools.reads, cutoff, startedAt, after);
        waiting.push(...(await unheld(id, await dueOf(id, page, cutoff))));
        after = page.at(-1);
        const isLast = after === undefined;
        if (mode === 'on' && waiting.length > 0 && (isLast || waiting.length >= TOGETHER)) {
          await removeSome(id, waiting, signal);
          waiting = [];
        }
        if (isLast) break;
      }
      await note(id, await purgeDead(pools, now() - deadLetterDays * DAY_MS, signal));
      await pools.writes.query({
        text: 'update protection.purge_run set ended_at = $2 where id = $1',
        values: [id, new Date(now())],
      });
      const [run] = await readRuns(pools, 'where id = $1', [id]);
      return run as PurgeRun; // just written
    },

    runs: (limit) => readRuns(pools, 'order by started_at desc, id limit $1', [limit]),
  };
}

/** Dead letters; none while a hold stands, as nobody has told whom they are about. */
async function purgeDead(
  { writes }: Pools,
  before: number,
  signal: AbortSignal | undefined,
): Promise<Partial<PurgeCounts>> {
  const all = async (name: string, from: string): Promise<number> => {
    let total = 0;
    for (let count = DEAD_BATCH; count === DEAD_BATCH; total += count) {
      signal?.throwIfAborted();
      const rows = await writes.query({ name, text: from, values: [new Date(before)] });
      count = rows.length;
    }
    return total;
  };
  const unheld = `not exists (select from protection.hold where state in ${HOLDING})`;
  return {
    deadMessages: await all(
      'dead-messages',
      `delete from mortar.message where id in (
  select m.id from mortar.message m where m.state = 'dead' and m.updated_at < $1 and ${unheld}
    and not exists (select from mortar.message r where r.first_id = m.id) limit ${DEAD_BATCH})
returning 1`,
    ),
    deadJobs: await all(
      'dead-jobs',
      `delete from mortar.job where id in (
  select id from mortar.job where state = 'dead' and coalesce(done_at, created_at) < $1 and ${unheld} limit ${DEAD_BATCH})
returning 1`,
    ),
  };
}

async function readRuns({ reads }: Pools, where: string, values: readonly unknown[]): Promise<readonly PurgeRun[]> {
  const rows = await reads.query({
    text: `select id, mode, cutoff, started_at, ended_at, counts from protection.purge_run ${where}`,
    values,
  });
  return rows.map((row) => {
    const [id, mode, cutoff, startedAt, endedAt, counts] = row as [
      string,
      PurgeRun['mode'],
      Date,
      Date,
      Date | null,
      Partial<PurgeCounts>,
    ];
    return {
      id,
      mode,
      cutoff: cutoff.getTime(),
      startedAt: startedAt.getTime(),
      ...(endedAt && { endedAt: endedAt.getTime() }),
      counts: { ...NO_COUNTS, ...counts },
    };
  });
}
