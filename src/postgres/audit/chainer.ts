/**
 * Follows the entries in the order of their commits and appends links; each minute signs where the chain stands. One
 * process at a time does it, by a lease with a fence. DESIGN walk 5; SECURITY AU-08
 */
import { createSecretKey } from 'node:crypto';
import type { CheckpointKey } from '../../ports/audit.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { Pools, Row } from '../pools.ts';
import { linkHash, markOf } from './chain-hash.ts';
import { isGenuine, SHARD } from './entry.ts';
import { ENTRY_COLUMNS, toEntry } from './entry-sql.ts';
import { monthOf } from './partitions.ts';
import { type Checkpoint, type Signed, signStatement } from './signed.ts';

export interface ChainerOptions {
  readonly pools: Pick<Pools, 'background' | 'writes'>;
  readonly macKeys: readonly Buffer[];
  readonly checkpointKey: CheckpointKey;
  /** Takes a checkpoint to the second place. */
  readonly emit: (checkpoint: Signed) => Promise<void>;
  /** Names this process. */
  readonly holder: string;
  readonly now: Clock;
  readonly log: Log;
  /** Told when an entry or the chain itself is not what it was. */
  readonly onBreak?: (seq: number) => void;
  readonly pollMs?: number;
  readonly checkpointEveryMs?: number;
}

export interface Chainer {
  /** Links what has been committed; resolves to how many. 0 as well while another process holds the chain. */
  step(): Promise<number>;
  /** Signs where the chain stands; false when nothing was linked since, or another process holds it. */
  checkpoint(): Promise<boolean>;
  start(): void;
  /** Links and signs what there is, and gives the lease back. */
  stop(): Promise<void>;
  /** Age of the oldest entry of the last round when it was linked, in ms. */
  lagMs(): number;
}

const BATCH_MAX = 2000;
/** Rounds no larger than this have their entries' MACs proved as they are linked; of larger ones verify-audit does it. */
const PROVED_MAX = 200;
const POLL_MS = 500;
const CHECKPOINT_MS = 60_000;
const LEASE_S = 15;
const RENEW_MS = 5_000;
const RETRY_MS = 5_000;

/** Where the chain stands, as the holder of the lease knows it. */
interface Position {
  readonly fence: string;
  readonly seq: number;
  readonly hash: Buffer;
  /** Of the last entry that was linked. */
  readonly xid: string;
  readonly id: string;
}

const macOfRow = (row: Row): Buffer => row[3] as Buffer;

/** Entries that follow one another and lie in one month, so that a link is removed with its entries. */
function runsOf(rows: readonly Row[]): readonly (readonly Row[])[] {
  const runs: Row[][] = [];
  let month = { from: 0, until: 0 };
  for (const row of rows) {
    const at = Number(row[2]);
    if (at < month.from || at >= month.until) {
      month = monthOf(at);
      runs.push([]);
    }
    runs.at(-1)?.push(row);
  }
  return runs;
}

