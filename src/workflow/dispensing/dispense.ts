/**
 * Dispenses a prescription, once. The Task's row decides: whoever finds it ready under its lock is the one; the Task, the
 * order, the MedicationDispense, the register and the log are written in one transaction. MISSION M10; SECURITY RX-04
 */
import { serviceCaller } from '../../policy/service-caller.ts';
import type { Caller } from '../../ports/caller.ts';
import type { TokenAttempt, TokenAttempts } from '../../ports/dispensing.ts';
import type { NewJob } from '../../ports/jobs.ts';
import type { ResourceStore, StoreTransaction, TransactionWrite } from '../../ports/resource-store.ts';
import { FhirError } from '../../standards/fhir/outcome.ts';
import { isTokenId } from '../../standards/prescription-token/token-id.ts';
import type { CodeRefusal, CollectionDesk } from './collection-code.ts';
import { readIdentity, supplyLine } from './controlled.ts';
import { faultOfToken } from './dispense-fault.ts';
import {
  completedOrder,
  completedTask,
  type DispensedBy,
  type Dispensing,
  dispensedBy,
  dispensedNotice,
  dispensingProvenance,
  medicationDispense,
} from './dispense-record.ts';
import type { FindTaskServices, FoundTask } from './find-task.ts';
import type { Node, Pharmacy } from './pharmacies.ts';
import { type GivenPhoto, type PhotoRules, photoResources, readPhoto } from './photo.ts';
import { DISPENSED, type Fault, REASONS, WITHOUT_CODE } from './reasons.ts';
import { STATUS_OF, stateOf } from './states.ts';
import { createTaskLookup } from './task-lookup.ts';

export interface DispenseRequest {
  readonly tokenId: string;
  readonly nonce: string;
  readonly pharmacy: Pharmacy;
  readonly pharmacist: string;
  readonly notes?: string;
  readonly identity: { readonly type?: unknown; readonly number?: unknown };
  readonly address: string;
  /** As the patient says it. */
  readonly code?: string;
  /** Why there is none. */
  readonly waiver?: string;
  readonly photo?: GivenPhoto;
}

export type Dispensed =
  | {
      readonly isDone: true;
      readonly found: FoundTask;
      readonly by: DispensedBy;
      /** Where one is asked for. */
      readonly code?: 'confirmed' | 'waived';
    }
  | {
      readonly isDone: false;
      readonly fault: Fault;
      /** Only where the nonce was right. */
      readonly found?: FoundTask;
      /** Of one that was dispensed already. */
      readonly by?: DispensedBy;
      /** Of a wrong collection code: how many are still heard. */
      readonly left?: number;
    };

export interface DispenseServices extends Omit<FindTaskServices, 'store'> {
  readonly store: Pick<ResourceStore, 'transaction' | 'newId'>;
  /** For looking tokens up. */
  readonly lookup: FindTaskServices['store'];
  readonly attempts: Pick<TokenAttempts, 'record'>;
  readonly collection: Pick<CollectionDesk, 'check'>;
  readonly photos: PhotoRules;
  /** Kinds of proof of identity that are taken. */
  readonly identityTypes: readonly string[];
  /** What else is to be done of an order that was dispensed, when it is kept. */
  readonly jobsOf?: (order: Node, taskId: string) => readonly NewJob[];
  readonly now: () => number;
}

/** `last` is sent with the writes: what the answer is kept by. Throws 409 and 422 for controlled drugs. */
export type Dispense = (
  caller: Caller,
  request: DispenseRequest,
  last: (tx: StoreTransaction, done: Dispensed) => Promise<void>,
) => Promise<Dispensed>;

/** Another was quicker, or the order does not stand any more. */
class NotReady extends Error {
  readonly task: Node;
  constructor(task: Node) {
    super('the prescription is not ready to be dispensed');
    this.task = task;
  }
}

