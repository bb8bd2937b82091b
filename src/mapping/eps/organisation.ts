/** The organisation a prescriber acts for, and the one that holds its licence. */
import { element, textElement } from '../../standards/hl7v3/element.ts';
import { codeIn, idIn } from '../../standards/hl7v3/identifier.ts';
import type { XmlElement } from '../../standards/xml/tree.ts';
import { identifierOf, isReference, ownIdentifiers } from './choose.ts';
import { address, telecom } from './demographics.ts';
import { invalidValue } from './fault.ts';
import { type MessageBundle, resolve } from './message-bundle.ts';
import { listAt, type Node, nodeAt, stringAt } from './node.ts';
import { onlyOne } from './only.ts';
import { ID_SYSTEM } from './systems.ts';

/** "Not specified": the type of an organisation is never sent. */
export const ORGANISATION_TYPE = codeIn('organisationType', '999');

export const ORGANISATION_CLASS = { classCode: 'ORG', determinerCode: 'INSTANCE' } as const;

export interface Represented {
  readonly organisation: Node;
  /** Stands for the organisation where a site or clinic of it prescribes. */
  readonly healthcareService: Node | undefined;
}

export function representedOf(bundle: MessageBundle, practitionerRole: Node): Represented {
  const path = 'PractitionerRole';
  const organisation = resolve(bundle, nodeAt(practitionerRole, 'organization', path), `${path}.organization`);
  const [service] = listAt(practitionerRole, 'healthcareService', path) ?? [];
  return {
    organisation,
    healthcareService: service === undefined ? undefined : resolve(bundle, service, `${path}.healthcareService`),
  };
}

/** `withLicence`: everywhere but in cancellations. */
export function representedOrganisation(
  bundle: MessageBundle,
  { organisation, healthcareService }: Represented,
  withLicence: boolean,
): XmlElement {
  const type = healthcareService === undefined ? 'Organization' : 'HealthcareService';
  const source = healthcareService ?? organisation;
  const path = `${type}.telecom`;
  return element(
    'representedOrganization',
    ORGANISATION_CLASS,
    ...idCodeName(source, type),
    telecom(onlyOne(listAt(source, 'telecom', type), path), path),
    healthcareService === undefined
      ? address(onlyOne(listAt(organisation, 'address', type), 'Organization.address'), 'Organization.address')
      : address(locationAddress(bundle, healthcareService), 'Location.address'),
    withLicence ? licence(bundle, organisation) : undefined,
  );
}

const idCodeName = (source: Node, type: string): readonly XmlElement[] =>
  idAndName(
    identifierOf(listAt(source, 'identifier', type), ID_SYSTEM.odsOrganisation, `${type}.identifier`),
    stringAt(source, 'name', type),
    type,
  );

function idAndName(odsCode: string, name: string | undefined, type: string): readonly XmlElement[] {
  // The path says address, as that of the national gateway does.
  if (name === undefined || name === '') throw invalidValue('Name must be provided.', `${type}.address`);
  return [idIn('odsOrganisation', odsCode), ORGANISATION_TYPE, textElement('name', name)];
}

function locationAddress(bundle: MessageBundle, healthcareService: Node): Node {
  const path = 'HealthcareService.location';
  const location = resolve(bundle, onlyOne(listAt(healthcareService, 'location', 'HealthcareService'), path), path);
  const found = nodeAt(location, 'address', 'Location');
  if (found === undefined) throw invalidValue('Address must be provided.', 'Location.address');
  return found;
}

/** Held by the organisation's parent; one without a parent holds its own. */
const licence = (bundle: MessageBundle, organisation: Node): XmlElement =>
  element(
    'healthCareProviderLicense',
    { classCode: 'PROV' },
    element('Organization', ORGANISATION_CLASS, ...licenceHolder(bundle, organisation)),
  );

function licenceHolder(bundle: MessageBundle, organisation: Node): readonly XmlElement[] {
  const type = 'Organization';
  const partOf = nodeAt(organisation, 'partOf', type);
  if (partOf === undefined) return idCodeName(organisation, type);
  if (isReference(partOf)) return idCodeName(resolve(bundle, partOf, `${type}.partOf`), type);
  const odsCode = identifierOf(
    ownIdentifiers(partOf, `${type}.partOf`),
    ID_SYSTEM.odsOrganisation,
    `${type}.identifier`,
  );
  return idAndName(odsCode, stringAt(partOf, 'display', `${type}.partOf`), type);
}