export function createChainer(options: ChainerOptions): Chainer {
  const { pools, checkpointKey, holder, now, log } = options;
  const { background, writes } = pools;
  const macKeys = options.macKeys.map((key) => createSecretKey(key));
  let held: Position | undefined;
  let renewedAt = Number.NEGATIVE_INFINITY;
  let signedSeq: number | undefined;
  let signedAt = performance.now();
  let lag = 0;
  let timer: NodeJS.Timeout | undefined;
  let round: Promise<void> | undefined;
  let stopped = false;

  function broken(seq: number, what: string): void {
    log.error('the audit chain is broken: run verify-audit', { seq, what });
    options.onBreak?.(seq);
  }

  /** Takes the lease or keeps it. */
  async function lease(): Promise<Position | undefined> {
    if (held && performance.now() - renewedAt < RENEW_MS) return held;
    const asked = performance.now();
    const [row] = await writes.query({
      name: 'audit-lease',
      text: `update audit.chain
set holder = $2, leased_until = now() + make_interval(secs => ${LEASE_S}),
  fence = case when holder = $2 and leased_until > now() then fence else fence + 1 end
where shard = $1 and (holder = $2 or leased_until < now())
returning fence::text, seq::text, hash, xid::text, id::text`,
      values: [SHARD, holder],
    });
    if (!row) {
      held = undefined;
      return undefined;
    }
    const [fence, seq, hash, xid, id] = row as [string, string, Buffer, string, string];
    const found: Position = { fence, seq: Number(seq), hash, xid, id };
    if (held?.fence === fence) {
      if (held.seq !== found.seq || !held.hash.equals(hash)) broken(found.seq, 'its position was changed');
    } else await checkTakeOver(found);
    held = found;
    renewedAt = asked;
    return found;
  }

  /** The one before us left the chain whole. */
  async function checkTakeOver({ seq, hash }: Position): Promise<void> {
    const [row] = await background.query({
      text: `select (select hash from audit.link where shard = $1 and seq = $2),
  (select seq::text from audit.link where shard = $1 order by seq desc limit 1),
  (select seq::text from audit.checkpoint where shard = $1 order by seq desc limit 1)`,
      values: [SHARD, seq],
    });
    const [last, linked, signed] = row as [Buffer | null, string | null, string | null];
    signedSeq = signed === null ? 0 : Number(signed);
    if (linked !== null && Number(linked) > seq) broken(seq, 'it has links past its position');
    else if (seq < signedSeq) broken(seq, 'it is shorter than what was signed');
    else if (last !== null && !last.equals(hash)) broken(seq, 'its last link is not its position');
  }

  /** What was changed before it was linked is linked all the same, so that the proof stays where it was found. */
  async function proveEntries(from: Position, last: Row): Promise<void> {
    const rows = await background.query({
      name: 'audit-prove',
      text: `select ${ENTRY_COLUMNS} from audit.entry e
where e.shard = $1 and (e.xid, e.id) > ($2::xid8, $3::bigint) and (e.xid, e.id) <= ($4::xid8, $5::bigint)
order by e.xid, e.id`,
      values: [SHARD, from.xid, from.id, last[0], last[1]],
    });
    const wrong = rows.findIndex((row) => !isGenuine(macKeys, toEntry(row)));
    if (wrong >= 0) broken(from.seq + wrong + 1, 'an entry was changed before it was linked');
  }

  async function step(): Promise<number> {
    const from = await lease();
    if (!from) return 0;
    // A transaction still under way keeps the horizon below its number, so that what it commits later is not skipped.
    const rows = await background.query({
      name: 'audit-unlinked',
      text: `select e.xid::text, e.id::text, e.at::text, e.mac
from audit.entry e
where e.shard = $1 and (e.xid, e.id) > ($2::xid8, $3::bigint) and e.xid < (
  select ((pg_snapshot_xmin(pg_current_snapshot())::text::bigint + c.shift)::text)::xid8 from audit.chain c where c.shard = $1)
order by e.xid, e.id
limit ${BATCH_MAX}`,
      values: [SHARD, from.xid, from.id],
    });
    const last = rows.at(-1);
    if (!last) return 0;
    if (rows.length <= PROVED_MAX) await proveEntries(from, last);
    const runs = runsOf(rows);
    let { seq, hash } = from;
    const links = runs.map((run) => {
      const marks = Buffer.concat(run.map(macOfRow).map(markOf));
      seq += run.length;
      hash = linkHash(hash, seq, marks);
      const [first, end] = [run[0] as Row, run.at(-1) as Row]; // no run is empty
      return { seq, hash, marks, count: run.length, at: first[2], xid: end[0], id: end[1] };
    });
    const to = { seq, hash, xid: last[0] as string, id: last[1] as string };
    const [moved] = await writes.query({
      name: 'audit-link',
      text: `with moved as (
  update audit.chain set seq = $3, hash = $4, xid = $5::xid8, id = $6::bigint, at = $7
  where shard = $1 and fence = $2::bigint and seq = $8 and holder = $9
  returning shard
), linked as (
  insert into audit.link (shard, seq, at, count, xid, id, marks, hash)
  select m.shard, u.* from moved m, unnest($10::bigint[], $11::bigint[], $12::int[], $13::xid8[], $14::bigint[], $15::bytea[],
    $16::bytea[]) u(seq, at, count, xid, id, marks, hash)
  returning count
)
select sum(count)::int from linked`,
      values: [
        SHARD,
        from.fence,
        to.seq,
        to.hash,
        to.xid,
        to.id,
        now(),
        from.seq,
        holder,
        links.map((link) => link.seq),
        links.map((link) => link.at),
        links.map((link) => link.count),
        links.map((link) => link.xid),
        links.map((link) => link.id),
        links.map((link) => link.marks),
        links.map((link) => link.hash),
      ],
    });
    if (moved?.[0] !== rows.length) {
      held = undefined; // another process has the chain
      renewedAt = Number.NEGATIVE_INFINITY;
      return 0;
    }
    held = { ...to, fence: from.fence };
    lag = Math.max(0, now() - rows.reduce((oldest, row) => Math.min(oldest, Number(row[2])), Number.POSITIVE_INFINITY));
    return rows.length;
  }

  async function checkpoint(): Promise<boolean> {
    const at = await lease();
    if (!at || at.seq === (signedSeq ?? 0)) return false;
    const { seq, hash } = at;
    const signed = signStatement<Checkpoint>(checkpointKey, {
      kind: 'checkpoint',
      shard: SHARD,
      seq,
      hash: hash.toString('hex'),
      count: seq,
      at: now(),
    });
    await writes.query({
      name: 'audit-checkpoint',
      text: 'insert into audit.checkpoint (shard, seq, at, content, signature) values ($1, $2, $3, $4, $5) on conflict do nothing',
      values: [SHARD, seq, now(), signed.content, signed.signature],
    });
    await options.emit(signed);
    signedSeq = seq;
    return true;
  }

  /** One round: what is there, and a checkpoint when it is time. */
  async function run(): Promise<void> {
    let delay = options.pollMs ?? POLL_MS;
    try {
      while (!stopped && (await step()) === BATCH_MAX);
      if (performance.now() - signedAt >= (options.checkpointEveryMs ?? CHECKPOINT_MS)) {
        await checkpoint();
        signedAt = performance.now();
      }
    } catch (error) {
      held = undefined;
      renewedAt = Number.NEGATIVE_INFINITY;
      log.error('the audit chain could not go on', { cause: (error as Error).message });
      delay = RETRY_MS;
    }
    if (!stopped) schedule(delay);
  }

  function schedule(delay: number): void {
    timer = setTimeout(() => {
      round = run();
    }, delay);
    timer.unref();
  }

  return {
    step,
    checkpoint,
    start: () => schedule(0),
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await round;
      try {
        while ((await step()) === BATCH_MAX);
        await checkpoint();
        if (held)
          await writes.query({
            text: "update audit.chain set leased_until = '-infinity' where shard = $1 and fence = $2::bigint and holder = $3",
            values: [SHARD, held.fence, holder],
          });
      } catch (error) {
        log.warn('the audit chain was left as it is', { cause: (error as Error).message });
      }
      held = undefined;
    },
    lagMs: () => lag,
  };
}
