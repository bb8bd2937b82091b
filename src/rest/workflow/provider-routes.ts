/** What a practice does: worklist, triage, decision, prescriptions without a request, medication history. MISSION M9, seed 000 */
import { badValue } from '../../standards/fhir/outcome.ts';
import { approve, type Decided, decideOnly } from '../../workflow/prescribing/decide.ts';
import { type Prescribing, warningJson } from '../../workflow/prescribing/desk.ts';
import { readToSign, type Signed, signForEps } from '../../workflow/prescribing/eps-approval.ts';
import { issuePrescription } from '../../workflow/prescribing/issue.ts';
import { listRequests, medicinesOf, readRequest } from '../../workflow/prescribing/read.ts';
import { summaryJson } from '../../workflow/prescribing/view.ts';
import { nextLink } from './page.ts';
import {
  APPROVE_BODY,
  DECISION,
  ISSUE_BODY,
  LIST,
  PAGE_QUERY,
  PRESCRIPTION,
  REASON_BODY,
  RULE_CODES,
  UPDATE_BODY,
} from './prescribing-schemas.ts';
import { pageOf } from './request-routes.ts';
import type { WorkflowAnswer, WorkflowCall, WorkflowRoute } from './route.ts';

const MESSAGES: Readonly<Record<string, string>> = {
  approve: 'Approved: the patient and the pharmacy have been told.',
  triage: 'Passed to the prescriber.',
  escalate: 'Escalated: a prescriber will look at it.',
  reject: 'Rejected: the patient has been told.',
};
const PRESCRIBING = ['RX-STATE', 'RX-UNKNOWN-ITEM', 'RX-NO-PRACTITIONER', 'RX-CD-DOSE', ...RULE_CODES];

const answerOf = (
  status: number,
  id: string,
  { reference, patientId, prescriptionIds, warnings, event, eps }: Decided,
): WorkflowAnswer => ({
  status,
  patientId,
  detail: { request: id, event },
  json: {
    success: true,
    message: MESSAGES[event] ?? event,
    request_reference: reference,
    prescriptions_created: prescriptionIds.length,
    prescription_ids: prescriptionIds,
    interactionWarnings: warnings.map(warningJson),
    ...(eps && {
      eps: {
        status: eps.status,
        ...(eps.missing && { missing: eps.missing }),
        ...(eps.toSign && { to_sign: eps.toSign }),
      },
    }),
  },
});

