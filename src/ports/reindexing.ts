/** Search values of stored resources, made again: `src/postgres/reindex.ts`. */

export interface ReindexBatch {
  /** Where the next batch goes on; absent: the type is done. */
  readonly last?: string;
  /** Resources of this one. */
  readonly count: number;
}

export interface ReindexBatches {
  /** The next resources of a type, in one transaction; it waits for those who hold one of them. */
  batch(type: string, after: string | undefined, signal: AbortSignal): Promise<ReindexBatch>;
  /** One resource; nothing where it is not there. */
  one(type: string, id: string, signal: AbortSignal): Promise<void>;
}
