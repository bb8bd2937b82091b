/** PV1 and PV2 as Encounter. Source: segment maps PV1[Encounter] and PV2[Encounter]; status by event, docs/hl7v2.md. */
import { endsBeforeStart } from '../period-order.ts';
import type { FhirResource, Identifier } from '../transaction-bundle.ts';
import { practitioners } from './actors.ts';
import {
  ADMISSION_TYPE,
  ADMIT_SOURCE,
  AMBULATORY_STATUS,
  DIET_TYPE,
  DISCHARGE_DISPOSITION,
  ENCOUNTER_PRIORITY,
  HOSPITAL_SERVICE,
  MODE_OF_ARRIVAL,
  PATIENT_CLASS,
  PROVIDER_ROLE,
  READMISSION,
  systemUrl,
  VIP_INDICATOR,
} from './code-tables.ts';
import { compact, type Json, present } from './compact.ts';
import { type Cursor, localSystem, SegmentCursor } from './cursor.ts';
import { coding, concept, dateTime, period } from './data-types.ts';
import { derivedIdentifier, keysOf, urlOf } from './entries.ts';
import type { EncounterStatus } from './events.ts';
import { cx, identifierType } from './identifiers.ts';
import type { MappedPatient } from './patient.ts';
import { location } from './place.ts';
import { applyMap, asExtension, compileMap, Draft, type Read } from './segment-map.ts';
import type { Translation } from './translation.ts';

/** Codes of the NHS Data Dictionary have an extension of UK Core; others are the type of the encounter. */
const UK_ADMISSION_METHOD = /^(?:1[1-3]|2[1-8A-D]|3[12]|8[1-3])$/;
const admissionType: Read = (cursor) => (isUkAdmission(cursor) ? undefined : concept(ADMISSION_TYPE)(cursor));
const isUkAdmission = (cursor: Cursor): boolean => cursor.reading.isUk && UK_ADMISSION_METHOD.test(cursor.at(1).text);
const admissionMethod: Read = (cursor) => {
  if (!isUkAdmission(cursor)) return undefined;
  const value = { system: 'https://fhir.hl7.org.uk/CodeSystem/UKCore-AdmissionMethod', code: cursor.at(1).text };
  return {
    url: 'https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-AdmissionMethod',
    valueCodeableConcept: { coding: [value] },
  };
};

const PLANNED = 'http://hl7.org/fhir/5.0/StructureDefinition/extension-Encounter.planned';

const PV1 = compileMap([
  [2, 'class', coding(PATIENT_CLASS)],
  [4, 'type[]', admissionType],
  [4, 'extension[]', admissionMethod],
  [5, 'hospitalization.preAdmissionIdentifier', (c) => cx(c, { fallback: localSystem(c.reading, 'visit') })],
  [10, 'serviceType', concept(HOSPITAL_SERVICE)],
  [13, 'hospitalization.reAdmission', concept(READMISSION)],
  [14, 'hospitalization.admitSource', concept(ADMIT_SOURCE)],
  [36, 'hospitalization.dischargeDisposition', concept(DISCHARGE_DISPOSITION)],
  [37, 'hospitalization.destination', (c) => compact({ display: c.at(1).value })],
]);
/** Elements of hospitalization that repeat. */
const HOSPITALIZATION_LISTS = [
  [15, 'specialArrangement', concept(AMBULATORY_STATUS)],
  [16, 'specialCourtesy', concept(VIP_INDICATOR)],
  [38, 'dietPreference', concept(DIET_TYPE)],
] as const;

const PV2 = compileMap([
  [3, 'reasonCode[]', concept()],
  [12, 'reasonCode[]', (cursor) => compact({ text: cursor.value })],
  [8, 'extension[]', asExtension(`${PLANNED}StartDate`, 'valueDateTime', dateTime)],
  [9, 'extension[]', asExtension(`${PLANNED}EndDate`, 'valueDateTime', dateTime)],
  [11, 'length', (cursor) => days(cursor)],
  [25, 'priority', concept(ENCOUNTER_PRIORITY)],
  [38, 'extension[]', asExtension('encounter-modeOfArrival', 'valueCoding', coding(MODE_OF_ARRIVAL))],
]);

