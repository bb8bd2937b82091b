/**
 * Work that waits at the same time is done in one transaction; a lone one is never delayed. What cannot be shared, or was in
 * a transaction that failed, is done by itself: nobody fails for another. docs/gateway.md "Together"
 */
import type { Caller } from '../ports/caller.ts';
import type { StoreTransaction } from '../ports/resource-store.ts';
import { type SharedWork, shareTransaction } from '../workflow/shared-transaction.ts';

/** Commits what `work` does, or none of it when it throws. */
export type Transact = <T>(work: (tx: StoreTransaction) => Promise<T>) => Promise<T>;

/** So many share a transaction at most. */
const SHARING_MAX = 32;
/** Beside one that is on its way another begins only for so many: those that come meanwhile share the next. */
const SHARING_MIN = 8;
/** One that takes longer waits for somebody, and nobody waits for it. */
const SLOW_MS = 200;
const IN_FLIGHT_MAX = 4;

/** Whose the work is, and how it is done by itself. */
export interface Own {
  readonly caller: Caller;
  readonly transact: Transact;
}

interface Queued {
  readonly work: SharedWork<unknown>;
  readonly own: Own | undefined;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * The same as `transact` for work that can share: see `SharedWork`. Where the work of several callers comes, each brings
 * their `own`, and `transact` is of a caller who may do nothing.
 */
export function createTransactionGroup(transact: Transact): <T>(work: SharedWork<T>, own?: Own) => Promise<T> {
  let queue: Queued[] = [];
  let inFlight = 0;
  let slow = 0;
  let isScheduled = false;

  const alone = ({ work, own, resolve, reject }: Queued): Promise<void> =>
    (own?.transact ?? transact)(work).then(resolve, reject);

  async function together(group: readonly Queued[]): Promise<void> {
    let tries = 0;
    const outcomes = await transact((tx) => {
      // By itself each is tried again as often as it takes.
      if (tries++ > 0) throw new Error('a shared transaction is tried once');
      return shareTransaction(
        tx,
        group.map(({ work }) => work),
        group.map(({ own }) => own?.caller),
      );
    }).catch(() => undefined);
    const left: Queued[] = [];
    for (const [i, one] of group.entries()) {
      const outcome = outcomes?.[i];
      if (outcome?.kind === 'done') one.resolve(outcome.value);
      else if (outcome?.kind === 'failed') one.reject(outcome.error);
      else left.push(one);
    }
    await Promise.all(left.map(alone));
  }

  function mayBegin(): boolean {
    const swift = inFlight - slow;
    return inFlight < IN_FLIGHT_MAX && (swift === 0 || (swift === 1 && queue.length >= SHARING_MIN));
  }

  function pump(): void {
    isScheduled = false;
    while (queue.length > 0 && mayBegin()) {
      const group = queue.slice(0, SHARING_MAX);
      queue = queue.slice(SHARING_MAX);
      void begin(group);
    }
  }

  async function begin(group: readonly Queued[]): Promise<void> {
    let isSlow = false;
    const timer = setTimeout(() => {
      isSlow = true;
      slow++;
      pump();
    }, SLOW_MS);
    inFlight++;
    const [only] = group;
    await (group.length === 1 && only ? alone(only) : together(group));
    clearTimeout(timer);
    inFlight--;
    if (isSlow) slow--;
    pump();
  }

  return <T>(work: SharedWork<T>, own?: Own) =>
    new Promise<T>((resolve, reject) => {
      queue.push({ work, own, resolve: resolve as (value: unknown) => void, reject }); // it resolves with what this work gives
      if (isScheduled) return;
      isScheduled = true;
      setImmediate(pump);
    });
}
