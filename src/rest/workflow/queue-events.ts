/**
 * Tells who looks at a queue that it has changed: the change log is followed once for all of them, and only while somebody
 * looks. An event has counts alone, of a queue that its reader may see: whoever wants lines asks for the page. MISSION M10
 */
import type { ChangePosition, ChangeTail } from '../../ports/change-feed.ts';
import type { QueueCounts } from '../../ports/dispense-queue.ts';

export interface QueueEventsOptions {
  readonly changes: ChangeTail;
  readonly isQueueTask: (content: string) => string | undefined;
  readonly everyMs?: number;
  readonly onError: (error: unknown) => void;
}

interface Reader {
  readonly pharmacyId: string;
  readonly wake: () => void;
}

const EVERY_MS = 1000;
const PAGE = 500;
const READERS_MAX = 1000;
/** A line now and then keeps proxies from closing the connection. */
const BEATS = 15;
const TASKS: ReadonlySet<string> = new Set(['Task']);

export function createQueueEvents(options: QueueEventsOptions) {
  const { changes, isQueueTask, onError, everyMs = EVERY_MS } = options;
  const readers = new Set<Reader>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let position: ChangePosition | undefined;
  let isStopped = false;

  async function look(): Promise<void> {
    position ??= await changes.head();
    const changed = new Set<string>();
    for (let isMore = true; isMore && !isStopped; ) {
      const page = await changes.after(position, TASKS, PAGE);
      position = page.to;
      isMore = page.isFull;
      for (const { content } of page.versions) {
        const owner = isQueueTask(content);
        if (owner !== undefined) changed.add(owner);
      }
    }
    for (const { pharmacyId, wake } of readers) if (changed.has(pharmacyId)) wake();
  }

  function schedule(): void {
    if (timer !== undefined || readers.size === 0 || isStopped) return;
    timer = setTimeout(() => {
      void look()
        .catch(onError)
        .finally(() => {
          timer = undefined;
          if (readers.size === 0) position = undefined;
          schedule();
        });
    }, everyMs);
    timer.unref();
  }

  return {
    /** `countsOf`: of the queue, for this reader. Text of `text/event-stream`: https://html.spec.whatwg.org/multipage/server-sent-events.html */
    async *follow(pharmacyId: string, countsOf: () => Promise<QueueCounts>): AsyncGenerator<Buffer> {
      if (readers.size >= READERS_MAX) {
        yield Buffer.from('retry: 60000\n\n');
        return;
      }
      let isChanged = true;
      let wakeUp: (() => void) | undefined;
      const reader: Reader = {
        pharmacyId,
        wake: () => {
          isChanged = true;
          wakeUp?.();
        },
      };
      readers.add(reader);
      try {
        position ??= await changes.head();
        schedule();
        yield Buffer.from('retry: 5000\n\n');
        while (!isStopped) {
          if (isChanged) {
            isChanged = false;
            yield eventOf(await countsOf());
          }
          const isWoken = await new Promise<boolean>((resolve) => {
            const beat = setTimeout(() => resolve(false), everyMs * BEATS);
            wakeUp = () => {
              clearTimeout(beat);
              resolve(true);
            };
            if (isChanged || isStopped) wakeUp();
          });
          if (!isWoken) yield Buffer.from(': still here\n\n');
        }
      } finally {
        readers.delete(reader);
      }
    },

    stop(): void {
      isStopped = true;
      clearTimeout(timer);
      for (const { wake } of readers) wake();
    },
  };
}

const eventOf = ({ controlled, high_risk, routine }: QueueCounts): Buffer =>
  Buffer.from(
    `event: queue\ndata: ${JSON.stringify({ total: controlled + high_risk + routine, routine, controlled, high_risk })}\n\n`,
  );
