/** Steps at which work that shares a transaction waits for the others: `shared-transaction.ts`. */
import type { Caller } from '../ports/caller.ts';
import type { Criteria, NewResource, TransactionWrite, WriteResult } from '../ports/resource-store.ts';
import type { SaidOf } from '../ports/source-times.ts';

export interface Write {
  readonly kind: 'write';
  readonly writes: readonly TransactionWrite[];
  readonly last: (results: readonly WriteResult[]) => Promise<void>;
  readonly beside: (results: readonly WriteResult[]) => readonly NewResource[];
}
export type Step =
  | { readonly kind: 'lock'; readonly criteria: readonly Criteria[] }
  | { readonly kind: 'find'; readonly criteria: readonly Criteria[]; readonly limit: number }
  | { readonly kind: 'times'; readonly asked: readonly SaidOf[] }
  | Write;

/** A step that somebody waits for. */
export interface Waiting<S extends Step = Step> {
  readonly member: Member;
  readonly step: S;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

export interface Member {
  /** Who works, where it is not whose the transaction is. */
  readonly caller?: Caller;
  waiting: Waiting[];
  hasEnded: boolean;
  /** Another one holds what it decides about. */
  gaveWay: boolean;
  /** It has sent something of its own, which only the end of the transaction takes back. */
  hasSent: boolean;
}
