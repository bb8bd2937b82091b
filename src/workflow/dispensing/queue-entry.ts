/**
 * The Task that stands in a pharmacy's queue for one order, and is the state of its dispensing: one version of it decides
 * who dispensed. MISSION M10; https://hl7.org/fhir/R4/task.html
 */
import type { MintedToken } from '../../ports/prescription-tokens.ts';
import type { Resource } from '../../ports/resource-store.ts';
import { codeSystemUrl, namingSystemUrl } from '../../standards/fhir/canonical.ts';

/** Of ids of signed tokens, `PHB-RX-########`; migration 0027 knows a queue's Task by it. */
export const PRESCRIPTION_TOKEN = namingSystemUrl('prescription-token');
/** Of `Task.code` (`dispense`) and of what the Task carries. */
export const DISPENSING_CODES = codeSystemUrl('dispensing');

export type QueuePriority = 'controlled' | 'high_risk' | 'routine';

/** In the words of `Task.priority`, so that a search finds and orders them. */
export const TASK_PRIORITY: Readonly<Record<QueuePriority, string>> = {
  controlled: 'asap',
  high_risk: 'urgent',
  routine: 'routine',
};

export interface QueueEntry {
  /** Of the Task. */
  readonly id: string;
  /** Of the order, a MedicationRequest. */
  readonly orderId: string;
  readonly patientId: string;
  /** The pharmacy: an Organization. Absent where the patient has named none: then any pharmacy may dispense, in no queue. */
  readonly pharmacyId?: string;
  /** `Practitioner/1` or `PractitionerRole/1` */
  readonly requester: string;
  readonly token: Pick<MintedToken, 'tokenId' | 'sealed' | 'issuedAt' | 'expiresAt'>;
  readonly priority: QueuePriority;
  readonly groupIdentifier?: Readonly<Record<string, unknown>>;
  readonly strength?: string;
  /** `2`, `3`: whoever collects it shows who they are. */
  readonly nafdacSchedule?: string;
  /** By the catalogue's cost; said for who reads the Task by FHIR, the token holds it where nobody changes it. */
  readonly isHighValue?: boolean;
}

/** The Task, ready to be dispensed. */
export function queueTask(entry: QueueEntry): Resource {
  const { token, strength, nafdacSchedule, isHighValue } = entry;
  const input = (code: string, value: string): object => ({
    type: { coding: [{ system: DISPENSING_CODES, code }] },
    valueString: value,
  });
  return {
    resourceType: 'Task',
    id: entry.id,
    identifier: [{ system: PRESCRIPTION_TOKEN, value: token.tokenId }],
    ...(entry.groupIdentifier && { groupIdentifier: entry.groupIdentifier }),
    status: 'ready',
    intent: 'order',
    priority: TASK_PRIORITY[entry.priority],
    code: { coding: [{ system: DISPENSING_CODES, code: 'dispense' }] },
    focus: { reference: `MedicationRequest/${entry.orderId}` },
    for: { reference: `Patient/${entry.patientId}` },
    authoredOn: new Date(token.issuedAt).toISOString(),
    requester: { reference: entry.requester },
    ...(entry.pharmacyId !== undefined && { owner: { reference: `Organization/${entry.pharmacyId}` } }),
    restriction: { repetitions: 1, period: { end: new Date(token.expiresAt).toISOString() } },
    input: [
      input('token', token.sealed),
      ...(strength ? [input('strength', strength)] : []),
      ...(nafdacSchedule ? [input('nafdac-schedule', nafdacSchedule)] : []),
      ...(isHighValue ? [input('high-value', 'true')] : []),
    ],
  };
}
