/** What a pharmacy's work leaves beside the record. `src/postgres/dispensing/` implements it. MISSION M10; SECURITY RX-04 */

/** Somebody showed a token, or wanted to dispense on it. No patient's value is in it. */
export interface TokenAttempt {
  /** ms UTC */
  readonly at: number;
  /** Absent where what was shown names no token. */
  readonly tokenId?: string;
  /** The pharmacy's Organization; absent of who is none. */
  readonly pharmacyId?: string;
  readonly pharmacyName?: string;
  readonly kind: 'verify' | 'dispense';
  readonly success: boolean;
  /** As it was told. */
  readonly reason: string;
  readonly address?: string;
}

export interface TokenAttempts {
  /** Resolves when it is durable. */
  record(attempt: TokenAttempt): Promise<void>;
  /** Of one token, oldest first; the newest `limit`. */
  ofToken(tokenId: string, limit: number): Promise<readonly TokenAttempt[]>;
  /** At a pharmacy in a time, ms UTC, `until` exclusive. */
  countAt(pharmacyId: string, from: number, until: number): Promise<AttemptCounts>;
  /** Deletes attempts before a time, at most `limit`. Resolves to how many. */
  purge(before: number, limit: number): Promise<number>;
}

export interface AttemptCounts {
  readonly verifications: number;
  readonly failures: number;
  /** Failures by reason, most first. */
  readonly reasons: readonly { readonly reason: string; readonly count: number }[];
  /** Tokens that failed most often, with how often. */
  readonly suspicious: readonly { readonly tokenId: string; readonly count: number }[];
}

export interface RegisterIdentity {
  readonly type: string;
  readonly number: string;
}

/** A line to be added to the controlled drugs register. */
export interface NewRegisterLine {
  readonly pharmacyId: string;
  /** What the balance is of. */
  readonly product: string;
  /** The product's name. */
  readonly name: string;
  readonly schedule?: string;
  readonly type: 'stock-in' | 'supply' | 'correction';
  /** What the balance changes by: negative for a supply, either way for a correction. At most three decimals. */
  readonly change: number;
  readonly tokenId?: string;
  readonly reason?: string;
  /** Who, by name, and by the id of their account or client. */
  readonly by: { readonly name: string; readonly id: string };
  readonly identity?: RegisterIdentity;
  /** ms UTC */
  readonly at: number;
}

export interface RegisterLine extends NewRegisterLine {
  /** 1 for the first of the product at this pharmacy. */
  readonly number: number;
  readonly balance: number;
}

export interface RegisterQuery {
  readonly pharmacyId: string;
  readonly product?: string;
  /** ms UTC; `until` exclusive. */
  readonly from?: number;
  readonly until?: number;
  readonly limit: number;
}

export interface ControlledRegister {
  /** Adds a line in a transaction of its own. Throws 409 where the balance would fall below nothing. */
  add(line: NewRegisterLine): Promise<RegisterLine>;
  /** Newest first; oldest first with `isOldestFirst`. */
  list(query: RegisterQuery, isOldestFirst?: boolean): Promise<readonly RegisterLine[]>;
  /** The products of a pharmacy with their balances now. */
  balances(
    pharmacyId: string,
  ): Promise<readonly { readonly product: string; readonly name: string; readonly balance: number }[]>;
}

/** Inside a transaction of the store: sent with its writes, and undone with them. */
export interface DispensingTransaction {
  /** A second success of the same token undoes the transaction. */
  attempts(attempts: readonly TokenAttempt[]): Promise<void>;
  /** Throws 409 where the balance would fall below nothing. */
  register(line: NewRegisterLine): Promise<void>;
  /** Uses the collection code that was confirmed at this pharmacy. Throws 409 `code-missing` where there is none any more; `at` ms UTC. */
  useCollectionCode(tokenId: string, pharmacyId: string, at: number): Promise<void>;
}
