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
import { GENESIS, linkHash } from './chain-hash.ts';
import { canonicalBytes, isGenuine, SHARD } from './entry.ts';
import { ENTRY_COLUMN_COUNT, ENTRY_COLUMNS, toEntry } from './entry-sql.ts';
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
  /** The first link that is not what it should be. */
  readonly seq: number;
  readonly problem: string;
}

export interface Verdict {
  /** The first; undefined: the trail is whole. */
  readonly fault: Fault | undefined;
  /** Links that were proved. */
  readonly links: number;
  /** Checkpoints that agree with the chain. */
  readonly checkpoints: number;
  /** Links that retention removed, proved by tombstones. */
  readonly purged: number;
  /** Entries that the chainer has not come to yet. */
  readonly waiting: number;
}

const PAGE = 5000;
const UNLINKED_MAX = 10_000;

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
  const walked = await walkChain(proof, { start, end, checkpoints, runs, agents });
  if (end === undefined) await checkEnd(proof, walked.seq, checkpoints);
  const waiting = await checkUnlinked(proof, options, walked.seq);
  const [fault] = proof.faults.toSorted((a, b) => a.seq - b.seq);
  return { fault, links: walked.links, checkpoints: walked.checkpoints, purged: walked.purged, waiting };
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

interface Walk {
  readonly start: Checkpoint | undefined;
  readonly end: Checkpoint | undefined;
  readonly checkpoints: ReadonlyMap<number, Checkpoint>;
  readonly runs: ReadonlyMap<number, PurgedRun>;
  readonly agents: ReadonlySet<string>;
}

interface Walked {
  readonly seq: number;
  readonly links: number;
  readonly checkpoints: number;
  readonly purged: number;
}

/** Link by link up to the first that is wrong. */
async function walkChain({ run, macKeys, faults }: Proof, walk: Walk): Promise<Walked> {
  let seq = walk.start?.seq ?? 0;
  let hash: Buffer = walk.start ? Buffer.from(walk.start.hash, 'hex') : GENESIS;
  const done = { links: 0, checkpoints: 0, purged: 0 };
  const fail = (at: number, problem: string): Walked => {
    faults.push({ seq: at, problem });
    return { seq: at - 1, ...done };
  };
  const jump = (): string | undefined => {
    for (let purged = walk.runs.get(seq + 1); purged; purged = walk.runs.get(seq + 1)) {
      if (purged.before !== hash.toString('hex')) return 'a tombstone does not go on from the chain';
      done.purged += purged.to - purged.from + 1;
      seq = purged.to;
      hash = Buffer.from(purged.last, 'hex');
    }
    return undefined;
  };
  const page = (after: number): Promise<readonly Row[]> => {
    const rows = run(
      `select l.seq::text, l.hash, e.id is null, ${ENTRY_COLUMNS}
from audit.link l
left join lateral (select * from audit.entry e where e.at = l.at and e.id = l.id limit 1) e on true
where l.shard = $1 and l.seq > $2 and l.seq <= $3
order by l.seq
limit ${PAGE}`,
      [SHARD, after, walk.end?.seq ?? Number.MAX_SAFE_INTEGER],
    );
    rows.catch(() => undefined); // seen where it is awaited, if it still is
    return rows;
  };
  for (let coming: Promise<readonly Row[]> | undefined = page(seq); coming; ) {
    const rows: readonly Row[] = await coming;
    // The database looks up the next page while this one is proved.
    coming = rows.length === PAGE ? page(Number(rows.at(-1)?.[0])) : undefined;
    for (const row of rows) {
      const wrongJump = jump();
      if (wrongJump !== undefined) return fail(seq + 1, wrongJump);
      const [named, stored, isMissing] = row as [string, Buffer, boolean];
      if (Number(named) > seq + 1) return fail(seq + 1, 'a link is missing');
      if (Number(named) < seq + 1) return fail(Number(named), 'a link was inserted');
      const next = seq + 1;
      if (isMissing) return fail(next, 'its entry was deleted, or the link names another');
      const entry = toEntry(row, 3);
      const canonical = canonicalBytes(entry);
      if (!isGenuine(macKeys, entry, canonical)) return fail(next, 'its entry was changed, or was not made by us');
      const made = linkHash(hash, next, canonical, entry.mac);
      if (!made.equals(stored)) return fail(next, 'the link does not fit: entries were reordered or links rewritten');
      if (!walk.agents.has(entry.agent.toString('hex'))) return fail(next, 'who acted was changed or deleted');
      seq = next;
      hash = made;
      done.links += 1;
      const signed = walk.checkpoints.get(seq);
      if (signed && signed.hash !== hash.toString('hex')) return fail(seq, 'the chain is not the one that was signed');
      if (signed) done.checkpoints += 1;
    }
  }
  const wrongJump = jump();
  if (wrongJump !== undefined) return fail(seq + 1, wrongJump);
  if (walk.end && seq < walk.end.seq) return fail(seq + 1, 'the chain ends before what was signed');
  return { seq, ...done };
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

/** Entries without a link: the chainer has not come to them, or they came in behind its back. */
async function checkUnlinked(
  { run, macKeys, faults }: Proof,
  { from, to }: VerifyOptions,
  seq: number,
): Promise<number> {
  const rows = await run(
    `select ${ENTRY_COLUMNS}, (e.xid, e.id) <= (c.xid, c.id),
  (select min(n.seq)::text from audit.link n where n.shard = $1 and n.at = (
    select min(m.at) from audit.link m where m.at >= e.at))
from audit.entry e
cross join audit.chain c
where c.shard = $1 and e.at >= $2 and e.at <= $3
  and not exists (select from audit.link l where l.at = e.at and l.id = e.id)
order by e.at, e.id
limit ${UNLINKED_MAX}`,
    [SHARD, from ?? 0, to ?? Number.MAX_SAFE_INTEGER],
  );
  let waiting = 0;
  for (const row of rows) {
    const entry = toEntry(row);
    const next = row[ENTRY_COLUMN_COUNT + 1];
    const place = next === null ? seq + 1 : Number(next);
    if (row[ENTRY_COLUMN_COUNT] === true)
      faults.push({ seq: place, problem: 'an entry was inserted behind the chain' });
    else if (!isGenuine(macKeys, entry)) faults.push({ seq: place, problem: 'an entry was not made by us' });
    else waiting += 1;
  }
  return waiting;
}
