/**
 * Proves the audit trail: every entry is the one that was written, in its place in the chain, none is missing and none
 * was added, and the chain is the one that the checkpoints signed. SECURITY AU-09, AU-11
 */
import { createSecretKey } from 'node:crypto';
import type pg from 'pg';
import type { CheckpointKey } from '../../ports/audit.ts';
import type { Cipher } from '../../ports/cipher.ts';
import { sendStatement } from '../pools.ts';
import { walkChain } from './chain-walk.ts';
import { isGenuine, SHARD } from './entry.ts';
import { type EntryStream, entriesFrom } from './entry-stream.ts';
import type { Fault, Proof } from './proof.ts';
import type { Checkpoint, Signed } from './signed.ts';
import { readKnownAgents } from './verify-agents.ts';
import { firstAfter, lastBefore, readRuns, readSigned } from './verify-signed.ts';

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
  const checkpoints = await readSigned(proof, options.checkpointKey, options.elsewhere);
  const runs = await readRuns(proof, options.checkpointKey);
  const isKnown = await readKnownAgents(proof, options.cipher);
  const start = options.from === undefined ? undefined : lastBefore(checkpoints, options.from);
  const end = options.to === undefined ? undefined : firstAfter(checkpoints, options.to);
  await checkShards(proof);
  const entries = await entriesFrom(proof, start?.seq ?? 0);
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
