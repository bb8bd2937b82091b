/** What a practice decides on a request: triage, escalation, rejection, approval; each one transaction. MISSION M9 */
import type { Caller, CallerUser } from '../../ports/caller.ts';
import type { Resource, StoreTransaction, TransactionWrite } from '../../ports/resource-store.ts';
import { forbidden, notFound } from '../../standards/fhir/outcome.ts';
import { type Approval, type ApprovedItem, besideApproval, provenanceOf } from './approval.ts';
import type { Catalogue } from './catalogue/catalogue.ts';
import { idIn, type Node, nominatedOf, textIn } from './chart.ts';
import {
  changed,
  chartOf,
  chartQueries,
  created,
  type Found,
  findAllOf,
  idQuery,
  judge,
  type Keep,
  notice,
  type Prescribing,
  raced,
} from './desk.ts';
import { medicationRequestOf, readItems, rulesBroken } from './items.ts';
import { type ReadTask, readRequestTask, withState } from './request-task.ts';
import type { Finding } from './rules.ts';
import { nextState, type RequestEvent } from './states.ts';
import { REQUEST_REFERENCE } from './systems.ts';

export interface Decided {
  readonly reference: string;
  readonly patientId: string;
  readonly prescriptionIds: readonly string[];
  readonly warnings: readonly Finding[];
  readonly event: RequestEvent;
}

/** Of the person who decides, as resources name them. */
export const selfOf = (user: CallerUser): string => {
  if (user.practitionerId !== undefined) return `Practitioner/${user.practitionerId}`;
  const [role] = user.practitionerRoleIds;
  if (role !== undefined) return `PractitionerRole/${role}`;
  throw rulesBroken([
    { code: 'RX-NO-PRACTITIONER', message: 'Your account names no Practitioner: an administrator adds it' },
  ]);
};

export interface OpenRequest {
  readonly task: Found;
  readonly read: ReadTask;
  /** Of the proposals. */
  readonly proposals: readonly Found[];
}

/** The request, as far as who asks sees it. Throws not-found. */
export async function findRequest(
  desk: Prescribing,
  tx: Pick<StoreTransaction, 'findCurrent'>,
  id: string,
): Promise<OpenRequest> {
  const [tasks = [], proposals = []] = await findAllOf(desk, tx, [
    ['Task', idQuery(id)],
    [
      'MedicationRequest',
      `identifier=${REQUEST_REFERENCE}|REQ-${encodeURIComponent(id.toUpperCase())}&intent=proposal`,
    ],
  ]);
  const [task] = tasks;
  const read = task && readRequestTask(task.resource);
  if (!task || !read) throw notFound('That request');
  return { task, read, proposals: proposals.toSorted((a, b) => (a.id < b.id ? -1 : 1)) };
}

const noteOf = (user: CallerUser, text: string | undefined, at: number): object | undefined =>
  text === undefined
    ? undefined
    : { authorReference: { reference: selfOf(user) }, time: new Date(at).toISOString(), text };

/** Triage, escalation or rejection: nothing is ordered. Throws 409 where the state does not allow it. */
export async function decideOnly(
  desk: Prescribing,
  caller: Caller,
  user: CallerUser,
  id: string,
  event: 'triage' | 'escalate' | 'reject',
  words: { readonly reason?: string; readonly notes?: string },
  keep: Keep<Decided>,
): Promise<Decided> {
  const { store, now } = desk;
  try {
    return await store.transaction(caller, async (tx) => {
      const { task, read, proposals } = await findRequest(desk, tx, id);
      const state = nextState(read.state, event);
      const at = now();
      const decided: Decided = {
        reference: read.reference,
        patientId: read.patientId,
        prescriptionIds: [],
        warnings: [],
        event,
      };
      const rejected =
        event === 'reject'
          ? proposals.map((one) =>
              changed(one, (r) => ({ ...r, status: 'cancelled', statusReason: { text: words.reason ?? '' } })),
            )
          : [];
      const told =
        event === 'reject'
          ? [
              notice(
                'prescription-rejected',
                read.patientId,
                `Patient/${read.patientId}`,
                `Your request ${read.reference} was not approved. ${words.reason ?? ''}`,
                at,
                `Task/${id}`,
              ),
            ]
          : [];
      const escalated =
        event === 'escalate' && read.owner !== undefined
          ? [
              notice(
                'request-escalated',
                read.patientId,
                read.owner,
                `Request ${read.reference} needs a prescriber's review.`,
                at,
                `Task/${id}`,
              ),
            ]
          : [];
      await tx.write(
        [changed(task, (r) => withState(r, state, at, words.reason, noteOf(user, words.notes, at))), ...rejected],
        () => keep(tx, decided),
        () => [...told, ...escalated].map((resource) => ({ id: store.newId(), resource })),
      );
      return decided;
    });
  } catch (error) {
    throw raced(error);
  }
}

/**
 * Approves the items that are named, each as it is to be; the others are not ordered. Orders, Provenance, tokens with the
 * pharmacy's queue entries, warnings and notices are written together or not at all.
 */
