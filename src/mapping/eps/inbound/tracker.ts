/** What the prescription tracker answers: a Bundle of Tasks, one a prescription or issue. */
import type { Issue } from '../../../standards/fhir/outcome.ts';
import { formatIso, formatIsoDate, parseDateTime } from '../../../standards/hl7v3/date-time.ts';
import type { FhirResource } from '../../transaction-bundle.ts';
import { EpsFault, invalidValue } from '../fault.ts';
import { has, isNode, type Node, nodeAt, requiredNode, requiredString, stringAt } from '../node.ts';
import { CODE_SYSTEM, EXTENSION, ID_SYSTEM } from '../systems.ts';
import type { AnswerContext } from './context.ts';
import {
  coding,
  concept,
  type Entry,
  entryOf,
  extension,
  extensions,
  identifier,
  type Json,
  resource,
  uuidIdentifier,
} from './fhir-parts.ts';
import { ITEM_STATUSES, PRESCRIPTION_STATUSES, TREATMENTS } from './tracker-tables.ts';

export interface TrackerAnswer {
  readonly status: number;
  readonly body: FhirResource;
}

type Context = Pick<AnswerContext, 'now' | 'newId'>;

/**
 * `answer`: the tracker's JSON, as `parseJson` returns it. A search that failed is answered with 200, as the national
 * gateway has it. Never throws. Deviates: a prescription that cannot be read is told of in an OperationOutcome among the
 * Tasks; to the national gateway nothing of the answer is readable then.
 */
export function translateTrackerAnswer(answer: unknown, context: Context): TrackerAnswer {
  if (!isNode(answer)) return { status: 500, body: outcome([NO_OBJECT], context) };
  if (answer['statusCode'] !== '0') return { status: 200, body: outcome([failed(answer)], context) };
  const tasks: Entry[] = [];
  const notes: Entry[] = [];
  for (const [id, prescription] of prescriptionsOf(answer)) {
    try {
      tasks.push(task(id, prescription, context));
    } catch (error) {
      if (!(error instanceof EpsFault)) throw error;
      notes.push({ ...outcome([error.issue], context), id: context.newId() });
    }
  }
  const entry = [...tasks.map(entryOf), ...notes.map((note) => ({ ...entryOf(note), search: { mode: 'outcome' } }))];
  return { status: 200, body: { resourceType: 'Bundle', type: 'searchset', total: tasks.length, entry } };
}

/** In the summary they have a member of their own, in the details they are members of the answer itself. */
function prescriptionsOf(answer: Node): readonly (readonly [id: string, prescription: Node])[] {
  const summary = answer['prescriptions'];
  const members = Object.entries(isNode(summary) ? summary : answer);
  return members.filter((member): member is [string, Node] => isNode(member[1]));
}

const failed = (answer: Node): Issue => {
  const reason = answer['reason'];
  const said = typeof reason === 'string' && reason !== '' ? { display: reason } : {};
  return {
    code: 'invalid',
    severity: 'error',
    details: { coding: [{ system: CODE_SYSTEM.spineIssue, code: 'INVALID', ...said }] },
  };
};

const NO_OBJECT: Issue = {
  code: 'invalid',
  severity: 'error',
  diagnostics: "The tracker's answer is no JSON object",
};

const outcome = (issues: readonly Issue[], { now }: Context): FhirResource => ({
  resourceType: 'OperationOutcome',
  meta: { lastUpdated: formatIso(now) },
  issue: issues,
});

function task(shortFormId: string, prescription: Node, { newId }: Context): Entry {
  const path = shortFormId;
  const id = newId();
  const said = requiredString(prescription, 'prescriptionStatus', path);
  const status = PRESCRIPTION_STATUSES.get(said);
  if (status === undefined) throw unknownWord(`${path}.prescriptionStatus`);
  const items = Object.entries(requiredNode(prescription, 'lineItems', path));
  return resource('Task', id, {
    extension: [courseOfTherapy(prescription, path), repeatInformation(prescription, path)].filter(
      (part) => part !== undefined,
    ),
    identifier: [uuidIdentifier(id)],
    status: status.task,
    businessStatus: concept(CODE_SYSTEM.taskBusinessStatus, status.code, said),
    intent: 'order',
    code: concept(CODE_SYSTEM.taskCode, 'fulfill', 'Fulfill the focal request'),
    focus: { identifier: identifier(ID_SYSTEM.orderNumber, shortFormId) },
    for: { identifier: identifier(ID_SYSTEM.nhsNumber, requiredString(prescription, 'patientNhsNumber', path)) },
    authoredOn: dateAt(prescription, 'prescriptionIssueDate', path),
    owner:
      organisation(prescription, 'dispensingPharmacy', path) ?? organisation(prescription, 'nominatedPharmacy', path),
    requester: organisation(prescription, 'prescriber', path),
    input: items.map(([itemId, item]) => input(itemId, item, prescription, path)),
    output: items.map(([itemId]) => output(itemId, prescription, path)),
  });
}

