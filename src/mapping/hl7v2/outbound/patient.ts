/** Patient and RelatedPerson as PID, PD1 and NK1; a record that gives way as MRG. docs/hl7v2.md "FHIR to HL7 v2" */
import type { FieldInput } from '../../../standards/hl7v2/format.ts';
import {
  CONTACT_ROLE,
  MARITAL_STATUS,
  MARITAL_STATUS_UK,
  RELATIONSHIP,
  RELIGION,
  reverseCode,
  SEX,
} from '../code-tables.ts';
import { type Json, present } from '../compact.ts';
import { NHS_NUMBER } from '../nhs-number.ts';
import { cwe, cx, dtm, isOwnKey, repeated, xad, xcn, xon, xpn, xtn } from './fields.ts';
import type { Outbound } from './outbound.ts';
import { listOf, objectOf, textOf } from './source.ts';

const CORE = 'http://hl7.org/fhir/StructureDefinition/';
const SENT = [
  ...[
    'identifier',
    'active',
    'name',
    'telecom',
    'gender',
    'birthDate',
    'deceasedBoolean',
    'deceasedDateTime',
    'address',
  ],
  ...[
    'maritalStatus',
    'multipleBirthBoolean',
    'multipleBirthInteger',
    'contact',
    'communication',
    'generalPractitioner',
    'link',
  ],
];

const extension = (resource: Json, url: string): Json | undefined =>
  listOf(resource['extension']).find((found) => found['url'] === (url.includes(':') ? url : CORE + url));

/** `account`: PID-18, in messages about charges. */
export function writePatient(patient: Json, to: Outbound, account?: FieldInput): void {
  const { from, out } = to;
  from.tellUnsent(patient, SENT);
  const telecom = listOf(patient['telecom']);
  const isWork = (point: Json): boolean => point['use'] === 'work';
  out.write('PID', {
    1: out.next('PID'),
    3: repeated(nationalFirst(listOf(patient['identifier']).filter(isCurrent)).map(numberOf)),
    5: repeated(listOf(patient['name']).filter(isCurrent).map(xpn)),
    6: textOf(extension(patient, 'patient-mothersMaidenName')?.['valueString']),
    7: birthOf(patient),
    8: reverseCode(SEX, patient['gender']),
    11: repeated(listOf(patient['address']).map(xad)),
    13: repeated(telecom.filter((point) => !isWork(point)).map(xtn)),
    14: repeated(telecom.filter(isWork).map(xtn)),
    15: cwe(listOf(patient['communication'])[0]?.['language']),
    16: cwe(patient['maritalStatus'], to.isUk ? MARITAL_STATUS_UK : MARITAL_STATUS),
    17: cwe(extension(patient, 'patient-religion')?.['valueCodeableConcept'], RELIGION),
    18: account,
    22: ethnicOf(patient),
    23: textOf(objectOf(extension(patient, 'patient-birthPlace')?.['valueAddress'])?.['text']),
    24: yesNo(patient['multipleBirthBoolean'] ?? (patient['multipleBirthInteger'] === undefined ? undefined : true)),
    25: textOf(patient['multipleBirthInteger']),
    29: dtm(patient['deceasedDateTime']),
    30: yesNo(patient['deceasedBoolean'] ?? (patient['deceasedDateTime'] === undefined ? undefined : true)),
    32: statusOf(patient),
  });
  writePrimaryCare(patient, to);
}

/** The NHS number says what it is, in every UK message. */
function numberOf(identifier: Json): ReturnType<typeof cx> {
  const isNational = identifier['system'] === NHS_NUMBER && identifier['type'] === undefined;
  return cx(isNational ? { ...identifier, type: { coding: [{ code: 'NH' }] } } : identifier);
}

const isCurrent = (item: Json): boolean => item['use'] !== 'old';
const yesNo = (value: unknown): string | undefined => (value === true ? 'Y' : value === false ? 'N' : undefined);

const nationalFirst = (identifiers: readonly Json[]): readonly Json[] =>
  identifiers
    .filter((identifier) => !isOwnKey(identifier))
    .toSorted((a, b) => Number(b['system'] === NHS_NUMBER) - Number(a['system'] === NHS_NUMBER));

function birthOf(patient: Json): string | undefined {
  const extra = objectOf(patient['_birthDate']);
  const time = listOf(extra?.['extension']).find(({ url }) => url === `${CORE}patient-birthTime`);
  return dtm(time?.['valueDateTime']) ?? dtm(patient['birthDate']);
}

function ethnicOf(patient: Json): ReturnType<typeof cwe> {
  const uk = extension(patient, 'https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-EthnicCategory');
  const [coding] = listOf(objectOf(uk?.['valueCodeableConcept'])?.['coding']);
  return coding === undefined ? undefined : [textOf(coding['code'])];
}

