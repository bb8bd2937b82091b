/**
 * Proves the audit trail: every entry is the one that was written, in its place in the chain, none is missing and none
 * was added, and the chain is the one that the checkpoints signed. SECURITY AU-09, AU-11
 */
import { createSecretKey, type KeyObject } from 'node:crypto';
import type pg from 'pg';
import type { CheckpointKey } from '../../ports/audit.ts';
import type { Cipher } from '../../ports/cipher.ts';
import { type Row, sendStatement } from '../pools.ts';
import { agentContext, agentId } from './agents.ts';
import { GENESIS, linkHash, MARK_BYTES, markOf } from './chain-hash.ts';
import { type EntryRow, isGenuine, SHARD } from './entry.ts';
import { ENTRY_COLUMN_COUNT, ENTRY_COLUMNS, toEntry } from './entry-sql.ts';
import { detailContext } from './log.ts';
import { openSheet, SHEET } from './sheet.ts';
import { type Checkpoint, openSigned, type PurgedRun, type Signed, type Tombstone } from './signed.ts';

export interface VerifyOptions {
  /** Any role that may read the schema; used for one transaction. */
  readonly client: pg.ClientBase;
  readonly macKeys: readonly Buffer[];
  readonly cipher: Cipher;
  readonly checkpointKey: CheckpointKey;
  /** Checkpoints of the second place, read before this call. */
  readonly elsewhere: readonly Signed[];
  /** ms UTC: from the last checkpoint before it, which is trusted for what lies ahead of it. */
  readonly from?: number;
  /** ms UTC: up to the first checkpoint after it. */
  readonly to?: number;
}

export interface Fault {
  /** The first entry that is not what it should be; the first of its run where the link itself was written anew. */
  readonly seq: number;
  readonly problem: string;
}

export interface Verdict {
  /** The first; undefined: the trail is whole. */
  readonly fault: Fault | undefined;
  /** Entries that were proved, each in its place in the chain. */
  readonly links: number;
  /** Checkpoints that agree with the chain. */
  readonly checkpoints: number;
  /** Entries that retention removed, proved by tombstones. */
  readonly purged: number;
  /** Entries that the chainer has not come to yet. */
  readonly waiting: number;
}

const PAGE = 5000;
const LINKS_PAGE = 100;

interface Proof {
  readonly run: (text: string, values?: readonly unknown[]) => Promise<readonly Row[]>;
  readonly macKeys: readonly KeyObject[];
  readonly faults: Fault[];
}

/** Checks all, or a range of time. */
export async function verifyAudit(options: VerifyOptions): Promise<Verdict> {
  const { client } = options;
  // One snapshot: what is appended meanwhile is not half seen.
  await client.query('begin isolation level repeatable read read only');
  try {
    return await prove(options);
  } finally {
    await client.query('rollback');
  }
}

async function prove(options: VerifyOptions): Promise<Verdict> {
  const proof: Proof = {
    run: (text, values = []) => sendStatement(options.client, { text, values }),
    macKeys: options.macKeys.map((key) => createSecretKey(key)),
    faults: [],
  };
  const checkpoints = await readSigned(proof, options);
  const runs = await readRuns(proof, options);
  const agents = await readAgents(proof, options);
  const start = options.from === undefined ? undefined : lastBefore(checkpoints, options.from);
  const end = options.to === undefined ? undefined : firstAfter(checkpoints, options.to);
  await checkShards(proof);
  const entries = await entriesFrom(proof, start?.seq ?? 0);
  const isKnown = (entry: EntryRow): boolean => agentsOf(entry, options.cipher).every((id) => agents.has(id));
  const walked = await walkChain(proof, { start, end, checkpoints, runs, isKnown, entries });
  const isWhole = proof.faults.length === 0;
  if (end === undefined) await checkEnd(proof, walked.seq, checkpoints);
  const waiting = end === undefined && isWhole ? await checkWaiting(proof, entries, walked.seq) : 0;
  const [fault] = proof.faults.toSorted((a, b) => a.seq - b.seq);
  return { fault, links: walked.links, checkpoints: walked.checkpoints, purged: walked.purged, waiting };
}