const unknownWord = (path: string): EpsFault => invalidValue('The tracker says something that is not known.', path);

/** The national gateway names the system of HL7 for all of them. */
function courseOfTherapy(prescription: Node, path: string): Json | undefined {
  const treatment = TREATMENTS.get(requiredString(prescription, 'prescriptionTreatmentType', path));
  if (treatment === undefined) throw unknownWord(`${path}.prescriptionTreatmentType`);
  const valueCoding = coding(CODE_SYSTEM.courseOfTherapy, treatment.code, treatment.display);
  return extensions(EXTENSION.prescription, [extension('courseOfTherapyType', { valueCoding })]);
}

/** As the tracker counts, from one; a single issue is no repeat. */
function repeatInformation(prescription: Node, path: string): Json | undefined {
  const repeat = requiredNode(prescription, 'repeatInstance', path);
  const count = (name: string): number => {
    const text = requiredString(repeat, name, `${path}.repeatInstance`);
    if (!/^\d{1,4}$/.test(text)) throw invalidValue('Expected a whole number.', `${path}.repeatInstance.${name}`);
    return Number(text);
  };
  const allowed = count('totalAuthorised');
  if (allowed === 1) return undefined;
  return extensions(EXTENSION.repeatInformation, [
    extension('numberOfRepeatsAllowed', { valueInteger: allowed }),
    extension('numberOfRepeatsIssued', { valueInteger: count('currentIssue') }),
  ]);
}

function organisation(prescription: Node, name: string, path: string): Json | undefined {
  const node = nodeAt(prescription, name, path);
  const odsCode = stringAt(node, 'ods', `${path}.${name}`);
  if (odsCode === undefined || odsCode === '') return undefined;
  const display = stringAt(node, 'name', `${path}.${name}`);
  return { identifier: identifier(ID_SYSTEM.odsOrganisation, odsCode), ...(display && { display }) };
}

/** The summary tells of an item its product alone. */
function input(itemId: string, item: unknown, prescription: Node, path: string): Json {
  const within = isNode(item) ? dispensingInformation(item, prescription, `${path}.lineItems`) : undefined;
  return {
    type: concept(CODE_SYSTEM.snomedCt, '16076005', 'Prescription'),
    valueReference: { identifier: identifier(ID_SYSTEM.orderItem, itemId.toLowerCase()), type: 'MedicationRequest' },
    ...(within && { extension: [within] }),
  };
}

function dispensingInformation(item: Node, prescription: Node, path: string): Json | undefined {
  const said = requiredString(item, 'itemStatus', path);
  const status = ITEM_STATUSES.get(said);
  if (status === undefined) throw unknownWord(`${path}.itemStatus`);
  const last = instantAt(prescription, 'prescriptionDispensedDate', path);
  return extensions(EXTENSION.dispensingInformation, [
    last === undefined ? undefined : extension('dateLastDispensed', { valueDateTime: formatIso(last) }),
    extension('dispenseStatus', { valueCoding: coding(CODE_SYSTEM.itemStatus, status, said) }),
  ]);
}

const RELEASE_DATES = [
  ['dateLastIssuedDispensed', 'prescriptionLastIssueDispensedDate'],
  ['dateDownloaded', 'prescriptionDownloadDate'],
  ['dateClaimed', 'prescriptionClaimedDate'],
] as const;

function output(itemId: string, prescription: Node, path: string): Json {
  const within = extensions(
    EXTENSION.dispensingReleaseInformation,
    RELEASE_DATES.map(([url, name]) => {
      const valueDate = has(prescription, name) ? dateAt(prescription, name, path) : undefined;
      return valueDate === undefined ? undefined : extension(url, { valueDate });
    }),
  );
  return {
    type: concept(CODE_SYSTEM.snomedCt, '373784005', 'Dispensing medication'),
    valueReference: { identifier: identifier(ID_SYSTEM.orderItem, itemId.toLowerCase()), type: 'MedicationDispense' },
    ...(within && { extension: [within] }),
  };
}

function dateAt(prescription: Node, name: string, path: string): string | undefined {
  const at = instantAt(prescription, name, path);
  return at === undefined ? undefined : formatIsoDate(at);
}

function instantAt(prescription: Node, name: string, path: string): number | undefined {
  const text = stringAt(prescription, name, path);
  if (text === undefined || text === '') return undefined;
  const at = parseDateTime(text);
  if (at === undefined) throw invalidValue('Expected a time such as 20261116094130.', `${path}.${name}`);
  return at;
}
