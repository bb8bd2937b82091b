/** Release requests back to the Parameters they came of. */
import type { FhirResource } from '../../transaction-bundle.ts';
import { ID_SYSTEM } from '../systems.ts';
import type { AnswerContext } from './context.ts';
import { dispenser } from './dispenser.ts';
import { identifier } from './fhir-parts.ts';
import { findPath, requiredAttribute, requiredChild, type V3Node } from './v3-node.ts';

/** With `group-identifier` when it is of one prescription. When it was asked has no place in them. */
export function releaseParameters(message: V3Node, context: AnswerContext): FhirResource {
  requiredChild(message, 'id');
  requiredChild(message, 'effectiveTime');
  const { role, organisation } = dispenser(requiredChild(message, 'author', 'AgentPerson'), context);
  const { organization: _, ...agent } = role;
  const shortFormId = findPath(message, 'pertinentInformation', 'pertinentPrescriptionID', 'value');
  const one = shortFormId && identifier(ID_SYSTEM.orderNumber, requiredAttribute(shortFormId, 'extension'));
  return {
    resourceType: 'Parameters',
    parameter: [
      { name: 'owner', resource: organisation },
      { name: 'status', valueCode: 'accepted' },
      { name: 'agent', resource: agent },
      ...(one === undefined ? [] : [{ name: 'group-identifier', valueIdentifier: one }]),
    ],
  };
}