export function createProviderRoutes(desk: Prescribing): readonly WorkflowRoute[] {
  const own = { tag: 'Prescriptions of a practice' } as const;
  const reviewing = { ...own, method: 'GET', rights: ['prescriptions:review'] } as const;
  const deciding = {
    ...own,
    method: 'POST',
    rights: ['prescriptions:triage'],
    kind: 'signature',
    answers: { 200: { about: 'What came of it', schema: DECISION } },
  } as const;

  /** A pharmacist's approval goes on to the prescriber, unless they are one. */
  async function decideApprove(call: WorkflowCall, body = call.body): Promise<WorkflowAnswer> {
    const id = call.path['id'] ?? '';
    const user = call.person();
    const keep = (tx: Parameters<WorkflowCall['keep']>[0], done: Decided) => call.keep(tx, answerOf(200, id, done));
    if (!call.may('prescriptions:decide')) {
      const notes = body['clinical_notes'];
      return answerOf(
        200,
        id,
        await decideOnly(
          desk,
          call.caller,
          user,
          id,
          'triage',
          { ...(notes !== undefined && { notes: String(notes) }) },
          keep,
        ),
      );
    }
    if (!Array.isArray(body['medications']))
      throw badValue(
        'Name the medications that are approved, each with quantity, dosage_instructions and frequency',
        'medications',
      );
    return answerOf(200, id, await approve(desk, call.caller, user, id, body, keep));
  }

  async function decideOther(call: WorkflowCall, event: 'escalate' | 'reject'): Promise<WorkflowAnswer> {
    const id = call.path['id'] ?? '';
    const { reason, clinical_notes: notes } = call.body;
    if (reason === undefined) throw badValue('Say why', 'reason');
    const words = { reason: String(reason), ...(notes !== undefined && { notes: String(notes) }) };
    return answerOf(
      200,
      id,
      await decideOnly(desk, call.caller, call.person(), id, event, words, (tx, done) =>
        call.keep(tx, answerOf(200, id, done)),
      ),
    );
  }

  return [
    {
      ...reviewing,
      path: '/api/provider/prescriptions',
      summary: 'Requests of the practice: those that wait, the longest first, unless another status is named',
      kind: 'search',
      told: 'worklist',
      request: { query: PAGE_QUERY },
      answers: { 200: { about: 'A page', schema: LIST } },
      async handle({ caller, query, person }) {
        person();
        const { wholes, catalogue, next } = await listRequests(desk, caller, { status: 'REQUESTED', ...pageOf(query) });
        const prescriptions = wholes.map((whole) => summaryJson(whole, catalogue));
        return { status: 200, json: { prescriptions, count: prescriptions.length, ...nextLink(next) } };
      },
    },
    {
      ...reviewing,
      path: '/api/provider/prescriptions/:id',
      summary: 'One of them with its items and history',
      kind: 'read',
      told: 'worklist-request',
      answers: { 200: { about: 'The request', schema: PRESCRIPTION } },
      async handle({ caller, path, person }) {
        person();
        const { whole, json } = await readRequest(desk, caller, path['id'] ?? '');
        // Tokens are the patient's and the pharmacy's.
        const { tokens: _tokens, ...shown } = json as { readonly tokens?: unknown };
        return { status: 200, patientId: whole.read.patientId, json: shown };
      },
    },
    {
      ...deciding,
      path: '/api/provider/prescriptions/:id/approve',
      summary: 'Approve: orders, tokens and the queue entry at once; by a pharmacist, pass it to the prescriber',
      told: 'prescription-approve',
      request: { body: APPROVE_BODY },
      problems: PRESCRIBING,
      handle: (call) => decideApprove(call),
    },
    {
      ...deciding,
      path: '/api/provider/prescriptions/:id/reject',
      summary: 'Reject, with the reason that the patient is told',
      told: 'prescription-reject',
      request: { body: REASON_BODY },
      problems: ['RX-STATE'],
      handle: (call) => decideOther(call, 'reject'),
    },
    {
      ...deciding,
      path: '/api/provider/prescriptions/:id/escalate',
      summary: 'Escalate to a prescriber, with the reason',
      told: 'prescription-escalate',
      request: { body: REASON_BODY },
      problems: ['RX-STATE'],
      handle: (call) => decideOther(call, 'escalate'),
    },
    {
      ...deciding,
      method: 'PUT',
      path: '/api/provider/prescriptions/:id',
      summary: 'The same three by status',
      told: 'prescription-update',
      request: { body: UPDATE_BODY },
      problems: PRESCRIBING,
      handle(call) {
        const { status, reason: _reason, ...body } = call.body;
        if (status === 'APPROVED') return decideApprove(call, body);
        return decideOther(call, status === 'REJECTED' ? 'reject' : 'escalate');
      },
    },
    {
      ...own,
      method: 'GET',
      path: '/api/provider/prescriptions/:id/signature',
      summary: 'What the prescriber signs for the Electronic Prescription Service',
      rights: ['prescriptions:decide'],
      kind: 'read',
      told: 'prescription-to-sign',
      answers: { 200: { about: 'The bytes to be signed, in base64', schema: { type: 'object' } } },
      problems: ['RX-EPS', 'RX-NOT-SIGNER'],
      async handle({ caller, path, person }) {
        const { patientId, ...json } = await readToSign(desk, caller, person(), path['id'] ?? '');
        return { status: 200, patientId, json };
      },
    },
    {
      ...own,
      method: 'POST',
      path: '/api/provider/prescriptions/:id/signature',
      summary: 'The signature: with it the prescription goes to the Spine',
      rights: ['prescriptions:decide'],
      kind: 'signature',
      told: 'prescription-sign',
      request: {
        body: {
          type: 'object',
          required: ['timestamp', 'signature'],
          properties: {
            timestamp: { type: 'string', format: 'date-time' },
            signature: {
              type: 'string',
              minLength: 1,
              maxLength: 40_000,
              description: 'XML-DSig in base64, as in Provenance.signature.data',
            },
          },
        },
      },
      answers: { 202: { about: 'It is on its way', schema: DECISION } },
      problems: ['RX-EPS', 'RX-NOT-SIGNER', 'RX-SIGNATURE', 'RX-STATE'],
      async handle(call) {
        const id = call.path['id'] ?? '';
        const given = { timestamp: String(call.body['timestamp']), signature: String(call.body['signature']) };
        const answer = ({ reference, patientId }: Signed): WorkflowAnswer => ({
          status: 202,
          patientId,
          json: {
            success: true,
            message: 'Signed: it is on its way to the Spine.',
            request_reference: reference,
            eps: { status: 'queued' },
          },
        });
        return answer(
          await signForEps(desk, call.caller, call.person(), id, given, (tx, done) => call.keep(tx, answer(done))),
        );
      },
    },
    {
      ...own,
      method: 'POST',
      path: '/api/provider/prescriptions/issue',
      summary: 'Prescribe without a request',
      rights: ['prescriptions:decide'],
      kind: 'signature',
      told: 'prescription-issue',
      request: { body: ISSUE_BODY },
      answers: { 201: { about: 'The prescription', schema: DECISION } },
      problems: PRESCRIBING,
      async handle(call) {
        const { patient_id: patientId, items, pharmacy_id: pharmacyId, encounter_id: encounterId, notes } = call.body;
        const asked = {
          patientId: String(patientId),
          items: items as readonly Readonly<Record<string, unknown>>[], // the schema describes them
          ...(pharmacyId !== undefined && { pharmacyId: String(pharmacyId) }),
          ...(encounterId !== undefined && { encounterId: String(encounterId) }),
          ...(notes !== undefined && { notes: String(notes) }),
        };
        const issued = await issuePrescription(desk, call.caller, call.person(), asked, (tx, done) =>
          call.keep(tx, answerOf(201, done.id, done)),
        );
        return {
          ...answerOf(201, issued.id, issued),
          headers: { Location: `/api/provider/prescriptions/${issued.id}` },
        };
      },
    },
    {
      ...own,
      method: 'GET',
      path: '/api/provider/patients/:id/meds',
      summary: 'Medication history of a patient, newest first',
      rights: ['patients:look-up'],
      kind: 'search',
      told: 'medication-history',
      answers: { 200: { about: 'Medicines', schema: { type: 'object' } } },
      async handle({ caller, path, person }) {
        person();
        const patientId = path['id'] ?? '';
        return { status: 200, patientId, json: { medications: await medicinesOf(desk, caller, patientId, false) } };
      },
    },
  ];
}
