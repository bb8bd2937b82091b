/** PID and PD1 as Patient. Source: segment maps PID[Patient] and PD1[Patient]; UK rules in docs/hl7v2.md. */
import type { Segment } from '../../standards/hl7v2/segment.ts';
import type { FhirResource, Identifier } from '../transaction-bundle.ts';
import { organization, practitionerRole, practitioners } from './actors.ts';
import {
  CITIZENSHIP,
  ETHNIC_GROUP,
  LANGUAGE,
  MARITAL_STATUS,
  MARITAL_STATUS_UK,
  NATIONALITY,
  RELIGION,
  SEX,
  tableUrl,
} from './code-tables.ts';
import { type Json, present } from './compact.ts';
import { type Cursor, localSystem, SegmentCursor } from './cursor.ts';
import { address, alias, boolean, concept, date, dateTime, humanName, oneLine, period, telecom } from './data-types.ts';
import { keysOf } from './entries.ts';
import { cx } from './identifiers.ts';
import { findNhsNumberStatus, NHS_NUMBER, NHS_NUMBER_VERIFIED } from './nhs-number.ts';
import { applyMap, asExtension, compileMap, Draft, type Read } from './segment-map.ts';
import type { Translation } from './translation.ts';

/** An extension whose code stands one level down. */
const coded =
  (name: string, read: Read): Read =>
  (cursor) => {
    const inner = asExtension('code:', 'valueCodeableConcept', read)(cursor);
    return inner && { url: `http://hl7.org/fhir/StructureDefinition/${name}`, extension: [{ ...inner, url: 'code' }] };
  };

const maritalStatus: Read = (cursor) => concept(cursor.reading.isUk ? MARITAL_STATUS_UK : MARITAL_STATUS)(cursor);

const ethnicCategory: Read = (cursor) => {
  if (!cursor.reading.isUk) return coded('patient-ethnicity', concept(ETHNIC_GROUP))(cursor);
  const code = cursor.value;
  const value = code && { coding: [{ system: 'https://fhir.hl7.org.uk/CodeSystem/UKCore-EthnicCategory', code }] };
  return (
    value && {
      url: 'https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-EthnicCategory',
      valueCodeableConcept: value,
    }
  );
};

const language: Read = (cursor) => {
  const spoken = concept(LANGUAGE)(cursor);
  return spoken && { language: spoken, preferred: true };
};

const PID = compileMap([
  [5, 'name[]', humanName],
  [9, 'name[]', alias],
  [6, 'extension[]', asExtension('patient-mothersMaidenName', 'valueString', (cursor) => cursor.value)],
  [7, 'birthDate', date],
  [11, 'address[]', address],
  [13, 'telecom[]', telecom('home')],
  [14, 'telecom[]', telecom('work')],
  [40, 'telecom[]', telecom()],
  [15, 'communication[]', language],
  [16, 'maritalStatus', maritalStatus],
  [17, 'extension[]', asExtension('patient-religion', 'valueCodeableConcept', concept(RELIGION))],
  [22, 'extension[]', ethnicCategory],
  [23, 'extension[]', asExtension('patient-birthPlace', 'valueAddress', (c) => c.value && { text: c.value })],
  [25, 'multipleBirthInteger', (cursor) => cursor.integer],
  [24, 'multipleBirthBoolean', boolean],
  [26, 'extension[]', coded('patient-citizenship', concept(CITIZENSHIP))],
  [28, 'extension[]', coded('patient-nationality', concept(NATIONALITY))],
  [29, 'deceasedDateTime', dateTime],
  [30, 'deceasedBoolean', boolean],
]);

export interface MappedPatient {
  readonly reference: Json;
  /** What makes the patient the same in the sender's next message. */
  readonly key: Identifier;
}

/** Numbers the patient had before, by which the record may be found too. */
export interface FormerNumbers {
  readonly identifiers: readonly Json[];
  readonly keys: readonly Identifier[];
  /** Numbers that still find another record. */
  readonly findAnother?: readonly Identifier[];
}

/**
 * Undefined, with an error, when there is no number by which the patient may be found. `extra` elements win over those
 * of PID.
 */
