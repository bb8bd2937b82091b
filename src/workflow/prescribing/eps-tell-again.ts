/**
 * The Spine is told again of what was dispensed here, after it has refused, or something was missing: what was wrong is put
 * right in the record first, and the message is made anew from it. docs/eps.md "What was dispensed here"
 */
import type { Caller } from '../../ports/caller.ts';
import type { NewJob } from '../../ports/jobs.ts';
import type { Resource, ResourceStore, StoreTransaction } from '../../ports/resource-store.ts';
import { FhirError, issue } from '../../standards/fhir/outcome.ts';
import type { SearchRequest } from '../../standards/fhir/search/request.ts';
import type { FoundTask } from '../dispensing/find-task.ts';
import { NEVER_SENT } from '../eps/effects.ts';
import { findAllOf, idQuery } from './desk.ts';
import { EPS_NOTIFICATION, notificationOf, withoutNotification } from './eps-notification.ts';

export interface TellAgainServices {
  readonly store: Pick<ResourceStore, 'transaction'>;
  readonly searchOf: (type: string, query: string) => SearchRequest;
  /** Absent: there is no Spine. */
  readonly jobsOf?: ((order: Resource, taskId: string) => readonly NewJob[]) | undefined;
  readonly now: () => number;
}

/** What was refused, and why, before it is told again. `last` is sent with the writes: what the answer is kept by. */
export type TellAgain = (
  caller: Caller,
  found: FoundTask,
  last: (tx: StoreTransaction, before: string) => Promise<void>,
) => Promise<string>;

/** Finds the Tasks of which the Spine was not told. */
export const UNTOLD_QUERY = `business-status=${EPS_NOTIFICATION}|refused,${EPS_NOTIFICATION}|not-sent`;

/** Throws 409 where nothing was refused, or it is under way: of many who ask at the same moment one is heard. */
export function createTellAgain({ store, searchOf, jobsOf, now }: TellAgainServices): TellAgain {
  return async (caller, { taskId, orderId }, last) => {
    let before = '';
    const change = (task: Resource | undefined): Resource => {
      const told = task && notificationOf(task);
      if (!task || !told || (told.status !== 'refused' && told.status !== 'not-sent'))
        throw conflict('The Spine has refused nothing of this prescription, or is being told of it now');
      // It may have arrived: under another id it would be told twice.
      if (told.reason === NEVER_SENT)
        throw conflict(
          'The Spine never answered, and may have it: whoever runs the server sends the same message again from the log',
        );
      before = told.reason ?? '';
      return withoutNotification(task, now());
    };
    await store.transaction(caller, async (tx) => {
      const [orders = []] = await findAllOf({ searchOf }, tx, [['MedicationRequest', idQuery(orderId)]]);
      const jobs = orders[0] && jobsOf ? jobsOf(orders[0].resource, taskId) : [];
      if (jobs.length === 0) throw conflict('This is no electronic prescription that the Spine is told of');
      await tx.write([{ kind: 'update', operation: 'update', type: 'Task', id: taskId, change }], async () => {
        const sent = [tx.jobs.add(jobs), last(tx, before)];
        for (const one of await Promise.allSettled(sent)) if (one.status === 'rejected') throw one.reason;
      });
    });
    return before;
  };
}

const conflict = (text: string): FhirError =>
  new FhirError(409, [{ ...issue('conflict', text), details: { coding: [{ code: 'eps-notification' }] } }]);
