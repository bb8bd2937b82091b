/** The Task of a request: who asked whom for what, and how it stands. https://hl7.org/fhir/R4/task.html; MISSION M9 */
import type { Resource } from '../../ports/resource-store.ts';
import { idIn, listOf, type Node, nodeOf, textIn } from './chart.ts';
import { type RequestState, stateOf, taskState } from './states.ts';
import { REQUEST_REFERENCE, TASK_CODE } from './systems.ts';

export interface RequestTask {
  readonly id: string;
  readonly reference: string;
  readonly state: RequestState;
  readonly intent: 'proposal' | 'order';
  readonly patientId: string;
  /** Reference of the practice; absent where the record names none. */
  readonly owner?: string;
  readonly requester: string;
  /** ms UTC */
  readonly at: number;
  readonly pharmacyId?: string;
  readonly notes?: string;
  readonly additionalInformation?: string;
}

export function requestTask(of: RequestTask): Resource {
  const input = (code: string, value: object): object => ({
    type: { coding: [{ system: TASK_CODE, code }] },
    ...value,
  });
  const inputs = [
    ...(of.pharmacyId === undefined
      ? []
      : [input('pharmacy', { valueReference: { reference: `Organization/${of.pharmacyId}` } })]),
    ...(of.notes === undefined ? [] : [input('notes', { valueString: of.notes })]),
    ...(of.additionalInformation === undefined
      ? []
      : [input('additional-information', { valueString: of.additionalInformation })]),
  ];
  return {
    resourceType: 'Task',
    id: of.id,
    identifier: [{ system: REQUEST_REFERENCE, value: of.reference }],
    groupIdentifier: { system: REQUEST_REFERENCE, value: of.reference },
    ...taskState(of.state),
    intent: of.intent,
    priority: 'routine',
    code: { coding: [{ system: TASK_CODE, code: 'prescription-request' }] },
    for: { reference: `Patient/${of.patientId}` },
    authoredOn: new Date(of.at).toISOString(),
    lastModified: new Date(of.at).toISOString(),
    requester: { reference: of.requester },
    ...(of.owner !== undefined && { owner: { reference: of.owner } }),
    ...(inputs.length > 0 && { input: inputs }),
  };
}

/** What a Task of ours says; undefined of another. */
export interface ReadTask {
  readonly reference: string;
  readonly state: RequestState;
  readonly patientId: string;
  readonly authoredOn: string | undefined;
  readonly pharmacyId: string | undefined;
  readonly notes: string | undefined;
  readonly additionalInformation: string | undefined;
  readonly reason: string | undefined;
  readonly decidedOn: string | undefined;
  readonly owner: string | undefined;
  /** When the patient asked for its cancellation, which only the prescriber can bring to the Spine. */
  readonly cancellationAsked: string | undefined;
}

export function readRequestTask(task: Node): ReadTask | undefined {
  const state = stateOf(task);
  const reference = textIn(nodeOf(task['groupIdentifier'])['value']);
  const patientId = idIn(task['for'], 'Patient');
  if (state === undefined || reference === undefined || patientId === undefined) return undefined;
  const input = (code: string): Node =>
    listOf(task['input']).find((one) =>
      listOf(nodeOf(one['type'])['coding']).some((coding) => coding['system'] === TASK_CODE && coding['code'] === code),
    ) ?? {};
  return {
    reference,
    state,
    patientId,
    authoredOn: textIn(task['authoredOn']),
    pharmacyId: idIn(input('pharmacy')['valueReference'], 'Organization'),
    notes: textIn(input('notes')['valueString']),
    additionalInformation: textIn(input('additional-information')['valueString']),
    reason: textIn(nodeOf(task['statusReason'])['text']),
    decidedOn: state === 'requested' ? undefined : textIn(task['lastModified']),
    owner: textIn(nodeOf(task['owner'])['reference']),
    cancellationAsked: textIn(input(CANCELLATION_ASKED)['valueDateTime']),
  };
}

const CANCELLATION_ASKED = 'cancellation-asked';

/** The Task of a prescription that the patient wants cancelled. `at`: ms UTC. */
export const withCancellationAsked = (task: Resource, at: number): Resource => ({
  ...task,
  lastModified: new Date(at).toISOString(),
  input: [
    ...listOf(task['input']),
    {
      type: { coding: [{ system: TASK_CODE, code: CANCELLATION_ASKED }] },
      valueDateTime: new Date(at).toISOString(),
    },
  ],
});

/** The Task in its next state, with why and who's note. */
export function withState(task: Resource, state: RequestState, at: number, reason?: string, note?: object): Resource {
  const { statusReason: _before, ...rest } = task;
  return {
    ...rest,
    resourceType: 'Task',
    ...taskState(state),
    ...(reason !== undefined && { statusReason: { text: reason } }),
    lastModified: new Date(at).toISOString(),
    ...(note && { note: [...listOf(task['note']), note] }),
  };
}
