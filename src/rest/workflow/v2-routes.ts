/** The paths of seed 001: doctors, patients, encounters, prescriptions; and a patient's own. MISSION M9 */
import { notFound } from '../../standards/fhir/outcome.ts';
import type { JsonSchema } from '../../standards/openapi/document.ts';
import { cancelRequest } from '../../workflow/prescribing/cancel.ts';
import { checkPatient } from '../../workflow/prescribing/decide.ts';
import { type Prescribing, warningJson } from '../../workflow/prescribing/desk.ts';
import { type Issued, issuePrescription } from '../../workflow/prescribing/issue.ts';
import { listRequests, readRequest, search } from '../../workflow/prescribing/read.ts';
import { ownPatientOf } from '../../workflow/prescribing/request.ts';
import {
  encounterJson,
  openEncounter,
  patientJson,
  prescriptionV2,
  readDoctor,
  readPatient,
  setEncounter,
  summaryOf,
} from '../../workflow/prescribing/v2.ts';
import { nextLink } from './page.ts';
import { ID, ISSUE_V2, RULE_CODES, WARNINGS } from './prescribing-schemas.ts';
import type { WorkflowAnswer, WorkflowCall, WorkflowRoute } from './route.ts';

const text = (maxLength: number): JsonSchema => ({ type: 'string', minLength: 1, maxLength });
const ANY: JsonSchema = { type: 'object' };
const PAGE: JsonSchema = {
  type: 'object',
  properties: { limit: { type: 'integer', minimum: 1, maximum: 100 }, cursor: { type: 'string', maxLength: 2000 } },
};
export function createV2Routes(desk: Prescribing): readonly WorkflowRoute[] {
  const doctors = { tag: 'Doctors', rights: ['patients:look-up'] } as const;
  const reading = {
    ...doctors,
    method: 'GET',
    kind: 'read',
    answers: { 200: { about: 'What was asked for', schema: ANY } },
  } as const;
  const own = {
    tag: 'Prescriptions of a patient',
    method: 'GET',
    rights: ['prescription:read'],
    answers: { 200: { about: 'Prescriptions', schema: ANY } },
  } as const;

  const whole = async ({ caller, path }: WorkflowCall, patientId?: string): Promise<WorkflowAnswer> => {
    const found = await readRequest(desk, caller, path['id'] ?? '');
    if (patientId !== undefined) checkPatient(found.whole.task, patientId);
    return {
      status: 200,
      patientId: found.whole.read.patientId,
      json: await prescriptionV2(desk, caller, found.whole, await desk.openCatalogue()),
    };
  };
  const pageOf = async ({ caller, query }: WorkflowCall, patientId: string): Promise<WorkflowAnswer> => {
    const limit = Number(query['limit'] ?? 20);
    const { wholes, catalogue, next } = await listRequests(desk, caller, {
      patientId,
      limit,
      ...(query['cursor'] !== undefined && { cursor: String(query['cursor']) }),
    });
    const prescriptions = await Promise.all(wholes.map((one) => prescriptionV2(desk, caller, one, catalogue)));
    return { status: 200, patientId, json: { prescriptions, ...nextLink(next) } };
  };

  return [
    {
      ...reading,
      path: '/api/v2/doctors/me',
      summary: 'Who asks',
      told: 'doctor-me',
      async handle({ caller, person }) {
        const id = person().practitionerId;
        if (id === undefined) throw notFound('Your entry as a doctor');
        return { status: 200, json: await readDoctor(desk, caller, id) };
      },
    },
    {
      ...reading,
      path: '/api/v2/doctors/:id',
      summary: 'A doctor',
      told: 'doctor',
      rights: ['medicines:read'],
      handle: async ({ caller, path }) => ({ status: 200, json: await readDoctor(desk, caller, path['id'] ?? '') }),
    },
    {
      ...reading,
      path: '/api/v2/patients/search',
      summary: 'Patients of theirs by name, birth date or number',
      told: 'patients-search',
      kind: 'search',
      request: {
        query: {
          type: 'object',
          minProperties: 1,
          properties: { name: text(100), dob: { type: 'string', format: 'date' }, patient_id: text(64) },
        },
      },
      async handle({ caller, query, person }) {
        person();
        const given = [
          ['name', query['name']],
          ['birthdate', query['dob']],
        ] as const;
        const parts = given.flatMap(([name, value]) =>
          value === undefined ? [] : [`${name}=${encodeURIComponent(String(value).replaceAll(/[\\,$|]/g, '\\$&'))}`],
        );
        const number =
          query['patient_id'] === undefined
            ? undefined
            : encodeURIComponent(String(query['patient_id']).replaceAll(/[\\,$|]/g, '\\$&'));
        const queries =
          number === undefined
            ? [parts]
            : [
                [...parts, `_id=${number}`],
                [...parts, `identifier=${number}`],
              ];
        const found = await Promise.all(queries.map((one) => search(desk, caller, 'Patient', one.join('&'), 20)));
        const patients = new Map(
          found.flatMap(({ resources }) => resources.map((one) => [String(one['id']), one] as const)),
        );
        return { status: 200, json: { patients: [...patients.values()].map(patientJson) } };
      },
    },
    {
      ...reading,
      path: '/api/v2/patients/:id',
      summary: 'A patient',
      told: 'patient',
      async handle({ caller, path, person }) {
        person();
        const id = path['id'] ?? '';
        return { status: 200, patientId: id, json: patientJson(await readPatient(desk, caller, id)) };
      },
    },
    {
      ...reading,
      path: '/api/v2/patients/:id/summary',
      summary: 'Vitals, diagnoses, allergies, medicines, encounters',
      told: 'patient-summary',
      async handle({ caller, path, person }) {
        person();
        const id = path['id'] ?? '';
        return { status: 200, patientId: id, json: await summaryOf(desk, caller, id) };
      },
    },
    {
      ...reading,
      path: '/api/v2/patients/:id/prescriptions',
      summary: 'Prescriptions of a patient, newest first',
      told: 'patient-prescriptions',
      kind: 'search',
      request: { query: PAGE },
      async handle(call) {
        call.person();
        const id = call.path['id'] ?? '';
        await readPatient(desk, call.caller, id);
        return pageOf(call, id);
      },
    },
    {
      ...doctors,
      method: 'POST',
      path: '/api/v2/encounters',
      summary: 'An encounter with a patient of theirs begins',
      kind: 'create',
      told: 'encounter-open',
      request: { body: { type: 'object', required: ['patientId'], properties: { patientId: ID } } },
      answers: { 201: { about: 'The encounter', schema: ANY } },
      async handle({ caller, body }) {
        const patientId = String(body['patientId']);
        await readPatient(desk, caller, patientId);
        return { status: 201, patientId, json: encounterJson(await openEncounter(desk, caller, patientId)) };
      },
    },
    {
      ...doctors,
      method: 'PATCH',
      path: '/api/v2/encounters/:id',
      summary: 'It is closed, or opened again',
      kind: 'update',
      told: 'encounter-set',
      request: { body: { type: 'object', required: ['status'], properties: { status: { enum: ['open', 'closed'] } } } },
      answers: { 200: { about: 'The encounter', schema: ANY } },
      async handle({ caller, path, body }) {
        const status = body['status'] === 'closed' ? 'closed' : 'open';
        return { status: 200, json: encounterJson(await setEncounter(desk, caller, path['id'] ?? '', status)) };
      },
    },
    {
      ...doctors,
      method: 'POST',
      path: '/api/v2/prescriptions',
      summary: 'Prescribe',
      rights: ['prescriptions:decide'],
      kind: 'signature',
      told: 'prescription-issue',
      request: { body: ISSUE_V2 },
      answers: {
        201: {
          about: 'The prescription with its warnings',
          schema: { type: 'object', properties: { interactionWarnings: WARNINGS } },
        },
      },
      problems: [...RULE_CODES, 'RX-CD-DOSE', 'RX-NO-PRACTITIONER'],
      async handle(call) {
        const { patientId, items, encounterId, pharmacyId, notes } = call.body;
        const asked = {
          patientId: String(patientId),
          items: items as readonly Readonly<Record<string, unknown>>[], // the schema describes them
          ...(encounterId !== undefined && { encounterId: String(encounterId) }),
          ...(pharmacyId !== undefined && { pharmacyId: String(pharmacyId) }),
          ...(notes !== undefined && { notes: String(notes) }),
        };
        const short = (done: Issued): WorkflowAnswer => ({
          status: 201,
          patientId: done.patientId,
          detail: { request: done.id },
          json: {
            id: done.id,
            status: 'active',
            prescriptionIds: done.prescriptionIds,
            interactionWarnings: done.warnings.map(warningJson),
          },
        });
        const issued = await issuePrescription(desk, call.caller, call.person(), asked, (tx, done) =>
          call.keep(tx, short(done)),
        );
        const { whole: made } = await readRequest(desk, call.caller, issued.id);
        const json = await prescriptionV2(desk, call.caller, made, await desk.openCatalogue());
        return {
          ...short(issued),
          json: {
            ...json,
            prescriptionIds: issued.prescriptionIds,
            interactionWarnings: issued.warnings.map(warningJson),
          },
        };
      },
    },
    {
      ...reading,
      path: '/api/v2/prescriptions/:id',
      summary: 'A prescription',
      told: 'prescription',
      async handle(call) {
        call.person();
        return whole(call);
      },
    },
    {
      ...doctors,
      method: 'PATCH',
      path: '/api/v2/prescriptions/:id',
      summary: 'Cancel a prescription that is not dispensed',
      rights: ['prescriptions:decide'],
      kind: 'update',
      told: 'prescription-cancel',
      request: { body: { type: 'object', required: ['status'], properties: { status: { enum: ['cancelled'] } } } },
      answers: {
        200: { about: 'What was asked for', schema: ANY },
        202: { about: 'It is on hold until the Spine has confirmed the cancellation', schema: ANY },
      },
      problems: ['RX-STATE', 'RX-DISPENSED', 'RX-EPS'],
      async handle(call) {
        call.person();
        const { state } = await cancelRequest(desk, call.caller, undefined, call.path['id'] ?? '');
        return { ...(await whole(call)), status: state === 'cancelled' ? 200 : 202 };
      },
    },
    {
      ...own,
      path: '/api/v2/patient/me/prescriptions',
      summary: 'Own prescriptions, newest first',
      kind: 'search',
      told: 'prescriptions',
      request: { query: PAGE },
      handle: (call) => pageOf(call, ownPatientOf(call.caller)),
    },
    {
      ...own,
      path: '/api/v2/patient/me/prescriptions/:id',
      summary: 'One of them',
      kind: 'read',
      told: 'prescription',
      handle: (call) => whole(call, ownPatientOf(call.caller)),
    },
  ];
}