export async function approve(
  desk: Prescribing,
  caller: Caller,
  user: CallerUser,
  id: string,
  body: Node,
  keep: Keep<Decided>,
): Promise<Decided> {
  const { store, now } = desk;
  const catalogue = await desk.openCatalogue();
  try {
    return await store.transaction(caller, async (tx) => {
      const request = await findRequest(desk, tx, id);
      const { read, task, proposals } = request;
      const state = nextState(read.state, 'approve');
      const given = body['medications'] as readonly Node[]; // the route's schema describes it
      const meant = given.map((one, i) => ({ ...one, proposal: proposalOf(one, proposals, i) }));
      const at = now();
      const chosen = meant.map((one) => withProposal(one, one.proposal?.resource));
      const prepared = await prepare(desk, tx, catalogue, {
        caller,
        user,
        patientId: read.patientId,
        items: chosen,
        reference: read.reference,
        taskId: id,
        at,
        list: 'medications',
        basedOn: meant.map(({ proposal }) => proposal?.id),
        ...(read.pharmacyId !== undefined && { pharmacyId: read.pharmacyId }),
        ...(textIn(body['clinical_notes']) !== undefined && { notes: String(body['clinical_notes']) }),
      });
      const approvedIds = new Set(meant.map(({ proposal }) => proposal?.id));
      const settled = proposals.map((one) =>
        changed(one, (r) =>
          approvedIds.has(one.id)
            ? { ...r, status: 'completed' }
            : { ...r, status: 'cancelled', statusReason: { text: 'Not approved' } },
        ),
      );
      const moved = changed(task, (r) =>
        withState(r, state, at, undefined, noteOf(user, textIn(body['clinical_notes']), at)),
      );
      const decided: Decided = {
        reference: read.reference,
        patientId: read.patientId,
        prescriptionIds: prepared.ids,
        warnings: prepared.approval.warnings,
        event: 'approve',
      };
      await tx.write(
        [moved, ...settled, ...prepared.writes],
        () => keep(tx, decided),
        () => prepared.beside,
      );
      return decided;
    });
  } catch (error) {
    throw raced(error);
  }
}

/** Which proposal an item of the approval means; undefined for one that was not asked for. */
function proposalOf(item: Node, proposals: readonly Found[], index: number): Found | undefined {
  const id = textIn(item['item_id']);
  const found = id === undefined ? undefined : proposals.find((one) => one.id === id);
  if (id !== undefined && !found)
    throw rulesBroken([
      { code: 'RX-UNKNOWN-ITEM', message: 'The request has no item of this id', at: `medications[${index}].item_id` },
    ]);
  return found;
}

/** An item that names no medicine of its own is the one that was asked for. */
function withProposal(item: Node, proposal: Resource | undefined): Node {
  if (item['medication_name'] !== undefined || !proposal) return item;
  const concept = proposal['medicationCodeableConcept'] as
    | { readonly text?: string; readonly coding?: readonly Node[] }
    | undefined; // validated
  const own = concept?.coding?.find(({ system }) => String(system).endsWith('/CodeSystem/catalogue'))?.['code'];
  return { ...item, medication_name: concept?.text ?? '', ...(own !== undefined && { medication_id: own }) };
}

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
}

/** Everything that is written for orders: judged by the rules, and told of. Throws 404, 422. */
export async function prepare(
  desk: Prescribing,
  tx: Pick<StoreTransaction, 'findCurrent'>,
  catalogue: Catalogue,
  of: ToPrepare,
): Promise<Prepared> {
  const { store, tokens } = desk;
  const { patientId, user, at, reference } = of;
  const pharmacies = of.pharmacyId === undefined ? [] : [['Organization', idQuery(of.pharmacyId)] as const];
  const found = await findAllOf(desk, tx, [...chartQueries(patientId), ...pharmacies]);
  const chart = chartOf(found, catalogue);
  if (!chart) throw notFound('That patient');
  const pharmacy = found[3]?.[0]?.resource ?? (await nominated(desk, tx, chart.patient, of.pharmacyId));
  if (of.pharmacyId !== undefined && !pharmacy)
    throw rulesBroken([{ code: 'RX-UNKNOWN-PHARMACY', message: 'No pharmacy has this id', at: 'pharmacy_id' }]);
  const items = readItems(of.items, catalogue);
  const warnings = judge('order', items, chart, at, of.list);
  const requester = selfOf(user);
  const approved = items.map(
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
  const approval: Approval = {
    approved,
    patient: chart.patient,
    patientId,
    pharmacy,
    taskId: of.taskId,
    reference,
    warnings,
    at,
    prescriber: { name: user.name, reference: requester },
    newId: store.newId,
  };
  return {
    ids: approved.map(({ order }) => String(order['id'])),
    approval,
    writes: [...approved.map(({ order }) => created(order)), created(provenanceOf(approval, of.notes))],
    beside: await besideApproval(approval, tokens),
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

/** Throws 403 where the patient is another's. */
export const checkPatient = (task: Node, patientId: string): void => {
  if (idIn(task['for'], 'Patient') !== patientId) throw forbidden();
};
