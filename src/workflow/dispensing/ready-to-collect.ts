/**
 * A pharmacy says that a medicine is ready to collect: the entry of its queue says so and still waits to be dispensed, and
 * the patient is told, once. MISSION M10, M13; https://hl7.org/fhir/R4/task-definitions.html#Task.businessStatus
 */
import type { Caller } from '../../ports/caller.ts';
import type { Resource, ResourceStore, StoreTransaction } from '../../ports/resource-store.ts';
import type { FoundTask } from './find-task.ts';
import type { Node, Pharmacy } from './pharmacies.ts';
import { DISPENSING_CODES } from './queue-entry.ts';
import { readyNotice } from './ready-notice.ts';
import type { Fault } from './reasons.ts';
import { type DispensingState, stateOf, TRANSITIONS } from './states.ts';

const READY_TO_COLLECT = 'ready-to-collect';

export type Prepared = { readonly at: string; readonly isNew: boolean } | { readonly fault: Fault };

export interface PrepareServices {
  readonly store: Pick<ResourceStore, 'transaction' | 'newId'>;
  readonly now: () => number;
}

/**
 * `last` is sent with the writes: what the answer is kept by. Of what is prepared already nothing is written, and nobody is
 * told again.
 */
export type Prepare = (
  caller: Caller,
  found: FoundTask,
  pharmacy: Pharmacy,
  last: (tx: StoreTransaction, done: Prepared) => Promise<void>,
) => Promise<Prepared>;

/** When the pharmacy said so, ISO, as far as the Task says it; undefined while it has not. */
export function readyToCollectAt(task: Node): string | undefined {
  const business = task['businessStatus'] as Node | undefined;
  const codings = (business?.['coding'] ?? []) as readonly Node[]; // validated
  const isPrepared = codings.some(({ system, code }) => system === DISPENSING_CODES && code === READY_TO_COLLECT);
  const { start } = (task['executionPeriod'] ?? {}) as Node; // validated
  const { lastUpdated } = (task['meta'] ?? {}) as Node; // validated
  // Systems that write it by FHIR may leave the time out.
  const at = start ?? task['lastModified'] ?? lastUpdated;
  return isPrepared && typeof at === 'string' ? at : undefined;
}

/** Under its lock it was found to be as nothing can be prepared, or prepared already. */
class NotWritten extends Error {
  readonly outcome: Prepared;
  constructor(outcome: Prepared) {
    super('nothing is to be written');
    this.outcome = outcome;
  }
}

const FAULT_OF: Readonly<Record<Exclude<DispensingState, 'ready'>, Fault>> = {
  held: 'held',
  dispensed: 'dispensed',
  expired: 'expired',
  cancelled: 'cancelled',
};

export function createPrepare({ store, now }: PrepareServices): Prepare {
  return async (caller, found, pharmacy, last) => {
    if (found.pharmacyId !== pharmacy.id) return { fault: 'pharmacy' };
    const at = now();
    const when = new Date(at).toISOString();
    const done: Prepared = { at: when, isNew: true };

    function change(task: Node | undefined): Resource {
      const outcome = task ? standing(task, found.token.expiresAt, at) : ({ fault: 'cancelled' } as const);
      if (!task || outcome) throw new NotWritten(outcome ?? { fault: 'cancelled' });
      return {
        ...task,
        resourceType: 'Task',
        businessStatus: { coding: [{ system: DISPENSING_CODES, code: READY_TO_COLLECT }] },
        executionPeriod: { ...(task['executionPeriod'] as Node | undefined), start: when },
        lastModified: when,
      };
    }

    const told = readyNotice(found, pharmacy.name, at);
    try {
      await store.transaction(caller, (tx) =>
        tx.write(
          [{ kind: 'update', operation: 'update', type: 'Task', id: found.taskId, change }],
          () => last(tx, done),
          () => [{ id: store.newId(), resource: told }],
        ),
      );
      return done;
    } catch (error) {
      if (error instanceof NotWritten) return error.outcome;
      throw error;
    }
  };
}

/** Why nothing is to be written; undefined where the pharmacy may say so now. */
function standing(task: Node, expiresAt: number, at: number): Prepared | undefined {
  const state = stateOf(task);
  if (state !== 'ready') return { fault: FAULT_OF[state] };
  if (!TRANSITIONS[state].prepare || expiresAt <= at) return { fault: 'expired' };
  const before = readyToCollectAt(task);
  return before === undefined ? undefined : { at: before, isNew: false };
}
