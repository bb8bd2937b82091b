/** MFN: staff (M02) as Practitioner and PractitionerRole, places (M05) as Location. The official guide has no map: docs/hl7v2.md. */
import type { FhirResource } from '../transaction-bundle.ts';
import { organization, organizationByCode, practitionerRole, staffIdentifier } from './actors.ts';
import { SEX } from './code-tables.ts';
import { compact, type Json, present } from './compact.ts';
import type { Cursor, SegmentCursor } from './cursor.ts';
import { address, codeOf, concept, date, humanName, telecom, text } from './data-types.ts';
import { keysOf } from './entries.ts';
import { placeIdentifier } from './place.ts';
import { firstOf, sectionsFrom, tellAbout } from './sections.ts';
import type { Translation } from './translation.ts';

/** Table 0180: whether the entry is in use after it. Nothing is ever deleted. */
const IN_USE = new Map([
  ['MAD', true],
  ['MUP', true],
  ['MAC', true],
  ['MDC', false],
  ['MDL', false],
]);

/** Each MFE with the segment that it is about. */
function eachEntry(
  id: string,
  to: Translation,
  map: (segment: SegmentCursor, inUse: boolean, to: Translation) => void,
): void {
  for (const section of sectionsFrom(to, 'MFE')) {
    const [mfe, segment] = [firstOf(section, 'MFE'), firstOf(section, id)];
    if (mfe === undefined) continue;
    mfe.ignore(1, 2, 3, 4, 5);
    const inUse = IN_USE.get(mfe.field(1).value);
    if (inUse === undefined) mfe.at(1).tell('error', 'not-supported', 'This action on a master file is not taken');
    else if (segment === undefined) tellAbout(mfe, to.reading, 'error', 'structure', `No ${id} follows the entry`);
    else map(segment, inUse, section);
  }
  const mfi = firstOf(to, 'MFI');
  mfi?.ignore(1, 2, 3, 4, 5, 6);
  if (mfi?.field(3).value === 'REP')
    mfi.at(3).tell('error', 'not-supported', 'A whole file is not replaced by a message: send its changes (UPD)');
}

export function mapStaff(to: Translation): void {
  eachEntry('STF', to, mapMember);
}

function mapMember(stf: SegmentCursor, inUse: boolean, to: Translation): void {
  const own = stf.all(2).flatMap((cursor) => staffNumber(cursor) ?? []);
  const key = stf.at(1).isValued && own.length === 0 ? staffNumber(stf.at(1)) : undefined;
  stf.ignore(1);
  const identifiers = [...own, ...present([key])];
  const keys = keysOf(identifiers);
  if (keys.length === 0) {
    stf.at(1).tell('error', 'required', 'The person has no number by which they may be found');
    return;
  }
  const active = stf.at(7).text !== 'I' && inUse;
  const resource = compact({
    resourceType: 'Practitioner',
    identifier: identifiers,
    active,
    name: present(stf.all(3).map(humanName)),
    telecom: present(stf.all(10).map(telecom('work'))),
    address: present(stf.all(11).map(address)),
    gender: stf.at(5).isValued ? codeOf(SEX)(stf.at(5)) : undefined,
    birthDate: stf.at(6).isValued ? date(stf.at(6)) : undefined,
  }) as FhirResource; // it has its resourceType
  const reference = to.entries.store(resource, keys);
  mapRole(stf, { reference }, active, to);
}

/** STF-2 is a CX; the number tells by its pattern whose it is, as in an XCN. */
const staffNumber = (cursor: Cursor): Json | undefined => staffIdentifier(cursor, cursor.at(4), cursor.at(5));

/** PRA: where, and as what. */
function mapRole(stf: SegmentCursor, person: Json, active: boolean, to: Translation): void {
  const pra = firstOf(to, 'PRA');
  if (pra === undefined) return;
  pra.ignore(1);
  // PRA-2 is a CE: its code is the number of an organisation.
  const code = pra.at(2).value;
  const employer = code === undefined ? undefined : organizationByCode(code, pra.at(2).at(2).value, to);
  if (employer?.['reference'] === undefined) {
    pra.at(2).warn('required', 'The role names no organisation: it is left out');
    return;
  }
  const details = {
    active,
    code: present(pra.all(3).map(concept())),
    specialty: present(pra.all(5).map(concept())),
    telecom: present(stf.all(10).map(telecom('work'))),
  };
  practitionerRole(person, employer, details, to);
}

export function mapPlaces(to: Translation): void {
  eachEntry('LOC', to, mapPlace);
}

/** Table 0260 as location-physical-type. */
const KINDS = new Map([
  ['B', 'bd'],
  ['R', 'ro'],
  ['N', 'wa'],
  ['C', 'wa'],
  ['D', 'wa'],
  ['E', 'area'],
  ['L', 'area'],
  ['O', 'ro'],
]);

function mapPlace(loc: SegmentCursor, inUse: boolean, to: Translation): void {
  const { identifier, partOf, name } = placeIdentifier(loc.at(1), to) ?? {};
  if (identifier === undefined) {
    loc.at(1).tell('error', 'required', 'The place has no name by which it may be found');
    return;
  }
  const kind = KINDS.get(loc.at(3).text);
  const resource = compact({
    resourceType: 'Location',
    identifier: [identifier],
    status: inUse ? 'active' : 'inactive',
    name,
    description: present(loc.all(2).map(text))[0],
    mode: 'instance',
    telecom: present(loc.all(6).map(telecom('work'))),
    address: loc.at(5).isValued ? address(loc.at(5)) : undefined,
    physicalType: kind && {
      coding: [{ system: 'http://terminology.hl7.org/CodeSystem/location-physical-type', code: kind }],
    },
    managingOrganization: loc.at(4).isValued ? organization(loc.at(4), to) : undefined,
    partOf,
  }) as FhirResource; // it has its resourceType
  to.entries.store(resource, [identifier]);
}