/** Table 0445 of the NHS: `NSTS01`. */
function statusOf(patient: Json): string | undefined {
  const national = listOf(patient['identifier']).find(({ system }) => system === NHS_NUMBER);
  const status = listOf(national?.['extension']).find(({ url }) =>
    textOf(url)?.endsWith('NHSNumberVerificationStatus'),
  );
  const code = textOf(listOf(objectOf(status?.['valueCodeableConcept'])?.['coding'])[0]?.['code']);
  return code !== undefined && /^0[1-8]$/.test(code) ? `NSTS${code}` : undefined;
}

/** The practice in PD1-3, the doctor in PD1-4. */
function writePrimaryCare(patient: Json, { from, out }: Outbound): void {
  const care = Array.isArray(patient['generalPractitioner']) ? patient['generalPractitioner'] : [];
  const practice = present(care.map((reference) => xon(reference, from)))[0];
  const people = care.filter((reference) => from.resolve(reference)?.['resourceType'] !== 'Organization');
  const doctor = people.flatMap((reference) => xcn(reference, from));
  if (practice !== undefined || doctor.length > 0) out.write('PD1', { 3: practice, 4: repeated(doctor) });
  for (const reference of people) writeRole(reference, { from, out });
}

/** A doctor of whom more is known than PD1 holds: since when, and a telephone at the practice. */
function writeRole(reference: unknown, { from, out }: Pick<Outbound, 'from' | 'out'>): void {
  const role = from.resolve(reference);
  const period = objectOf(role?.['period']);
  const telecom = listOf(role?.['telecom']);
  if (role?.['resourceType'] !== 'PractitionerRole' || (period === undefined && telecom.length === 0)) return;
  out.write('ROL', {
    1: out.next('ROL'),
    2: 'UC',
    3: ['PP', 'Primary care provider', 'HL70443'],
    4: repeated(xcn(reference, from)),
    5: dtm(period?.['start']),
    6: dtm(period?.['end']),
    12: repeated(telecom.map(xtn)),
    14: xon(reference, from),
  });
}

export function writeRelatedPersons(patient: Json, to: Outbound): void {
  const { from, out } = to;
  for (const person of from.all('RelatedPerson')) {
    if (person['active'] === false) continue;
    from.tellUnsent(person, [
      'identifier',
      'active',
      'patient',
      'relationship',
      'name',
      'telecom',
      'gender',
      'birthDate',
      'address',
      'period',
      'communication',
    ]);
    const [relationship, role] = listOf(person['relationship']);
    const period = objectOf(person['period']);
    out.write('NK1', {
      1: out.next('NK1'),
      2: repeated(listOf(person['name']).map(xpn)),
      3: cwe(relationship, RELATIONSHIP),
      4: repeated(listOf(person['address']).map(xad)),
      5: repeated(listOf(person['telecom']).map(xtn)),
      7: cwe(role, CONTACT_ROLE),
      8: dtm(period?.['start']),
      9: dtm(period?.['end']),
      15: reverseCode(SEX, person['gender']),
      16: dtm(person['birthDate']),
      20: cwe(listOf(person['communication'])[0]?.['language']),
      33: repeated(listOf(person['identifier']).map(cx)),
    });
  }
  for (const contact of listOf(patient['contact'])) {
    const [relationship, role] = listOf(contact['relationship']);
    const name = objectOf(contact['name']);
    const address = objectOf(contact['address']);
    out.write('NK1', {
      1: out.next('NK1'),
      2: name && xpn(name),
      3: cwe(relationship, RELATIONSHIP),
      4: address && xad(address),
      5: repeated(listOf(contact['telecom']).map(xtn)),
      7: cwe(role, CONTACT_ROLE),
      13: textOf(objectOf(contact['organization'])?.['display']),
    });
  }
}

/** Whether the record gave way to another. */
export const isRetired = (patient: Json): boolean => listOf(patient['link']).some(({ type }) => type === 'replaced-by');

/** The numbers the patient had before (A46, A47). */
export function writeFormerNumbers(patient: Json, { from, out }: Outbound): void {
  const old = listOf(patient['identifier']).filter((identifier) => !isCurrent(identifier));
  if (old.length === 0) from.fail('A message of this event names a number that the patient had', 'Patient.identifier');
  out.write('MRG', { 1: repeated(old.map(cx)) });
}

/** The record that gives way to the survivor. */
export function writeMerge(retired: Json, { from, out }: Outbound): void {
  from.tellUnsent(retired, SENT);
  const [name] = listOf(retired['name']);
  out.write('MRG', {
    1: repeated(listOf(retired['identifier']).map(cx)),
    7: name && xpn(name),
  });
}
