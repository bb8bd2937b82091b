/** A dispenser in a role at an organisation: who releases, dispenses, returns and claims. */
import { element, textElement } from '../../standards/hl7v3/element.ts';
import { idIn } from '../../standards/hl7v3/identifier.ts';
import type { XmlElement } from '../../standards/xml/tree.ts';
import { jobRole } from './agent-person.ts';
import { identifierOf, isReference, ownIdentifiers } from './choose.ts';
import { address, telecom, textName } from './demographics.ts';
import { invalidValue, requiredFieldMissing } from './fault.ts';
import { listAt, type Node, requiredNode, stringAt } from './node.ts';
import { ORGANISATION_CLASS, ORGANISATION_TYPE } from './organisation.ts';
import { ID_SYSTEM } from './systems.ts';

const ROLE = 'PractitionerRole';

/** Only the first contact point of the role is sent. */
export function dispenser(role: Node, organisation: Node): XmlElement {
  const [contact] = listAt(role, 'telecom', ROLE) ?? [];
  if (contact === undefined) throw requiredFieldMissing(`${ROLE}.telecom`);
  const profileId = identifierOf(listAt(role, 'identifier', ROLE), ID_SYSTEM.sdsRoleProfile, `${ROLE}.identifier`);
  const job = jobRole(role);
  if (job === undefined) throw requiredFieldMissing(`${ROLE}.code`);
  return element(
    'AgentPerson',
    { classCode: 'AGNT' },
    idIn('sdsRoleProfile', profileId),
    job,
    telecom(contact, `${ROLE}.telecom`),
    person(requiredNode(role, 'practitioner', ROLE)),
    representedOrganisation(organisation, contact),
  );
}

/** The SDS user id stands under the professional codes (decision D011 of the national service). */
function person(practitioner: Node): XmlElement {
  const path = `${ROLE}.practitioner`;
  if (isReference(practitioner)) throw invalidValue(`${path} should be an Identifier`, path);
  const display = stringAt(practitioner, 'display', path);
  return element(
    'agentPerson',
    { classCode: 'PSN', determinerCode: 'INSTANCE' },
    idIn('professionalCode', identifierOf(ownIdentifiers(practitioner, path), ID_SYSTEM.sdsUser, path)),
    display === undefined ? undefined : textName(display),
  );
}

function representedOrganisation(organisation: Node, contactOfRole: Node): XmlElement {
  const type = 'Organization';
  const [contact = contactOfRole] = listAt(organisation, 'telecom', type) ?? [];
  const [location] = listAt(organisation, 'address', type) ?? [];
  const name = stringAt(organisation, 'name', type);
  const odsCode = identifierOf(
    listAt(organisation, 'identifier', type),
    ID_SYSTEM.odsOrganisation,
    `${type}.identifier`,
  );
  return element(
    'representedOrganization',
    ORGANISATION_CLASS,
    idIn('odsOrganisation', odsCode),
    ORGANISATION_TYPE,
    name ? textElement('name', name) : undefined,
    telecom(contact, `${type}.telecom`),
    location === undefined ? undefined : address(location, `${type}.address`),
  );
}

/** An organisation that only receives: its code, and its name where the message has one. */
export const agentOrganisation = (odsCode: string, name?: XmlElement): XmlElement =>
  element(
    'AgentOrg',
    { classCode: 'AGNT' },
    element('agentOrganization', ORGANISATION_CLASS, idIn('odsOrganisation', odsCode), ORGANISATION_TYPE, name),
  );
