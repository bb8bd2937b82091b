/** What an approval writes: orders, Provenance, tokens with the pharmacy's Tasks, warnings, notices. MISSION M9, M10 */
import type { PrescriptionTokens, TokenPharmacy } from '../../ports/prescription-tokens.ts';
import type { NewResource, Resource } from '../../ports/resource-store.ts';
import { queueTask } from '../dispensing/queue-entry.ts';
import { isControlled, isHighRisk, isHighValue, isScheduled, type Money } from './catalogue/entry.ts';
import { healthNumberOf, identifierIn, listOf, type Node, nameOf, nodeOf, textIn } from './chart.ts';
import { notice } from './desk.ts';
import { type Item, instructionsText } from './items.ts';
import { limitsOf } from './limits.ts';
import type { Finding } from './rules.ts';
import { type IdentifierSystems, ODS_CODE, PRESCRIBING_RULE } from './systems.ts';

export interface ApprovedItem {
  readonly item: Item;
  readonly order: Resource;
}

export interface Approval {
  readonly approved: readonly ApprovedItem[];
  readonly patient: Node;
  readonly patientId: string;
  readonly pharmacy: Node | undefined;
  readonly taskId: string;
  readonly reference: string;
  readonly prescriber: { readonly name: string; readonly reference: string };
  readonly warnings: readonly Finding[];
  readonly systems: IdentifierSystems;
  /** What costs so much or more is of high value; nothing is without it. */
  readonly highValueFrom?: Money | undefined;
  /** ms UTC */
  readonly at: number;
  readonly newId: () => string;
}

/** What a Provenance names. */
export type ToSignFor = Pick<Approval, 'patientId' | 'taskId' | 'prescriber' | 'at' | 'newId'> & {
  readonly approved: readonly Pick<ApprovedItem, 'order'>[];
};

const DAY_MS = 24 * 60 * 60_000;
/** v3 ParticipationType and ASTM signature types. https://hl7.org/fhir/R4/valueset-signature-type.html */
const AUTHOR = { system: 'http://terminology.hl7.org/CodeSystem/provenance-participant-type', code: 'author' };
const SIGNED = { system: 'urn:iso-astm:E1762-95:2013', code: '1.2.840.10065.1.12.1.1' };

/** Who approved what, and when; the signature of the Spine's kind is added where one is given. */
export function provenanceOf(
  { approved, patientId, taskId, prescriber, at, newId }: ToSignFor,
  note?: string,
  data?: string,
): Resource {
  const who = { reference: prescriber.reference };
  return {
    resourceType: 'Provenance',
    id: newId(),
    target: [
      ...approved.map(({ order }) => ({ reference: `MedicationRequest/${String(order['id'])}` })),
      { reference: `Task/${taskId}` },
      // By which it is in the patient's record.
      { reference: `Patient/${patientId}` },
    ],
    recorded: new Date(at).toISOString(),
    activity: {
      coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v3-DataOperation', code: 'CREATE' }],
      ...(note !== undefined && { text: note }),
    },
    agent: [{ type: { coding: [AUTHOR] }, who }],
    signature: [{ type: [SIGNED], when: new Date(at).toISOString(), who, ...(data !== undefined && { data }) }],
  };
}

/** What Mortar itself keeps about an approval: a Task for each order in the pharmacy's queue, warnings, notices. */
export async function besideApproval(approval: Approval, tokens: PrescriptionTokens): Promise<readonly NewResource[]> {
  const { approved, pharmacy, patientId, taskId, reference, at, newId } = approval;
  const made = (resource: Resource): NewResource => ({ id: String(resource['id'] ?? newId()), resource });
  const queued = pharmacy ? await Promise.all(approved.map((one) => queueEntry(approval, one, pharmacy, tokens))) : [];
  const issues = approval.warnings.map((finding) => detectedIssue(approval, finding));
  const told = `Your request ${reference} has been approved: ${approved.map(({ order }) => String(order['id'])).join(', ')}.`;
  const where = pharmacy
    ? ` Collect it from ${textIn(pharmacy['name']) ?? 'your pharmacy'}, usually 2 to 3 days from now.`
    : ' Nominate a pharmacy to collect it from.';
  const notices = [
    notice('prescription-approved', patientId, `Patient/${patientId}`, told + where, at, `Task/${taskId}`),
    ...(pharmacy
      ? [
          notice(
            'prescription-new',
            patientId,
            `Organization/${String(pharmacy['id'])}`,
            `A new prescription waits in the queue.`,
            at,
            `Task/${taskId}`,
          ),
        ]
      : []),
  ];
  return [...queued, ...issues, ...notices].map(made);
}

