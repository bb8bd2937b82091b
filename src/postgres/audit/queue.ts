/** Events that wait for the trail: those of one tick share a statement, and the next batch grows while two are on their way. */
import type { Pipeline } from '../pools.ts';
import type { EntryDraft } from './drafts.ts';
import type { EntryRow } from './entry.ts';
import { insertEntriesStatement } from './entry-sql.ts';

export interface EntryQueue {
  /** Resolves when the entry is durable. */
  add(draft: EntryDraft): Promise<void>;
  waiting(): number;
}

const QUEUE_MAX = 20_000;
const BATCH_MAX = 1000;
const IN_FLIGHT_MAX = 1;

interface Waiting {
  readonly draft: EntryDraft;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export function createQueue(options: {
  readonly writes: Pipeline;
  readonly toRows: (drafts: readonly EntryDraft[]) => readonly EntryRow[];
  readonly onFailure: (error: unknown) => void;
}): EntryQueue {
  const { writes, toRows, onFailure } = options;
  let waiting: Waiting[] = [];
  let inFlight = 0;
  let scheduled = false;

  function pump(): void {
    scheduled = false;
    while (waiting.length > 0 && inFlight < IN_FLIGHT_MAX) {
      const batch = waiting.slice(0, BATCH_MAX);
      waiting = waiting.slice(BATCH_MAX);
      inFlight++;
      void send(batch);
    }
  }

  async function send(batch: readonly Waiting[]): Promise<void> {
    try {
      await writes.query(insertEntriesStatement(toRows(batch.map((one) => one.draft))));
      for (const one of batch) one.resolve();
    } catch (error) {
      onFailure(error);
      for (const one of batch) one.reject(error);
    } finally {
      inFlight--;
      pump();
    }
  }

  return {
    waiting: () => waiting.length,
    add: (draft) =>
      new Promise((resolve, reject) => {
        if (waiting.length >= QUEUE_MAX) {
          reject(new Error('too many audit events wait to be written'));
          return;
        }
        waiting.push({ draft, resolve, reject });
        if (scheduled) return;
        scheduled = true;
        setImmediate(pump);
      }),
  };
}
