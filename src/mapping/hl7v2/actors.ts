/** Practitioner, Organization and PractitionerRole: who, named in many fields, stored once. */
import type { Identifier } from '../transaction-bundle.ts';
import { compact, type Json } from './compact.ts';
import { type Cursor, localSystem } from './cursor.ts';
import { personName } from './data-types.ts';
import { derivedIdentifier, keysOf, withDisplay } from './entries.ts';
import { authoritySystem, identifierType, ODS_CODE } from './identifiers.ts';
import type { Translation } from './translation.ts';

/** Numbers of UK professions tell themselves: ITK samples label a GP's code as GMC. */
const BY_PATTERN: readonly (readonly [RegExp, string])[] = [
  [/^G\d{7}$/, 'https://fhir.hl7.org.uk/Id/gmp-number'],
  [/^C\d{7}$/, 'https://fhir.hl7.org.uk/Id/gmc-number'],
];

/**
 * XCN repetitions as references. Those of one name are one person with several numbers; a person without a number is
 * no resource but a name.
 */
export function practitioners(cursors: readonly Cursor[], to: Translation): readonly Json[] {
  const people = new Map<string, { readonly name: Json | undefined; readonly identifiers: Json[] }>();
  for (const cursor of cursors) {
    const name = personName(cursor);
    const identifier = practitionerIdentifier(cursor);
    const key = name === undefined ? `${identifier?.['system']} ${identifier?.['value']}` : JSON.stringify(name);
    const person = people.get(key) ?? { name, identifiers: [] };
    people.set(key, person);
    if (identifier !== undefined && !person.identifiers.some((known) => isSame(known, identifier)))
      person.identifiers.push(identifier);
  }
  return people
    .values()
    .flatMap(({ name, identifiers }) => practitionerReference(name, identifiers, to))
    .toArray();
}

const isSame = (a: Json, b: Json): boolean => a['system'] === b['system'] && a['value'] === b['value'];

export const practitioner = (cursor: Cursor, to: Translation): Json | undefined => practitioners([cursor], to)[0];

function practitionerReference(name: Json | undefined, identifiers: readonly Json[], to: Translation): readonly Json[] {
  const display = displayOf(name);
  const keys = keysOf(identifiers);
  if (keys.length === 0) return display === undefined ? [] : [{ display }];
  const resource = {
    resourceType: 'Practitioner',
    identifier: identifiers,
    ...(name !== undefined && { name: [name] }),
  };
  return [withDisplay(to.entries.mention(resource, keys), display)];
}

const practitionerIdentifier = (cursor: Cursor): Json | undefined =>
  staffIdentifier(cursor, cursor.at(9), cursor.at(13));

/** The number in an XCN or a CX; one of a UK profession tells by its pattern whose it is. */
export function staffIdentifier(cursor: Cursor, assigner: Cursor, typeCursor: Cursor): Json | undefined {
  const value = cursor.at(1).value;
  const authority = authoritySystem(assigner);
  const type = typeCursor.text;
  if (value === undefined) return undefined;
  const known = cursor.reading.isUk ? BY_PATTERN.find(([pattern]) => pattern.test(value))?.[1] : undefined;
  const system = known ?? authority ?? localSystem(cursor.reading, 'staff');
  return compact({ type: identifierType(type), system, value });
}

/** `MR DANIEL OKAFOR` */
export function displayOf(name: Json | undefined): string | undefined {
  if (name === undefined) return undefined;
  const { prefix = [], given = [], family, suffix = [] } = name as Record<string, unknown>; // made by personName
  const words = [prefix, given, family ?? [], suffix].flat();
  return words.length === 0 ? undefined : words.join(' ');
}

/** XON as a reference. A UK organisation code is one of the ODS unless an authority is named. */
export function organization(cursor: Cursor, to: Translation): Json | undefined {
  const name = cursor.at(1).value;
  const [id10, id3] = [cursor.at(10).value, cursor.at(3).value];
  const value = id10 ?? id3;
  const authority = authoritySystem(cursor.at(6));
  const type = cursor.at(7).text;
  if (value === undefined) return name === undefined ? undefined : { display: name };
  return organizationByCode(value, name, to, { authority, isOds: type === 'ODS' });
}

/** An organisation by its code, which in a UK feed is one of the ODS unless an authority is named. */
export function organizationByCode(
  value: string,
  name: string | undefined,
  to: Translation,
  said: { readonly authority?: string | undefined; readonly isOds?: boolean } = {},
): Json {
  const { authority } = said;
  const isOds = said.isOds === true || (to.reading.isUk && (authority === undefined || !authority.startsWith('urn:')));
  const system = isOds && isOdsCode(value) ? ODS_CODE : (authority ?? localSystem(to.reading, 'organization'));
  return organizationReference({ ...(system !== undefined && { system }), value }, name, to);
}

const isOdsCode = (text: string): boolean => /^[A-Z0-9]{3,9}$/i.test(text);

function organizationReference(identifier: Identifier, name: string | undefined, to: Translation): Json {
  const [key] = keysOf([identifier]);
  if (key === undefined) return compact({ identifier, display: name }) as Json; // an identifier has a value
  // An Organization has a name or an identifier (org-1).
  const resource = { resourceType: 'Organization', identifier: [identifier], ...(name !== undefined && { name }) };
  return withDisplay(to.entries.mention(resource, [key]), name);
}

/** An HD that names an organisation: MSH-4, the facility of a place. Undefined when it is not one. */
export function odsOrganization(cursor: Cursor, to: Translation): Json | undefined {
  const value = cursor.at(1).text;
  if (!to.reading.isUk || !/^[A-Z][A-Z0-9]{2,5}$/.test(value)) return undefined;
  return organizationReference({ system: ODS_CODE, value }, undefined, to);
}

/** A person in a role at an organisation; the organisation alone or the person alone is no role. */
export function practitionerRole(
  person: Json,
  employer: Json,
  details: Readonly<Record<string, unknown>>,
  to: Translation,
): Json {
  const identifier = derivedIdentifier('PractitionerRole', keyOf(person), keyOf(employer));
  const resource = {
    resourceType: 'PractitionerRole',
    identifier: [identifier],
    active: true,
    practitioner: person,
    organization: employer,
    ...compact(details),
  };
  return withDisplay(to.entries.mention(resource, [identifier]), person['display'] as string | undefined);
}

const keyOf = ({ reference, display }: Json): string => String(reference ?? display);
