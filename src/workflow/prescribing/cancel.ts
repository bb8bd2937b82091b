/**
 * Cancelling: a request that waits ends at once. Of an approved one nothing may have been dispensed: its queue entries and
 * orders go with it in one transaction. What the Spine has is cancelled there first: until its answer the queue entries
 * are on hold, and only then is it final. MISSION M9; docs/prescribing.md "EPS"
 */
import { serviceCaller } from '../../policy/service-caller.ts';
import type { Caller } from '../../ports/caller.ts';
import type { Resource, StoreTransaction, TransactionWrite } from '../../ports/resource-store.ts';
import { FhirError } from '../../standards/fhir/outcome.ts';
import type { Queued } from '../eps/send.ts';
import type { NoticeCode } from '../notices/kinds.ts';
import { isOrder, nodeOf, textIn } from './chart.ts';
import { checkPatient } from './decide.ts';
import { changed, created, type Found, findAllOf, notice, type Prescribing, raced } from './desk.ts';
import { cancellationsOf, sentOrdersOf, versionOf } from './eps-cancel.ts';
import { findRequest } from './find-request.ts';
import { ruleIssue } from './items.ts';
import { type ReadTask, withCancellationAsked, withState } from './request-task.ts';
import { nextState, type RequestState } from './states.ts';
import { REQUEST_REFERENCE } from './systems.ts';

export interface Cancelled {
  readonly id: string;
  readonly reference: string;
  /** `cancelling`: the Spine has to confirm it; `approved`: the practice was asked, which alone may speak to it. */
  readonly state: RequestState;
}

/**
 * `patientId`: whose it has to be; absent where a prescriber cancels for a patient of theirs. Throws not-found, 403 for
 * another's, 409 where the state or the dispensing does not allow it, or nobody may speak to the Spine.
 */
export async function cancelRequest(
  desk: Prescribing,
  caller: Caller,
  patientId: string | undefined,
  id: string,
): Promise<Cancelled> {
  const { store, eps } = desk;
  try {
    const open = await store.transaction(caller, (tx) => findRequest(desk, tx, id));
    if (patientId !== undefined) checkPatient(open.task.resource, patientId);
    const why = patientId === undefined ? 'Cancelled by the prescriber' : 'Cancelled by the patient';
    // The orders and the pharmacy's queue are not the patient's to write: Mortar does it for whoever may cancel the request.
    const service = open.read.state === 'approved' ? serviceCaller('prescribing', caller.correlationId) : caller;
    return await store.transaction(service, async (tx) => {
      const { task, read, proposals } = await findRequest(desk, tx, id);
      const next = nextState(read.state, 'cancel');
      const at = desk.now();
      const cancelled = cancelledFor(why);
      if (next !== 'cancelling') {
        const asked = proposals.map((one) => changed(one, cancelled));
        await tx.write([changed(task, (r) => withState(r, next, at, why)), ...asked]);
        return { id, reference: read.reference, state: next };
      }
      const { orders, queue } = await openOf(desk, tx, read.reference, id);
      const pharmacies = new Set(queue.map(({ resource }) => textIn(nodeOf(resource['owner'])['reference']) ?? ''));
      const tell = (kind: NoticeCode, text: string): readonly TransactionWrite[] =>
        [...pharmacies].filter(Boolean).map((pharmacy) => {
          const told = notice(kind, read.patientId, pharmacy, text, at, `Task/${id}`);
          return created({ ...told, id: store.newId() });
        });
      const sent = await sentOrdersOf(desk, tx, orders);
      if (!eps || sent.length === 0) {
        const state = nextState(next, 'confirm-cancellation');
        await tx.write([
          changed(task, (r) => withState(r, state, at, why)),
          ...orders.map((one) => changed(one, cancelled)),
          ...queue.map((one) => changed(one, withStatus('cancelled', why, at))),
          ...tell('prescription-cancelled', 'A prescription in the queue was cancelled.'),
        ]);
        return { id, reference: read.reference, state };
      }
      if (patientId !== undefined && !eps.hasKeyForTrying) {
        const asked = { task, read, orders: sent, at, newId: store.newId };
        await tx.write(askPractice(asked));
        return { id, reference: read.reference, state: read.state };
      }
      const messages = await cancellationsOf(desk, tx, {
        orders: sent,
        patientId: read.patientId,
        prescriber: patientId === undefined ? caller.user : undefined,
        seed: `cancel ${id} ${task.versionId}`,
        at,
      });
      await tx.write(
        [
          changed(task, (r) => withState(r, next, at, why)),
          ...queue.map((one) => changed(one, withStatus('on-hold', `${why}: waiting for the Spine`, at))),
          ...tell('prescription-on-hold', 'A prescription in the queue is being cancelled: do not dispense it.'),
        ],
        () => queueAll(desk, tx, messages, sent),
      );
      return { id, reference: read.reference, state: next };
    });
  } catch (error) {
    throw raced(error);
  }
}

