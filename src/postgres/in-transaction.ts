/** Work in one transaction on a connection of a pool. */
import type pg from 'pg';
import { type Row, type Statement, sendStatement } from './pools.ts';

export type Send = (statement: Statement) => Promise<readonly Row[]>;

/** Commits what `work` sends, or none of it when it throws; a connection that cannot be rolled back is not used again. */
export async function inTransaction<T>(pool: pg.Pool, work: (send: Send) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    await client.query('begin');
    const result = await work((statement) => sendStatement(client, statement));
    await client.query('commit');
    return result;
  } catch (error) {
    await client.query('rollback').catch((failed: Error) => {
      broken = failed;
    });
    throw error;
  } finally {
    client.release(broken);
  }
}
