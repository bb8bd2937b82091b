/** Statements about the chain that are signed: checkpoints each minute, tombstones of what retention removed. */
import type { CheckpointKey } from '../../ports/audit.ts';

/** The chain stood here. SECURITY AU-08 */
export interface Checkpoint {
  readonly kind: 'checkpoint';
  readonly shard: number;
  readonly seq: number;
  /** Hexadecimal. */
  readonly hash: string;
  /** Links up to here, those that retention removed included. */
  readonly count: number;
  /** ms UTC */
  readonly at: number;
  readonly key: string;
}

/** A run of links that was removed: the chain goes from `before`, the hash of the link ahead of it, on with `last`. */
export interface PurgedRun {
  readonly from: number;
  readonly to: number;
  readonly before: string;
  readonly last: string;
}

/** What retention removed. SECURITY AU-11 */
export interface Tombstone {
  readonly kind: 'tombstone';
  readonly shard: number;
  /** `202611` */
  readonly month: string;
  readonly count: number;
  readonly runs: readonly PurgedRun[];
  /** ms UTC */
  readonly at: number;
  readonly key: string;
}

/** The text that was signed, and its signature in base64url. */
export interface Signed {
  readonly content: string;
  readonly signature: string;
}

export function signStatement<T extends Checkpoint | Tombstone>(key: CheckpointKey, statement: Omit<T, 'key'>): Signed {
  const content = JSON.stringify({ ...statement, key: key.keyId });
  return { content, signature: key.sign(Buffer.from(content)).toString('base64url') };
}

/** The statement, or undefined when no key of ours signed this very text. */
export function openSigned<T extends Checkpoint | Tombstone>(
  key: CheckpointKey,
  kind: T['kind'],
  { content, signature }: Signed,
): T | undefined {
  let statement: unknown;
  try {
    statement = JSON.parse(content);
  } catch {
    return undefined;
  }
  if (typeof statement !== 'object' || statement === null) return undefined;
  const { kind: found, key: keyId } = statement as Partial<T>;
  if (found !== kind || typeof keyId !== 'string') return undefined;
  return key.verify(keyId, Buffer.from(content), Buffer.from(signature, 'base64url')) ? (statement as T) : undefined; // ours: signed
}
