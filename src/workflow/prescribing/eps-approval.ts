/** Whether an approval goes by EPS, what is to be signed for it, and what happens when the signature comes. MISSION M3, M9 */
import type { Caller, CallerUser } from '../../ports/caller.ts';
import type { Resource, StoreTransaction } from '../../ports/resource-store.ts';
import { FhirError } from '../../standards/fhir/outcome.ts';
import type { Queued } from '../eps/send.ts';
import { provenanceOf } from './approval.ts';
import { idIn, isOrder, type Node, nodeOf, textIn } from './chart.ts';
import { changed, created, type Found, findAllOf, idQuery, type Keep, type Prescribing, raced } from './desk.ts';
import { asEpsOrder, type EpsParties, missingForEps } from './eps-message.ts';
import type { EpsOrders, ToSign } from './eps-orders.ts';
import { findRequest, selvesOf } from './find-request.ts';
import { type Item, ruleIssue } from './items.ts';
import { REQUEST_REFERENCE } from './systems.ts';

/** How an approval stands with EPS. */
export interface EpsState {
  readonly status: 'not-sent' | 'to-be-signed' | 'queued';
  /** Why it is no electronic prescription. */
  readonly missing?: readonly string[];
  readonly toSign?: ToSign;
}

export interface EpsApproval {
  readonly state: EpsState;
  readonly orders: readonly Resource[];
  /** Of the key for trying. */
  readonly signature?: string;
  readonly queued?: Queued;
}

type Finding = Pick<StoreTransaction, 'findCurrent'>;

/** Who prescribes, where, and for which pharmacy. */
export async function partiesOf(
  desk: Prescribing,
  tx: Finding,
  user: Pick<CallerUser, 'practitionerId' | 'practitionerRoleIds' | 'organizationIds'>,
  patient: Resource,
  pharmacy: Resource | undefined,
): Promise<EpsParties> {
  const [roleId] = user.practitionerRoleIds;
  const role = (await findAllOf(desk, tx, [['PractitionerRole', idQuery(roleId ?? 'none')]]))[0]?.[0]?.resource;
  const practiceId = idIn(role?.['organization'], 'Organization') ?? user.organizationIds[0] ?? 'none';
  const practitionerId = user.practitionerId ?? idIn(role?.['practitioner'], 'Practitioner') ?? 'none';
  const [practitioners = [], practices = []] = await findAllOf(desk, tx, [
    ['Practitioner', idQuery(practitionerId)],
    ['Organization', idQuery(practiceId)],
  ]);
  const practice = practices[0]?.resource;
  const parentId = idIn(practice?.['partOf'], 'Organization');
  const parent =
    parentId === undefined
      ? undefined
      : (await findAllOf(desk, tx, [['Organization', idQuery(parentId)]]))[0]?.[0]?.resource;
  return { patient, practitioner: practitioners[0]?.resource, role, practice, parent, pharmacy };
}

/** The orders as EPS has them, where all that it needs is there; signed and ready to be queued with a key for trying. */
export async function approveForEps(
  eps: EpsOrders,
  parties: EpsParties,
  approved: readonly { readonly item: Item; readonly order: Resource }[],
  requestId: string,
  at: number,
): Promise<EpsApproval> {
  const plain = approved.map(({ order }) => order);
  const missing = missingForEps(
    parties,
    approved.map(({ item }) => item),
  );
  if (missing.length > 0) return { state: { status: 'not-sent', missing }, orders: plain };
  const orders = approved.map(({ order, item }) => asEpsOrder(order, item, parties, requestId));
  const toSign = eps.toSign(orders, parties, requestId, at);
  const signature = await eps.trySign(toSign);
  if (signature === undefined) return { state: { status: 'to-be-signed', toSign }, orders };
  const queued = await eps.signed(orders, parties, requestId, toSign.timestamp, signature);
  return { state: { status: 'queued' }, orders, signature, queued };
}

const EPS_NUMBER = 'https://fhir.nhs.uk/Id/prescription-order-number';

export const isEpsOrder = (order: Node): boolean => nodeOf(order['groupIdentifier'])['system'] === EPS_NUMBER;

interface Sendable {
  readonly task: Found;
  readonly orders: readonly Resource[];
  readonly parties: EpsParties;
  readonly at: number;
  readonly reference: string;
  readonly patientId: string;
}