export function mapPatient(
  pid: SegmentCursor,
  contacts: readonly Json[],
  to: Translation,
  extra: Json = {},
  former: FormerNumbers = { identifiers: [], keys: [] },
): MappedPatient | undefined {
  const draft = new Draft({ resourceType: 'Patient' });
  const { identifiers, keys: all } = patientIdentifiers(pid, to);
  const { findAnother = [] } = former;
  const keys = all.filter(({ system, value }) => !findAnother.some((o) => o.system === system && o.value === value));
  const [key] = keys;
  if (key === undefined) {
    to.reading.issues.push({
      severity: 'error',
      code: 'required',
      diagnostics: 'There is no identifier by which the patient may be found',
      expression: ['PID-3'],
    });
    return undefined;
  }
  const isNew = ({ system, value }: Json): boolean =>
    !identifiers.some((known) => known['system'] === system && known['value'] === value);
  draft.append('identifier', [...identifiers, ...former.identifiers.filter(isNew)]);
  draft.set('active', true);
  applyMap(PID, pid, draft);
  setGender(pid.at(8), draft);
  setBirthTime(pid.at(7), draft);
  preferOne(draft, 'multipleBirthInteger', 'multipleBirthBoolean');
  preferOne(draft, 'deceasedDateTime', 'deceasedBoolean');
  if (pid.at(12).isValued) setDistrict(pid.at(12), draft);
  draft.append('contact', contacts);
  mapGeneralPractitioner(draft, to);
  const content = { ...draft.content, ...extra } as FhirResource; // made with its resourceType
  const reference = to.entries.store(content, [...keys, ...former.keys], { removed: draft.removed });
  return { reference: { reference }, key };
}

function patientIdentifiers(pid: SegmentCursor, to: Translation): PatientNumbers {
  const status = findNhsNumberStatus(pid.field(32).value);
  if (status !== undefined) pid.ignore(32);
  return readIdentifiers([...pid.all(3), ...pid.all(2), ...pid.all(4)], to, status);
}

interface PatientNumbers {
  readonly identifiers: readonly Json[];
  readonly keys: readonly Identifier[];
}

/** Numbers of a patient, each once, and those among them by which the record may be found. */
export function readIdentifiers(cursors: readonly Cursor[], to: Translation, status?: string): PatientNumbers {
  const options = {
    fallback: localSystem(to.reading, ''),
    ...(status !== undefined && { nhsNumberStatus: status }),
  };
  const found = new Map<string, Json>();
  for (const cursor of cursors) {
    const identifier = cx(cursor, options);
    if (identifier === undefined) continue;
    const key = `${identifier['system']} ${identifier['value']}`;
    if (!found.has(key)) found.set(key, identifier);
  }
  const identifiers = [...found.values()];
  const [first] = cursors;
  return { identifiers, keys: first === undefined ? [] : matchingKeys(identifiers, first, to) };
}

/** Numbers of the sender's own, record numbers first; the NHS number only when it was verified, or there is no other. */
function matchingKeys(identifiers: readonly Json[], first: Cursor, to: Translation): Identifier[] {
  const national = identifiers.filter((identifier) => identifier['system'] === NHS_NUMBER);
  const local = identifiers.filter((identifier) => identifier['system'] !== NHS_NUMBER);
  const isRecordNumber = (identifier: Json): number => (typeCodeOf(identifier) === 'MR' ? 0 : 1);
  const own = keysOf(local.toSorted((a, b) => isRecordNumber(a) - isRecordNumber(b)));
  const verified = national.filter((identifier) => statusOf(identifier) === NHS_NUMBER_VERIFIED);
  if (own.length > 0) return [...own, ...keysOf(verified)];
  if (verified.length > 0) return [...keysOf(verified)];
  const unstated = national.filter((identifier) => statusOf(identifier) === undefined);
  if (unstated.length > 0)
    to.reading.issues.push({
      severity: 'warning',
      code: 'business-rule',
      diagnostics: 'The patient is found by an NHS number alone whose verification status was not sent',
      expression: [first.part.toString()],
    });
  return [...keysOf(unstated)];
}

