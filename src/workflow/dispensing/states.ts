/** States of dispensing, as the Task says them, and which event leads where. MISSION M10; https://hl7.org/fhir/R4/task.html#statemachine */

/** `held`: its cancellation is under way. */
export type DispensingState = 'ready' | 'held' | 'dispensed' | 'expired' | 'cancelled';
/** `prepare`: it is ready to collect, and still to be dispensed. */
export type DispensingEvent = 'prepare' | 'dispense' | 'hold' | 'release' | 'expire' | 'cancel';

/** What is not named is refused. */
export const TRANSITIONS: Readonly<Record<DispensingState, Partial<Record<DispensingEvent, DispensingState>>>> = {
  ready: { prepare: 'ready', dispense: 'dispensed', hold: 'held', expire: 'expired', cancel: 'cancelled' },
  held: { release: 'ready', expire: 'expired', cancel: 'cancelled' },
  dispensed: {},
  expired: {},
  cancelled: {},
};

/** `Task.status` and the status of the order that follows it. */
export const STATUS_OF: Readonly<Record<DispensingState, { readonly task: string; readonly order: string }>> = {
  ready: { task: 'ready', order: 'active' },
  held: { task: 'on-hold', order: 'active' },
  dispensed: { task: 'completed', order: 'completed' },
  expired: { task: 'failed', order: 'stopped' },
  cancelled: { task: 'cancelled', order: 'cancelled' },
};

const STATES = new Map<string, DispensingState>([
  ['on-hold', 'held'],
  ['completed', 'dispensed'],
  ['failed', 'expired'],
  ['cancelled', 'cancelled'],
  ['rejected', 'cancelled'],
  ['entered-in-error', 'cancelled'],
  ['draft', 'cancelled'],
]);

/** Of a queue's Task; one that somebody has taken up is still to be dispensed. */
export const stateOf = (task: Readonly<Record<string, unknown>>): DispensingState =>
  STATES.get(String(task['status'])) ?? 'ready';
