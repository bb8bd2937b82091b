/** DispenseNotification (PORX_MT024001UK31): what was handed out, also in place of an earlier notification. */
import {
  careRecordElementCategory,
  NO_EFFECTIVE_TIME,
  notApplicable,
  template,
  typeId,
} from '../../standards/hl7v3/act.ts';
import { formatDateTime } from '../../standards/hl7v3/date-time.ts';
import { element, valueElement } from '../../standards/hl7v3/element.ts';
import { globalId, SNOMED } from '../../standards/hl7v3/identifier.ts';
import type { XmlElement } from '../../standards/xml/tree.ts';
import { extensionOf, findIdentifier } from './choose.ts';
import { dateTime } from './dates.ts';
import { identifierValue, inFulfillmentOf, pertinentCode, replacementOf, sequelTo } from './dispensed-act.ts';
import { type Dispensed, dispensedItems, readDispensed } from './dispensed-item.ts';
import { agentOrganisation, dispenser } from './dispenser.ts';
import { inconsistentValues, requiredFieldMissing } from './fault.ts';
import { type MessageBundle, resourcesOf } from './message-bundle.ts';
import { messageId } from './message-id.ts';
import { listAt, type Node, requiredList, requiredNode, requiredString, stringAt } from './node.ts';
import { onlyOne } from './only.ts';
import { recordTargetReference } from './patient.ts';
import { prescriptionId } from './prescription.ts';
import { pertinentPrescriptionId } from './release-request.ts';
import { dispenseRepeatNumber } from './repeat.ts';
import { EXTENSION, ID_SYSTEM } from './systems.ts';
import { dispenserOf, dispensingOrganisation } from './validate-notification.ts';

const PATH = 'MedicationDispense';

/** `now`: ms UTC, the author's time. What is said of the whole stands in the first MedicationDispense. */
export function dispenseNotification(bundle: MessageBundle, now: number): XmlElement {
  const dispensed = resourcesOf(bundle, PATH).map(readDispensed);
  const first = onlyOne(dispensed.slice(0, 1), 'Bundle.entry', `resource.resourceType == '${PATH}'`);
  const id = globalId(messageId(bundle.bundle, 'Bundle'));
  const organisation = dispensingOrganisation(bundle, dispenserOf(first.dispense));
  return element(
    'DispenseNotification',
    { classCode: 'INFO', moodCode: 'EVN' },
    id,
    SNOMED.dispensedMedication,
    valueElement('effectiveTime', dateTime(stringAt(first.dispense, 'whenHandedOver', PATH), `${PATH}.whenHandedOver`)),
    typeId('PORX_MT024001UK31'),
    recordTargetReference(nhsNumberOf(bundle, first.dispense)),
    element(
      'primaryInformationRecipient',
      { contextControlCode: 'ON', typeCode: 'PRCP' },
      agentOrganisation(reimbursementAuthority(organisation)),
    ),
    element(
      'pertinentInformation1',
      { contextConductionInd: 'true', typeCode: 'PERT' },
      template('pertinentInformation'),
      supplyHeader(bundle, id, dispensed, first, organisation, now),
    ),
    careRecordElementCategory(
      'PRMS',
      dispensed.map(({ itemId }) => globalId(itemId)),
    ),
    replacementOf(bundle.messageHeader, 'MessageHeader.extension'),
    sequelTo(requiredString(requiredNode(bundle.messageHeader, 'response', 'MessageHeader'), 'identifier', RESPONSE)),
  );
}

const RESPONSE = 'MessageHeader.response';

function supplyHeader(
  bundle: MessageBundle,
  id: XmlElement,
  dispensed: readonly Dispensed[],
  { dispense, request }: Dispensed,
  organisation: Node,
  now: number,
): XmlElement {
  const group = requiredNode(request, 'groupIdentifier', 'MedicationRequest');
  return element(
    'pertinentSupplyHeader',
    { classCode: 'SBADM', moodCode: 'EVN' },
    id,
    SNOMED.administrationCodeOnly,
    NO_EFFECTIVE_TIME,
    headerRepeatNumber(request),
    element(
      'author',
      { contextControlCode: 'OP', typeCode: 'AUT' },
      valueElement('time', formatDateTime(now)),
      notApplicable('signatureText'),
      dispenser(dispenserOf(dispense), organisation),
    ),
    dispensedItems(bundle, dispensed),
    prescriptionNonDispensingReason(dispensed),
    prescriptionStatus(dispense),
    pertinentPrescriptionId(
      'pertinentInformation4',
      requiredString(group, 'value', 'MedicationRequest.groupIdentifier'),
    ),
    inFulfillmentOf('priorOriginalPrescriptionRef', prescriptionId(request)),
  );
}

/** Of the one Patient of the bundle; without one, or with several, of the first dispense's subject. */
function nhsNumberOf(bundle: MessageBundle, dispense: Node): string {
  const patients = resourcesOf(bundle, 'Patient');
  const [patient] = patients;
  if (patient !== undefined && patients.length === 1) {
    const path = 'Patient.identifier';
    const nhsNumber = findIdentifier(listAt(patient, 'identifier', 'Patient'), ID_SYSTEM.nhsNumber, `${path}.value`);
    if (nhsNumber === undefined) throw requiredFieldMissing(`${path}.value`);
    return nhsNumber;
  }
  const subject = requiredNode(dispense, 'subject', PATH);
  return requiredString(requiredNode(subject, 'identifier', `${PATH}.subject`), 'value', `${PATH}.subject.identifier`);
}

/** Who pays the dispenser back. */
function reimbursementAuthority(organisation: Node): string {
  const path = 'Organization.extension';
  const relationships = extensionOf(organisation, EXTENSION.organisationRelationships, path);
  return identifierValue(extensionOf(relationships, 'reimbursementAuthority', `${path}[0].extension`), path);
}

function headerRepeatNumber(request: Node): XmlElement | undefined {
  const [basedOn] = listAt(request, 'basedOn', 'MedicationRequest') ?? [];
  const extensions = listAt(basedOn, 'extension', 'MedicationRequest.basedOn') ?? [];
  const repeat = extensions.find(({ url }) => url === EXTENSION.repeatInformation);
  return repeat && dispenseRepeatNumber(repeat, 'MedicationDispense.extension');
}

function prescriptionStatus(dispense: Node): XmlElement {
  const path = `${PATH}.extension`;
  const coding = requiredNode(extensionOf(dispense, EXTENSION.taskBusinessStatus, path), 'valueCoding', path);
  return pertinentCode('pertinentInformation3', 'PrescriptionStatus', coding, `${path}.valueCoding`);
}

/** Why nothing of the prescription was dispensed: only when every item says so, and all alike. */
function prescriptionNonDispensingReason(dispensed: readonly Dispensed[]): XmlElement | undefined {
  const path = `${PATH}.extension`;
  const perItem = dispensed.map(({ dispense }) =>
    requiredList(dispense, 'extension', PATH)
      .filter(({ url }) => url === EXTENSION.prescriptionNonDispensingReason)
      .map((extension) => requiredNode(extension, 'valueCoding', path)),
  );
  const reasons = perItem.flat();
  const [reason] = reasons;
  if (reason === undefined || perItem.some((list) => list.length === 0)) return undefined;
  if (reasons.some(({ code }) => code !== reason['code'])) {
    const named = `${PATH}.extension:prescriptionNonDispensingReason`;
    throw inconsistentValues(`Expected all MedicationDispenses to have the same value for ${named}`, named);
  }
  return pertinentCode('pertinentInformation2', 'NonDispensingReason', reason, `${path}.valueCoding`);
}
