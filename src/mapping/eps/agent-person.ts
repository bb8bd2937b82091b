/** A prescriber in a role at an organisation: the author and the responsible party of orders and cancellations. */
import { element } from '../../standards/hl7v3/element.ts';
import { codeIn, idIn } from '../../standards/hl7v3/identifier.ts';
import type { XmlElement } from '../../standards/xml/tree.ts';
import { findConceptCoding, findExtension, identifierOf, isReference, ownIdentifiers } from './choose.ts';
import { name, telecom, textName } from './demographics.ts';
import { requiredFieldMissing, tooFewValues } from './fault.ts';
import { type MessageBundle, resolve } from './message-bundle.ts';
import { has, listAt, type Node, nodeAt, requiredString, stringAt } from './node.ts';
import { onlyOne } from './only.ts';
import { type Represented, representedOf, representedOrganisation } from './organisation.ts';
import { authorId, type PersonId, responsiblePartyId, sdsUserId } from './professional-code.ts';
import { CODE_SYSTEM, EXTENSION, ID_SYSTEM } from './systems.ts';

const ROLE = 'PractitionerRole';

/** How the forms of the same class differ. */
interface Form {
  readonly personId: PersonId;
  readonly withLicence: boolean;
  /** A prescription names a person and a way to reach them; a cancellation may leave both out. */
  readonly complete: boolean;
  /** A person known by identifier alone bears the name of the organisation. */
  readonly namedByOrganisation: boolean;
}

const AUTHOR: Form = { personId: authorId, withLicence: true, complete: true, namedByOrganisation: false };
const RESPONSIBLE_PARTY: Form = { ...AUTHOR, personId: responsiblePartyId, namedByOrganisation: true };
const CANCELLING: Form = { personId: sdsUserId, withLicence: false, complete: false, namedByOrganisation: false };

export const author = (bundle: MessageBundle, request: Node): XmlElement =>
  agentPerson(bundle, requesterOf(bundle, request), AUTHOR);
export const responsibleParty = (bundle: MessageBundle, request: Node): XmlElement =>
  agentPerson(bundle, responsiblePartyOf(bundle, request), RESPONSIBLE_PARTY);
export const cancelRequester = (bundle: MessageBundle, request: Node): XmlElement =>
  agentPerson(bundle, requesterOf(bundle, request), CANCELLING);
export const originalPrescriber = (bundle: MessageBundle, request: Node): XmlElement =>
  agentPerson(bundle, responsiblePartyOf(bundle, request), CANCELLING);

export const requesterOf = (bundle: MessageBundle, request: Node): Node =>
  resolve(bundle, nodeAt(request, 'requester', 'MedicationRequest'), 'MedicationRequest.requester');

/** Who answers for the prescription, where that is not the requester. */
function responsiblePartyOf(bundle: MessageBundle, request: Node): Node {
  const path = 'MedicationRequest.extension';
  const extension = findExtension(request, EXTENSION.responsiblePractitioner, path);
  if (extension === undefined) return requesterOf(bundle, request);
  return resolve(bundle, nodeAt(extension, 'valueReference', path), `${path}.valueReference`);
}

function agentPerson(bundle: MessageBundle, role: Node, form: Form): XmlElement {
  const represented = representedOf(bundle, role);
  const practitioner = nodeAt(role, 'practitioner', ROLE);
  if (practitioner === undefined && form.complete) throw requiredFieldMissing(`${ROLE}.practitioner`);
  const resource = isReference(practitioner) ? resolve(bundle, practitioner, `${ROLE}.practitioner`) : undefined;
  return element(
    'AgentPerson',
    { classCode: 'AGNT' },
    roleProfileId(role),
    jobRole(role),
    telecoms(role, resource, represented, form),
    practitioner === undefined ? undefined : person(role, practitioner, resource, represented, form),
    representedOrganisation(bundle, represented, form.withLicence),
  );
}

function roleProfileId(role: Node): XmlElement | undefined {
  const identifiers = listAt(role, 'identifier', ROLE);
  if (identifiers === undefined) return undefined;
  return idIn('sdsRoleProfile', identifierOf(identifiers, ID_SYSTEM.sdsRoleProfile, `${ROLE}.identifier`));
}

const JOB_ROLE_SYSTEMS = [CODE_SYSTEM.sdsJobRoleCode, CODE_SYSTEM.sdsJobRoleName];

/** The first code of the first system that has one, if the role has codes at all. */
export function jobRole(role: Node): XmlElement | undefined {
  const concepts = listAt(role, 'code', ROLE);
  if (concepts === undefined) return undefined;
  for (const system of JOB_ROLE_SYSTEMS) {
    const coding = findConceptCoding(concepts, system, `${ROLE}.code`);
    if (coding !== undefined) return codeIn('sdsJobRole', requiredString(coding, 'code', `${ROLE}.code.coding`));
  }
  const systems = JOB_ROLE_SYSTEMS.join(', ');
  throw tooFewValues(`Too few values submitted. Expected at least 1 element where system in [${systems}].`);
}

function telecoms(
  role: Node,
  practitioner: Node | undefined,
  { organisation }: Represented,
  { complete }: Form,
): readonly XmlElement[] {
  const sources: readonly (readonly [Node | undefined, string])[] = [
    [role, ROLE],
    practitioner !== undefined ? [practitioner, 'Practitioner'] : [complete ? organisation : undefined, 'Organization'],
  ];
  for (const [source, type] of sources) {
    const list = listAt(source, 'telecom', type);
    if (list !== undefined) return list.map((part) => telecom(part, `${type}.telecom`));
  }
  if (complete) throw tooFewValues('ResponsiblePractitioner must have at least one telecom.', `${ROLE}.telecom`);
  return [];
}

/** `resource`: the practitioner as a resource; without it the reference holds an identifier and a name. */
function person(
  role: Node,
  reference: Node,
  resource: Node | undefined,
  { organisation }: Represented,
  { personId, namedByOrganisation }: Form,
): XmlElement {
  const identifiers =
    resource === undefined
      ? ownIdentifiers(reference, `${ROLE}.practitioner`)
      : listAt(resource, 'identifier', 'Practitioner');
  return element(
    'agentPerson',
    { classCode: 'PSN', determinerCode: 'INSTANCE' },
    personId(identifiers, listAt(role, 'identifier', ROLE)),
    resource === undefined
      ? textName(
          namedByOrganisation
            ? stringAt(organisation, 'name', 'Organization')
            : stringAt(reference, 'display', `${ROLE}.practitioner`),
        )
      : personName(resource),
  );
}

const personName = (practitioner: Node): XmlElement | undefined =>
  has(practitioner, 'name')
    ? name(onlyOne(listAt(practitioner, 'name', 'Practitioner'), 'Practitioner.name'), 'Practitioner.name')
    : undefined;
