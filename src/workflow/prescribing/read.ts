/** Lists and single requests, what may be asked for again, and the medicines a patient has. MISSION M9 */
import type { Caller } from '../../ports/caller.ts';
import type { Resource } from '../../ports/resource-store.ts';
import { parseJson } from '../../standards/fhir/json.ts';
import { notFound } from '../../standards/fhir/outcome.ts';
import type { Catalogue } from './catalogue/catalogue.ts';
import {
  currentMedicine,
  idIn,
  instructionsOf,
  isOrder,
  medicineOf,
  nodeOf,
  numberIn,
  quantityOf,
  textIn,
} from './chart.ts';
import { idQuery, type Prescribing, REQUEST_TASK } from './desk.ts';
import { earliestRepeat } from './limits.ts';
import type { RequestState, ShownStatus } from './states.ts';
import { REQUEST_REFERENCE } from './systems.ts';
import { detailJson, statusOf, summaryJson, tokenJson, type Whole, wholesOf } from './view.ts';

export interface ListAsked {
  /** Of one patient; all that the caller may see unless given. */
  readonly patientId?: string;
  readonly status?: ShownStatus | 'ALL';
  readonly limit: number;
  readonly cursor?: string;
}

export interface Listed {
  readonly wholes: readonly Whole[];
  readonly next?: string;
  readonly catalogue: Catalogue;
}

const STATES: Readonly<Record<ShownStatus, readonly RequestState[]>> = {
  REQUESTED: ['requested', 'triaged', 'escalated'],
  APPROVED: ['approved', 'cancelling'],
  DISPENSED: ['approved'],
  REJECTED: ['rejected'],
  CANCELLED: ['cancelled'],
};
/** Requests whose proposals and orders are fetched together. */
const ITEMS_MAX = 1000;

/** Newest first for a patient, oldest first for a practice: what waits longest is on top. */
export async function listRequests(desk: Prescribing, caller: Caller, asked: ListAsked): Promise<Listed> {
  const { patientId, status, limit, cursor } = asked;
  const states = status === undefined || status === 'ALL' ? '' : `&business-status=${STATES[status].join(',')}`;
  const whose =
    patientId === undefined ? '&_sort=authored-on' : `&patient=${encodeURIComponent(patientId)}&_sort=-authored-on`;
  const page = await search(desk, caller, 'Task', `${REQUEST_TASK}${states}${whose}`, limit, cursor);
  const references = page.resources.flatMap((task) => textIn(nodeOf(task['groupIdentifier'])['value']) ?? []);
  const items = await itemsOf(desk, caller, references);
  const wholes = wholesOf(page.resources, items);
  const shown =
    status === undefined || status === 'ALL' ? wholes : wholes.filter((whole) => statusOf(whole) === status);
  return { wholes: shown, catalogue: await desk.openCatalogue(), ...(page.next !== undefined && { next: page.next }) };
}

/** One request with everything; throws not-found, also for one that the caller may not see. */
export async function readRequest(
  desk: Prescribing,
  caller: Caller,
  id: string,
): Promise<{ readonly json: object; readonly whole: Whole }> {
  const [task] = (await search(desk, caller, 'Task', `${REQUEST_TASK}&${idQuery(id)}`, 1)).resources;
  const reference = textIn(nodeOf(task?.['groupIdentifier'])['value']);
  if (!task || reference === undefined) throw notFound('That prescription');
  const [items, queue, catalogue] = await Promise.all([
    itemsOf(desk, caller, [reference]),
    search(
      desk,
      caller,
      'Task',
      `group-identifier=${REQUEST_REFERENCE}|${encodeURIComponent(reference)}&status:not=cancelled`,
      50,
    ),
    desk.openCatalogue(),
  ]);
  const [whole] = wholesOf(
    [task],
    items,
    queue.resources.filter((one) => one['id'] !== task['id']),
  );
  if (!whole) throw notFound('That prescription');
  return { whole, json: detailJson(whole, catalogue, desk.tokens, await dispensedOn(desk, caller, whole)) };
}

async function dispensedOn(desk: Prescribing, caller: Caller, whole: Whole): Promise<string | null> {
  if (statusOf(whole) !== 'DISPENSED') return null;
  const orders = whole.orders.map((one) => `MedicationRequest/${String(one['id'])}`).join(',');
  const { resources } = await search(desk, caller, 'MedicationDispense', `prescription=${orders}`, 50);
  return (
    resources
      .flatMap((one) => textIn(one['whenHandedOver']) ?? [])
      .toSorted()
      .at(-1) ?? null
  );
}

