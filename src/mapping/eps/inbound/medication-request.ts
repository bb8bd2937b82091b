/** An item of a prescription. */
import type { Issue } from '../../../standards/fhir/outcome.ts';
import { TREATMENT_TYPE } from '../course-of-therapy.ts';
import { CODE_SYSTEM, EXTENSION, ID_SYSTEM } from '../systems.ts';
import { type Instructions, NO_INSTRUCTIONS, readInstructions } from './additional-instructions.ts';
import type { AnswerContext, AnswerForm } from './context.ts';
import { codingOf, dispenseRequest, repeatsOf, type Terms } from './dispense-request.ts';
import {
  concept,
  type Entry,
  extension,
  extensions,
  identifier,
  type Json,
  present,
  referenceTo,
  resource,
  urlOf,
} from './fhir-parts.ts';
import {
  childrenOf,
  countOfValue,
  dateOfValue,
  dateTimeOfValue,
  findChild,
  findPath,
  findText,
  requiredAttribute,
  requiredChild,
  requiredChildren,
  requiredText,
  type V3Node,
  v3Fault,
  v3Issue,
} from './v3-node.ts';

/** What the items of a prescription share. */
export interface Shared extends Terms {
  readonly prescriptionType: V3Node;
  readonly patient: Entry;
  readonly requester: Entry;
  readonly responsible: Entry;
}

export const lineItemsOf = (prescription: V3Node): readonly V3Node[] =>
  requiredChildren(prescription, 'pertinentInformation2').map((relationship) => {
    findChild(relationship, 'seperatableInd');
    return requiredChild(relationship, 'pertinentLineItem');
  });

/** The value of the observation that the relationship leads to. */
export const observed = (node: V3Node | undefined, relationship: string, act: string): V3Node | undefined =>
  findPath(node, relationship, act, 'value');

export function instructionsOf(lineItem: V3Node, form: AnswerForm): Instructions {
  const text = findText(observed(lineItem, 'pertinentInformation1', 'pertinentAdditionalInstructions'));
  return text === undefined ? NO_INSTRUCTIONS : readInstructions(text, form);
}

/** `issues`: what is told beside the translation. */
export function medicationRequest(
  lineItem: V3Node,
  instructions: Instructions,
  shared: Shared,
  context: AnswerContext,
  issues: Issue[],
): Entry {
  const { prescription } = shared;
  const itemId = requiredAttribute(requiredChild(lineItem, 'id'), 'root').toLowerCase();
  const course = courseOf(lineItem, prescription);
  const statusCode = observed(lineItem, 'pertinentInformation4', 'pertinentItemStatus');
  // The administration itself says nothing: it is the item.
  findChild(lineItem, 'effectiveTime');
  return resource('MedicationRequest', context.newId(), {
    extension: [
      extension(EXTENSION.responsiblePractitioner, { valueReference: referenceTo(shared.responsible) }),
      extension(EXTENSION.prescriptionType, {
        valueCoding: codingOf(shared.prescriptionType, CODE_SYSTEM.prescriptionType),
      }),
      ...endorsements(lineItem),
      repeatInformation(lineItem, prescription),
      controlledDrug(instructions),
      dispensingInformation(lineItem, prescription, statusCode, context),
    ].filter((part) => part !== undefined),
    identifier: [identifier(ID_SYSTEM.orderItem, itemId)],
    status: statusOf(statusCode, issues),
    // What is released of repeat dispensing is one of the orders that the first brings about.
    intent: course === 'continuous-repeat-dispensing' ? 'reflex-order' : 'order',
    category: [category(shared.prescriptionType, context)],
    medicationCodeableConcept: { coding: [product(lineItem)] },
    subject: referenceTo(shared.patient),
    authoredOn: context.form === 'full' ? dateTimeOfValue(shared.authorTime) : undefined,
    requester: referenceTo(shared.requester),
    groupIdentifier: groupIdentifier(prescription),
    courseOfTherapyType: COURSES[course],
    basedOn: basedOn(itemId, course, prescription),
    note: instructions.note === undefined ? undefined : [{ text: instructions.note }],
    dosageInstruction: [{ text: dosageText(lineItem) }],
    dispenseRequest: dispenseRequest(lineItem, shared, context),
    substitution: { allowedBoolean: false },
  });
}

type Course = keyof typeof TREATMENT_TYPE;

export const COURSES: Readonly<Record<Course, Json>> = {
  acute: concept(CODE_SYSTEM.courseOfTherapy, 'acute', 'Short course (acute) therapy'),
  continuous: concept(CODE_SYSTEM.courseOfTherapy, 'continuous', 'Continuous long term therapy'),
  'continuous-repeat-dispensing': concept(
    CODE_SYSTEM.nhsCourseOfTherapy,
    'continuous-repeat-dispensing',
    'Continuous long term (repeat dispensing)',
  ),
};

/**
 * Of one item: a prescription of acute items may hold repeated ones. Deviates: repeat prescribing is that without repeat
 * numbers too; to the national gateway it is acute then.
 */
function courseOf(lineItem: V3Node, prescription: V3Node): Course {
  const code = treatmentType(prescription);
  if (code === TREATMENT_TYPE['continuous-repeat-dispensing']) return 'continuous-repeat-dispensing';
  const repeated = code === TREATMENT_TYPE.continuous || findChild(lineItem, 'repeatNumber') !== undefined;
  return repeated ? 'continuous' : 'acute';
}

