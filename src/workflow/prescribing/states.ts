/**
 * The states of a request and of the prescriptions that come of it: one table for what may happen, one for how the Task
 * and the source designs call it. MISSION M9
 */
import { FhirError } from '../../standards/fhir/outcome.ts';
import { PRESCRIBING_RULE, TASK_CODE } from './systems.ts';

export type RequestState = 'requested' | 'triaged' | 'escalated' | 'approved' | 'rejected' | 'cancelling' | 'cancelled';
export type RequestEvent =
  | 'triage'
  | 'escalate'
  | 'approve'
  | 'reject'
  | 'cancel'
  | 'confirm-cancellation'
  | 'refuse-cancellation'
  /** The Spine does not take the prescription. */
  | 'refuse-prescription';

/** An event that a state does not name is refused. */
export const TRANSITIONS: Readonly<Record<RequestState, Readonly<Partial<Record<RequestEvent, RequestState>>>>> = {
  requested: { triage: 'triaged', escalate: 'escalated', approve: 'approved', reject: 'rejected', cancel: 'cancelled' },
  triaged: { escalate: 'escalated', approve: 'approved', reject: 'rejected', cancel: 'cancelled' },
  escalated: { approve: 'approved', reject: 'rejected', cancel: 'cancelled' },
  approved: { cancel: 'cancelling', 'refuse-prescription': 'rejected' },
  cancelling: {
    'confirm-cancellation': 'cancelled',
    'refuse-cancellation': 'approved',
    'refuse-prescription': 'rejected',
  },
  rejected: {},
  cancelled: {},
};

/** `Task.status` of each state. */
export const TASK_STATUS: Readonly<Record<RequestState, string>> = {
  requested: 'requested',
  triaged: 'received',
  escalated: 'in-progress',
  approved: 'completed',
  rejected: 'rejected',
  cancelling: 'on-hold',
  cancelled: 'cancelled',
};

/** As seed 000 names them. */
export type ShownStatus = 'REQUESTED' | 'APPROVED' | 'REJECTED' | 'DISPENSED' | 'CANCELLED';

const SHOWN: Readonly<Record<RequestState, ShownStatus>> = {
  requested: 'REQUESTED',
  triaged: 'REQUESTED',
  escalated: 'REQUESTED',
  approved: 'APPROVED',
  rejected: 'REJECTED',
  cancelling: 'APPROVED',
  cancelled: 'CANCELLED',
};
/** As seed 001 names them; a request that is undecided is none of its prescriptions. */
const SHOWN_V2: Readonly<Record<ShownStatus, 'active' | 'completed' | 'cancelled'>> = {
  REQUESTED: 'active',
  APPROVED: 'active',
  DISPENSED: 'completed',
  REJECTED: 'cancelled',
  CANCELLED: 'cancelled',
};

/** Throws 409 with its code where the event is not possible. */
export function nextState(state: RequestState, event: RequestEvent): RequestState {
  const next = TRANSITIONS[state][event];
  if (next !== undefined) return next;
  throw new FhirError(409, [
    {
      severity: 'error',
      code: 'conflict',
      diagnostics: `A request that is ${state} cannot be changed so`,
      details: { coding: [{ system: PRESCRIBING_RULE, code: 'RX-STATE' }] },
    },
  ]);
}

type Node = Readonly<Record<string, unknown>>;

/** Of the Task; undefined where it is none of ours. */
export function stateOf(task: Node): RequestState | undefined {
  const { coding } = (task['businessStatus'] ?? {}) as { readonly coding?: readonly Node[] }; // validated
  const code = String(coding?.find(({ system }) => system === TASK_CODE)?.['code']);
  return Object.hasOwn(TRANSITIONS, code) ? (code as RequestState) : undefined;
}

/** Dispensed once every order that was not cancelled is completed. */
export function shownStatus(state: RequestState, orders: readonly Node[]): ShownStatus {
  const open = orders.filter(({ status }) => status !== 'cancelled' && status !== 'entered-in-error');
  const isDispensed = state === 'approved' && open.length > 0 && open.every(({ status }) => status === 'completed');
  return isDispensed ? 'DISPENSED' : SHOWN[state];
}

export const shownStatusV2 = (status: ShownStatus): 'active' | 'completed' | 'cancelled' => SHOWN_V2[status];

/** The Task's elements of a state. */
export const taskState = (state: RequestState): { readonly status: string; readonly businessStatus: object } => ({
  status: TASK_STATUS[state],
  businessStatus: { coding: [{ system: TASK_CODE, code: state }] },
});