const days = (cursor: Cursor): Json | undefined => {
  const value = cursor.number;
  return value === undefined ? undefined : { value, unit: 'day', system: 'http://unitsofmeasure.org', code: 'd' };
};

const PARTICIPANTS: readonly (readonly [field: number, type: string])[] = [
  [7, 'ATND'],
  [8, 'REF'],
  [9, 'CON'],
  [17, 'ADM'],
  [52, 'PART'],
];

/** Whether PV1 speaks of a visit: A28 and A31 carry an empty one (`PV1||N`). */
export function hasVisit(pv1: SegmentCursor): boolean {
  if (pv1.field(19).value !== '' || pv1.field(50).value !== '') return true;
  if (pv1.field(2).value === 'N') return false;
  for (let n = 3; n <= pv1.segment.fieldCount; n++) if (!pv1.field(n).isEmpty && !pv1.field(n).isNull) return true;
  return false;
}

export interface MappedEncounter {
  readonly reference: Json;
  readonly key: Identifier;
}

/** A visit as far as it is mapped; `store` ends it. */
export interface OpenEncounter extends MappedEncounter {
  readonly draft: Draft;
  store(): void;
}

/** Undefined, with a warning, when there is nothing by which the visit may be found again. */
export function mapEncounter(pv1: SegmentCursor, patient: MappedPatient, to: Translation): OpenEncounter | undefined {
  const { identifiers, keys } = visitIdentifiers(pv1, patient, to);
  const [key] = keys;
  if (key === undefined) {
    pv1.at(19).warn('required', 'The visit has no number and no admission time: it is not stored');
    return undefined;
  }
  const draft = new Draft({ resourceType: 'Encounter' });
  draft.append('identifier', identifiers);
  const status = statusOf(pv1, to);
  draft.set('status', status);
  applyMap(PV1, pv1, draft);
  draft.set('class', { system: systemUrl('v3-NullFlavor'), code: 'UNK' });
  setHospitalizationLists(pv1, draft);
  draft.set('subject', patient.reference);
  for (const [field, type] of PARTICIPANTS) addParticipants(pv1.all(field), type, draft, to);
  setPeriod(pv1, status, draft, to);
  addLocations(pv1, status, draft, to);
  mapPv2(draft, to);
  for (const name of to.rule.takesBack ?? []) draft.remove(name);
  const defaults = to.rule.encounter === 'stored' ? ['status'] : [];
  const store = (): void => {
    const content = draft.content as FhirResource; // made with its resourceType
    // An order says where the patient is, and changes nothing about the visit.
    if (to.rule.family === 'pharmacy') to.entries.mention(content, keys);
    else to.entries.store(content, keys, { removed: draft.removed, defaults });
  };
  return { reference: { reference: urlOf('Encounter', key) }, key, draft, store };
}

function visitIdentifiers(
  pv1: SegmentCursor,
  patient: MappedPatient,
  to: Translation,
): { identifiers: readonly Json[]; keys: readonly Identifier[] } {
  const fallback = localSystem(to.reading, 'visit');
  const visit = present(pv1.all(19).map((cursor) => cx(cursor, { fallback })));
  const typed = visit.map((identifier): Json => ({ type: identifierType('VN'), ...identifier }));
  const others = present(pv1.all(50).map((cursor) => cx(cursor, { fallback })));
  const identifiers = [...typed, ...others];
  const keys = keysOf(typed.length > 0 ? typed : others);
  if (keys.length > 0) return { identifiers, keys };
  const admitted = pv1.field(44).value;
  if (admitted === '') return { identifiers, keys: [] };
  const derived = derivedIdentifier('Encounter', patient.key.system ?? '', patient.key.value, admitted);
  return { identifiers: [...identifiers, { ...derived }], keys: [derived] };
}

