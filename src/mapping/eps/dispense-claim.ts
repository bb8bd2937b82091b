/** DispenseClaim (PORX_MT142001UK31): what a dispenser is to be paid for, also in place of an earlier claim. */
import {
  annotation,
  NO_EFFECTIVE_TIME,
  notApplicable,
  OBSERVATION,
  separableInd,
  template,
  typeId,
} from '../../standards/hl7v3/act.ts';
import { element, textElement, valueElement } from '../../standards/hl7v3/element.ts';
import { codeIn, globalId, SNOMED } from '../../standards/hl7v3/identifier.ts';
import type { XmlElement } from '../../standards/xml/tree.ts';
import { extensionOf, findConceptCoding, findExtension, isReference } from './choose.ts';
import { claimedItem } from './claimed-item.ts';
import { dateTime } from './dates.ts';
import {
  findCoding,
  identifierValue,
  inFulfillmentOf,
  pertinentCode,
  replacementOf,
  sequelTo,
} from './dispensed-act.ts';
import { agentOrganisation, dispenser } from './dispenser.ts';
import { invalidValue } from './fault.ts';
import { resolveContained } from './message-bundle.ts';
import { messageId } from './message-id.ts';
import { listAt, type Node, nodeAt, requiredList, requiredNode, requiredString, stringAt } from './node.ts';
import { onlyOne } from './only.ts';
import { pertinentPrescriptionId } from './release-request.ts';
import { dispenseRepeatNumber } from './repeat.ts';
import { CODE_SYSTEM, EXTENSION } from './systems.ts';

/** Nobody reads which release a claim follows, but the schema wants one. */
const NO_RELEASE = 'ffffffff-ffff-4fff-bfff-ffffffffffff';

export function dispenseClaim(claim: Node): XmlElement {
  const id = globalId(messageId(claim, 'Claim'));
  const created = dateTime(stringAt(claim, 'created', 'Claim'), 'Claim.created');
  const item = onlyOne(listAt(claim, 'item', 'Claim'), 'Claim.item');
  return element(
    'DispenseClaim',
    { classCode: 'INFO', moodCode: 'EVN' },
    id,
    SNOMED.dispensedMedication,
    valueElement('effectiveTime', created),
    typeId('PORX_MT142001UK31'),
    primaryInformationRecipient(claim),
    element(
      'pertinentInformation1',
      { contextConductionInd: 'true', typeCode: 'PERT' },
      template('pertinentInformation'),
      supplyHeader(claim, item, id, created),
    ),
    replacementOf(claim, 'Claim.extension'),
    coverage(item),
    sequelTo(NO_RELEASE),
  );
}

/** The name is sent even where there is none. */
function primaryInformationRecipient(claim: Node): XmlElement {
  const path = 'Claim.insurance.coverage';
  const insurance = onlyOne(listAt(claim, 'insurance', 'Claim'), 'Claim.insurance');
  const payer = requiredNode(insurance, 'coverage', 'Claim.insurance');
  const odsCode = requiredString(requiredNode(payer, 'identifier', path), 'value', `${path}.identifier`);
  const name = textElement('name', stringAt(payer, 'display', path));
  return element('primaryInformationRecipient', { typeCode: 'PRCP' }, agentOrganisation(odsCode, name));
}

