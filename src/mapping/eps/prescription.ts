/** The prescription within a ParentPrescription. What is said of the whole stands in the first MedicationRequest. */
import { annotation, NO_EFFECTIVE_TIME, pertinent, separableInd } from '../../standards/hl7v3/act.ts';
import { element, valueElement } from '../../standards/hl7v3/element.ts';
import { codeIn, globalId, idIn, SNOMED } from '../../standards/hl7v3/identifier.ts';
import type { OidName } from '../../standards/hl7v3/oid.ts';
import type { XmlElement } from '../../standards/xml/tree.ts';
import { NO_INFORMATION, patientInformation } from './additional-instructions.ts';
import { author, responsibleParty } from './agent-person.ts';
import type { AuthorSignature } from './author-signature.ts';
import { extensionOf, findExtension } from './choose.ts';
import { courseOfTherapyOf, TREATMENT_TYPE } from './course-of-therapy.ts';
import { date, dateOfDateTime } from './dates.ts';
import { invalidValue } from './fault.ts';
import { lineItem } from './line-item.ts';
import type { MessageBundle } from './message-bundle.ts';
import { type Node, nodeAt, requiredDigits, requiredNode, requiredString, stringAt } from './node.ts';
import { orderRepeatNumber } from './repeat.ts';
import { EXTENSION } from './systems.ts';

const PATH = 'MedicationRequest';

/** Attributes of an author or responsible party whose role covers all parts of the act. */
const participation = (typeCode: string) => ({ contextControlCode: 'OP', typeCode });

export function prescription(
  bundle: MessageBundle,
  requests: readonly [Node, ...Node[]],
  signature: AuthorSignature,
): XmlElement {
  const [first] = requests;
  const dispenseRequest = requiredNode(first, 'dispenseRequest', PATH);
  const course = courseOfTherapyOf(requests);
  const repeatNumber = orderRepeatNumber(course, first);
  const information = patientInformation(bundle);
  return element(
    'pertinentPrescription',
    { classCode: 'SBADM', moodCode: 'RQO' },
    globalId(prescriptionId(first)),
    shortFormId(first, 'id'),
    SNOMED.administration,
    NO_EFFECTIVE_TIME,
    repeatNumber,
    performer(dispenseRequest),
    element(
      'author',
      participation('AUT'),
      valueElement('time', signature.time),
      signature.signatureText,
      author(bundle, first),
    ),
    element('responsibleParty', participation('RESP'), responsibleParty(bundle, first)),
    course === 'continuous-repeat-dispensing' ? daysSupply(dispenseRequest) : undefined,
    reviewDate(first),
    coded('pertinentInformation5', 'PrescriptionTreatmentType', 'PTT', TREATMENT_TYPE[course]),
    coded('pertinentInformation1', 'DispensingSitePreference', 'DSP', sitePreference(dispenseRequest)),
    requests.map((request) =>
      lineItem(bundle, request, repeatNumber, request === first ? information : NO_INFORMATION),
    ),
    pertinent(
      'pertinentInformation8',
      false,
      annotation('pertinentTokenIssued', 'TI', element('value', { value: 'false' })),
    ),
    coded('pertinentInformation4', 'PrescriptionType', 'PT', prescriptionType(first)),
  );
}

const GROUP = `${PATH}.groupIdentifier`;

/** The prescription's UUID. */
export function prescriptionId(request: Node): string {
  const path = `${GROUP}.extension`;
  const extension = extensionOf(requiredNode(request, 'groupIdentifier', PATH), EXTENSION.prescriptionId, path);
  return requiredString(requiredNode(extension, 'valueIdentifier', path), 'value', `${path}.valueIdentifier`);
}

/** The id people read. */
export const shortFormId = (request: Node, name: 'id' | 'value'): XmlElement =>
  idIn('shortFormPrescriptionId', requiredString(requiredNode(request, 'groupIdentifier', PATH), 'value', GROUP), name);

