/** What else follows from the Spine's answers, of those who have work of their own that hangs on an order. */
import type { StoreTransaction, TransactionWrite } from '../../ports/resource-store.ts';
import type { Answered } from './effects.ts';

/** Writes beside the effects, in the transaction that settles the message; of resources that no effect changes. */
export type EpsFollow = (
  tx: Pick<StoreTransaction, 'findCurrent'>,
  answered: Answered,
) => Promise<readonly TransactionWrite[]>;
