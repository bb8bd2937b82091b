/** Encounter, AllergyIntolerance, Condition and Coverage as PV1, PV2, AL1, DG1 and IN1. */
import type { FieldInput } from '../../../standards/hl7v2/format.ts';
import {
  ADMISSION_TYPE,
  ADMIT_SOURCE,
  AMBULATORY_STATUS,
  DIAGNOSIS_TYPE,
  DIET_TYPE,
  DISCHARGE_DISPOSITION,
  ENCOUNTER_PRIORITY,
  HOSPITAL_SERVICE,
  MODE_OF_ARRIVAL,
  READMISSION,
  reverseCode,
  SUBSCRIBER_RELATIONSHIP,
  VIP_INDICATOR,
} from '../code-tables.ts';
import { type Json, present } from '../compact.ts';
import { coded, cwe, cx, dtm, ei, isOwnKey, repeated, xcn, xon } from './fields.ts';
import type { Outbound } from './outbound.ts';
import { pl } from './place.ts';
import { listOf, objectOf, referencesOf, textOf } from './source.ts';

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

/** `financialClass`: PV1-20, in messages about charges. */
export function writeEncounter(encounter: Json, to: Outbound, financialClass?: FieldInput): void {
  const { from, out } = to;
  from.tellUnsent(encounter, SENT);
  const identifiers = listOf(encounter['identifier']).filter((identifier) => !isOwnKey(identifier));
  const stay = objectOf(encounter['hospitalization']);
  const period = objectOf(encounter['period']);
  const places = listOf(encounter['location']);
  const at = (...states: string[]): Json | undefined =>
    places.find((place) => states.includes(textOf(place['status']) ?? 'active'));
  const people = (code: string): ReturnType<typeof repeated> => repeated(participantsOf(encounter, code, to));
  const isOver = OVER.has(textOf(encounter['status']) ?? '');
  const current = at('active') ?? at('planned') ?? (isOver ? at('completed') : undefined);
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
    20: financialClass,
    36: cwe(stay?.['dischargeDisposition'], DISCHARGE_DISPOSITION),
    37: textOf(objectOf(stay?.['destination'])?.['display']),
    38: repeated(listOf(stay?.['dietPreference']).map((value) => cwe(value, DIET_TYPE))),
    44: dtm(period?.['start']),
    45: dtm(period?.['end']),
    50: identifiers[1] && cx(identifiers[1]),
    52: people('PART'),
  });
  writeExpectations(encounter, to);
}

/** A visit of which the last place is the one the patient left. */
const OVER = new Set(['finished', 'cancelled', 'entered-in-error']);

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
  const reasons = listOf(encounter['reasonCode']).filter(({ coding }) => coding !== undefined);
  const words = listOf(encounter['reasonCode']).find((reason) => reason['coding'] === undefined);
  const arrival = listOf(encounter['extension']).find(({ url }) => textOf(url)?.endsWith('encounter-modeOfArrival'));
  const fields = {
    3: reasons[0] && cwe(reasons[0]),
    8: dtm(extension('StartDate')),
    9: dtm(extension('EndDate')),
    11: textOf(objectOf(encounter['length'])?.['value']),
    12: textOf(words?.['text']),
    25: cwe(encounter['priority'], ENCOUNTER_PRIORITY),
    38: coded(arrival?.['valueCoding'], MODE_OF_ARRIVAL),
  };
  if (Object.values(fields).some((field) => field !== undefined)) out.write('PV2', fields);
}

export function writeDiagnoses(encounter: Json | undefined, { from, out }: Outbound): void {
  const uses = listOf(encounter?.['diagnosis']);
  for (const condition of from.all('Condition')) writeDiagnosis(condition, uses, { from, out });
}

/** `uses`: what the visit says of its diagnoses. */
export function writeDiagnosis(
  condition: Json,
  uses: readonly Json[],
  { from, out }: Pick<Outbound, 'from' | 'out'>,
): void {
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

export function writeCoverages({ from, out }: Outbound): void {
  for (const coverage of from.all('Coverage')) {
    from.tellUnsent(coverage, [
      'identifier',
      'status',
      'type',
      'subscriber',
      'subscriberId',
      'beneficiary',
      'relationship',
      'period',
      'payor',
      'class',
    ]);
    const insured = listOf(coverage['identifier']).filter((identifier) => !isOwnKey(identifier));
    const [relation] = codesOf([coverage['relationship']]);
    const classes = new Map(listOf(coverage['class']).map((item) => [codesOf([item['type']])[0], item]));
    const [first] = referencesOf(coverage['payor']);
    const payor = xon(first, from);
    const period = objectOf(coverage['period']);
    out.write('IN1', {
      1: out.next('IN1'),
      2: [textOf(classes.get('plan')?.['value']), textOf(classes.get('plan')?.['name'])],
      3: payor === undefined ? undefined : [payor[2], undefined, undefined, payor[5]],
      4: payor === undefined ? textOf(objectOf(first)?.['display']) : payor[0] === undefined ? undefined : [payor[0]],
      8: textOf(classes.get('group')?.['value']),
      9: textOf(classes.get('group')?.['name']),
      12: dtm(period?.['start']),
      13: dtm(period?.['end']),
      15: cwe(coverage['type']),
      17: reverseCode(SUBSCRIBER_RELATIONSHIP, relation),
      36: textOf(coverage['subscriberId']),
      49: repeated(insured.map(cx)),
    });
  }
}
