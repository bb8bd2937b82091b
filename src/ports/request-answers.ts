/** Answers to requests that may come again. `src/postgres/request-answers.ts` keeps them. SECURITY RX-05, RL-10 */

/** Who asks, and the name they gave the request. */
export interface AnswerKey {
  readonly owner: string;
  readonly key: string;
}

export interface KeptAnswer {
  /** SHA-256 of the request. */
  readonly hash: Buffer;
  /** It may be about a patient, and lies sealed. */
  readonly answer: Buffer;
}

/** Inside a transaction of the store: kept together with what the request did, or not at all. */
export interface RequestAnswers {
  /** Waits for whoever has the same key under way. What was kept of the first request; undefined where this is the first. */
  claim(key: AnswerKey, hash: Buffer): Promise<KeptAnswer | undefined>;
  /** Throws 409 where the key has an answer already, so that nothing is done twice. */
  keep(key: AnswerKey, kept: KeptAnswer): Promise<void>;
}

export interface KeptAnswers {
  find(key: AnswerKey): Promise<KeptAnswer | undefined>;
  /** Removes those kept before `before` (ms UTC), at most `limit`; resolves to how many. */
  purge(before: number, limit: number): Promise<number>;
}
