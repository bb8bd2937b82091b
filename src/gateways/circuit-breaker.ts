/** Stops asking who does not answer: after some failures in a row nothing is sent for a while, then one as a probe. */

export interface CircuitBreaker {
  /** Undefined when something may be sent now; else until when not, ms UTC. */
  closedUntil(): number | undefined;
  succeeded(): void;
  failed(): void;
}

export interface CircuitBreakerOptions {
  readonly failuresMax: number;
  /** How long nothing is sent the first time; it doubles with each probe that fails, up to `pauseMaxMs`. */
  readonly pauseMs: number;
  readonly pauseMaxMs: number;
  readonly now: () => number;
}

export function createCircuitBreaker({ failuresMax, pauseMs, pauseMaxMs, now }: CircuitBreakerOptions): CircuitBreaker {
  let failures = 0;
  let pauses = 0;
  let until: number | undefined;
  const pause = (): number => Math.min(pauseMaxMs, pauseMs * 2 ** pauses);
  return {
    closedUntil() {
      if (until === undefined) return undefined;
      if (now() < until) return until;
      until = now() + pause(); // the others wait for the probe
      return undefined;
    },
    succeeded() {
      failures = 0;
      pauses = 0;
      until = undefined;
    },
    failed() {
      failures += 1;
      if (failures < failuresMax) return;
      if (until !== undefined) pauses += 1;
      until = now() + pause();
    },
  };
}
