/** What a practice decides on a request: triage, escalation, rejection, approval; each one transaction. MISSION M9 */
import type { Caller, CallerUser } from '../../ports/caller.ts';
import type { Resource } from '../../ports/resource-store.ts';
import { forbidden } from '../../standards/fhir/outcome.ts';
import { idIn, type Node, textIn } from './chart.ts';
import { changed, type Found, type Keep, notice, type Prescribing, raced } from './desk.ts';
import type { EpsState } from './eps-approval.ts';
import { findRequest, selfOf } from './find-request.ts';
import { rulesBroken } from './items.ts';
import { ending, prepare } from './prepare.ts';
import { withState } from './request-task.ts';
import type { Finding } from './rules.ts';
import { nextState, type RequestEvent } from './states.ts';

export interface Decided {
  readonly reference: string;
  readonly patientId: string;
  readonly prescriptionIds: readonly string[];
  readonly warnings: readonly Finding[];
  readonly event: RequestEvent;
  /** Where a Spine is configured. */
  readonly eps?: EpsState;
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
    return await store.transaction(
      caller,
      async (tx) => {
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
      },
      { mayShare: true },
    );
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
    return await store.transaction(
      caller,
      async (tx) => {
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
          ...(prepared.eps && { eps: prepared.eps.state }),
        };
        await tx.write(
          [moved, ...settled, ...prepared.writes],
          ending(desk, tx, prepared, decided, keep),
          () => prepared.beside,
        );
        return decided;
      },
      { mayShare: true },
    );
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

/** Throws 403 where the patient is another's. */
export const checkPatient = (task: Node, patientId: string): void => {
  if (idIn(task['for'], 'Patient') !== patientId) throw forbidden();
};