/** There is one chain: what claims to be of another stands in none. */
async function checkShards({ run, faults }: Proof): Promise<void> {
  const [row] = await run('select exists (select from audit.entry where shard < $1 or shard > $1)', [SHARD]);
  if (row?.[0] === true) faults.push({ seq: 1, problem: 'an entry was not made by us: it is of another chain' });
}

/** Signed checkpoints of both places by their seq. */
async function readSigned(
  { run, faults }: Proof,
  { checkpointKey, elsewhere }: VerifyOptions,
): Promise<Map<number, Checkpoint>> {
  const rows = await run('select seq::text, content, signature from audit.checkpoint where shard = $1 order by seq', [
    SHARD,
  ]);
  const here = rows.map(([seq, content, signature]) => ({
    named: Number(seq),
    signed: { content, signature } as Signed, // the columns' types
  }));
  const found = new Map<number, Checkpoint>();
  for (const { named, signed } of [...here, ...elsewhere.map((signed) => ({ named: undefined, signed }))]) {
    const opened = openSigned<Checkpoint>(checkpointKey, 'checkpoint', signed);
    if (opened === undefined || (named !== undefined && opened.seq !== named)) {
      faults.push({ seq: named ?? claimedSeq(signed), problem: 'a checkpoint is forged: no key of ours signed it' });
      continue;
    }
    const other = found.get(opened.seq);
    if (other && other.hash !== opened.hash)
      faults.push({ seq: opened.seq, problem: 'two signed checkpoints contradict each other' });
    found.set(opened.seq, opened);
  }
  return found;
}

/** What a forged checkpoint says it is of; for the message only. */
function claimedSeq({ content }: Signed): number {
  const seq = Number(/"seq":(\d{1,15})/.exec(content)?.[1]);
  return Number.isFinite(seq) ? seq : 0;
}

const ordered = (checkpoints: ReadonlyMap<number, Checkpoint>): Checkpoint[] =>
  [...checkpoints.values()].sort((a, b) => a.seq - b.seq);
const lastBefore = (checkpoints: ReadonlyMap<number, Checkpoint>, at: number): Checkpoint | undefined =>
  ordered(checkpoints).findLast((checkpoint) => checkpoint.at <= at);
const firstAfter = (checkpoints: ReadonlyMap<number, Checkpoint>, at: number): Checkpoint | undefined =>
  ordered(checkpoints).find((checkpoint) => checkpoint.at >= at);

/** Removed runs by their first seq. */
async function readRuns({ run, faults }: Proof, { checkpointKey }: VerifyOptions): Promise<Map<number, PurgedRun>> {
  const rows = await run('select content, signature from audit.tombstone where shard = $1', [SHARD]);
  const found = new Map<number, PurgedRun>();
  for (const [content, signature] of rows) {
    const opened = openSigned<Tombstone>(checkpointKey, 'tombstone', { content, signature } as Signed); // the columns' types
    if (!opened) {
      const first = Number(/"from":(\d{1,15})/.exec(String(content))?.[1]);
      faults.push({ seq: first || 0, problem: 'a tombstone is forged: no key of ours signed it' });
    }
    for (const purged of opened?.runs ?? []) found.set(purged.from, purged);
  }
  return found;
}

/** Ids of the agents that are what entries say. */
async function readAgents({ run, macKeys }: Proof, { cipher }: VerifyOptions): Promise<ReadonlySet<string>> {
  const rows = await run('select id, content, kind, name, user_id, fhir_user, client_id from audit.agent');
  const good = rows.filter(([id, content, ...columns]) => {
    const bytes = Buffer.from((id as string).replaceAll('-', ''), 'hex');
    try {
      const text = cipher.open(content as Buffer, agentContext(bytes)).toString();
      const { kind, name, user, clientId } = JSON.parse(text) as Record<string, Record<string, unknown> | undefined>; // ours
      const told = [kind, name, user?.['id'], user?.['fhirUser'], clientId].map((value) => value ?? null);
      return macKeys.some((key) => agentId(key, text).equals(bytes)) && told.every((value, i) => value === columns[i]);
    } catch {
      return false;
    }
  });
  return new Set(good.map(([id]) => (id as string).replaceAll('-', '')));
}

/** Who acted in the events of an entry, in hex; nobody anyone knows where a sheet does not open. */
function agentsOf(entry: EntryRow, cipher: Cipher): readonly string[] {
  if (entry.kind !== SHEET) return [entry.agent.toString('hex')];
  return openSheet(entry, cipher, detailContext)?.map(({ agent }) => agent.toString('hex')) ?? [''];
}