/** By the event first. An event that says nothing of it leaves the stored one; a new visit gets what PV1 implies. */
function statusOf(pv1: SegmentCursor, to: Translation): EncounterStatus {
  const { rule, message } = to;
  const patientClass = pv1.field(2).value;
  if (rule.encounter !== undefined && rule.encounter !== 'stored') {
    if (message.header.value(9, 2) !== 'A04') return rule.encounter;
    const arrived = pv1.at(44).isValued ? pv1.at(44).dateTime : undefined;
    const isHere = arrived === undefined || Date.parse(arrived) <= to.receivedAt;
    return isHere && (patientClass === 'O' || patientClass === 'E') ? 'in-progress' : 'planned';
  }
  if (!pv1.field(45).isEmpty && !pv1.field(45).isNull) return 'finished';
  const isAhead = rule.family === 'scheduling' || patientClass === 'P' || patientClass === 'W';
  return isAhead ? 'planned' : 'in-progress';
}

function setHospitalizationLists(pv1: SegmentCursor, draft: Draft): void {
  for (const [field, element, read] of HOSPITALIZATION_LISTS) {
    const values = pv1.all(field).flatMap((cursor) => read(cursor) ?? []);
    if (values.length === 0) continue;
    draft.set('hospitalization', {});
    (draft.content['hospitalization'] as Record<string, unknown>)[element] = values;
  }
}

function setPeriod(pv1: SegmentCursor, status: EncounterStatus, draft: Draft, to: Translation): void {
  const found = period(pv1.at(44), pv1.at(45));
  const start = found?.['start'] as string | undefined;
  const end = status === 'finished' ? to.eventTime : undefined;
  const isEnd = end !== undefined && !(start !== undefined && endsBeforeStart(start, end));
  draft.set('period', compact({ ...(isEnd && { end }), ...found }));
  if (pv1.field(44).isNull && pv1.field(45).isNull) draft.remove('period');
}

function addParticipants(cursors: readonly Cursor[], type: string, draft: Draft, to: Translation): void {
  for (const individual of practitioners(cursors, to))
    draft.append('participant', {
      type: [{ coding: [{ system: systemUrl('v3-ParticipationType'), code: type }] }],
      individual,
    });
}

/** PV1-3 from the event on, PV1-6 until it; planned and temporary places. */
function addLocations(pv1: SegmentCursor, status: EncounterStatus, draft: Draft, to: Translation): void {
  const isOver = status === 'finished' || status === 'cancelled';
  const current = status === 'planned' ? 'planned' : isOver ? 'completed' : 'active';
  const moved = to.message.header.value(9, 2) === 'A02' ? to.eventTime : undefined;
  const add = (field: number, state: string, time?: Json): void => {
    for (const cursor of pv1.all(field)) {
      const place = location(cursor, to);
      if (place !== undefined) draft.append('location', compact({ location: place, status: state, period: time }));
    }
  };
  add(3, current, moved === undefined ? undefined : { start: moved });
  add(6, 'completed', moved === undefined ? undefined : { end: moved });
  add(11, 'active');
  add(42, 'planned');
}

function mapPv2(draft: Draft, to: Translation): void {
  const segment = to.message.find('PV2');
  if (segment === undefined) return;
  const pv2 = new SegmentCursor(segment, to.reading);
  applyMap(PV2, pv2, draft);
  addParticipants(pv2.all(13), 'REF', draft, to);
}

/** ROL after PV1: people of the visit in a role. */
export function addRole(rol: SegmentCursor, draft: Draft, to: Translation): void {
  if (rol.field(2).value === 'DE') return;
  rol.ignore(2);
  const type = concept(PROVIDER_ROLE)(rol.at(3));
  const time = period(rol.at(5), rol.at(6));
  for (const individual of practitioners(rol.all(4), to))
    draft.append('participant', compact({ type: type && [type], period: time, individual }));
}
