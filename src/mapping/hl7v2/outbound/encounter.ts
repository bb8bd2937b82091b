/** Encounter, AllergyIntolerance, Condition and Coverage as PV1, PV2, AL1, DG1 and IN1. */
import {
  ADMISSION_TYPE,
  ADMIT_SOURCE,
  AMBULATORY_STATUS,
  DIAGNOSIS_TYPE,
  DISCHARGE_DISPOSITION,
  ENCOUNTER_PRIORITY,
  HOSPITAL_SERVICE,
  READMISSION,
  VIP_INDICATOR,
} from '../code-tables.ts';
import { type Json, present } from '../compact.ts';
import { cwe, cx, dtm, ei, isOwnKey, pl, repeated, xcn, xon } from './fields.ts';
import type { Outbound } from './outbound.ts';
import { listOf, objectOf, textOf } from './source.ts';

/** v3-ActCode as table 0004. */
const CLASSES = new Map([
  ...['IMP', 'ACUTE', 'NONAC', 'SS', 'OBSENC'].map((code): [string, string] => [code, 'I']),
  ...['AMB', 'VR', 'HH', 'FLD'].map((code): [string, string] => [code, 'O']),
  ['EMER', 'E'],
  ['PRENC', 'P'],
]);

const SENT = [
  ...[
    'identifier',
    'status',
    'class',
    'type',
    'serviceType',
    'priority',
    'subject',
    'participant',
    'period',
    'reasonCode',
  ],
  ...['diagnosis', 'hospitalization', 'location', 'length', 'appointment'],
];
const PLANNED = 'http://hl7.org/fhir/5.0/StructureDefinition/extension-Encounter.planned';
const ADMISSION_METHOD = 'https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-AdmissionMethod';

export function writeEncounter(encounter: Json, to: Outbound): void {
  const { from, out } = to;
  from.tellUnsent(encounter, SENT);
  const identifiers = listOf(encounter['identifier']).filter((identifier) => !isOwnKey(identifier));
  const stay = objectOf(encounter['hospitalization']);
  const period = objectOf(encounter['period']);
  const places = listOf(encounter['location']);
  const at = (...states: string[]): Json | undefined =>
    places.find((place) => states.includes(textOf(place['status']) ?? 'active'));
  const people = (code: string): ReturnType<typeof repeated> => repeated(participantsOf(encounter, code, to));
  const current = at('active') ?? at('planned') ?? at('completed');
  const before = current?.['status'] === 'completed' ? undefined : at('completed');
  const method = listOf(encounter['extension']).find(({ url }) => url === ADMISSION_METHOD);
  out.write('PV1', {
    1: '1',
    2: classOf(encounter),
    3: pl(current?.['location'], from),
    4: cwe(method?.['valueCodeableConcept']) ?? cwe(listOf(encounter['type'])[0], ADMISSION_TYPE),
    5: stay && cxOf(stay['preAdmissionIdentifier']),
    6: pl(before?.['location'], from),
    7: people('ATND'),
    8: people('REF'),
    9: people('CON'),
    10: cwe(encounter['serviceType'], HOSPITAL_SERVICE),
    13: cwe(stay?.['reAdmission'], READMISSION),
    14: cwe(stay?.['admitSource'], ADMIT_SOURCE),
    15: repeated(listOf(stay?.['specialArrangement']).map((value) => cwe(value, AMBULATORY_STATUS))),
    16: repeated(listOf(stay?.['specialCourtesy']).map((value) => cwe(value, VIP_INDICATOR))),
    17: people('ADM'),
    19: identifiers[0] && cx(identifiers[0]),
    36: cwe(stay?.['dischargeDisposition'], DISCHARGE_DISPOSITION),
    37: textOf(objectOf(stay?.['destination'])?.['display']),
    44: dtm(period?.['start']),
    45: dtm(period?.['end']),
    50: identifiers[1] && cx(identifiers[1]),
    52: people('PART'),
  });
  writeExpectations(encounter, to);
}