interface Coded {
  readonly coding?: readonly { readonly code?: string }[];
}
const typeCodeOf = ({ type }: Json): string | undefined => (type as Coded | undefined)?.coding?.[0]?.code;
const statusOf = ({ extension }: Json): string | undefined =>
  (extension as readonly { valueCodeableConcept?: Coded }[] | undefined)?.[0]?.valueCodeableConcept?.coding?.[0]?.code;

/** A required binding: what is not known is `unknown`, with the code that was sent beside it. */
function setGender(cursor: Cursor, draft: Draft): void {
  if (cursor.isNull) {
    cursor.ignore();
    draft.remove('gender');
  }
  const code = cursor.isValued ? cursor.text : '';
  if (code === '') return;
  const gender = SEX.get(code.toUpperCase());
  draft.set('gender', gender ?? 'unknown');
  if (gender !== undefined) return;
  cursor.warn('code-invalid', 'The sex is not one of table 0001: unknown was taken');
  const alternate = { coding: [{ system: tableUrl('0001'), code: oneLine(code) }] };
  draft.set('_gender', {
    extension: [{ url: 'http://hl7.org/fhir/StructureDefinition/alternate-codes', valueCodeableConcept: alternate }],
  });
}

/** A time of birth stands beside the date. */
function setBirthTime(cursor: Cursor, draft: Draft): void {
  if (draft.content['birthDate'] === undefined || cursor.parsedDateTime?.hour === undefined) return;
  draft.set('_birthDate', {
    extension: [{ url: 'http://hl7.org/fhir/StructureDefinition/patient-birthTime', valueDateTime: cursor.dateTime }],
  });
}

function preferOne({ content }: Draft, better: string, other: string): void {
  if (content[better] !== undefined) delete content[other];
}

/** PID-12 is the county of addresses that do not say theirs. */
function setDistrict(cursor: Cursor, { content }: Draft): void {
  const district = cursor.value;
  const addresses = (content['address'] ?? []) as Json[];
  content['address'] = addresses.map((item) => (item['district'] === undefined ? { ...item, district } : item));
  if (addresses.length === 0) delete content['address'];
}

/** PD1-3, PD1-4 and ROL of role PP: the practice, the doctor, and the doctor in the practice. */
function mapGeneralPractitioner(draft: Draft, to: Translation): void {
  const segment = to.message.find('PD1');
  const pd1 = segment && new SegmentCursor(segment, to.reading);
  const roles = primaryCareRoles(to);
  const practices = present((pd1?.all(3) ?? []).map((cursor) => organization(cursor, to)));
  const named = roles.map((role) => ({ people: practitioners(role.all(4), to), role }));
  const doctors = named.length > 0 ? named.flatMap(({ people }) => people) : practitioners(pd1?.all(4) ?? [], to);
  const ofRole = present(named.flatMap(({ role }) => role.all(14)).map((cursor) => organization(cursor, to)));
  const [practice] = [...ofRole, ...practices];
  const details = named[0] === undefined ? {} : roleDetails(named[0].role);
  const persons = doctors.map((doctor) =>
    practice === undefined ? doctor : practitionerRole(doctor, practice, details, to),
  );
  draft.append('generalPractitioner', [...persons, ...(practice === undefined ? [] : [practice])]);
  for (const n of [3, 4])
    if (pd1?.field(n).isNull) {
      pd1.ignore(n);
      draft.remove('generalPractitioner');
    }
}

const roleDetails = (role: SegmentCursor): Readonly<Record<string, unknown>> => ({
  telecom: role.all(12).flatMap((cursor) => telecom('work')(cursor) ?? []),
  period: period(role.at(5), role.at(6)),
});

/** ROL segments that name the patient's general practitioner and are not deletions. */
function primaryCareRoles(to: Translation): readonly SegmentCursor[] {
  return to.message
    .all('ROL')
    .map((segment: Segment) => new SegmentCursor(segment, to.reading))
    .filter((role) => role.field(3).value === 'PP' && role.field(2).value !== 'DE')
    .map((role) => {
      role.ignore(2, 3);
      return role;
    });
}
