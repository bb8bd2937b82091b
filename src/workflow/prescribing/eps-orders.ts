/** Approved orders on their way to the Spine: filled in where one is configured. MISSION M3, M9 */
import type { StoreTransaction, WriteResult } from '../../ports/resource-store.ts';

/** What EPS needs to send approved orders. */
export interface EpsOrders {
  /** Queues the message in the transaction. */
  queue(tx: Pick<StoreTransaction, 'messages' | 'jobs'>, results: readonly WriteResult[]): Promise<void>;
}
