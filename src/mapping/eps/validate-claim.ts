/** The rules of a claim. */
import type { Issue } from '../../standards/fhir/outcome.ts';
import { identifierOf, isReference, ownIdentifiers } from './choose.ts';
import { endorsementsOf } from './claimed-item.ts';
import type { EpsContext } from './context.ts';
import { providerOf } from './dispense-claim.ts';
import { finding } from './fault.ts';
import { listAt, type Node, nodeAt, stringAt } from './node.ts';
import { findRefusal } from './permission.ts';
import { mustBeIdentifier } from './rule-issue.ts';
import { ID_SYSTEM } from './systems.ts';

/** NHSBSA of England, and its like of Wales. */
const REIMBURSEMENT_AUTHORITIES = ['T1450', 'RQFZ1'];

/** Deviates: who may not claim is told so first; the national gateway looks for the provider's role before. */
export function validateClaim(claim: Node, context: EpsContext): readonly Issue[] {
  const refusal = findRefusal('Dispensing', context);
  if (refusal !== undefined) return [refusal];
  return [...insuranceIssues(claim), ...providerIssues(providerOf(claim)), ...endorsementIssues(claim)];
}

function insuranceIssues(claim: Node): readonly Issue[] {
  const path = 'Claim.insurance';
  const insurances = listAt(claim, 'insurance', 'Claim') ?? [];
  if (insurances.length !== 1)
    return [finding('invalid', `Expected 1 item(s) in ${path}, but received ${insurances.length}.`)];
  const coverage = nodeAt(insurances[0], 'coverage', path);
  const authority = stringAt(nodeAt(coverage, 'identifier', path), 'value', path);
  if (REIMBURSEMENT_AUTHORITIES.includes(authority ?? '')) return [];
  const named = `${path}[0].coverage.identifier.value`;
  const allowed = REIMBURSEMENT_AUTHORITIES.map((code) => `'${code}'`).join(', ');
  return [finding('value', `${named} must be one of: ${allowed}.`, named)];
}

/** The text names Parameters, as that of the national gateway does. */
function providerIssues(role: Node): readonly Issue[] {
  const practitioner = nodeAt(role, 'practitioner', 'PractitionerRole');
  const identifiers = listAt(role, 'identifier', 'PractitionerRole');
  if (practitioner !== undefined && !isReference(practitioner))
    identifierOf(
      ownIdentifiers(practitioner, 'claim.contained("PractitionerRole").practitioner'),
      ID_SYSTEM.sdsUser,
      'claim.contained("PractitionerRole").practitioner.identifier',
    );
  if (identifiers !== undefined)
    identifierOf(identifiers, ID_SYSTEM.sdsRoleProfile, 'claim.contained("PractitionerRole").identifier');
  return isReference(practitioner) ? [mustBeIdentifier('Parameters.parameter("agent").resource.practitioner')] : [];
}

/**
 * Deviates: of the details that have programme codes the national gateway looks at the first alone; each of them needs
 * its endorsement here.
 */
function endorsementIssues(claim: Node): readonly Issue[] {
  const [item] = listAt(claim, 'item', 'Claim') ?? [];
  const coded = (listAt(item, 'detail', 'Claim.item') ?? []).filter(
    (detail) => (listAt(detail, 'programCode', 'Claim.item.detail') ?? []).length > 0,
  );
  if (coded.length > 0 && coded.every((detail) => endorsementsOf(detail).length > 0)) return [];
  return [finding('invalid', 'The claim is missing the required endorsement code.')];
}
