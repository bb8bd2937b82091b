/** The rules of a release request. */
import type { Issue } from '../../standards/fhir/outcome.ts';
import { identifierOf, isReference, ownIdentifiers } from './choose.ts';
import type { EpsContext } from './context.ts';
import { finding } from './fault.ts';
import { listAt, type Node, nodeAt } from './node.ts';
import { agentOf, hasOwner } from './parameters.ts';
import { findRefusal } from './permission.ts';
import { prescriptionIdOf } from './release-request.ts';
import { missingField, mustBeIdentifier } from './rule-issue.ts';
import { ID_SYSTEM } from './systems.ts';

const AGENT = 'Parameters.parameter("agent").resource';

/** An application may ask by itself for nominated prescriptions; for one prescription a person must. */
export function validateParameters(parameters: Node, context: EpsContext): readonly Issue[] {
  const refusal = findRefusal('Dispensing', context, prescriptionIdOf(parameters) !== undefined);
  if (refusal !== undefined) return [refusal];
  const issues = hasOwner(parameters) ? [] : [finding('invalid', 'Required parameter owner is missing.')];
  return [...issues, ...agentIssues(agentOf(parameters))];
}

function agentIssues(role: Node): readonly Issue[] {
  const practitioner = nodeAt(role, 'practitioner', AGENT);
  const issues: Issue[] = [];
  if (isReference(practitioner)) issues.push(mustBeIdentifier(`${AGENT}.practitioner`));
  if ((listAt(role, 'telecom', AGENT) ?? []).length === 0) issues.push(missingField(`${AGENT}.telecom`));
  if (practitioner !== undefined && !isReference(practitioner))
    identifierOf(
      ownIdentifiers(practitioner, `${AGENT}.practitioner`),
      ID_SYSTEM.sdsUser,
      'parameters.parameter("PractitionerRole").practitioner.identifier',
    );
  const identifiers = listAt(role, 'identifier', AGENT);
  if (identifiers !== undefined)
    identifierOf(identifiers, ID_SYSTEM.sdsRoleProfile, 'parameters.parameter("PractitionerRole").identifier');
  return issues;
}
