/**
 * Dispenses a prescription, once. The Task's row decides: whoever finds it ready under its lock is the one; the Task, the
 * order, the MedicationDispense, the register and the log are written in one transaction. MISSION M10; SECURITY RX-04
 */
import { timingSafeEqual } from 'node:crypto';
import { serviceCaller } from '../../policy/service-caller.ts';
import type { Caller } from '../../ports/caller.ts';
import type { TokenAttempt, TokenAttempts } from '../../ports/dispensing.ts';
import type { NewJob } from '../../ports/jobs.ts';
import type { ResourceStore, StoreTransaction, TransactionWrite } from '../../ports/resource-store.ts';
import { isTokenId } from '../../standards/prescription-token/token-id.ts';
import { readIdentity, supplyLine } from './controlled.ts';
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
import { DISPENSED, type Fault, REASONS } from './reasons.ts';
import { STATUS_OF, stateOf, TRANSITIONS } from './states.ts';
import { createTaskLookup } from './task-lookup.ts';

export interface DispenseRequest {
  readonly tokenId: string;
  readonly nonce: string;
  readonly pharmacy: Pharmacy;
  readonly pharmacist: string;
  readonly notes?: string;
  readonly identity: { readonly type?: unknown; readonly number?: unknown };
  readonly address: string;
}

export type Dispensed =
  | { readonly isDone: true; readonly found: FoundTask; readonly by: DispensedBy }
  | {
      readonly isDone: false;
      readonly fault: Fault;
      /** Only where the nonce was right. */
      readonly found?: FoundTask;
      /** Of one that was dispensed already. */
      readonly by?: DispensedBy;
    };

export interface DispenseServices extends Omit<FindTaskServices, 'store'> {
  readonly store: Pick<ResourceStore, 'transaction' | 'newId'>;
  /** For looking tokens up. */
  readonly lookup: FindTaskServices['store'];
  readonly attempts: Pick<TokenAttempts, 'record'>;
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

const NO_NONCE = '00000000-0000-0000-0000-000000000000';

export function createDispense(services: DispenseServices): Dispense {
  const { store, attempts, identityTypes, now } = services;
  const lookUp = createTaskLookup({ ...services, store: services.lookup }, true);

  /** Why it cannot be, before anything is locked. */
  function faultOf(found: FoundTask | undefined, { nonce, pharmacy }: DispenseRequest): Fault | undefined {
    const [own, given] = [Buffer.from(found?.token.nonce ?? NO_NONCE), Buffer.from(nonce)];
    const isSame = own.length === given.length && timingSafeEqual(own, given);
    if (!found) return 'unknown';
    if (!isSame) return 'nonce';
    const state = stateOf(found.task);
    if (!TRANSITIONS[state].dispense) return state === 'ready' ? undefined : state;
    if (found.token.expiresAt <= now()) return 'expired';
    return found.pharmacyId === undefined || found.pharmacyId === pharmacy.id ? undefined : 'pharmacy';
  }

  async function refuse(request: DispenseRequest, fault: Fault, found?: FoundTask): Promise<Dispensed> {
    await attempts.record(attemptOf(request, now(), false, REASONS[fault].text));
    const isKnown = fault !== 'unknown' && fault !== 'nonce';
    const by = found && isKnown ? dispensedBy(found.task) : undefined;
    return { isDone: false, fault, ...(found && isKnown && { found }), ...(by && { by }) };
  }

  return async (caller, request, last) => {
    const found = isTokenId(request.tokenId) ? await lookUp(request.tokenId) : undefined;
    const fault = faultOf(found, request);
    if (fault !== undefined || !found) return refuse(request, fault ?? 'unknown', found);
    const { order } = found;
    if (!order) return refuse(request, 'cancelled', found);
    const whole = { ...found, order };
    const dispensing = dispensingOf(caller, request, now());
    const identity = readIdentity(found.task, request.identity, identityTypes);
    const line = identity && supplyLine(whole, dispensing, caller.user?.id ?? caller.name, identity);
    const [dispenseId, provenanceId, noticeId] = [store.newId(), store.newId(), store.newId()];
    const by = {
      dispensedAt: new Date(dispensing.at).toISOString(),
      pharmacy: request.pharmacy.name,
      pharmacist: request.pharmacist,
    };
    const done: Dispensed = { isDone: true, found, by };
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
      { kind: 'create', id: dispenseId, resource: medicationDispense(whole, dispensing) },
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
              tx.dispensing.attempts([attemptOf(request, dispensing.at, true, DISPENSED)]),
              ...(line ? [tx.dispensing.register(line)] : []),
              ...(jobs.length > 0 ? [tx.jobs.add(jobs)] : []),
              last(tx, done),
            ];
            await allOf(sent);
          },
          (results) => [...provenance(results), dispensedNotice(found, noticeId, dispensing)],
        );
      // Who writes into the register waits for the line before, and nobody else shall wait with them.
      await store.transaction(actor, work, { mayShare: line === undefined });
      return done;
    } catch (error) {
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

/** Waits for all of them, then throws the first error: none is left without a listener. */
async function allOf(work: readonly Promise<unknown>[]): Promise<void> {
  for (const one of await Promise.allSettled(work)) if (one.status === 'rejected') throw one.reason;
}
