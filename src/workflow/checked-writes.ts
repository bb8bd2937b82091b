/** What is written is looked at within its transaction: what is refused then is undone with all that goes with it. */
import type { StoreTransaction, TransactionWrite, WriteResult } from '../ports/resource-store.ts';

export interface WriteCheck {
  /** Whether any of these is looked at. */
  isAsked(writes: readonly TransactionWrite[]): boolean;
  /** Rejects where it may not be. */
  check(results: readonly WriteResult[]): Promise<void>;
}

/** The same transaction, whose writes are checked before what its caller does last. */
export const withWriteCheck = (tx: StoreTransaction, { isAsked, check }: WriteCheck): StoreTransaction => ({
  ...tx,
  async write(writes, last, beside) {
    if (!isAsked(writes)) return tx.write(writes, last, beside);
    if (last)
      return tx.write(
        writes,
        async (results) => {
          await check(results);
          await last(results);
        },
        beside,
      );
    const results = await tx.write(writes, undefined, beside);
    await check(results);
    return results;
  },
});