export function createDispense(services: DispenseServices): Dispense {
  const { store, attempts, identityTypes, collection, now } = services;
  const lookUp = createTaskLookup({ ...services, store: services.lookup }, true);

  const faultOf = (found: FoundTask | undefined, { nonce, pharmacy }: DispenseRequest): Fault | undefined =>
    faultOfToken(found, { nonce, pharmacyId: pharmacy.id, at: now() });

  async function refuse(
    request: DispenseRequest,
    fault: Fault,
    found?: FoundTask,
    more: Pick<CodeRefusal, 'left'> = {},
  ): Promise<Dispensed> {
    const attempt = attemptOf(request, now(), false, REASONS[fault].text);
    // A code that is not right is a failed verification: it counts among them.
    await attempts.record(fault === 'code-wrong' || fault === 'code-tries' ? { ...attempt, kind: 'verify' } : attempt);
    const isKnown = fault !== 'unknown' && fault !== 'nonce';
    const by = found && isKnown ? dispensedBy(found.task) : undefined;
    return { isDone: false, fault, ...(found && isKnown && { found }), ...(by && { by }), ...more };
  }

  /** While its code was looked at, another may have been handed it. */
  async function refuseCode(request: DispenseRequest, refusal: CodeRefusal): Promise<Dispensed> {
    const again = await lookUp(request.tokenId);
    const { fault, ...more } = refusal;
    const meanwhile = faultOf(again, request);
    return meanwhile === undefined ? refuse(request, fault, again, more) : refuse(request, meanwhile, again);
  }

  return async (caller, request, last) => {
    const found = isTokenId(request.tokenId) ? await lookUp(request.tokenId) : undefined;
    const fault = faultOf(found, request);
    if (fault !== undefined || !found) return refuse(request, fault ?? 'unknown', found);
    const { order } = found;
    if (!order) return refuse(request, 'cancelled', found);
    const whole = { ...found, order };
    const dispensing = dispensingOf(caller, request, now());
    const identity = readIdentity(found, request.identity, identityTypes);
    const line = identity && supplyLine(whole, dispensing, caller.user?.id ?? caller.name, identity);
    const photo = readPhoto(services.photos, found, request.photo);
    const code = await collection.check(caller, found, request);
    if (typeof code === 'object') return refuseCode(request, code);
    const isWaived = code === 'waived';
    const [dispenseId, provenanceId, noticeId] = [store.newId(), store.newId(), store.newId()];
    const told = { ...dispensing, ...(isWaived && { waiver: request.waiver ?? '' }) };
    const by = {
      dispensedAt: new Date(dispensing.at).toISOString(),
      pharmacy: request.pharmacy.name,
      pharmacist: request.pharmacist,
    };
    const done: Dispensed = { isDone: true, found, by, ...(code !== 'not-needed' && { code }) };
    const update = (type: string, id: string, change: (current: Node) => Node): TransactionWrite => ({
      kind: 'update',
      operation: 'update',
      type,
      id,
      change: (current) => {
        if (!current) throw new NotReady(found.task);
        return { ...change(current), resourceType: type };
      },
    });
    const writes: readonly TransactionWrite[] = [
      update('Task', found.taskId, (task) => {
        if (stateOf(task) !== 'ready') throw new NotReady(task);
        return completedTask({ ...task, resourceType: 'Task' }, dispenseId, dispensing);
      }),
      update('MedicationRequest', found.orderId, (current) => {
        if (current['status'] !== STATUS_OF.ready.order) throw new NotReady({ ...found.task, status: 'cancelled' });
        return completedOrder({ ...current, resourceType: 'MedicationRequest' }, dispensing);
      }),
      { kind: 'create', id: dispenseId, resource: medicationDispense(whole, told) },
    ];
    const jobs = services.jobsOf?.(order, found.taskId) ?? [];
    const provenance = dispensingProvenance(provenanceId, found.patientId, dispensing);
    try {
      // What is nobody's yet is out of every pharmacy's reach: it becomes theirs with this.
      const actor = found.pharmacyId === undefined ? serviceCaller('dispensing', caller.correlationId) : caller;
      const work = (tx: StoreTransaction): Promise<unknown> =>
        tx.write(
          writes,
          async () => {
            const sent = [
              tx.dispensing.attempts([attemptOf(request, dispensing.at, true, isWaived ? WITHOUT_CODE : DISPENSED)]),
              ...(code === 'confirmed'
                ? [tx.dispensing.useCollectionCode(request.tokenId, request.pharmacy.id, dispensing.at)]
                : []),
              ...(line ? [tx.dispensing.register(line)] : []),
              ...(jobs.length > 0 ? [tx.jobs.add(jobs)] : []),
              last(tx, done),
            ];
            await allOf(sent);
          },
          (results) => [
            ...provenance(results),
            dispensedNotice(found, noticeId, dispensing),
            ...(photo ? photoResources(photo, dispenseId, found, dispensing) : []),
          ],
        );
      // Who writes into the register waits for the line before, and nobody else shall wait with them, for a code or for a photo.
      await store.transaction(actor, work, { mayShare: !line && !photo && code === 'not-needed' });
      return done;
    } catch (error) {
      if (isUnconfirmed(error)) return refuseCode(request, { fault: 'code-missing' });
      if (!(error instanceof NotReady)) throw error;
      const state = stateOf(error.task);
      return refuse(request, state === 'ready' ? 'cancelled' : state, { ...found, task: error.task });
    }
  };
}

function dispensingOf({ user }: Caller, { pharmacy, pharmacist, notes }: DispenseRequest, at: number): Dispensing {
  const practitioner = user?.practitionerId;
  return {
    at,
    pharmacy,
    pharmacist,
    ...(practitioner !== undefined && { practitioner: `Practitioner/${practitioner}` }),
    ...(notes !== undefined && { notes }),
  };
}

const attemptOf = (
  { tokenId, pharmacy, address }: DispenseRequest,
  at: number,
  success: boolean,
  reason: string,
): TokenAttempt => ({
  at,
  ...(isTokenId(tokenId) && { tokenId }),
  pharmacyId: pharmacy.id,
  pharmacyName: pharmacy.name,
  kind: 'dispense',
  success,
  reason,
  address,
});

/** Its time was over as it was to be used, or another code was sent. */
const isUnconfirmed = (error: unknown): boolean =>
  error instanceof FhirError && error.issues.some(({ details }) => details?.coding[0]?.code === 'code-missing');

/** Waits for all of them, then throws the first error: none is left without a listener. */
async function allOf(work: readonly Promise<unknown>[]): Promise<void> {
  for (const one of await Promise.allSettled(work)) if (one.status === 'rejected') throw one.reason;
}
