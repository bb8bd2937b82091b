/** Requests and prescriptions as the source designs show them: views of Task, proposals, orders and tokens. MISSION M9 */
import type { PrescriptionTokens } from '../../ports/prescription-tokens.ts';
import type { Resource } from '../../ports/resource-store.ts';
import type { Catalogue } from './catalogue/catalogue.ts';
import {
  identifierIn,
  idIn,
  instructionsOf,
  isOrder,
  listOf,
  medicineOf,
  nodeOf,
  numberIn,
  quantityOf,
  textIn,
} from './chart.ts';
import { type ReadTask, readRequestTask } from './request-task.ts';
import { type ShownStatus, shownStatus } from './states.ts';
import { REQUEST_REFERENCE } from './systems.ts';

/** A request with what belongs to it. */
export interface Whole {
  readonly task: Resource;
  readonly read: ReadTask;
  readonly proposals: readonly Resource[];
  readonly orders: readonly Resource[];
  /** Tasks of pharmacies' queues. */
  readonly queue: readonly Resource[];
}

/** Joins what belongs together; Tasks that are none of ours are left out. */
export function wholesOf(
  tasks: readonly Resource[],
  requests: readonly Resource[],
  queue: readonly Resource[] = [],
): readonly Whole[] {
  const byReference = Map.groupBy(requests, referenceOf);
  const queued = Map.groupBy(queue, referenceOf);
  return tasks.flatMap((task) => {
    const read = readRequestTask(task);
    if (!read) return [];
    const own = (byReference.get(read.reference) ?? []).toSorted((a, b) =>
      String(a['id']) < String(b['id']) ? -1 : 1,
    );
    return [
      {
        task,
        read,
        proposals: own.filter((one) => !isOrder(one)),
        orders: own.filter(isOrder),
        queue: queued.get(read.reference) ?? [],
      },
    ];
  });
}

/** An electronic prescription is grouped by its number of EPS. */
const referenceOf = (resource: Resource): string =>
  identifierIn(resource, REQUEST_REFERENCE) ?? textIn(nodeOf(resource['groupIdentifier'])['value']) ?? '';

export const statusOf = ({ read, orders }: Whole): ShownStatus => shownStatus(read.state, orders);

/** In a list. */
export function summaryJson(whole: Whole, catalogue: Catalogue): object {
  const { task, read, proposals, orders } = whole;
  const status = statusOf(whole);
  const shown = proposals.length > 0 ? proposals : orders;
  return {
    id: String(task['id']),
    request_reference: read.reference,
    eps_reference: epsReference(orders),
    status,
    patient_id: read.patientId,
    request_date: read.authoredOn ?? null,
    approval_date:
      read.state === 'approved' || read.state === 'cancelling' ? (textIn(orders[0]?.['authoredOn']) ?? null) : null,
    pharmacy_id: read.pharmacyId ?? pharmacyOf(orders),
    triage: read.state === 'triaged' || read.state === 'escalated' ? read.state : null,
    notes: read.notes ?? null,
    additional_information: read.additionalInformation ?? null,
    reason: read.reason ?? null,
    ...(read.cancellationAsked !== undefined && { cancellation_asked: read.cancellationAsked }),
    items: shown.map((one) => itemJson(one, orders, catalogue)),
  };
}

/** Alone, with its tokens and what happened to it. */
export function detailJson(
  whole: Whole,
  catalogue: Catalogue,
  tokens: Pick<PrescriptionTokens, 'open'>,
  dispensedOn: string | null,
): object {
  const { task, orders, queue } = whole;
  const shown = queue.map((entry) => tokenJson(entry, tokens));
  return {
    ...summaryJson(whole, catalogue),
    dispensed_date: dispensedOn,
    prescription_ids: orders.map((one) => String(one['id'])),
    tokens: shown,
    history: listOf(task['note']).map((note) => ({
      at: textIn(note['time']) ?? null,
      by: textIn(nodeOf(note['authorReference'])['reference']) ?? null,
      text: textIn(note['text']) ?? '',
    })),
  };
}

/** What a scanner needs; null where there is nothing to show any more. */
export function tokenJson(entry: Resource, tokens: Pick<PrescriptionTokens, 'open'>): object {
  const orderId = idIn(entry['focus'], 'MedicationRequest') ?? '';
  const opened = entry['status'] === 'ready' ? tokens.open(entry) : undefined;
  return {
    prescription_id: orderId,
    token: opened?.token ?? null,
    payload: opened?.payload ?? null,
    signature: opened?.signature ?? null,
    expires_at: opened
      ? new Date(opened.expiresAt).toISOString()
      : (textIn(nodeOf(nodeOf(entry['restriction'])['period'])['end']) ?? null),
    qr_url: `/api/prescriptions/${orderId}/token.png`,
    pdf_url: `/api/prescriptions/${orderId}/token.pdf`,
  };
}

function itemJson(resource: Resource, orders: readonly Resource[], catalogue: Catalogue): object {
  const { name, entry } = medicineOf(resource, catalogue);
  const order = orders.find(
    (one) =>
      one === resource ||
      listOf(one['basedOn']).some((based) => based['reference'] === `MedicationRequest/${String(resource['id'])}`),
  );
  const dosage = listOf(resource['dosageInstruction'])[0] ?? {};
  return {
    id: String(resource['id']),
    medication_id: entry?.id ?? null,
    medication_name: name,
    strength: entry?.strength ?? null,
    form: entry?.form ?? null,
    dose: textIn(nodeOf(listOf(dosage['doseAndRate'])[0]?.['type'])['text']) ?? instructionsOf(resource),
    quantity: quantityOf(resource) ?? null,
    instructions: textIn(dosage['patientInstruction']) ?? textIn(dosage['text']) ?? null,
    repeats: numberIn(nodeOf(resource['dispenseRequest'])['numberOfRepeatsAllowed']) ?? 0,
    is_acute: textIn(listOf(nodeOf(resource['courseOfTherapyType'])['coding'])[0]?.['code']) === 'acute',
    prescription_id: order ? String(order['id']) : null,
    prescription_status: order ? (textIn(order['status']) ?? null) : null,
    approved_quantity: order ? (quantityOf(order) ?? null) : null,
    approved_dosage: order ? instructionsOf(order) : null,
    refills_allowed: order ? (numberIn(nodeOf(order['dispenseRequest'])['numberOfRepeatsAllowed']) ?? 0) : null,
    clinical_notes: order ? (textIn(listOf(order['note'])[0]?.['text']) ?? null) : null,
    reviewer: order ? (textIn(nodeOf(order['requester'])['reference']) ?? null) : null,
    review_date: order ? (textIn(order['authoredOn']) ?? null) : null,
  };
}

const EPS_NUMBER = 'https://fhir.nhs.uk/Id/prescription-order-number';

const epsReference = (orders: readonly Resource[]): string | null =>
  orders
    .map((one) => nodeOf(one['groupIdentifier']))
    .find(({ system }) => system === EPS_NUMBER)
    ?.['value']?.toString() ?? null;

const pharmacyOf = (orders: readonly Resource[]): string | null =>
  orders
    .map((one) => idIn(nodeOf(one['dispenseRequest'])['performer'], 'Organization'))
    .find((id) => id !== undefined) ?? null;
