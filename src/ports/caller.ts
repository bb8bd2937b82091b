/** Who asks. The first argument of every store and use-case function, so that an unchecked path does not compile. */
export interface Caller {
  /** `operator` is the local operator of a server that listens on loopback only. */
  readonly kind: 'operator';
  /** Stable name for logs and the change table; never a person's name. */
  readonly name: string;
  /** Joins log lines, messages and jobs of one request. */
  readonly correlationId: string;
}
