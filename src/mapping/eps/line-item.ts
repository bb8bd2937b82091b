/** An item of a prescription. */
import { annotation, NO_EFFECTIVE_TIME, pertinent, separableInd, template } from '../../standards/hl7v3/act.ts';
import { element, textElement } from '../../standards/hl7v3/element.ts';
import { codeIn, globalId, SNOMED } from '../../standards/hl7v3/identifier.ts';
import type { XmlElement } from '../../standards/xml/tree.ts';
import { additionalInstructions, type PatientInformation } from './additional-instructions.ts';
import { conceptCodingOf, extensionsOf, identifierOf } from './choose.ts';
import { dosageText } from './dosage-text.ts';
import { material, medicationCode, quantity } from './medication.ts';
import type { MessageBundle } from './message-bundle.ts';
import { listAt, type Node, nodeAt, requiredNode, requiredString } from './node.ts';
import { CODE_SYSTEM, EXTENSION, ID_SYSTEM } from './systems.ts';

const PATH = 'MedicationRequest';

export const lineItemId = (request: Node): XmlElement =>
  globalId(identifierOf(listAt(request, 'identifier', PATH), ID_SYSTEM.orderItem, `${PATH}.identifier`));

/** `repeatNumber`: of the whole prescription. The order of the parts is the schema's: 1, 3, 2. */
export const lineItem = (
  bundle: MessageBundle,
  request: Node,
  repeatNumber: XmlElement | undefined,
  information: PatientInformation,
): XmlElement =>
  element(
    'pertinentInformation2',
    { contextConductionInd: 'true', inversionInd: 'false', negationInd: 'false', typeCode: 'PERT' },
    separableInd(true),
    template('lineItem'),
    element(
      'pertinentLineItem',
      { classCode: 'SBADM', moodCode: 'RQO' },
      lineItemId(request),
      SNOMED.administration,
      NO_EFFECTIVE_TIME,
      repeatNumber,
      product(bundle, request),
      lineItemQuantity(request),
      instructions(request, information),
      endorsements(request),
      dosage(request),
    ),
  );

const product = (bundle: MessageBundle, request: Node): XmlElement =>
  element(
    'product',
    { contextControlCode: 'OP', typeCode: 'PRD' },
    element(
      'manufacturedProduct',
      { classCode: 'MANU' },
      material('manufacturedRequestedMaterial', 'KIND', medicationCode(bundle, request)),
    ),
  );

const lineItemQuantity = (request: Node): XmlElement =>
  element(
    'component',
    { typeCode: 'COMP' },
    separableInd(false),
    element(
      'lineItemQuantity',
      { classCode: 'SPLY', moodCode: 'RQO' },
      SNOMED.dispensing,
      quantity(requiredNode(request, 'dispenseRequest', PATH), `${PATH}.dispenseRequest`),
    ),
  );

function instructions(request: Node, information: PatientInformation): XmlElement | undefined {
  const text = additionalInstructions(request, information);
  if (text === '') return undefined;
  return pertinent(
    'pertinentInformation1',
    false,
    annotation('pertinentAdditionalInstructions', 'AI', textElement('value', text)),
  );
}

function endorsements(request: Node): readonly XmlElement[] | undefined {
  const path = `${PATH}.extension("${EXTENSION.prescriptionEndorsement}").valueCodeableConcept`;
  return extensionsOf(request, EXTENSION.prescriptionEndorsement, `${PATH}.extension`)?.map((extension) => {
    const concept = requiredNode(extension, 'valueCodeableConcept', `${PATH}.extension`);
    const coding = conceptCodingOf([concept], CODE_SYSTEM.prescriberEndorsement, path);
    const code = requiredString(coding, 'code', path);
    return pertinent(
      'pertinentInformation3',
      false,
      annotation('pertinentPrescriberEndorsement', 'PE', codeIn('prescriberEndorsement', code, undefined, 'value')),
    );
  });
}

const dosage = (request: Node): XmlElement => {
  const text = dosageText(listAt(request, 'dosageInstruction', PATH), `${PATH}.dosageInstruction`);
  return pertinent(
    'pertinentInformation2',
    false,
    annotation('pertinentDosageInstructions', 'DI', textElement('value', text)),
  );
};

/** What the order asks of who dispenses it. */
export const dispenseRequestOf = (request: Node): Node | undefined => nodeAt(request, 'dispenseRequest', PATH);