/** The order of the parts is the schema's. */
function supplyHeader(claim: Node, item: Node, id: XmlElement, created: string): XmlElement {
  const path = 'Claim.item.extension';
  const details = requiredList(item, 'detail', 'Claim.item');
  const repeat = findExtension(item, EXTENSION.repeatInformation, path);
  const reason = findCoding(item, EXTENSION.taskBusinessStatusReason, path);
  const status = requiredNode(extensionOf(item, EXTENSION.taskBusinessStatus, path), 'valueCoding', path);
  const group = groupIdentifier(claim);
  return element(
    'pertinentSupplyHeader',
    { classCode: 'SBADM', moodCode: 'EVN' },
    id,
    SNOMED.administrationCodeOnly,
    NO_EFFECTIVE_TIME,
    repeat === undefined ? deprecatedRepeatNumber(details[0]) : dispenseRepeatNumber(repeat, path),
    legalAuthenticator(claim, created),
    reason && pertinentCode('pertinentInformation2', 'NonDispensingReason', reason, `${path}.valueCoding`),
    pertinentCode('pertinentInformation3', 'PrescriptionStatus', status, `${path}.valueCoding`),
    details.map((detail) => claimedItem(detail, repeat === undefined)),
    pertinentPrescriptionId('pertinentInformation4', group('shortForm')),
    inFulfillmentOf('priorOriginalPrescriptionRef', group('UUID')),
  );
}

/** Where older senders put it. */
function deprecatedRepeatNumber(detail: Node | undefined): XmlElement | undefined {
  const path = 'Claim.item.detail.extension';
  const repeat = findExtension(detail, EXTENSION.repeatInformation, path);
  return repeat && dispenseRepeatNumber(repeat, path);
}

/** The role that claims, contained in the claim. */
export const providerOf = (claim: Node): Node =>
  resolveContained(claim, nodeAt(claim, 'provider', 'Claim'), 'PractitionerRole', 'Claim.provider');

function legalAuthenticator(claim: Node, created: string): XmlElement {
  const role = providerOf(claim);
  const path = 'Claim.contained("PractitionerRole").organization';
  const reference = nodeAt(role, 'organization', 'PractitionerRole');
  if (!isReference(reference)) throw invalidValue('practitioner.organization should be a reference', path);
  const organisation = resolveContained(claim, reference, 'Organization', path);
  return element(
    'legalAuthenticator',
    { contextControlCode: 'OP', typeCode: 'LA' },
    valueElement('time', created),
    notApplicable('signatureText'),
    dispenser(role, organisation),
  );
}

/** Reads both ids of the prescription. */
function groupIdentifier(claim: Node): (part: 'shortForm' | 'UUID') => string {
  const path = 'Claim.prescription.extension';
  const extension = extensionOf(requiredNode(claim, 'prescription', 'Claim'), EXTENSION.groupIdentifier, path);
  const within = `${path}("${EXTENSION.groupIdentifier}").extension`;
  return (part) => identifierValue(extensionOf(extension, part, within), within);
}

/** "Paid": no exemption is claimed. */
const NOT_EXEMPT = '0001';

/** Why the patient did not pay, and whether proof of that was seen. */
function coverage(item: Node): XmlElement | undefined {
  const path = 'Claim.item.programCode';
  const concepts = listAt(item, 'programCode', 'Claim.item');
  const exemption = findConceptCoding(concepts, CODE_SYSTEM.chargeExemption, path);
  if (exemption === undefined) return undefined;
  const code = requiredString(exemption, 'code', `${path}.coding`);
  return element(
    'coverage',
    { contextConductionInd: 'true', typeCode: 'COVBY' },
    separableInd(false),
    negated(
      annotation(
        'coveringChargeExempt',
        'EX',
        codeIn('chargeExemption', code, undefined, 'value'),
        authorization(findConceptCoding(concepts, CODE_SYSTEM.exemptionEvidence, path)),
      ),
      code === NOT_EXEMPT,
    ),
  );
}

const authorization = (evidence: Node | undefined): XmlElement | undefined =>
  evidence &&
  element(
    'authorization',
    { contextConductionInd: 'true', typeCode: 'AUTH' },
    separableInd(false),
    negated(annotation('authorizingEvidenceSeen', 'ES'), evidence['code'] !== 'evidence-seen'),
  );

/** The same act, said to be so or not so. */
const negated = (act: XmlElement, negationInd: boolean): XmlElement => ({
  ...act,
  attributes: element(act.name, { ...OBSERVATION, negationInd: String(negationInd) }).attributes,
});