/** The code of v3, or one of the table that FHIR has no word for. */
export function classOf(encounter: Json): string | undefined {
  const code = textOf(objectOf(encounter['class'])?.['code']);
  return code === undefined ? undefined : (CLASSES.get(code) ?? (/^[A-Z]$/.test(code) ? code : 'U'));
}

const cxOf = (value: unknown): ReturnType<typeof cx> => {
  const identifier = objectOf(value);
  return identifier && cx(identifier);
};

function participantsOf(encounter: Json, code: string, { from }: Outbound): ReturnType<typeof xcn> {
  return listOf(encounter['participant'])
    .filter((participant) => codesOf(participant['type']).includes(code))
    .flatMap((participant) => xcn(participant['individual'], from));
}

export const codesOf = (concepts: unknown): readonly string[] =>
  listOf(concepts).flatMap((concept) => present(listOf(concept['coding']).map((coding) => textOf(coding['code']))));

/** PV2, where there is something for it. */
function writeExpectations(encounter: Json, { out }: Outbound): void {
  const extension = (name: string): unknown =>
    listOf(encounter['extension']).find(({ url }) => url === PLANNED + name)?.['valueDateTime'];
  const fields = {
    3: cwe(listOf(encounter['reasonCode'])[0]),
    8: dtm(extension('StartDate')),
    9: dtm(extension('EndDate')),
    11: textOf(objectOf(encounter['length'])?.['value']),
    25: cwe(encounter['priority'], ENCOUNTER_PRIORITY),
  };
  if (Object.values(fields).some((field) => field !== undefined)) out.write('PV2', fields);
}

export function writeDiagnoses(encounter: Json | undefined, { from, out }: Outbound): void {
  const uses = listOf(encounter?.['diagnosis']);
  for (const condition of from.all('Condition')) {
    from.tellUnsent(condition, [
      'identifier',
      'clinicalStatus',
      'verificationStatus',
      'category',
      'code',
      'subject',
      'encounter',
      'recordedDate',
      'asserter',
    ]);
    const use = uses.find((diagnosis) => from.pointsAt(diagnosis['condition'], condition));
    const number = listOf(condition['identifier']).find((identifier) => !isOwnKey(identifier));
    out.write('DG1', {
      1: out.next('DG1'),
      3: cwe(condition['code']),
      6: cwe(use?.['use'], DIAGNOSIS_TYPE),
      15: textOf(use?.['rank']),
      16: repeated(xcn(condition['asserter'], from)),
      19: dtm(condition['recordedDate']),
      20: ei(number),
      21: codesOf([condition['verificationStatus']])[0] === 'entered-in-error' ? 'D' : undefined,
    });
  }
}

export function writeCoverages({ from, out }: Outbound): void {
  for (const coverage of from.all('Coverage')) {
    from.tellUnsent(coverage, [
      'identifier',
      'status',
      'type',
      'subscriberId',
      'beneficiary',
      'period',
      'payor',
      'class',
    ]);
    const classes = new Map(listOf(coverage['class']).map((item) => [codesOf([item['type']])[0], item]));
    const payor = Array.isArray(coverage['payor']) ? xon(coverage['payor'][0], from) : undefined;
    const period = objectOf(coverage['period']);
    out.write('IN1', {
      1: out.next('IN1'),
      2: [textOf(classes.get('plan')?.['value']), textOf(classes.get('plan')?.['name'])],
      3: payor === undefined ? undefined : [payor[2], undefined, undefined, payor[5]],
      4: payor?.[0] === undefined ? undefined : [payor[0]],
      8: textOf(classes.get('group')?.['value']),
      12: dtm(period?.['start']),
      13: dtm(period?.['end']),
      15: cwe(coverage['type']),
      36: textOf(coverage['subscriberId']),
    });
  }
}
