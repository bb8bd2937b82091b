/** Answers to requests that may come again. `src/postgres/request-answers.ts` keeps them. */

/** Who asks, and the name they gave the request. */
export interface AnswerKey {
  readonly owner: string;
  readonly key: string;
}

/** Inside a transaction of the store: kept together with what the request did, or not at all. */
export interface RequestAnswers {
  /**
   * Waits for whoever has the same key under way. What was kept of the first request, with its hash; undefined where
   * this is the first.
   */
  claim(key: AnswerKey, hash: Buffer): Promise<{ readonly hash: Buffer; readonly answer: Buffer } | undefined>;
  keep(key: AnswerKey, answer: Buffer): Promise<void>;
}

export interface RequestAnswerPurge {
  /** Removes those kept before `before` (ms UTC), at most `limit`; resolves to how many. */
  purge(before: number, limit: number): Promise<number>;
}