/** The nominated pharmacy. */
function performer(dispenseRequest: Node): XmlElement | undefined {
  const path = `${PATH}.dispenseRequest.performer`;
  const nominated = nodeAt(dispenseRequest, 'performer', `${PATH}.dispenseRequest`);
  if (nominated === undefined) return undefined;
  const odsCode = requiredString(requiredNode(nominated, 'identifier', path), 'value', `${path}.identifier`);
  return element(
    'performer',
    participation('PRF'),
    element(
      'AgentOrgSDS',
      { classCode: 'AGNT' },
      element(
        'agentOrganizationSDS',
        { classCode: 'ORG', determinerCode: 'INSTANCE' },
        idIn('odsOrganisation', odsCode),
      ),
    ),
  );
}

/** When repeat dispensing begins and ends, and for how many days one issue lasts. */
function daysSupply(dispenseRequest: Node): XmlElement {
  const path = `${PATH}.dispenseRequest`;
  const period = requiredNode(dispenseRequest, 'validityPeriod', path);
  const dateAt = (end: 'start' | 'end'): string =>
    dateOfDateTime(stringAt(period, end, `${path}.validityPeriod`), `${path}.validityPeriod.${end}`);
  const effectiveTime = element(
    'effectiveTime',
    undefined,
    valueElement('low', dateAt('start')),
    valueElement('high', dateAt('end')),
  );
  const duration = requiredNode(dispenseRequest, 'expectedSupplyDuration', path);
  if (duration['code'] !== 'd')
    throw invalidValue('Expected supply duration must be specified in days.', `${path}.expectedSupplyDuration.code`);
  return element(
    'component1',
    { typeCode: 'COMP' },
    separableInd(true),
    element(
      'daysSupply',
      { classCode: 'SPLY', moodCode: 'RQO' },
      SNOMED.dispensing,
      effectiveTime,
      element(
        'expectedUseTime',
        undefined,
        element('width', { unit: 'd', value: requiredDigits(duration, 'value', `${path}.expectedSupplyDuration`) }),
      ),
    ),
  );
}

/** The last day on which the prescriber lets the prescription be repeated. */
function reviewDate(request: Node): XmlElement | undefined {
  const path = `${PATH}.extension`;
  const repeat = findExtension(request, EXTENSION.medicationRepeatInformation, path);
  const expiry = findExtension(repeat, 'authorisationExpiryDate', `${path}.extension`);
  if (expiry === undefined) return undefined;
  const value = date(stringAt(expiry, 'valueDateTime', `${path}.extension`), `${path}.extension.valueDateTime`);
  return pertinent(
    'pertinentInformation7',
    false,
    annotation('pertinentReviewDate', 'RD', valueElement('value', value)),
  );
}

const sitePreference = (dispenseRequest: Node): string =>
  codeOf(dispenseRequest, EXTENSION.performerSiteType, `${PATH}.dispenseRequest.extension`);

export const prescriptionType = (request: Node): string =>
  codeOf(request, EXTENSION.prescriptionType, `${PATH}.extension`);

const codeOf = (parent: Node, url: string, path: string): string =>
  requiredString(requiredNode(extensionOf(parent, url, path), 'valueCoding', path), 'code', `${path}.valueCoding`);

const SYSTEMS = {
  PrescriptionTreatmentType: 'prescriptionTreatmentType',
  DispensingSitePreference: 'dispensingSitePreference',
  PrescriptionType: 'prescriptionType',
} as const satisfies Record<string, OidName>;

/** Only the dispensing site preference may be separated from the prescription. */
const coded = (relationship: string, act: keyof typeof SYSTEMS, annotationCode: string, code: string): XmlElement =>
  pertinent(
    relationship,
    act === 'DispensingSitePreference',
    annotation(`pertinent${act}`, annotationCode, codeIn(SYSTEMS[act], code, undefined, 'value')),
  );
