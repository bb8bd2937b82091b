/** A request with all that hangs on it: its orders and the entries in the pharmacy's queue. MISSION M9 */
import type { Resource, StoreTransaction } from '../../ports/resource-store.ts';
import { identifierIn, idIn, isOrder } from './chart.ts';
import { type Found, findAllOf } from './desk.ts';
import { type ReadTask, readRequestTask } from './request-task.ts';
import { REQUEST_REFERENCE } from './systems.ts';

export interface Group {
  readonly task: Found;
  readonly read: ReadTask;
  readonly orders: readonly Found[];
  readonly queue: readonly Found[];
}

/** Undefined of orders that were not approved here. */
export async function groupOf(
  desk: Parameters<typeof findAllOf>[0],
  tx: Pick<StoreTransaction, 'findCurrent'>,
  order: Resource | undefined,
): Promise<Group | undefined> {
  const reference = order && identifierIn(order, REQUEST_REFERENCE);
  if (reference === undefined) return undefined;
  const own = `${REQUEST_REFERENCE}|${encodeURIComponent(reference)}`;
  const [requests = [], tasks = []] = await findAllOf(desk, tx, [
    ['MedicationRequest', `identifier=${own}`],
    ['Task', `group-identifier=${own}`],
  ]);
  const task = tasks.find(({ resource }) => readRequestTask(resource) !== undefined);
  const read = task && readRequestTask(task.resource);
  if (!task || !read) return undefined;
  return {
    task,
    read,
    orders: requests.filter(({ resource }) => isOrder(resource)),
    queue: tasks.filter((one) => one !== task && idIn(one.resource['focus'], 'MedicationRequest') !== undefined),
  };
}
