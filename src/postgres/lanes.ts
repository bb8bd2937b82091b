/**
 * Connections that each work off what they are given in order: which of them takes the next piece of work. One that has
 * been at a piece for long gets no more of it, so that a slow search keeps nobody waiting but those sent just after it.
 */

export interface LanesOptions<T> {
  readonly size: number;
  /** Opens a connection; `lost` is called when it has gone, and another is opened when there is work. */
  readonly open: (lost: () => void) => Promise<T>;
  /** Most pieces that one connection is given at a time. */
  readonly depth?: number;
  /** ms, rising. */
  readonly now?: () => number;
}

export interface Lanes<T> {
  /** Does the work on a connection, or waits its turn for one. Rejects as the work or the connection does. */
  run<R>(work: (on: T) => Promise<R>): Promise<R>;
  /** Connections that are open or opening. */
  size(): number;
  /** Takes no more work, and resolves to the connections that are left. */
  end(): Promise<readonly T[]>;
}

interface Lane<T> {
  gate: Promise<T> | undefined;
  /** Pieces it has been given. */
  busy: number;
  /** Since when it has been at the first of them. */
  since: number;
}

interface Waiting<T> {
  readonly start: (lane: Lane<T>) => void;
  readonly reject: (error: unknown) => void;
}

/** Enough that a connection has the next piece before it is done with the one before. */
const DEPTH = 4;
/** ms at one piece: what is found by an index takes a few. */
const LONG_MS = 20;

export function createLanes<T>(options: LanesOptions<T>): Lanes<T> {
  const { size, open, depth = DEPTH, now = () => performance.now() } = options;
  const lanes: readonly Lane<T>[] = Array.from({ length: size }, () => ({ gate: undefined, busy: 0, since: 0 }));
  let waiting: Waiting<T>[] = [];
  let hasEnded = false;

  /** An idle one, the opened first, as its statements are prepared; else the least busy that gets on. */
  function pick(): Lane<T> | undefined {
    let best: Lane<T> | undefined;
    let fresh: Lane<T> | undefined;
    for (const lane of lanes) {
      if (lane.gate === undefined) fresh ??= lane;
      else if (lane.busy === 0) return lane;
      else if (lane.busy < (best?.busy ?? depth) && now() - lane.since < LONG_MS) best = lane;
    }
    return fresh ?? best;
  }

  function gateOf(lane: Lane<T>): Promise<T> {
    if (lane.gate) return lane.gate;
    const lost = (): void => {
      if (lane.gate === gate) lane.gate = undefined;
    };
    const gate = Promise.resolve().then(() => open(lost));
    gate.catch(lost);
    lane.gate = gate;
    return gate;
  }

  async function start<R>(lane: Lane<T>, work: (on: T) => Promise<R>): Promise<R> {
    if (lane.busy++ === 0) lane.since = now();
    try {
      return await work(await gateOf(lane));
    } finally {
      lane.busy--;
      lane.since = now();
      startWaiting();
    }
  }

  function startWaiting(): void {
    while (waiting.length > 0) {
      const lane = pick();
      if (!lane) return;
      waiting.shift()?.start(lane);
    }
  }

  return {
    run(work) {
      if (hasEnded) return Promise.reject(ended());
      const lane = waiting.length === 0 ? pick() : undefined;
      if (lane) return start(lane, work);
      return new Promise((resolve, reject) => {
        waiting.push({ start: (on) => void start(on, work).then(resolve, reject), reject });
      });
    },
    size: () => lanes.filter(({ gate }) => gate !== undefined).length,
    async end() {
      hasEnded = true;
      for (const { reject } of waiting) reject(ended());
      waiting = [];
      const left = await Promise.allSettled(lanes.flatMap(({ gate }) => gate ?? []));
      return left.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    },
  };
}

const ended = (): Error => new Error('Connection ended: the server is stopping');
