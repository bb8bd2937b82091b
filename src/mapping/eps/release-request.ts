/** Release requests: the next nominated prescriptions of a pharmacy, or one prescription by its id. */
import { annotation, pertinent } from '../../standards/hl7v3/act.ts';
import { formatDateTime } from '../../standards/hl7v3/date-time.ts';
import { element, valueElement } from '../../standards/hl7v3/element.ts';
import { globalId, idIn } from '../../standards/hl7v3/identifier.ts';
import type { XmlElement } from '../../standards/xml/tree.ts';
import type { EpsContext } from './context.ts';
import { dispenser } from './dispenser.ts';
import { type Node, nodeAt, requiredString } from './node.ts';
import { agentOf, ownerOf, parameterNamed } from './parameters.ts';
import type { V3Message } from './send-message.ts';

/** Parameters have no identifier, so both the wrapper and the request get a random one. */
export function releaseRequest(parameters: Node, context: EpsContext): V3Message {
  const shortFormId = prescriptionIdOf(parameters);
  const name = shortFormId === undefined ? 'NominatedPrescriptionReleaseRequest' : 'PatientPrescriptionReleaseRequest';
  const message = element(
    name,
    { classCode: 'INFO', moodCode: 'RQO' },
    globalId(context.newId()),
    valueElement('effectiveTime', formatDateTime(context.now)),
    element('author', { typeCode: 'AUT' }, dispenser(agentOf(parameters), ownerOf(parameters))),
    shortFormId === undefined ? undefined : pertinentPrescriptionId('pertinentInformation', shortFormId),
  );
  return { name, id: context.newId(), message };
}

/** `group-identifier`; its presence makes the difference between the two requests. */
export function prescriptionIdOf(parameters: Node): string | undefined {
  const path = 'Parameters.parameter';
  const parameter = parameterNamed(parameters, 'group-identifier');
  const identifier = nodeAt(parameter, 'valueIdentifier', path);
  return identifier === undefined ? undefined : requiredString(identifier, 'value', `${path}.valueIdentifier`);
}

export const pertinentPrescriptionId = (relationship: string, shortFormId: string): XmlElement =>
  pertinent(
    relationship,
    false,
    annotation('pertinentPrescriptionID', 'PID', idIn('shortFormPrescriptionId', shortFormId, 'value')),
  );