interface Walk {
  readonly start: Checkpoint | undefined;
  readonly end: Checkpoint | undefined;
  readonly checkpoints: ReadonlyMap<number, Checkpoint>;
  readonly runs: ReadonlyMap<number, PurgedRun>;
  /** Whether all who acted are who they were. */
  readonly isKnown: (entry: EntryRow) => boolean;
  readonly entries: EntryStream;
}

interface Walked {
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
async function walkChain({ run, macKeys, faults }: Proof, walk: Walk): Promise<Walked> {
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
  const links = paged(
    LINKS_PAGE,
    seq,
    (after) =>
      run(
        `select l.seq::text, l.count, l.marks, l.hash from audit.link l
where l.shard = $1 and l.seq > $2 and l.seq <= $3
order by l.seq
limit ${LINKS_PAGE}`,
        [SHARD, after, walk.end?.seq ?? Number.MAX_SAFE_INTEGER],
      ),
    (row) => Number(row[0]),
  );
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

interface EntryStream {
  /** The next in the order of commits. */
  next(): Promise<EntryRow | undefined>;
}

/** Entries after the link that ends at `seq`, or the last before it that is left. */
async function entriesFrom({ run }: Proof, seq: number): Promise<EntryStream> {
  const [link] = await run(
    'select l.xid::text, l.id::text from audit.link l where l.shard = $1 and l.seq <= $2 order by l.seq desc limit 1',
    [SHARD, seq],
  );
  const [xid, id] = (link ?? ['0', '0']) as [string, string];
  const rows = paged(
    PAGE,
    [xid, id] as const,
    ([afterXid, afterId]) =>
      run(
        `select ${ENTRY_COLUMNS}, e.xid::text, e.id::text from audit.entry e
where e.shard = $1 and (e.xid, e.id) > ($2::xid8, $3::bigint)
order by e.xid, e.id
limit ${PAGE}`,
        [SHARD, afterXid, afterId],
      ),
    (row) => [row[ENTRY_COLUMN_COUNT] as string, row[ENTRY_COLUMN_COUNT + 1] as string] as const,
  );
  return {
    async next() {
      const { value } = await rows.next();
      return value && toEntry(value);
    },
  };
}

/** Rows page by page; the database looks up the next page while this one is proved. */
async function* paged<P>(
  size: number,
  start: P,
  read: (after: P) => Promise<readonly Row[]>,
  positionOf: (row: Row) => P,
): AsyncGenerator<Row, undefined> {
  const ahead = (after: P): Promise<readonly Row[]> => {
    const rows = read(after);
    rows.catch(() => undefined); // seen where it is awaited, if it still is
    return rows;
  };
  for (let coming: Promise<readonly Row[]> | undefined = ahead(start); coming; ) {
    const rows: readonly Row[] = await coming;
    const last = rows.at(-1);
    coming = rows.length === size && last ? ahead(positionOf(last)) : undefined;
    yield* rows;
  }
  return undefined;
}

/** The chain ends where it was left, and not before what was signed. */
async function checkEnd(
  { run, faults }: Proof,
  seq: number,
  checkpoints: ReadonlyMap<number, Checkpoint>,
): Promise<void> {
  if (faults.some((fault) => fault.seq === seq + 1)) return; // the walk stopped there
  const [row] = await run('select seq::text from audit.chain where shard = $1', [SHARD]);
  const left = row ? Number(row[0]) : 0;
  if (Math.max(left, ...checkpoints.keys()) > seq)
    faults.push({ seq: seq + 1, problem: 'the tail is cut off: the chain had gone further' });
  else if (left < seq) faults.push({ seq: left + 1, problem: 'links were added past the position of the chain' });
}

/** Entries without a link: the chainer has not come to them. */
async function checkWaiting({ macKeys, faults }: Proof, entries: EntryStream, seq: number): Promise<number> {
  let waiting = 0;
  for (let entry = await entries.next(); entry; entry = await entries.next()) {
    waiting += 1;
    if (isGenuine(macKeys, entry)) continue;
    faults.push({ seq: seq + waiting, problem: 'an entry was not made by us' });
    return waiting;
  }
  return waiting;
}
