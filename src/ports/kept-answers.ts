/** Answers that are given again to the same request. `src/postgres/kept-answers.ts` implements it. SECURITY RX-05, RL-10 */

export interface KeptAnswer {
  /** SHA-256 of who asks, of what, with which `Idempotency-Key`. */
  readonly key: Buffer;
  /** SHA-256 of what was sent. */
  readonly request: Buffer;
  readonly status: number;
  /** JSON text; it may be about a patient, and lies sealed. */
  readonly body: string;
}

export interface KeptAnswers {
  find(key: Buffer): Promise<KeptAnswer | undefined>;
  /** Deletes those that are older, at most `limit`. Resolves to how many. */
  purge(before: number, limit: number): Promise<number>;
}

/** Inside a transaction of the store. A key that is there already undoes the transaction, which is tried again. */
export interface AnswersTransaction {
  keep(answer: KeptAnswer): Promise<void>;
}
