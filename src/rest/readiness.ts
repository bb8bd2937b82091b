/** Whether the server can do its work: probed steadily, so that one lost answer does not make it flap. SECURITY: RL-45. */
import { setTimeout as sleep } from 'node:timers/promises';

export interface Readiness {
  /** At least three of the last five probes succeeded. */
  isReady(): boolean;
  stop(): void;
}

export interface ReadinessOptions {
  /** Rejects when the database does not answer. */
  readonly probe: () => Promise<unknown>;
  readonly intervalMs?: number;
  readonly onChange: (ready: boolean) => void;
}

const KEPT = 5;
const ENOUGH = 3;

/** Starts probing. Begins as ready, as the start itself has just used the database. */
export function createReadiness({ probe, intervalMs = 1_000, onChange }: ReadinessOptions): Readiness {
  const results: boolean[] = new Array(KEPT).fill(true);
  const isReady = (): boolean => results.filter(Boolean).length >= ENOUGH;
  const stopped = new AbortController();

  const run = async (): Promise<void> => {
    while (!stopped.signal.aborted) {
      await sleep(intervalMs, undefined, { signal: stopped.signal, ref: false });
      const before = isReady();
      results.shift();
      results.push(await answersWithin(probe, intervalMs));
      if (isReady() !== before && !stopped.signal.aborted) onChange(isReady());
    }
  };
  run().catch(() => {}); // ends by the abort of its sleep, and by nothing else: a failing probe is a result

  return { isReady, stop: () => stopped.abort() };
}

async function answersWithin(probe: () => Promise<unknown>, timeoutMs: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => resolve(false), timeoutMs);
  timer.unref();
  probe().then(
    () => resolve(true),
    () => resolve(false),
  );
  const answered = await promise;
  clearTimeout(timer);
  return answered;
}
