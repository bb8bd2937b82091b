/** The rules every message Bundle is held to, and the choice of those for its event. */
import type { Issue } from '../../standards/fhir/outcome.ts';
import { findIdentifier, identifierOf, isReference } from './choose.ts';
import type { EpsContext } from './context.ts';
import { conflictingMedication, fatalFinding, finding } from './fault.ts';
import { type BundleEntry, type MessageBundle, resolve, resourcesOf } from './message-bundle.ts';
import { has, listAt, type Node, nodeAt, stringAt } from './node.ts';
import { type EpsFunction, findRefusal } from './permission.ts';
import { missingField, mustBeReference, namesMedicationTwice, requestMustBe } from './rule-issue.ts';
import { EXTENSION, ID_SYSTEM } from './systems.ts';
import { validateCancellation } from './validate-cancellation.ts';
import { validateNotification } from './validate-notification.ts';
import { validateOrder } from './validate-order.ts';

interface EventRules {
  readonly function: EpsFunction;
  readonly validate: (bundle: MessageBundle) => readonly Issue[];
}

const EVENTS: ReadonlyMap<string, EventRules> = new Map([
  ['prescription-order', { function: 'Prescribing', validate: validateOrder }],
  ['prescription-order-update', { function: 'Prescribing', validate: validateCancellation }],
  ['dispense-notification', { function: 'Dispensing', validate: validateNotification }],
]);

const UNKNOWN_EVENT = fatalFinding(
  'value',
  `MessageHeader.eventCoding.code must be one of: ${[...EVENTS.keys()].join(', ')}.`,
  'Bundle.entry.resource.ofType(MessageHeader).eventCoding.code',
);

const ITEMS_MAX = 4;

const TOO_MANY_ITEMS = finding(
  'processing',
  `Bundle contains too many resources of type MedicationRequest. Expected at most ${ITEMS_MAX}.`,
  'Bundle.entry',
);

export function validateBundle(bundle: MessageBundle, context: EpsContext): readonly Issue[] {
  const rules = EVENTS.get(bundle.eventCode ?? '');
  if (rules === undefined) return [UNKNOWN_EVENT];
  const refusal = findRefusal(rules.function, context);
  if (refusal !== undefined) return [refusal];
  if (resourcesOf(bundle, 'MedicationRequest').length > ITEMS_MAX) return [TOO_MANY_ITEMS];
  return [...validateEveryBundle(bundle), ...rules.validate(bundle)];
}

const UNPLANNED = ['order', 'original-order', 'instance-order'];

function validateEveryBundle(bundle: MessageBundle): readonly Issue[] {
  const requests = resourcesOf(bundle, 'MedicationRequest');
  const issues: Issue[] = [];
  if (requests.some(({ intent }) => intent === 'plan' || intent === 'reflex-order'))
    issues.push(requestMustBe('intent', `${UNPLANNED.slice(0, -1).join(', ')} or ${UNPLANNED.at(-1)}`));
  if (requests.some(namesMedicationTwice)) issues.push(conflictingMedication('MedicationRequest'));
  issues.push(...TELECOM_OWNERS.flatMap((type) => telecomIssues(bundle, type)));
  const responsible = responsiblePartyUrls(requests);
  for (const entry of bundle.entries)
    if (entry.resourceType === 'PractitionerRole') issues.push(...roleIssues(bundle, entry, responsible));
  return issues;
}

const TELECOM_OWNERS = ['Organization', 'Practitioner', 'PractitionerRole'];
const TELECOM_MEMBERS = ['value', 'use'];

const telecomIssues = ({ entries }: MessageBundle, type: string): readonly Issue[] =>
  entries.flatMap(({ resource, resourceType }, entry) =>
    resourceType !== type
      ? []
      : (listAt(resource, 'telecom', type) ?? []).flatMap((telecom, index) =>
          TELECOM_MEMBERS.filter((name) => !has(telecom, name)).map((name) =>
            missingField(`bundle.entry[${entry}].resource.telecom[${index}].${name}`),
          ),
        ),
  );

const RESPONSIBLE_EITHER = finding(
  'invalid',
  'Responsible practitioner must be either a reference to a Practitioner resource or an identifier reference.',
);

/** The fullUrls of the roles that the requests name as responsible. */
function responsiblePartyUrls(requests: readonly Node[]): ReadonlySet<string> {
  const path = 'MedicationRequest.extension';
  const urls = requests
    .flatMap((request) => listAt(request, 'extension', 'MedicationRequest') ?? [])
    .filter(({ url }) => url === EXTENSION.responsiblePractitioner)
    .map((extension) => stringAt(nodeAt(extension, 'valueReference', path), 'reference', `${path}.valueReference`));
  return new Set(urls.filter((url) => url !== undefined));
}

/** That the ids are those of the access token is not checked: the national gateway only logs it. */
function roleIssues(bundle: MessageBundle, entry: BundleEntry, responsible: ReadonlySet<string>): readonly Issue[] {
  const path = 'PractitionerRole';
  const { resource: role, fullUrl } = entry;
  const issues: Issue[] = [];
  const practitioner = nodeAt(role, 'practitioner', path);
  if (practitioner !== undefined) {
    if (fullUrl !== undefined && responsible.has(fullUrl)) {
      if (isReference(practitioner) === has(practitioner, 'identifier')) issues.push(RESPONSIBLE_EITHER);
    } else if (!isReference(practitioner)) issues.push(mustBeReference('practitionerRole.practitioner'));
  }
  if (!isReference(nodeAt(role, 'organization', path))) issues.push(mustBeReference('practitionerRole.organization'));
  (listAt(role, 'healthcareService', path) ?? []).forEach((service, index) => {
    if (!isReference(service)) issues.push(mustBeReference(`practitionerRole.healthcareService[${index}]`));
  });
  checkIdentifiers(bundle, role, practitioner);
  return issues;
}

/** One SDS user id at most, and exactly one role profile id where the role has identifiers at all. */
function checkIdentifiers(bundle: MessageBundle, role: Node, practitioner: Node | undefined): void {
  if (isReference(practitioner)) {
    const person = resolve(bundle, practitioner, 'PractitionerRole.practitioner');
    const identifiers = listAt(person, 'identifier', 'Practitioner');
    findIdentifier(identifiers, ID_SYSTEM.sdsUser, 'Bundle.entry("Practitioner").identifier');
  }
  const identifiers = listAt(role, 'identifier', 'PractitionerRole');
  if (identifiers !== undefined)
    identifierOf(identifiers, ID_SYSTEM.sdsRoleProfile, 'Bundle.entry("PractitionerRole").identifier');
}
