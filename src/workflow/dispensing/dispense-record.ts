/** What dispensing writes: the Task done, the order completed, the MedicationDispense, and the Provenance of all. MISSION M10 */
import type { NewResource, Resource, WriteResult } from '../../ports/resource-store.ts';
import { NOTICE_CATEGORY } from '../prescribing/systems.ts';
import type { FoundTask } from './find-task.ts';
import type { Node, Pharmacy } from './pharmacies.ts';
import { DISPENSING_CODES } from './queue-entry.ts';
import { STATUS_OF } from './states.ts';
import { inputOf } from './tokens.ts';

export interface Dispensing {
  /** ms UTC */
  readonly at: number;
  readonly pharmacy: Pharmacy;
  /** As they say it at the counter. */
  readonly pharmacist: string;
  /** `Practitioner/1` of the account, where there is one. */
  readonly practitioner?: string;
  readonly notes?: string;
  /** Why it was handed over without a collection code, where one is asked for. */
  readonly waiver?: string;
}

/** What a Task that is done says of it. */
export interface DispensedBy {
  readonly dispensedAt: string;
  readonly pharmacy: string;
  readonly pharmacist: string;
}

/** Undefined while it is not. */
export function dispensedBy(task: Node): DispensedBy | undefined {
  const period = task['executionPeriod'] as Node | undefined;
  if (task['status'] !== 'completed' || typeof period?.['end'] !== 'string') return undefined;
  const outputs = { input: task['output'] };
  return {
    dispensedAt: period['end'],
    pharmacy: inputOf(outputs, 'pharmacy') ?? '',
    pharmacist: inputOf(outputs, 'pharmacist') ?? '',
  };
}

/** Id of the MedicationDispense of a Task that is done. */
export function dispenseIdOf(task: Node): string | undefined {
  const outputs = (task['output'] ?? []) as readonly Node[]; // validated
  const references = outputs.map((one) => String((one['valueReference'] as Node | undefined)?.['reference'] ?? ''));
  return references.map((one) => /^MedicationDispense\/(.+)$/.exec(one)?.[1]).find((id) => id !== undefined);
}

/** The Task, done. */
export function completedTask(task: Resource, dispenseId: string, { at, pharmacy, pharmacist }: Dispensing): Resource {
  const when = new Date(at).toISOString();
  const output = (code: string, value: Node): Node => ({
    type: { coding: [{ system: DISPENSING_CODES, code }] },
    ...value,
  });
  const { businessStatus: _whileItWaited, ...rest } = task;
  return {
    ...rest,
    status: STATUS_OF.dispensed.task,
    owner: task['owner'] ?? { reference: `Organization/${pharmacy.id}` },
    executionPeriod: { ...(task['executionPeriod'] as Node | undefined), end: when },
    lastModified: when,
    output: [
      output('dispense', { valueReference: { reference: `MedicationDispense/${dispenseId}` } }),
      output('pharmacy', { valueString: pharmacy.name }),
      output('pharmacist', { valueString: pharmacist }),
    ],
  };
}

/** The order, completed, with who dispensed it. */
export function completedOrder(order: Resource, { pharmacy }: Dispensing): Resource {
  const performer = { reference: `Organization/${pharmacy.id}` };
  const dispenseRequest = { performer, ...(order['dispenseRequest'] as Node | undefined) };
  return { ...order, status: STATUS_OF.dispensed.order, dispenseRequest };
}

export function medicationDispense(found: FoundTask & { readonly order: Node }, dispensing: Dispensing): Resource {
  const { order, patientId, orderId } = found;
  const { at, pharmacy, pharmacist, practitioner, notes, waiver } = dispensing;
  const when = new Date(at).toISOString();
  const request = order['dispenseRequest'] as Node | undefined;
  const said = [
    ...(notes === undefined ? [] : [notes]),
    ...(waiver === undefined ? [] : [`Handed over without a collection code: ${waiver}`]),
  ];
  const taken = (name: string): Node => (order[name] === undefined ? {} : { [name]: order[name] });
  return {
    resourceType: 'MedicationDispense',
    identifier: [{ system: DISPENSING_CODES, value: found.token.tokenId }],
    status: 'completed',
    ...taken('medicationCodeableConcept'),
    ...taken('medicationReference'),
    subject: { reference: `Patient/${patientId}` },
    performer: [
      { actor: { reference: `Organization/${pharmacy.id}`, display: pharmacy.name } },
      { actor: { ...(practitioner !== undefined && { reference: practitioner }), display: pharmacist } },
    ],
    authorizingPrescription: [{ reference: `MedicationRequest/${orderId}` }],
    ...(request?.['quantity'] !== undefined && { quantity: request['quantity'] }),
    whenPrepared: when,
    whenHandedOver: when,
    ...(said.length > 0 && { note: said.map((text) => ({ time: when, text })) }),
    ...taken('dosageInstruction'),
  };
}

/** That it was handed over: to the patient, without naming the medicine. */
export const dispensedNotice = (found: FoundTask, id: string, { at, pharmacy }: Dispensing): NewResource => ({
  id,
  resource: {
    resourceType: 'Communication',
    status: 'completed',
    category: [{ coding: [{ system: NOTICE_CATEGORY, code: 'prescription-dispensed' }] }],
    subject: { reference: `Patient/${found.patientId}` },
    about: [{ reference: `Task/${found.taskId}` }],
    recipient: [{ reference: `Patient/${found.patientId}` }],
    sent: new Date(at).toISOString(),
    payload: [{ contentString: `Prescription ${found.token.tokenId} was handed over by ${pharmacy.name}.` }],
  },
});

const PARTICIPANT = 'http://terminology.hl7.org/CodeSystem/provenance-participant-type';
const DATA_OPERATION = 'http://terminology.hl7.org/CodeSystem/v3-DataOperation';

/** Who did it, and for which pharmacy. */
export const dispensingProvenance =
  (id: string, patientId: string, { at, pharmacy, pharmacist, practitioner }: Dispensing) =>
  (results: readonly WriteResult[]): readonly NewResource[] => [
    {
      id,
      resource: {
        resourceType: 'Provenance',
        // R4 knows a Provenance as a patient's only by a target that is the Patient.
        target: [
          ...results.map(({ version }) => ({
            reference: `${version.type}/${version.id}/_history/${version.versionId}`,
          })),
          { reference: `Patient/${patientId}` },
        ],
        occurredDateTime: new Date(at).toISOString(),
        recorded: new Date(at).toISOString(),
        activity: { coding: [{ system: DATA_OPERATION, code: 'UPDATE' }], text: 'dispense' },
        agent: [
          {
            type: { coding: [{ system: PARTICIPANT, code: 'performer' }] },
            who: { ...(practitioner !== undefined && { reference: practitioner }), display: pharmacist },
            onBehalfOf: { reference: `Organization/${pharmacy.id}` },
          },
        ],
      },
    },
  ];
