/** Practitioner with PractitionerRole as STF and PRA, Location as LOC, each after its MFE. docs/hl7v2.md "FHIR to HL7 v2" */
import { reverseCode, SEX } from '../code-tables.ts';
import type { Json } from '../compact.ts';
import { cwe, cx, dtm, isOwnKey, repeated, xad, xon, xpn, xtn } from './fields.ts';
import type { Outbound } from './outbound.ts';
import { placeLevels } from './place.ts';
import { listOf, objectOf, textOf } from './source.ts';

const STAFF_SENT = ['identifier', 'active', 'name', 'telecom', 'address', 'gender', 'birthDate'];
const ROLE_SENT = ['identifier', 'active', 'practitioner', 'organization', 'code', 'specialty', 'telecom'];
const PLACE_SENT = [
  ...['identifier', 'status', 'name', 'description', 'mode', 'telecom', 'address', 'physicalType'],
  ...['managingOrganization', 'partOf'],
];

/** MFI: changes of a file, of which each is answered for. */
function writeFile(code: string, name: string, { out }: Outbound): void {
  out.write('MFI', { 1: [code, name, 'HL70175'], 3: 'UPD', 6: 'AL' });
}

/** Table 0180: new, changed, or not in use any more. */
const actionOf = (inUse: boolean, { isNew }: Outbound): string => (inUse ? (isNew ? 'MAD' : 'MUP') : 'MDC');

export function writeStaff(to: Outbound): void {
  const { from, out } = to;
  writeFile('PRA', 'Practitioner master file', to);
  const roles = from.all('PractitionerRole');
  for (const person of from.all('Practitioner')) {
    from.tellUnsent(person, STAFF_SENT);
    const identifiers = listOf(person['identifier']).filter((identifier) => !isOwnKey(identifier));
    const key = textOf(identifiers[0]?.['value']);
    if (key === undefined) {
      from.fail('A person without a number cannot be sent', 'Practitioner.identifier');
      continue;
    }
    out.write('MFE', { 1: actionOf(person['active'] !== false, to), 2: out.next('MFE'), 4: key, 5: 'CWE' });
    out.write('STF', {
      1: key,
      2: repeated(identifiers.map(cx)),
      3: repeated(listOf(person['name']).map(xpn)),
      5: reverseCode(SEX, person['gender']),
      6: dtm(person['birthDate']),
      7: person['active'] === false ? 'I' : 'A',
      10: repeated(listOf(person['telecom']).map(xtn)),
      11: repeated(listOf(person['address']).map(xad)),
    });
    for (const role of roles) if (from.pointsAt(role['practitioner'], person)) writeRole(role, key, to);
  }
}

/** PRA-2 is a CE: its code is the number of the organisation. */
function writeRole(role: Json, key: string, { from, out }: Outbound): void {
  from.tellUnsent(role, ROLE_SENT);
  const employer = xon(role['organization'], from);
  if (employer?.[2] === undefined) {
    from.warn('A role at an organisation without a number is not sent', 'PractitionerRole.organization');
    return;
  }
  out.write('PRA', {
    1: key,
    2: [employer[2], employer[0]],
    3: repeated(listOf(role['code']).map((code) => cwe(code))),
    5: repeated(listOf(role['specialty']).map((specialty) => cwe(specialty))),
  });
}

/** location-physical-type as table 0260. */
const KINDS = new Map([
  ['bd', 'B'],
  ['ro', 'R'],
  ['wa', 'N'],
  ['area', 'E'],
]);

/** `widest`: places that are only in the Bundle because others are part of them are told of by those. */
export function writePlaces(to: Outbound): void {
  const { from, out } = to;
  writeFile('LOC', 'Location master file', to);
  const places = from.all('Location');
  const wider = new Set(places.map((place) => from.resolve(place['partOf'])));
  for (const place of places.filter((one) => !wider.has(one))) {
    from.tellUnsent(place, PLACE_SENT);
    const levels = placeLevels(place, from);
    if (levels.every((level) => level === undefined)) {
      from.fail('A place without a name cannot be sent', 'Location.name');
      continue;
    }
    const address = objectOf(place['address']);
    const kind = textOf(listOf(objectOf(place['physicalType'])?.['coding'])[0]?.['code']);
    out.write('MFE', { 1: actionOf(place['status'] !== 'inactive', to), 2: out.next('MFE'), 4: levels, 5: 'PL' });
    out.write('LOC', {
      1: levels,
      2: textOf(place['description']),
      3: KINDS.get(kind ?? ''),
      4: xon(place['managingOrganization'], from),
      5: address && xad(address),
      6: repeated(listOf(place['telecom']).map(xtn)),
    });
  }
}
