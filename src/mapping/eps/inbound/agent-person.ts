/** Somebody in a role at an organisation: PractitionerRole, Practitioner and Organization. */
import { canonicalise } from '../../../standards/xml/canonicalise.ts';
import { isElement, type XmlElement, type XmlNode } from '../../../standards/xml/tree.ts';
import { CODE_SYSTEM, ID_SYSTEM } from '../systems.ts';
import type { AnswerContext } from './context.ts';
import { addresses, humanName, telecoms } from './demographics.ts';
import { concept, type Entry, identifier, type Json, present, referenceTo, resource } from './fhir-parts.ts';
import { jobRoleName } from './job-roles.ts';
import type { PersonNumber } from './person-number.ts';
import {
  childrenOf,
  findAttribute,
  findChild,
  findPath,
  findText,
  readWhole,
  requiredAttribute,
  requiredChild,
  type V3Node,
} from './v3-node.ts';

/** How the number of the person is to be read, and the register it is of. */
export type ReadNumber = (value: string, register: string | undefined) => PersonNumber;

export interface Agent {
  readonly source: V3Node;
  readonly role: Entry;
  readonly practitioner: Entry | undefined;
  readonly organisation: Entry;
}

/** In the order in which they are made. */
export const resourcesOfAgent = ({ role, practitioner, organisation }: Agent): readonly Entry[] =>
  practitioner === undefined ? [role, organisation] : [role, practitioner, organisation];

export function agent(agentPerson: V3Node, readNumber: ReadNumber, context: AnswerContext): Agent {
  const person = findChild(agentPerson, 'agentPerson');
  const number = numberOf(agentPerson, readNumber);
  const organisation = organization(requiredChild(agentPerson, 'representedOrganization'), context);
  const practitioner =
    person === undefined
      ? undefined
      : resource('Practitioner', context.newId(), {
          identifier: number === undefined || number.ofRole ? undefined : [number.identifier],
          name: childrenOf(person, 'name')
            .map(humanName)
            .filter((name) => Object.keys(name).length > 0),
        });
  const profileId = roleProfileIdOf(agentPerson);
  const role = resource('PractitionerRole', context.newId(), {
    identifier: [
      ...(profileId === undefined ? [] : [identifier(ID_SYSTEM.sdsRoleProfile, profileId)]),
      ...(number?.ofRole ? [number.identifier] : []),
    ],
    practitioner: practitioner && referenceTo(practitioner),
    code: jobRole(agentPerson),
    telecom: telecoms(agentPerson, context.form),
    organization: referenceTo(organisation),
  });
  return { source: agentPerson, role, practitioner, organisation };
}

export const roleProfileIdOf = (agentPerson: V3Node): string | undefined =>
  findAttribute(findChild(agentPerson, 'id'), 'extension');

function numberOf(agentPerson: V3Node, readNumber: ReadNumber): PersonNumber | undefined {
  const id = findPath(agentPerson, 'agentPerson', 'id');
  const value = findAttribute(id, 'extension');
  return value === undefined ? undefined : readNumber(value, findAttribute(id, 'root'));
}

export function jobRole(agentPerson: V3Node): readonly Json[] {
  const code = findAttribute(findChild(agentPerson, 'code'), 'code');
  if (code === undefined) return [];
  const system = code.includes(':') ? CODE_SYSTEM.sdsJobRoleCode : CODE_SYSTEM.sdsJobRoleName;
  return [concept(system, code, jobRoleName(code))];
}

export function organization(node: V3Node, { newId, form }: Pick<AnswerContext, 'newId' | 'form'>): Entry {
  const licence = findPath(node, 'healthCareProviderLicense', 'Organization');
  return resource('Organization', newId(), {
    identifier: [odsIdentifier(node)],
    name: findText(findChild(node, 'name')),
    telecom: telecoms(node, form),
    address: addresses(node),
    partOf: licence && present({ identifier: odsIdentifier(licence), display: findText(findChild(licence, 'name')) }),
  });
}

export const odsCodeOf = (organisation: V3Node): string =>
  requiredAttribute(requiredChild(organisation, 'id'), 'extension');

export const odsIdentifier = (organisation: V3Node): Json =>
  identifier(ID_SYSTEM.odsOrganisation, odsCodeOf(organisation));

/**
 * The second person where they are the first in the same role: the number is added and nothing made twice. Undefined when
 * they are somebody else. Deviates: when they differ in more than a number that may stand beside the first, both are
 * kept; the national gateway drops what differs.
 */
export function mergedAgent(
  first: Agent,
  second: V3Node,
  readNumber: ReadNumber,
  { form }: AnswerContext,
): Agent | undefined {
  const profileId = roleProfileIdOf(second);
  if (profileId === undefined || profileId !== roleProfileIdOf(first.source)) return undefined;
  const number = numberOf(second, readNumber);
  const known = numberText(first.source) === numberText(second);
  if (form === 'full') {
    if (withoutNumber(first.source) !== withoutNumber(second)) return undefined;
    if (!known && number !== undefined && !number.besideProfessional) return undefined;
  }
  // What is equal to what was read is read.
  readWhole(second);
  if (known || number === undefined) return first;
  const { role, practitioner } = first;
  if (number.ofRole) return { ...first, role: withIdentifier(role, number.identifier) };
  return { ...first, practitioner: practitioner && withIdentifier(practitioner, number.identifier) };
}

const numberText = (agentPerson: V3Node): string | undefined =>
  findAttribute(findPath(agentPerson, 'agentPerson', 'id'), 'extension');

const withIdentifier = (entry: Entry, added: Json): Entry => {
  const identifiers = entry['identifier'];
  return { ...entry, identifier: [...(Array.isArray(identifiers) ? identifiers : []), added] };
};

/** The same for two that differ in the number of the person alone. */
const withoutNumber = ({ element }: V3Node): string => canonicalise(stripped(element, []));

const stripped = (element: XmlElement, path: readonly string[]): XmlElement => ({
  ...element,
  prefix: '',
  children: element.children.flatMap((child): XmlNode[] => {
    if (!isElement(child)) return child.trim() === '' ? [] : [child];
    if (child.name === 'id' && path.length === 1 && path[0] === 'agentPerson') return [];
    return [stripped(child, [...path, child.name])];
  }),
});
