/**
 * Creates that wait together are written together: one statement a type inside one pipelined transaction.
 * A lone create is never delayed. docs/decisions/0003-storage.md
 */
import { errorCode, UNIQUE_VIOLATION } from './database-error.ts';
import { holdKeys, writeHeld } from './encryption/held-keys.ts';
import type { Pipeline } from './pools.ts';
import { readStatement } from './reader.ts';
import { insertManyStatement, insertStatement, type NewVersion } from './write-sql.ts';

/** Fewer waiting creates are sent as single statements. */
const BATCH_MIN = 8;
const BATCH_MAX = 64;
const IN_FLIGHT_MAX = 2;
/** Single statements on the way at once, before creates start to wait. */
const SINGLES_MAX = 4;

export interface GroupCommit {
  /** Resolves after the commit; rejects with the error of this very create. */
  insert(version: NewVersion): Promise<void>;
}

interface Waiting {
  readonly version: NewVersion;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export function createGroupCommit(writes: Pipeline): GroupCommit {
  let waiting: Waiting[] = [];
  let batches = 0;
  let singles = 0;

  function pump(): void {
    while (waiting.length > 0) {
      if (waiting.length >= BATCH_MIN && batches < IN_FLIGHT_MAX) {
        const group = waiting.slice(0, BATCH_MAX);
        waiting = waiting.slice(BATCH_MAX);
        batches++;
        void writeGroup(group).finally(() => {
          batches--;
          pump();
        });
      } else if (waiting.length < BATCH_MIN && singles < SINGLES_MAX && batches === 0) {
        const one = waiting.shift() as Waiting; // length > 0
        singles++;
        void writeOne(one).finally(() => {
          singles--;
          pump();
        });
      } else return;
    }
  }

  async function writeOne(one: Waiting): Promise<void> {
    try {
      await writeHeld(writes, one.version, insertStatement(one.version));
      one.resolve();
    } catch (error) {
      one.reject(error);
    }
  }

  async function writeAgain(one: Waiting): Promise<void> {
    const { version } = one;
    try {
      await writeHeld(writes, version, insertStatement(version));
      one.resolve();
    } catch (error) {
      if (errorCode(error) !== UNIQUE_VIOLATION) return one.reject(error);
      const stored = await writes
        .query(readStatement(version.table, version.row.ridHi, version.row.ridLo))
        .catch(() => []);
      if (stored[0]?.[4] === version.content) one.resolve();
      else one.reject(error);
    }
  }

  async function writeGroup(group: readonly Waiting[]): Promise<void> {
    const versions = group.map((w) => w.version);
    try {
      await writes.batch([
        { text: 'begin', values: [] },
        ...byType(versions).map(insertManyStatement),
        ...holdKeys(versions),
        { text: 'commit', values: [] },
      ]);
      for (const one of group) one.resolve();
    } catch {
      // One of them is at fault: each is tried alone, so that the others are kept and the one gets its own error. When
      // instead the answer to the commit was lost, each is found to be there already.
      await Promise.all(group.map(writeAgain));
    }
  }

  let scheduled = false;
  return {
    insert: (version) =>
      new Promise((resolve, reject) => {
        waiting.push({ version, resolve, reject });
        if (scheduled) return;
        scheduled = true;
        setImmediate(() => {
          scheduled = false;
          pump();
        });
      }),
  };
}

/** Versions grouped by type, in the order types first appear. */
export function byType(versions: readonly NewVersion[]): readonly (readonly NewVersion[])[] {
  const groups = new Map<string, NewVersion[]>();
  for (const version of versions) {
    const group = groups.get(version.table.type);
    if (group) group.push(version);
    else groups.set(version.table.type, [version]);
  }
  return [...groups.values()];
}
