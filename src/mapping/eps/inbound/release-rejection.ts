/** Why nothing was released. */
import type { Issue } from '../../../standards/fhir/outcome.ts';
import { EXTENSION, ID_SYSTEM } from '../systems.ts';
import { organization } from './agent-person.ts';
import type { AnswerContext } from './context.ts';
import { errorIssue } from './error-codes.ts';
import { type Entry, extension, identifier, type Json, resource } from './fhir-parts.ts';
import { findAttribute, findPath, requiredAttribute, requiredChild, type V3Node } from './v3-node.ts';

export interface Rejection {
  readonly issue: Issue;
  /** Who has the prescription, where that is why: members of the OperationOutcome. */
  readonly supporting: Json;
}

export function releaseRejection(reject: V3Node, context: AnswerContext): Rejection {
  const reason = requiredChild(reject, 'pertinentInformation', 'pertinentRejectionReason', 'value');
  requiredAttribute(reason, 'code');
  const issue = errorIssue(reason);
  // The code is there, so that there is an issue.
  if (issue === undefined) throw new Error('A code has no issue');
  const elsewhere = issue.details?.coding[0]?.code === 'PRESCRIPTION_WITH_ANOTHER_DISPENSER';
  return { issue, supporting: elsewhere ? supportingInformation(otherDispenser(reject, context)) : {} };
}

function otherDispenser(reject: V3Node, context: AnswerContext): Entry {
  const node = findPath(reject, 'performer', 'AgentPerson', 'representedOrganization');
  if (node !== undefined && findAttribute(findPath(node, 'id'), 'extension') !== undefined)
    return organization(node, context);
  return resource('Organization', context.newId(), {
    identifier: [identifier(ID_SYSTEM.odsOrganisation, 'UNKNOWN')],
    name: 'UNKNOWN',
  });
}

const supportingInformation = (organisation: Entry): Json => ({
  contained: [organisation],
  extension: [extension(EXTENSION.supportingInfo, { valueReference: { reference: `#${organisation.id}` } })],
});
