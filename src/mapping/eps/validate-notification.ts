/** The rules of a dispense notification. */
import type { Issue } from '../../standards/fhir/outcome.ts';
import { disagreement, findDisagreement, type Step, uniqueOf } from './agreement.ts';
import { findExtension, isReference } from './choose.ts';
import { conflictingMedication, finding, invalidValue } from './fault.ts';
import { type MessageBundle, resolve, resolveContained, resourcesOf } from './message-bundle.ts';
import { listAt, type Node, nodeAt } from './node.ts';
import { onlyOne } from './only.ts';
import { itemMustHave, mustBeIdentifier, namesMedicationTwice } from './rule-issue.ts';
import { EXTENSION } from './systems.ts';

const DISPENSE = 'MedicationDispense';

const COMMON: readonly (readonly Step[])[] = [
  ['whenHandedOver'],
  ['subject', 'identifier', 'value'],
  [{ extension: EXTENSION.repeatInformation }],
];

export function validateNotification(bundle: MessageBundle): readonly Issue[] {
  const dispenses = resourcesOf(bundle, DISPENSE);
  const first = onlyOne(dispenses.slice(0, 1), 'Bundle.entry', `resource.resourceType == '${DISPENSE}'`);
  const actors = uniqueOf(
    dispenses.flatMap((dispense) => performersOf(dispense).map((performer) => performer['actor'])),
  );
  const issues = [
    ...COMMON.map((path) => findDisagreement(DISPENSE, dispenses, path)).filter((issue) => issue !== undefined),
    ...(actors.length > 1 ? [disagreement(DISPENSE, 'performer', actors)] : []),
    ...(dispenses.some((dispense) => performersOf(dispense).length === 0)
      ? [itemMustHave(DISPENSE, 'performer.ofType(PractitionerRole)')]
      : []),
    ...(dispenses.some(namesMedicationTwice) ? [conflictingMedication(DISPENSE)] : []),
  ];
  // Deviates: without a performer on the first the national gateway fails; here what was found so far is the answer.
  if (performersOf(first).length === 0) return issues;
  return [...issues, ...dispenserIssues(bundle, first)];
}

/** Deviates: an item without the array makes the national gateway fail; here it counts as empty. */
const performersOf = (dispense: Node): readonly Node[] => listAt(dispense, 'performer', DISPENSE) ?? [];

/** The role that dispensed, contained in the dispense. */
export function dispenserOf(dispense: Node): Node {
  const path = `${DISPENSE}.performer.actor`;
  const actor = nodeAt(performersOf(dispense)[0], 'actor', `${DISPENSE}.performer`);
  return resolveContained(dispense, actor, 'PractitionerRole', path);
}

/** The organisation of that role, in the bundle. */
export function dispensingOrganisation(bundle: MessageBundle, role: Node): Node {
  const reference = nodeAt(role, 'organization', 'PractitionerRole');
  if (!isReference(reference))
    throw invalidValue(
      'fhirContainedPractitionerRole.organization should be a Reference',
      'resource("MedicationDispense").contained("organization")',
    );
  return resolve(bundle, reference, 'PractitionerRole.organization');
}

function dispenserIssues(bundle: MessageBundle, dispense: Node): readonly Issue[] {
  const role = dispenserOf(dispense);
  const issues = isReference(nodeAt(role, 'practitioner', 'PractitionerRole'))
    ? [mustBeIdentifier('Bundle.entry("PractitionerRole").practitioner')]
    : [];
  return [...issues, ...authorityIssues(dispensingOrganisation(bundle, role))];
}

const authorityMissing = (what: string): Issue =>
  finding('invalid', `The dispense notification is missing the ${what} and it should be provided.`);

function authorityIssues(organisation: Node): readonly Issue[] {
  const relationships = findExtension(organisation, EXTENSION.organisationRelationships, 'Organization.extension');
  if (relationships === undefined) return [authorityMissing('reimbursement authority')];
  const authority = findExtension(relationships, 'reimbursementAuthority', 'Organization.extension[0].extension[0]');
  return authority === undefined ? [authorityMissing('ODS code for reimbursement authority')] : [];
}