/** Of the patient's orders: what may be asked for again, and from when. */
export async function repeatable(desk: Prescribing, caller: Caller, patientId: string): Promise<readonly object[]> {
  const [catalogue, orders] = await Promise.all([
    desk.openCatalogue(),
    ordersOf(desk, caller, patientId, 'active,completed'),
  ]);
  const newest = new Map<string, Resource>();
  for (const order of orders) {
    const { name, entry } = medicineOf(order, catalogue);
    const key = entry?.id ?? name.toLowerCase();
    if (!newest.has(key)) newest.set(key, order);
  }
  return [...newest.values()].flatMap((order) => {
    const { name, entry } = medicineOf(order, catalogue);
    const repeats = numberIn(nodeOf(order['dispenseRequest'])['numberOfRepeatsAllowed']) ?? 0;
    if (entry?.isActive === false) return [];
    const medicine = currentMedicine(order, catalogue);
    const from = earliestRepeat(medicine) ?? medicine.authoredAt;
    return [
      {
        medication_id: entry?.id ?? null,
        medication_name: name,
        strength: entry?.strength ?? null,
        form: entry?.form ?? null,
        dose: instructionsOf(order),
        quantity: quantityOf(order) ?? null,
        last_prescribed: textIn(order['authoredOn']) ?? null,
        repeats_allowed: repeats,
        available_from: new Date(from).toISOString().slice(0, 10),
        can_request: from <= desk.now(),
      },
    ];
  });
}

/** Current medicines; each that waits at a pharmacy with its token and the pharmacy's contact. */
export async function medicinesOf(
  desk: Prescribing,
  caller: Caller,
  patientId: string,
  withTokens: boolean,
): Promise<readonly object[]> {
  const [catalogue, orders] = await Promise.all([
    desk.openCatalogue(),
    ordersOf(desk, caller, patientId, withTokens ? 'active' : 'active,completed,stopped,on-hold,cancelled'),
  ]);
  const focus = orders.map((order) => `MedicationRequest/${String(order['id'])}`).join(',');
  const queue =
    withTokens && orders.length > 0
      ? (await search(desk, caller, 'Task', `focus=${focus}&status=ready`, 200)).resources
      : [];
  const pharmacyIds = [...new Set(orders.flatMap((order) => pharmacyIdOf(order) ?? []))];
  const pharmacies =
    pharmacyIds.length === 0
      ? []
      : (await search(desk, caller, 'Organization', idQuery(...pharmacyIds), 200)).resources;
  return orders.map((order) => {
    const { name, entry } = medicineOf(order, catalogue);
    const id = String(order['id']);
    const entryOfQueue = queue.find((one) => idIn(one['focus'], 'MedicationRequest') === id);
    return {
      id,
      medication_id: entry?.id ?? null,
      medication_name: name,
      strength: entry?.strength ?? null,
      form: entry?.form ?? null,
      dosage: instructionsOf(order),
      quantity: quantityOf(order) ?? null,
      refills_allowed: numberIn(nodeOf(order['dispenseRequest'])['numberOfRepeatsAllowed']) ?? 0,
      status: textIn(order['status']) ?? null,
      prescribed_on: textIn(order['authoredOn']) ?? null,
      prescriber: textIn(nodeOf(order['requester'])['reference']) ?? null,
      ...(withTokens && { ...(entryOfQueue ? tokenJson(entryOfQueue, desk.tokens) : { token: null }) }),
      pharmacy: contactOf(pharmacies.find((one) => one['id'] === pharmacyIdOf(order))),
    };
  });
}

const pharmacyIdOf = (order: Resource): string | undefined =>
  idIn(nodeOf(order['dispenseRequest'])['performer'], 'Organization');

function contactOf(pharmacy: Resource | undefined): object | null {
  if (!pharmacy) return null;
  const telecom = (system: string): string | null =>
    (Array.isArray(pharmacy['telecom']) ? pharmacy['telecom'] : []).find((one) => one.system === system)?.value ?? null;
  return {
    id: pharmacy['id'],
    name: pharmacy['name'] ?? null,
    address: pharmacy['address'] ?? [],
    phone: telecom('phone'),
    email: telecom('email'),
  };
}

async function ordersOf(
  desk: Prescribing,
  caller: Caller,
  patientId: string,
  statuses: string,
): Promise<readonly Resource[]> {
  const query = `patient=${encodeURIComponent(patientId)}&status=${statuses}&_sort=-authoredon`;
  return (await search(desk, caller, 'MedicationRequest', query, 200)).resources.filter(isOrder);
}

async function itemsOf(desk: Prescribing, caller: Caller, references: readonly string[]): Promise<readonly Resource[]> {
  if (references.length === 0) return [];
  const query = `identifier=${references.map((one) => `${REQUEST_REFERENCE}|${encodeURIComponent(one)}`).join(',')}`;
  return (await search(desk, caller, 'MedicationRequest', query, ITEMS_MAX)).resources;
}

/** One page, parsed. */
export async function search(
  desk: Pick<Prescribing, 'store' | 'searchOf'>,
  caller: Caller,
  type: string,
  query: string,
  count: number,
  cursor?: string,
): Promise<{ readonly resources: readonly Resource[]; readonly next?: string }> {
  const request = desk.searchOf(
    type,
    `${query}${cursor === undefined ? '' : `&_cursor=${encodeURIComponent(cursor)}`}`,
  );
  const page = await desk.store.search(caller, { ...request, count, total: 'none' });
  return {
    resources: page.matches.map(({ content }) => parseJson(content) as Resource), // stored text was checked
    ...(page.next !== undefined && { next: page.next }),
  };
}

export { summaryJson };
