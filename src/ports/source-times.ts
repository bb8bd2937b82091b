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

/** Inside a transaction of the store: kept together with what a message writes. */
export interface SourceTimes {
  /** What the sender has said, in the order asked; nobody else gets past here for the same ones until the transaction ends. */
  lock(feed: string, resources: readonly string[]): Promise<readonly SourceTime[]>;
  /** The same without waiting: of those of which something was said. */
  read(feed: string, resources: readonly string[]): Promise<readonly SourceTime[]>;
  keep(feed: string, times: readonly SourceTime[]): Promise<void>;
}
