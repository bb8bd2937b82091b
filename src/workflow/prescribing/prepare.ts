/** Everything that is written for orders, of an approval and of a prescription without a request alike. MISSION M9 */
import type { Caller, CallerUser } from '../../ports/caller.ts';
import type { Resource, StoreTransaction, TransactionWrite, WriteResult } from '../../ports/resource-store.ts';
import { notFound } from '../../standards/fhir/outcome.ts';
import { type Approval, type ApprovedItem, besideApproval, provenanceOf } from './approval.ts';
import type { Catalogue } from './catalogue/catalogue.ts';
import { type Node, nominatedOf } from './chart.ts';
import { chartOf, created, findAllOf, findLockedChart, idQuery, judge, type Keep, type Prescribing } from './desk.ts';
import { approveForEps, type EpsApproval, partiesOf } from './eps-approval.ts';
import { selfOf } from './find-request.ts';
import { medicationRequestOf, readItems, rulesBroken } from './items.ts';

export interface ToPrepare {
  readonly caller: Caller;
  readonly user: CallerUser;
  readonly patientId: string;
  readonly items: readonly Node[];
  readonly reference: string;
  readonly taskId: string;
  readonly at: number;
  /** What the request calls the items. */
  readonly list: string;
  readonly basedOn: readonly (string | undefined)[];
  readonly pharmacyId?: string;
  readonly encounterId?: string;
  readonly notes?: string;
}

export interface Prepared {
  readonly ids: readonly string[];
  readonly approval: Approval;
  readonly writes: readonly TransactionWrite[];
  readonly beside: Awaited<ReturnType<typeof besideApproval>>;
  readonly eps?: EpsApproval;
}

/** What ends the transaction of an approval: the answer is kept, and what goes to the Spine is queued. */
export const ending =
  <T>(desk: Prescribing, tx: StoreTransaction, { eps, ids }: Prepared, done: T, keep: Keep<T>) =>
  async (results: readonly WriteResult[]): Promise<void> => {
    const own = results.filter(({ version }) => version.type === 'MedicationRequest' && ids.includes(version.id));
    const versions = own.map(({ version }) => `MedicationRequest/${version.id}/_history/${version.versionId}`);
    const queued = desk.eps && eps?.queued ? desk.eps.queue(tx, eps.queued, versions) : undefined;
    await Promise.all([keep(tx, done), queued]);
  };

/** Everything that is written for orders: judged by the rules, and told of. Throws 404, 422. */
export async function prepare(
  desk: Prescribing,
  tx: Pick<StoreTransaction, 'findCurrent' | 'lockIdentity'>,
  catalogue: Catalogue,
  of: ToPrepare,
): Promise<Prepared> {
  const { store, tokens } = desk;
  const { patientId, user, at, reference } = of;
  const pharmacies = of.pharmacyId === undefined ? [] : [['Organization', idQuery(of.pharmacyId)] as const];
  const found = await findLockedChart(desk, tx, patientId, pharmacies);
  const chart = chartOf(found, catalogue);
  if (!chart) throw notFound('That patient');
  const pharmacy = found[3]?.[0]?.resource ?? (await nominated(desk, tx, chart.patient, of.pharmacyId));
  if (of.pharmacyId !== undefined && !pharmacy)
    throw rulesBroken([{ code: 'RX-UNKNOWN-PHARMACY', message: 'No pharmacy has this id', at: 'pharmacy_id' }]);
  const items = readItems(of.items, catalogue);
  const warnings = judge('order', items, chart, at, of.list);
  const requester = selfOf(user);
  const judged = items.map(
    (item, i): ApprovedItem => ({
      item,
      order: medicationRequestOf({
        id: store.newId(),
        item,
        intent: 'order',
        patientId,
        reference,
        at,
        requester,
        ...(of.basedOn[i] !== undefined && { basedOn: of.basedOn[i] }),
        ...(pharmacy && { pharmacyId: String(pharmacy['id']) }),
        ...(of.encounterId !== undefined && { encounterId: of.encounterId }),
        ...(of.notes !== undefined && { note: of.notes }),
      }),
    }),
  );
  const eps =
    desk.eps &&
    (await approveForEps(desk.eps, await partiesOf(desk, tx, user, chart.patient, pharmacy), judged, of.taskId, at));
  const approved = judged.map((one, i): ApprovedItem => ({ ...one, order: eps?.orders[i] ?? one.order }));
  const approval: Approval = {
    approved,
    patient: chart.patient,
    patientId,
    pharmacy,
    taskId: of.taskId,
    reference,
    warnings,
    systems: desk.systems,
    highValueFrom: desk.highValueFrom,
    at,
    prescriber: { name: user.name, reference: requester },
    newId: store.newId,
  };
  return {
    ids: approved.map(({ order }) => String(order['id'])),
    approval,
    writes: [...approved.map(({ order }) => created(order)), created(provenanceOf(approval, of.notes, eps?.signature))],
    beside: await besideApproval(approval, tokens),
    ...(eps && { eps }),
  };
}

async function nominated(
  desk: Prescribing,
  tx: Pick<StoreTransaction, 'findCurrent'>,
  patient: Node,
  named: string | undefined,
): Promise<Resource | undefined> {
  const id = named === undefined ? nominatedOf(patient) : undefined;
  if (id === undefined) return undefined;
  const [found = []] = await findAllOf(desk, tx, [['Organization', idQuery(id)]]);
  return found[0]?.resource;
}