/**
 * A cancellation is in the name of a prescriber (eps/REFERENCE section 7.6): who prescribed it and the practice are told
 * that the patient wants it, once. Until one of them cancels it the prescription stands.
 */
function askPractice(of: {
  readonly task: Found;
  readonly read: ReadTask;
  readonly orders: readonly Found[];
  readonly at: number;
  readonly newId: () => string;
}): readonly TransactionWrite[] {
  const { task, read, orders, at, newId } = of;
  if (read.cancellationAsked !== undefined) return [];
  const prescribers = orders.map(({ resource }) => textIn(nodeOf(resource['requester'])['reference']));
  const text = `The patient of prescription ${read.reference} asks for its cancellation: cancel it at the Spine, or tell them why not.`;
  const told = [...new Set([...prescribers, read.owner])].filter((one) => one !== undefined);
  return [
    changed(task, (one) => withCancellationAsked(one, at)),
    ...told.map((one) =>
      created({ ...notice('cancellation-asked', read.patientId, one, text, at, `Task/${task.id}`), id: newId() }),
    ),
  ];
}

async function queueAll(
  { eps }: Prescribing,
  tx: StoreTransaction,
  messages: readonly Queued[],
  orders: readonly Found[],
): Promise<void> {
  const queued = messages.map((one, i) => eps?.queue(tx, one, orders.slice(i, i + 1).map(versionOf)));
  for (const one of await Promise.allSettled(queued)) if (one.status === 'rejected') throw one.reason;
}

const cancelledFor =
  (text: string) =>
  (resource: Resource): Resource => ({
    ...resource,
    status: 'cancelled',
    statusReason: { text },
  });

const withStatus =
  (status: string, text: string, at: number) =>
  (task: Resource): Resource => ({
    ...task,
    status,
    statusReason: { text },
    ...(nodeOf(task['executionPeriod'])['end'] === undefined && { lastModified: new Date(at).toISOString() }),
  });

/** What is still to be dispensed. Throws 409 where any of it was, or is being. */
async function openOf(
  desk: Prescribing,
  tx: Parameters<typeof findAllOf>[1],
  reference: string,
  taskId: string,
): Promise<{ readonly orders: readonly Found[]; readonly queue: readonly Found[] }> {
  const own = `${REQUEST_REFERENCE}|${encodeURIComponent(reference)}`;
  const [requests = [], tasks = []] = await findAllOf(desk, tx, [
    ['MedicationRequest', `identifier=${own}`],
    ['Task', `group-identifier=${own}`],
  ]);
  const queue = tasks.filter((one) => one.id !== taskId);
  const orders = requests.filter(({ resource }) => isOrder(resource));
  const isGone = ({ resource }: Found): boolean =>
    resource['status'] === 'completed' || resource['status'] === 'in-progress';
  if (queue.some(isGone) || orders.some(({ resource }) => resource['status'] === 'completed'))
    throw new FhirError(409, [
      {
        ...ruleIssue('RX-DISPENSED', 'It has been dispensed, or is being dispensed: it can no longer be cancelled'),
        code: 'conflict',
      },
    ]);
  return {
    orders: orders.filter(({ resource }) => resource['status'] === 'active'),
    queue: queue.filter(({ resource }) => resource['status'] === 'ready'),
  };
}
