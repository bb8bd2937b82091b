/** Ends prescriptions whose time is over: the Task has failed, the order is stopped. MISSION M10; SECURITY RX-07 */
import { serviceCaller } from '../../policy/service-caller.ts';
import type { DispenseQueue } from '../../ports/dispense-queue.ts';
import type { ResourceStore, TransactionWrite } from '../../ports/resource-store.ts';
import { parseJson } from '../../standards/fhir/json.ts';
import type { Node } from './pharmacies.ts';
import { DISPENSING_CODES } from './queue-entry.ts';
import { STATUS_OF, stateOf, TRANSITIONS } from './states.ts';

export interface ExpireServices {
  readonly store: Pick<ResourceStore, 'read' | 'transaction'>;
  readonly queue: Pick<DispenseQueue, 'overdue'>;
  readonly now: () => number;
}

const SERVICE = serviceCaller('dispensing');
const BATCH = 200;

/** Somebody was quicker: it was dispensed or cancelled. */
class Ended extends Error {}

/** Resolves to how many it has ended; none are left when that is less than a batch. */
export function createExpire({
  store,
  queue,
  now,
}: ExpireServices): () => Promise<{ readonly ended: number; readonly isMore: boolean }> {
  async function expire(taskId: string): Promise<boolean> {
    const task = parseJson((await store.read(SERVICE, 'Task', taskId)).content) as Node;
    const focus = String((task['focus'] as Node | undefined)?.['reference'] ?? '');
    const orderId = focus.startsWith('MedicationRequest/') ? focus.slice('MedicationRequest/'.length) : undefined;
    const reason = { coding: [{ system: DISPENSING_CODES, code: 'expired' }], text: 'Not collected in time' };
    const writes: TransactionWrite[] = [
      {
        kind: 'update',
        operation: 'update',
        type: 'Task',
        id: taskId,
        change: (current) => {
          if (!current || !TRANSITIONS[stateOf(current)].expire) throw new Ended();
          const lastModified = new Date(now()).toISOString();
          return { ...current, status: STATUS_OF.expired.task, statusReason: reason, lastModified };
        },
      },
    ];
    if (orderId !== undefined)
      writes.push({
        kind: 'update',
        operation: 'update',
        type: 'MedicationRequest',
        id: orderId,
        change: (current) => {
          if (!current) throw new Ended();
          return current['status'] === STATUS_OF.ready.order
            ? { ...current, status: STATUS_OF.expired.order, statusReason: reason }
            : current;
        },
      });
    try {
      await store.transaction(SERVICE, (tx) => tx.write(writes));
      return true;
    } catch (error) {
      if (error instanceof Ended) return false;
      throw error;
    }
  }

  return async () => {
    const ids = await queue.overdue(now(), BATCH);
    let ended = 0;
    for (const id of ids) if (await expire(id)) ended += 1;
    return { ended, isMore: ids.length === BATCH && ended > 0 };
  };
}
