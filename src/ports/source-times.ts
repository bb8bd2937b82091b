/** When senders of messages last said something of resources. `src/postgres/source-times.ts` implements it. */

/** What one sender has said of one resource. */
export interface SourceTime {
  /** `Patient/1` */
  readonly resource: string;
  /** The version that its last message made, or found. */
  readonly versionId: number;
  /** When it said something of each element, ms UTC of its own clock. */
  readonly elements: Readonly<Record<string, number>>;
}

/** Of what a sender says something. */
export interface SaidOf {
  readonly feed: string;
  /** `Patient/1` */
  readonly resource: string;
}

/** Inside a transaction of the store: kept together with what a message writes. */
export interface SourceTimes {
  /** What the senders have said, in the order asked; nobody else gets past here for the same ones until the transaction ends. */
  lock(asked: readonly SaidOf[]): Promise<readonly SourceTime[]>;
  /** The same without waiting: of those of which something was said. */
  read(feed: string, resources: readonly string[]): Promise<readonly SourceTime[]>;
  keep(times: readonly (SourceTime & SaidOf)[]): Promise<void>;
}

export interface SourceTimePurge {
  /** Deletes what was last said on days before that of `before` (ms UTC), at most `limit`. Resolves to how many. */
  purge(before: number, limit: number): Promise<number>;
}