const treatmentType = (prescription: V3Node): string =>
  requiredAttribute(
    requiredChild(prescription, 'pertinentInformation5', 'pertinentPrescriptionTreatmentType', 'value'),
    'code',
  );

const endorsements = (lineItem: V3Node): readonly Json[] =>
  childrenOf(lineItem, 'pertinentInformation3').map((relationship) => {
    const value = requiredChild(relationship, 'pertinentPrescriberEndorsement', 'value');
    return extension(EXTENSION.prescriptionEndorsement, {
      valueCodeableConcept: { coding: [codingOf(value, CODE_SYSTEM.prescriberEndorsement)] },
    });
  });

function repeatInformation(lineItem: V3Node, prescription: V3Node): Json | undefined {
  const review = observed(prescription, 'pertinentInformation7', 'pertinentReviewDate');
  const issue = findPath(lineItem, 'repeatNumber', 'low');
  return extensions(EXTENSION.medicationRepeatInformation, [
    review && extension('authorisationExpiryDate', { valueDateTime: dateOfValue(review) }),
    issue && extension('numberOfPrescriptionsIssued', { valueUnsignedInt: countOfValue(issue) }),
  ]);
}

const controlledDrug = ({ controlledDrugWords }: Instructions): Json | undefined =>
  controlledDrugWords === undefined
    ? undefined
    : extensions(EXTENSION.controlledDrug, [extension('quantityWords', { valueString: controlledDrugWords })]);

/** Deviates: the status of the item is told as the Spine has it; the national gateway tells only what it makes of it. */
function dispensingInformation(
  lineItem: V3Node,
  prescription: V3Node,
  status: V3Node | undefined,
  { form }: AnswerContext,
): Json | undefined {
  const path = ['predecessor', 'priorPreviousIssueDate', 'value'] as const;
  const last = findPath(lineItem, ...path) ?? findPath(prescription, ...path);
  return extensions(EXTENSION.dispensingInformation, [
    last && extension('dateLastDispensed', { valueDateTime: dateOfValue(last) }),
    status === undefined || form === 'national'
      ? undefined
      : extension('dispenseStatus', { valueCoding: codingOf(status, CODE_SYSTEM.itemStatus) }),
  ]);
}

const STATUSES: ReadonlyMap<string, string> = new Map([
  ['0001', 'completed'],
  ['0002', 'stopped'],
  ['0003', 'active'],
  ['0004', 'active'],
  ['0005', 'cancelled'],
  ['0006', 'stopped'],
  ['0007', 'active'],
  ['0008', 'active'],
]);

function statusOf(value: V3Node | undefined, issues: Issue[]): string {
  if (value === undefined) return 'active';
  const status = STATUSES.get(requiredAttribute(value, 'code'));
  if (status === undefined)
    issues.push(v3Issue('warning', 'code-invalid', value, 'The status of the item is none that is known', '/@code'));
  return status ?? 'unknown';
}

/** Deviates: primary care is of the community; the national gateway calls every prescription one of outpatients. */
function category(prescriptionType: V3Node, { form }: AnswerContext): Json {
  const primaryCare = requiredAttribute(prescriptionType, 'code').startsWith('01');
  return primaryCare && form === 'full'
    ? concept(CODE_SYSTEM.category, 'community', 'Community')
    : concept(CODE_SYSTEM.category, 'outpatient', 'Outpatient');
}

const product = (lineItem: V3Node): Json =>
  codingOf(
    requiredChild(lineItem, 'product', 'manufacturedProduct', 'manufacturedRequestedMaterial', 'code'),
    CODE_SYSTEM.snomedCt,
  );

/** The first id is the prescription's, the second the one people read. */
function groupIdentifier(prescription: V3Node): Json {
  const [id, shortFormId] = prescriptionIds(prescription);
  return {
    ...identifier(ID_SYSTEM.orderNumber, shortFormId),
    extension: [
      extension(EXTENSION.prescriptionId, { valueIdentifier: identifier(ID_SYSTEM.prescription, id.toLowerCase()) }),
    ],
  };
}

export function prescriptionIds(prescription: V3Node): readonly [id: string, shortFormId: string] {
  const ids = childrenOf(prescription, 'id');
  const [id, shortFormId] = ids;
  if (id === undefined || shortFormId === undefined || ids.length > 2)
    throw v3Fault('structure', prescription, 'A prescription has two ids, its own and the one people read', '/id');
  return [requiredAttribute(id, 'root'), requiredAttribute(shortFormId, 'extension')];
}

function basedOn(itemId: string, course: Course, prescription: V3Node): readonly Json[] | undefined {
  if (course === 'acute') return undefined;
  const counts = [
    ['numberOfRepeatsAllowed', repeatsOf(prescription, 'high')],
    ['numberOfRepeatsIssued', repeatsOf(prescription, 'low')],
  ] as const;
  const repeat = extensions(
    EXTENSION.repeatInformation,
    counts.map(([url, valueInteger]) => (valueInteger === undefined ? undefined : extension(url, { valueInteger }))),
  );
  return [present({ reference: urlOf(itemId), extension: repeat && [repeat] })];
}

const dosageText = (lineItem: V3Node): string =>
  requiredText(requiredChild(lineItem, 'pertinentInformation2', 'pertinentDosageInstructions', 'value'));
