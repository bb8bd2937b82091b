/** What the checkpoint key signed: where the chain stood, and which runs of it retention removed. SECURITY AU-11 */
import type { CheckpointKey } from '../../ports/audit.ts';
import { SHARD } from './entry.ts';
import type { Proof } from './proof.ts';
import { type Checkpoint, openSigned, type PurgedRun, type Signed, type Tombstone } from './signed.ts';

/** Signed checkpoints of both places by their seq. */
export async function readSigned(
  { run, faults }: Proof,
  checkpointKey: CheckpointKey,
  elsewhere: readonly Signed[],
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
export const lastBefore = (checkpoints: ReadonlyMap<number, Checkpoint>, at: number): Checkpoint | undefined =>
  ordered(checkpoints).findLast((checkpoint) => checkpoint.at <= at);
export const firstAfter = (checkpoints: ReadonlyMap<number, Checkpoint>, at: number): Checkpoint | undefined =>
  ordered(checkpoints).find((checkpoint) => checkpoint.at >= at);

/** Removed runs by their first seq. */
export async function readRuns({ run, faults }: Proof, checkpointKey: CheckpointKey): Promise<Map<number, PurgedRun>> {
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