/** Throws 404; 409 where it is no electronic prescription; 403 where another has prescribed it. */
async function findSendable(desk: Prescribing, tx: Finding, user: CallerUser, id: string): Promise<Sendable> {
  const { task, read } = await findRequest(desk, tx, id);
  const own = `identifier=${REQUEST_REFERENCE}|${encodeURIComponent(read.reference)}`;
  const [requests = [], patients = []] = await findAllOf(desk, tx, [
    ['MedicationRequest', `${own}&status=active`],
    ['Patient', idQuery(read.patientId)],
  ]);
  const orders = requests
    .map(({ resource }) => resource)
    .filter((one) => isOrder(one) && isEpsOrder(one))
    .toSorted((a, b) => (String(a['id']) < String(b['id']) ? -1 : 1));
  const [first] = orders;
  const patient = patients[0]?.resource;
  if (!first || !patient || read.state !== 'approved')
    throw new FhirError(409, [
      { ...ruleIssue('RX-EPS', 'There is no electronic prescription here to be signed'), code: 'conflict' },
    ]);
  if (!selvesOf(user).includes(textIn(nodeOf(first['requester'])['reference']) ?? ''))
    throw new FhirError(
      403,
      [{ ...ruleIssue('RX-NOT-SIGNER', 'Only who has prescribed it signs it'), code: 'forbidden' }],
      { cause: { rule: 'signer' } },
    );
  const pharmacyId = idIn(nodeOf(first['dispenseRequest'])['performer'], 'Organization') ?? 'none';
  const pharmacy = (await findAllOf(desk, tx, [['Organization', idQuery(pharmacyId)]]))[0]?.[0]?.resource;
  const parties = await partiesOf(desk, tx, user, patient, pharmacy);
  return {
    task,
    orders,
    parties,
    at: Date.parse(textIn(first['authoredOn']) ?? ''),
    reference: read.reference,
    patientId: read.patientId,
  };
}

const noSpine = (): FhirError => new FhirError(501, [ruleIssue('RX-EPS', 'No Spine is configured here')]);

/** What the prescriber is to sign, again. */
export async function readToSign(
  desk: Prescribing,
  caller: Caller,
  user: CallerUser,
  id: string,
): Promise<ToSign & { readonly patientId: string }> {
  const { eps } = desk;
  if (!eps) throw noSpine();
  return desk.store.transaction(caller, async (tx) => {
    const { orders, parties, at, patientId } = await findSendable(desk, tx, user, id);
    return { ...eps.toSign(orders, parties, id, at), patientId };
  });
}

export interface Signed {
  readonly reference: string;
  readonly patientId: string;
}

/** Keeps the signature and queues the message, once. Throws 422 where it is not a signature of this prescription. */
export async function signForEps(
  desk: Prescribing,
  caller: Caller,
  user: CallerUser,
  id: string,
  given: { readonly timestamp: string; readonly signature: string },
  keep: Keep<Signed>,
): Promise<Signed> {
  const { eps, store } = desk;
  if (!eps) throw noSpine();
  try {
    return await store.transaction(caller, async (tx) => {
      const { task, orders, parties, reference, patientId, at } = await findSendable(desk, tx, user, id);
      if (given.timestamp !== eps.toSign(orders, parties, id, at).timestamp)
        throw new FhirError(422, [
          ruleIssue('RX-SIGNATURE', 'The timestamp is not the one that was to be signed', 'timestamp'),
        ]);
      const queued = await eps.signed(orders, parties, id, given.timestamp, given.signature);
      const requester = textIn(nodeOf(orders[0]?.['requester'])['reference']) ?? '';
      const approval = {
        approved: orders.map((order) => ({ order })),
        patientId,
        taskId: id,
        prescriber: { name: user.name, reference: requester },
        at: desk.now(),
        newId: store.newId,
      };
      const signed: Signed = { reference, patientId };
      const versions = orders.map(
        (order) => `MedicationRequest/${String(order['id'])}/_history/${String(nodeOf(order['meta'])['versionId'])}`,
      );
      const lastModified = new Date(approval.at).toISOString();
      // Whoever cancels it at the same moment finds the Task changed, and sees that it was sent.
      const touched = changed(task, (current) => ({ ...current, lastModified }));
      await tx.write([created(provenanceOf(approval, undefined, given.signature)), touched], async () => {
        await Promise.all([keep(tx, signed), eps.queue(tx, queued, versions)]);
      });
      return signed;
    });
  } catch (error) {
    throw raced(error);
  }
}
