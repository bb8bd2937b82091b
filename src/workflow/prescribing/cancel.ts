/**
 * Cancelling: a request that waits ends at once. Of an approved one nothing may have been dispensed: its queue entries and
 * orders go with it in one transaction; what the Spine has is cancelled there first, and only then is it final. MISSION M9
 */
import { serviceCaller } from '../../policy/service-caller.ts';
import type { Caller } from '../../ports/caller.ts';
import type { Resource, TransactionWrite } from '../../ports/resource-store.ts';
import { FhirError } from '../../standards/fhir/outcome.ts';
import { isOrder, nodeOf } from './chart.ts';
import { checkPatient } from './decide.ts';
import { changed, type Found, findAllOf, notice, type Prescribing, raced } from './desk.ts';
import { isEpsOrder } from './eps-approval.ts';
import { findRequest } from './find-request.ts';
import { ruleIssue } from './items.ts';
import { withState } from './request-task.ts';
import { nextState, type RequestState } from './states.ts';
import { REQUEST_REFERENCE } from './systems.ts';

export interface Cancelled {
  readonly id: string;
  readonly reference: string;
  readonly state: RequestState;
}

/** Throws not-found, 403 for another's, 409 where the state or the dispensing does not allow it. */
/** `patientId`: whose it has to be; absent where a prescriber cancels for a patient of theirs. */
export async function cancelRequest(
  desk: Prescribing,
  caller: Caller,
  patientId: string | undefined,
  id: string,
): Promise<Cancelled> {
  const { store } = desk;
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
      const isOrdered = next === 'cancelling';
      const ordered = isOrdered ? await ordersAndQueue(desk, tx, read.reference, id, why) : [];
      const state = isOrdered ? nextState(next, 'confirm-cancellation') : next;
      const asked = isOrdered ? [] : proposals.map((one) => changed(one, cancelled));
      const pharmacyId = read.pharmacyId;
      await tx.write([changed(task, (r) => withState(r, state, at, why)), ...asked, ...ordered], undefined, () =>
        isOrdered && pharmacyId !== undefined
          ? [
              {
                id: store.newId(),
                resource: notice(
                  'prescription-cancelled',
                  read.patientId,
                  `Organization/${pharmacyId}`,
                  'A prescription in the queue was cancelled.',
                  at,
                  `Task/${id}`,
                ),
              },
            ]
          : [],
      );
      return { id, reference: read.reference, state };
    });
  } catch (error) {
    throw raced(error);
  }
}

const cancelledFor =
  (text: string) =>
  (resource: Resource): Resource => ({
    ...resource,
    status: 'cancelled',
    statusReason: { text },
  });

async function ordersAndQueue(
  desk: Prescribing,
  tx: Parameters<typeof findAllOf>[1],
  reference: string,
  taskId: string,
  why: string,
): Promise<readonly TransactionWrite[]> {
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
  if (desk.eps && orders.some(({ resource }) => isEpsOrder(resource)))
    throw new FhirError(409, [
      {
        ...ruleIssue(
          'RX-EPS',
          'It is an electronic prescription: ask the practice, which cancels it at the Spine first',
        ),
        code: 'conflict',
      },
    ]);
  const open = queue.filter(({ resource }) => resource['status'] === 'ready');
  return [
    ...orders.filter(({ resource }) => resource['status'] === 'active').map((one) => changed(one, cancelledFor(why))),
    ...open.map((one) =>
      changed(one, (r) => ({
        ...r,
        status: 'cancelled',
        statusReason: { text: why },
        ...(nodeOf(r['executionPeriod'])['end'] === undefined && { lastModified: new Date(desk.now()).toISOString() }),
      })),
    ),
  ];
}
