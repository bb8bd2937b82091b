/** How the parts of identity speak to the database. */
import type pg from 'pg';
import type { Clock } from '../../ports/clock.ts';
import { translated } from '../database-error.ts';
import { inTransaction as inOneTransaction, type Send } from '../in-transaction.ts';
import type { Pipeline } from '../pools.ts';

export interface IdentityOptions {
  readonly writes: Pipeline;
  readonly transactions: pg.Pool;
  readonly now: Clock;
}

export type { Send };

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Ids come from outside: what is no UUID is nobody's. */
export const isId = (id: string): boolean => UUID.test(id);

export const toMs = (value: unknown): number => (value as Date).getTime();

/** Runs `work` in one transaction; its error undoes everything. */
export const inTransaction = <T>(pool: pg.Pool, work: (send: Send) => Promise<T>): Promise<T> =>
  translated(() => inOneTransaction(pool, work));
