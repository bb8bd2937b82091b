/** The rules of a prescription order. */
import type { Issue } from '../../standards/fhir/outcome.ts';
import { requesterOf } from './agent-person.ts';
import { findDisagreement, type Step } from './agreement.ts';
import { findExtension, findIdentifier, identifierOf, isReference, ownIdentifiers } from './choose.ts';
import { courseOfTherapyOf } from './course-of-therapy.ts';
import { finding, MISSING_DOSAGE_SEQUENCE } from './fault.ts';
import { type MessageBundle, resolve, resourcesOf } from './message-bundle.ts';
import { has, listAt, type Node, nodeAt } from './node.ts';
import { onlyOne } from './only.ts';
import { prescriptionType } from './prescription.ts';
import { itemMustHave, missingField, mustBeReference, requestMustBe } from './rule-issue.ts';
import { EXTENSION, ID_SYSTEM } from './systems.ts';

const REQUEST = 'MedicationRequest';

/** What all items of a prescription have in common. */
const COMMON: readonly (readonly Step[])[] = [
  ['groupIdentifier'],
  ['category'],
  ['authoredOn'],
  ['subject'],
  ['requester'],
  ['dispenseRequest', 'performer'],
  ['dispenseRequest', 'validityPeriod'],
  ['dispenseRequest', 'expectedSupplyDuration'],
  ['dispenseRequest', { extension: EXTENSION.performerSiteType }],
  [{ extension: EXTENSION.prescriptionType }],
  [{ extension: EXTENSION.responsiblePractitioner }],
];

export function validateOrder(bundle: MessageBundle): readonly Issue[] {
  const requests = resourcesOf(bundle, REQUEST);
  const first = onlyOne(requests.slice(0, 1), 'Bundle.entry', `resource.resourceType == '${REQUEST}'`);
  return [
    ...disagreements(requests, COMMON),
    ...prescriberIssues(bundle, first),
    ...(courseOfTherapyOf(requests) === 'continuous-repeat-dispensing' ? repeatDispensingIssues(requests, first) : []),
    ...(requests.some(({ status }) => status !== 'active') ? [requestMustBe('status', 'active')] : []),
    ...identifierIssues(requests),
    ...dosageIssues(requests),
  ];
}

const disagreements = (requests: readonly Node[], paths: readonly (readonly Step[])[]): readonly Issue[] =>
  paths.map((path) => findDisagreement(REQUEST, requests, path)).filter((issue) => issue !== undefined);

/** Deviates: without a prescription type the national gateway fails; here it is the fault its translation would name. */
function prescriberIssues(bundle: MessageBundle, first: Node): readonly Issue[] {
  const primaryCare = prescriptionType(first).startsWith('01');
  const role = requesterOf(bundle, first);
  const organisation = nodeAt(role, 'organization', 'PractitionerRole');
  const issues: Issue[] = [];
  if (!isReference(organisation)) issues.push(mustBeReference('practitionerRole.organization'));
  else {
    const resource = resolve(bundle, organisation, 'PractitionerRole.organization');
    if (primaryCare && has(role, 'healthcareService'))
      issues.push(finding('invalid', 'Unexpected field of practitionerRole.healthcareService.'));
    else if (primaryCare && !has(resource, 'partOf')) issues.push(missingField('organization.partOf'));
  }
  if (hasGmpNumber(bundle, role))
    issues.push(
      finding(
        'value',
        'Bundle resource Practitioner.identifier expected exactly one professional code from GMC|NMC|GPhC|HCPC|professional-code.',
      ),
    );
  return issues;
}

/** A number of the practice's contract, which says nothing of the person. */
function hasGmpNumber(bundle: MessageBundle, role: Node): boolean {
  const path = 'PractitionerRole.practitioner';
  const practitioner = nodeAt(role, 'practitioner', 'PractitionerRole');
  if (practitioner === undefined) return false;
  const identifiers = isReference(practitioner)
    ? listAt(resolve(bundle, practitioner, path), 'identifier', 'Practitioner')
    : ownIdentifiers(practitioner, path);
  return Boolean(findIdentifier(identifiers, ID_SYSTEM.gmp, 'Practitioner.identifier'));
}

function repeatDispensingIssues(requests: readonly Node[], first: Node): readonly Issue[] {
  const repeat = findExtension(first, EXTENSION.medicationRepeatInformation, `${REQUEST}.extension`);
  const hasRepeat = (listAt(repeat, 'extension', `${REQUEST}.extension`) ?? []).length > 0;
  const dispenseRequest = nodeAt(first, 'dispenseRequest', REQUEST);
  return [
    ...disagreements(requests, [
      ['dispenseRequest', 'numberOfRepeatsAllowed'],
      ...(hasRepeat ? [[{ extension: EXTENSION.medicationRepeatInformation }]] : []),
    ]),
    ...['validityPeriod', 'expectedSupplyDuration']
      .filter((name) => !has(dispenseRequest, name))
      .map((name) => itemMustHave(REQUEST, `dispenseRequest.${name}`)),
  ];
}

function identifierIssues(requests: readonly Node[]): readonly Issue[] {
  const path = `${REQUEST}.identifier.value`;
  const ids = requests.map((request) =>
    identifierOf(listAt(request, 'identifier', REQUEST), ID_SYSTEM.orderItem, path),
  );
  if (new Set(ids).size === ids.length) return [];
  return [
    finding(
      'value',
      'Expected all MedicationRequests to have a different value for identifier.',
      `Bundle.entry.resource.ofType(${REQUEST}).identifier`,
    ),
  ];
}

/** Each item for itself. Deviates: one without the array makes the national gateway fail; here it counts as empty. */
const dosageIssues = (requests: readonly Node[]): readonly Issue[] =>
  requests.flatMap((request) => {
    const dosages = listAt(request, 'dosageInstruction', REQUEST) ?? [];
    if (dosages.length === 0) return [missingField('dosageInstructions')];
    const unordered = dosages.length > 1 && dosages.some((dosage) => !has(dosage, 'sequence'));
    return unordered ? [MISSING_DOSAGE_SEQUENCE] : [];
  });