async function queueEntry(
  approval: Approval,
  { item, order }: ApprovedItem,
  pharmacy: Node,
  tokens: PrescriptionTokens,
): Promise<Resource> {
  const { patient, patientId, prescriber, systems, at, newId } = approval;
  const { entry } = item;
  const birthDate = textIn(patient['birthDate']);
  const controlled = entry !== undefined && isControlled(entry);
  const highRisk = entry !== undefined && isHighRisk(entry);
  const highValue = entry !== undefined && isHighValue(entry, approval.highValueFrom);
  const orderId = String(order['id']);
  const token = await tokens.mint({
    prescriptionId: orderId,
    patientId,
    patient: nameOf(patient),
    ...(birthDate !== undefined && { birthDate }),
    hpn: healthNumberOf(patient, systems.healthNumber),
    medication: item.name,
    ...(entry && entry.strength !== '' && { strength: entry.strength }),
    dosage: item.dose ?? instructionsText(item),
    frequency: item.frequency ?? '',
    quantity: `${item.quantity}${item.quantityUnit === undefined ? '' : ` ${item.quantityUnit}`}`,
    prescriber: prescriber.name,
    pharmacy: tokenPharmacy(pharmacy, systems.pharmacyCode),
    issuedAt: at,
    expiresAt: at + Math.min(30, limitsOf(entry).validDays) * DAY_MS,
    ...(entry && isScheduled(entry) && { isControlled: true }),
    kinds: [
      ...(controlled ? (['controlled'] as const) : []),
      ...(highRisk ? (['high_risk'] as const) : []),
      ...(highValue ? (['high_value'] as const) : []),
    ],
    issue: { number: 1, of: item.repeats + 1 },
  });
  return queueTask({
    id: newId(),
    orderId,
    patientId,
    pharmacyId: String(pharmacy['id']),
    requester: prescriber.reference,
    token,
    priority: controlled ? 'controlled' : highRisk ? 'high_risk' : 'routine',
    isHighValue: highValue,
    groupIdentifier: nodeOf(listOf(order['identifier'])[0]),
    ...(entry && entry.strength !== '' && { strength: entry.strength }),
    ...(entry?.nafdacSchedule !== undefined && { nafdacSchedule: entry.nafdacSchedule }),
  });
}

function tokenPharmacy(pharmacy: Node, codeSystem: string): TokenPharmacy {
  const address = listOf(pharmacy['address'])[0] ?? {};
  const lines = Array.isArray(address['line']) ? (address['line'] as string[]) : []; // validated
  const phone = listOf(pharmacy['telecom']).find(({ system }) => system === 'phone');
  return {
    name: textIn(pharmacy['name']) ?? '',
    code: identifierIn(pharmacy, codeSystem) ?? identifierIn(pharmacy, ODS_CODE) ?? String(pharmacy['id']),
    address: lines.join(', '),
    city: textIn(address['city']) ?? '',
    postcode: textIn(address['postalCode']) ?? '',
    phone: textIn(phone?.['value']) ?? '',
  };
}

/** https://hl7.org/fhir/R4/detectedissue.html */
const detectedIssue = (
  { approved, patientId, at, newId }: Approval,
  { code, severity, message, index }: Finding,
): Resource => ({
  resourceType: 'DetectedIssue',
  id: newId(),
  status: 'final',
  code: { coding: [{ system: PRESCRIBING_RULE, code }], text: message },
  severity,
  patient: { reference: `Patient/${patientId}` },
  identifiedDateTime: new Date(at).toISOString(),
  ...(approved[index] && { implicated: [{ reference: `MedicationRequest/${String(approved[index]?.order['id'])}` }] }),
  detail: message,
});
