/**
 * What is said to the Spine when an electronic prescription is cancelled: a message for each item, in the name of the
 * prescriber who cancels it; for a patient in that of who prescribed it, by the key for trying alone. MISSION M3, M9
 */
import type { CallerUser } from '../../ports/caller.ts';
import type { StoreTransaction } from '../../ports/resource-store.ts';
import { FhirError } from '../../standards/fhir/outcome.ts';
import type { Queued } from '../eps/send.ts';
import { idIn, listOf, nodeOf } from './chart.ts';
import { type Found, findAllOf, idQuery, type Prescribing } from './desk.ts';
import { isEpsOrder, partiesOf } from './eps-approval.ts';
import { missingToCancel } from './eps-message.ts';
import { ruleIssue } from './items.ts';

type Finding = Pick<StoreTransaction, 'findCurrent'>;

/** Those of the orders that are at the Spine, or on their way: what nobody has signed was never sent. */
export async function sentOrdersOf(
  desk: Prescribing,
  tx: Finding,
  orders: readonly Found[],
): Promise<readonly Found[]> {
  const own = orders.filter(({ resource }) => resource['status'] === 'active' && isEpsOrder(resource));
  if (!desk.eps || own.length === 0) return [];
  const targets = own.map(({ id }) => `MedicationRequest/${id}`);
  const [provenances = []] = await findAllOf(desk, tx, [['Provenance', `target=${targets.join(',')}`]]);
  const signed = new Set(
    provenances
      .filter(({ resource }) => listOf(resource['signature']).some(({ data }) => data !== undefined))
      .flatMap(({ resource }) => listOf(resource['target']).map(({ reference }) => reference)),
  );
  return own.filter(({ id }) => signed.has(`MedicationRequest/${id}`));
}

/** Why it is cancelled, as EPS says it. */
const BY_PATIENT = { code: '0005', display: "At the Patient's request" };
const BY_PRESCRIBER = { code: '0004', display: 'Clinical grounds' };

export interface ToCancel {
  readonly orders: readonly Found[];
  readonly patientId: string;
  /** Who cancels; undefined where it is the patient. */
  readonly prescriber: CallerUser | undefined;
  /** Of these messages alone: after a refusal it may be asked for again. */
  readonly seed: string;
  /** ms UTC */
  readonly at: number;
}

/** The messages, ready to be queued. Throws 409 where the Spine would not know who cancels; 422 with what EPS finds wrong. */
export async function cancellationsOf(
  desk: Prescribing,
  tx: Finding,
  { orders, patientId, prescriber, seed, at }: ToCancel,
): Promise<readonly Queued[]> {
  const { eps } = desk;
  const [first] = orders;
  if (!eps || !first) return [];
  const pharmacyId = idIn(nodeOf(first.resource['dispenseRequest'])['performer'], 'Organization') ?? 'none';
  const [patients = [], pharmacies = []] = await findAllOf(desk, tx, [
    ['Patient', idQuery(patientId)],
    ['Organization', idQuery(pharmacyId)],
  ]);
  const patient = patients[0]?.resource;
  if (!patient) throw refused('The patient of this electronic prescription is not in the record any more');
  const pharmacy = pharmacies[0]?.resource;
  const roleId = idIn(first.resource['requester'], 'PractitionerRole') ?? 'none';
  const wrote = { practitionerRoleIds: [roleId], organizationIds: [] };
  const parties = await partiesOf(desk, tx, wrote, patient, pharmacy);
  const canceller = prescriber ? await partiesOf(desk, tx, prescriber, patient, pharmacy) : parties;
  const missing = missingToCancel(canceller);
  if (missing.length > 0)
    throw refused(`It is an electronic prescription; to cancel it at the Spine there is no ${missing.join(', no ')}`);
  const reason = prescriber ? BY_PRESCRIBER : BY_PATIENT;
  return orders.map(({ id, resource }) =>
    eps.cancellation({ order: resource, parties, canceller, seed: `${seed} ${id}`, at, reason }),
  );
}

/** `MedicationRequest/1/_history/2`, as the log names what a message is about. */
export const versionOf = ({ id, versionId, resource }: Found): string =>
  `${resource.resourceType}/${id}/_history/${versionId}`;

const refused = (text: string): FhirError => new FhirError(409, [{ ...ruleIssue('RX-EPS', text), code: 'conflict' }]);
