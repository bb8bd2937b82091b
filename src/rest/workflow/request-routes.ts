/** What patients do with prescriptions. MISSION M9, seed 000 */

import { cancelRequest } from '../../workflow/prescribing/cancel.ts';
import { checkPatient } from '../../workflow/prescribing/decide.ts';
import { type Prescribing, warningJson } from '../../workflow/prescribing/desk.ts';
import { listRequests, medicinesOf, readRequest, repeatable } from '../../workflow/prescribing/read.ts';
import { makeRequest, ownPatientOf, type RequestMade, readAsked } from '../../workflow/prescribing/request.ts';
import { approveByProtocol } from '../../workflow/prescribing/standing-approval.ts';
import { summaryJson } from '../../workflow/prescribing/view.ts';
import { nextLink } from './page.ts';
import { LIST, PAGE_QUERY, PRESCRIPTION, REQUEST_BODY, RULE_CODES, WARNINGS } from './prescribing-schemas.ts';
import type { WorkflowAnswer, WorkflowCall, WorkflowRoute } from './route.ts';

export function createRequestRoutes(desk: Prescribing): readonly WorkflowRoute[] {
  const own = { tag: 'Prescriptions of a patient' } as const;
  const reading = { ...own, method: 'GET', rights: ['prescription:read'] } as const;
  const asking = {
    ...own,
    method: 'POST',
    rights: ['prescription:write'],
    kind: 'create',
    told: 'prescription-request',
    request: { body: REQUEST_BODY },
    answers: { 201: { about: 'The request, with warnings', schema: PRESCRIPTION } },
    problems: [...RULE_CODES, 'RX-NO-PRACTICE', 'RX-EARLY'],
    handle: ask,
  } as const;

  async function ask(call: WorkflowCall): Promise<WorkflowAnswer> {
    call.person();
    const patientId = ownPatientOf(call.caller);
    const answer = (made: RequestMade, status = 'REQUESTED'): WorkflowAnswer => ({
      status: 201,
      headers: { Location: `/api/prescriptions/${made.id}` },
      patientId,
      detail: { request: made.id },
      json: {
        id: made.id,
        request_reference: made.reference,
        status,
        items: made.itemIds.map((id, i) => ({ id, medication_name: made.names[i] })),
        interactionWarnings: made.warnings.map(warningJson),
      },
    });
    const asked = readAsked(patientId, call.body);
    const made = await makeRequest(desk, call.caller, asked, (tx, done) => call.keep(tx, answer(done)));
    const approved = await approveByProtocol(desk, asked, made, call.caller.correlationId);
    return answer(made, approved ? 'APPROVED' : 'REQUESTED');
  }

  return [
    {
      ...reading,
      path: '/api/prescriptions',
      summary: 'Own requests and prescriptions, newest first',
      kind: 'search',
      told: 'prescriptions',
      request: { query: PAGE_QUERY },
      answers: { 200: { about: 'A page', schema: LIST } },
      async handle({ caller, query }) {
        const patientId = ownPatientOf(caller);
        const { wholes, catalogue, next } = await listRequests(desk, caller, { patientId, ...pageOf(query) });
        const prescriptions = wholes.map((whole) => summaryJson(whole, catalogue));
        return { status: 200, patientId, json: { prescriptions, count: prescriptions.length, ...nextLink(next) } };
      },
    },
    {
      ...reading,
      path: '/api/prescriptions/repeatable',
      summary: 'What may be asked for again, and from when',
      kind: 'search',
      told: 'repeatable',
      answers: { 200: { about: 'Medicines', schema: { type: 'object' } } },
      async handle({ caller }) {
        const patientId = ownPatientOf(caller);
        return { status: 200, patientId, json: { medications: await repeatable(desk, caller, patientId) } };
      },
    },
    {
      ...reading,
      path: '/api/prescriptions/:id',
      summary: 'One of them with its items, history and tokens',
      kind: 'read',
      told: 'prescription',
      answers: { 200: { about: 'The prescription', schema: PRESCRIPTION } },
      async handle({ caller, path }) {
        const patientId = ownPatientOf(caller);
        const { whole, json } = await readRequest(desk, caller, path['id'] ?? '');
        checkPatient(whole.task, patientId);
        return { status: 200, patientId, json };
      },
    },
    { ...asking, path: '/api/prescriptions', summary: 'Ask for medicines' },
    { ...asking, path: '/api/prescriptions/requests', summary: 'Ask for medicines (the same)' },
    {
      ...own,
      method: 'PUT',
      path: '/api/prescriptions/:id/cancel',
      summary: 'Cancel what is not yet dispensed',
      rights: ['prescription:write'],
      kind: 'update',
      told: 'prescription-cancel',
      answers: {
        200: { about: 'It is cancelled', schema: PRESCRIPTION },
        202: { about: 'On hold until the Spine has confirmed it; or the practice was asked', schema: PRESCRIPTION },
      },
      problems: ['RX-STATE', 'RX-DISPENSED', 'RX-EPS'],
      async handle({ caller, path }) {
        const patientId = ownPatientOf(caller);
        const done = await cancelRequest(desk, caller, patientId, path['id'] ?? '');
        const isFinal = done.state === 'cancelled';
        return {
          status: isFinal ? 200 : 202,
          patientId,
          json: {
            success: true,
            id: done.id,
            request_reference: done.reference,
            status: isFinal ? 'CANCELLED' : 'APPROVED',
            message: CANCELLATION.get(done.state) ?? '',
          },
        };
      },
    },
    {
      ...reading,
      path: '/api/medications',
      summary: 'Own current medicines, each that can be collected with its token',
      kind: 'search',
      told: 'medications-own',
      answers: {
        200: { about: 'Medicines', schema: { type: 'object', properties: { interactionWarnings: WARNINGS } } },
      },
      async handle({ caller }) {
        const patientId = ownPatientOf(caller);
        return { status: 200, patientId, json: { medications: await medicinesOf(desk, caller, patientId, true) } };
      },
    },
  ];
}

const CANCELLATION: ReadonlyMap<string, string> = new Map([
  ['cancelled', 'The request is cancelled.'],
  ['cancelling', 'The cancellation is on its way: it is final when the Spine has confirmed it.'],
  ['approved', 'Your practice has been asked to cancel it at the Spine: until they have, the prescription stands.'],
]);

/** As the schema of a page reads them. */
export const pageOf = (query: Readonly<Record<string, unknown>>) => ({
  limit: Number(query['limit'] ?? 20),
  ...(query['status'] !== undefined && { status: query['status'] as 'ALL' }), // one of the schema's words
  ...(query['cursor'] !== undefined && { cursor: String(query['cursor']) }),
});
