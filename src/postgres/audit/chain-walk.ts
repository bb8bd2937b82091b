/** Goes along the chain link by link, and holds each entry against the mark that the chain has of it. SECURITY AU-09 */
import type { KeyObject } from 'node:crypto';
import type { Row } from '../pools.ts';
import { GENESIS, linkHash, MARK_BYTES, markOf } from './chain-hash.ts';
import { type EntryRow, isGenuine, SHARD } from './entry.ts';
import { type EntryStream, paged } from './entry-stream.ts';
import type { Proof } from './proof.ts';
import type { Checkpoint, PurgedRun } from './signed.ts';

const LINKS_PAGE = 100;

export interface Walk {
  readonly start: Checkpoint | undefined;
  readonly end: Checkpoint | undefined;
  readonly checkpoints: ReadonlyMap<number, Checkpoint>;
  readonly runs: ReadonlyMap<number, PurgedRun>;
  /** Whether all who acted are who they were. */
  readonly isKnown: (entry: EntryRow) => boolean;
  readonly entries: EntryStream;
}

export interface Walked {
  readonly seq: number;
  readonly links: number;
  readonly checkpoints: number;
  readonly purged: number;
}

interface Link {
  readonly seq: number;
  readonly count: number;
  readonly marks: Buffer;
  readonly hash: Buffer;
}

/** Link by link up to the first that is wrong. */
export async function walkChain({ run, macKeys, faults }: Proof, walk: Walk): Promise<Walked> {
  let seq = walk.start?.seq ?? 0;
  let hash: Buffer = walk.start ? Buffer.from(walk.start.hash, 'hex') : GENESIS;
  const done = { links: 0, checkpoints: 0, purged: 0 };
  const unmet = new Set(walk.checkpoints.keys());
  const fail = (at: number, problem: string): Walked => {
    faults.push({ seq: at, problem });
    return { seq: at - 1, ...done };
  };
  const jump = (): string | undefined => {
    for (let purged = walk.runs.get(seq + 1); purged; purged = walk.runs.get(seq + 1)) {
      if (purged.before !== hash.toString('hex')) return 'a tombstone does not go on from the chain';
      done.purged += purged.to - purged.from + 1;
      for (const signed of unmet) if (signed > seq && signed <= purged.to) unmet.delete(signed);
      seq = purged.to;
      hash = Buffer.from(purged.last, 'hex');
    }
    return undefined;
  };
  const links = linksFrom(run, seq, walk.end?.seq ?? Number.MAX_SAFE_INTEGER);
  for await (const [named, count, marks, stored] of links) {
    const wrongJump = jump();
    if (wrongJump !== undefined) return fail(seq + 1, wrongJump);
    const link = { seq: Number(named), count, marks, hash: stored } as Link; // the columns' types
    if (link.seq > seq + link.count) return fail(seq + 1, 'a link is missing');
    if (link.seq < seq + link.count) return fail(link.seq, 'a link was inserted');
    const made = linkHash(hash, link.seq, link.marks);
    const isOurs = made.equals(link.hash) && link.marks.length === link.count * MARK_BYTES;
    if (!isOurs) return fail(seq + 1, 'the link does not fit: links were rewritten or reordered');
    for (let at = 0; at < link.marks.length; at += MARK_BYTES) {
      const entry = await walk.entries.next();
      const problem = problemOf(entry, link.marks.subarray(at, at + MARK_BYTES), macKeys, walk.isKnown);
      if (problem !== undefined) return fail(seq + 1, problem);
      seq += 1;
      done.links += 1;
    }
    hash = made;
    const signed = walk.checkpoints.get(seq);
    if (signed && signed.hash !== hash.toString('hex')) return fail(seq, 'the chain is not the one that was signed');
    if (signed) done.checkpoints += 1;
    unmet.delete(seq);
  }
  const wrongJump = jump();
  if (wrongJump !== undefined) return fail(seq + 1, wrongJump);
  if (walk.end && seq < walk.end.seq) return fail(seq + 1, 'the chain ends before what was signed');
  const passed = [...unmet].filter((signed) => signed > (walk.start?.seq ?? 0) && signed < seq);
  if (passed.length > 0) faults.push({ seq: Math.min(...passed), problem: 'the chain is not the one that was signed' });
  return { seq, ...done };
}

const linksFrom = (run: Proof['run'], seq: number, last: number): AsyncGenerator<Row, undefined> =>
  paged(
    LINKS_PAGE,
    seq,
    (after) =>
      run(
        `select l.seq::text, l.count, l.marks, l.hash from audit.link l
where l.shard = $1 and l.seq > $2 and l.seq <= $3
order by l.seq
limit ${LINKS_PAGE}`,
        [SHARD, after, last],
      ),
    (row) => Number(row[0]),
  );

/** What is wrong with the entry in a place whose mark the chain has. */
function problemOf(
  entry: EntryRow | undefined,
  mark: Buffer,
  macKeys: readonly KeyObject[],
  isKnown: (entry: EntryRow) => boolean,
): string | undefined {
  if (!entry) return 'its entry was deleted';
  if (!isGenuine(macKeys, entry)) return 'its entry was changed, or was not made by us';
  if (!markOf(entry.mac).equals(mark)) return 'its entry was deleted, or entries were reordered';
  if (!isKnown(entry)) return 'who acted was changed or deleted';
  return undefined;
}
