/** Immunization as ORC, RXA, RXR and OBX. docs/hl7v2.md "FHIR to HL7 v2" */
import type { FieldInput } from '../../../standards/hl7v2/format.ts';
import { BODY_SITE, codeSystemName, ROUTE } from '../code-tables.ts';
import type { Json } from '../compact.ts';
import { codesOf } from './encounter.ts';
import { amount, cwe, dtm, ei, identifierOf, plainIdentifier, type Repetition, repeated, xcn } from './fields.ts';
import { noteText, writeNotes } from './notes.ts';
import type { Outbound } from './outbound.ts';
import { pl } from './place.ts';
import { writeObservation } from './results.ts';
import { listOf, objectOf, referencesOf, textOf } from './source.ts';

const SENT = [
  ...['identifier', 'status', 'statusReason', 'vaccineCode', 'patient', 'encounter', 'occurrenceDateTime'],
  ...['primarySource', 'reportOrigin', 'location', 'manufacturer', 'lotNumber', 'expirationDate', 'site', 'route'],
  ...['doseQuantity', 'performer', 'note', 'reasonCode', 'programEligibility', 'fundingSource', 'education'],
];

/** Completion (table 0322) and action (table 0206). */
const STATES = new Map([
  ['completed', ['CP', 'A']],
  ['not-done', ['RE', 'A']],
  ['entered-in-error', ['CP', 'D']],
] as const);
/** RXA-6: the amount is not known. */
const UNKNOWN_AMOUNT = '999';

export function writeImmunization(immunization: Json, to: Outbound): void {
  const { from, out } = to;
  from.tellUnsent(immunization, SENT);
  const state = STATES.get((textOf(immunization['status']) ?? '') as 'completed');
  const vaccine = cwe(immunization['vaccineCode']);
  const time = dtm(immunization['occurrenceDateTime']);
  if (state === undefined) from.fail('A vaccination of this status is not sent', 'Immunization.status');
  if (vaccine === undefined || time === undefined)
    from.fail(
      'A vaccination names a vaccine and a time',
      vaccine === undefined ? 'Immunization.vaccineCode' : 'Immunization.occurrence',
    );
  if (state === undefined || vaccine === undefined || time === undefined) return;
  const [completion, action] = state;
  const dose = amount(immunization['doseQuantity']);
  out.reset('OBX');
  out.write('ORC', {
    1: 'RE',
    2: ei(identifierOf(immunization, 'PLAC')),
    3: ei(identifierOf(immunization, 'FILL') ?? plainIdentifier(immunization)),
    12: repeated(performersOf(immunization, true, to)),
  });
  out.write('RXA', {
    1: '0',
    2: '1',
    3: time,
    4: time,
    5: vaccine,
    6: dose.value ?? UNKNOWN_AMOUNT,
    7: dose.unit,
    9: sourceOf(immunization),
    10: repeated(performersOf(immunization, false, to)),
    11: pl(immunization['location'], from),
    15: textOf(immunization['lotNumber']),
    16: dtm(immunization['expirationDate']),
    17: makerOf(immunization, to),
    18: cwe(immunization['statusReason']),
    19: repeated(listOf(immunization['reasonCode']).map((reason) => cwe(reason))),
    20: completion,
    21: action,
  });
  const [route, site] = [cwe(immunization['route'], ROUTE), cwe(immunization['site'], BODY_SITE)];
  if (route !== undefined || site !== undefined) out.write('RXR', { 1: route, 2: site });
  writeNotes(noteText(immunization['note']), out);
  writeAnswers(immunization, to);
  for (const observation of from.all('Observation'))
    if (referencesOf(observation['partOf']).some((reference) => from.pointsAt(reference, immunization)))
      writeObservation(observation, to);
}

/** ORC-12 are those who ordered it (OP), RXA-10 all others. */
const performersOf = (immunization: Json, hasOrdered: boolean, { from }: Outbound): ReturnType<typeof xcn> =>
  listOf(immunization['performer'])
    .filter((performer) => codesOf([performer['function']]).includes('OP') === hasOrdered)
    .flatMap(({ actor }) => xcn(actor, from));

/** Table NIP001: told by who gave it, or from history. */
function sourceOf(immunization: Json): FieldInput {
  const origin = cwe(immunization['reportOrigin']);
  if (immunization['primarySource'] === true) return ['00', 'New immunization record', 'NIP001'];
  return origin ?? (immunization['primarySource'] === false ? ['01', 'Historical information', 'NIP001'] : undefined);
}

/** The code of the maker, or its name. */
function makerOf({ manufacturer }: Json, { from }: Outbound): Repetition | undefined {
  const reference = objectOf(manufacturer);
  const organization = from.resolve(manufacturer);
  const identifier = objectOf(reference?.['identifier']) ?? listOf(organization?.['identifier'])[0];
  const name = textOf(reference?.['display']) ?? textOf(organization?.['name']);
  const [value, system] = [textOf(identifier?.['value']), textOf(identifier?.['system'])];
  if (value === undefined) return name === undefined ? undefined : [undefined, name];
  return [value, name, system === undefined ? undefined : codeSystemName(system)];
}

/** What Immunization has elements for and RXA no fields: OBX by their LOINC codes; OBX-4 says which belong together. */
function writeAnswers(immunization: Json, { out, version }: Outbound): void {
  const codeType = version < 250 ? 'CE' : 'CWE';
  const answer = (code: string, name: string, group: number, type: string, value: FieldInput): void => {
    if (value !== undefined)
      out.write('OBX', { 1: out.next('OBX'), 2: type, 3: [code, name, 'LN'], 4: String(group), 5: value, 11: 'F' });
  };
  const coded = (value: unknown): FieldInput => {
    const code = cwe(value);
    return code && { repeat: [code] };
  };
  let group = 0;
  for (const eligibility of listOf(immunization['programEligibility']))
    answer('64994-7', 'Vaccine funding program eligibility category', ++group, codeType, coded(eligibility));
  answer('30963-3', 'Vaccine funding source', ++group, codeType, coded(immunization['fundingSource']));
  for (const sheet of listOf(immunization['education'])) {
    group += 1;
    const date = version < 260 ? 'TS' : 'DTM';
    const [type, published, presented] = [sheet['documentType'], sheet['publicationDate'], sheet['presentationDate']];
    const words = textOf(type);
    answer(
      '69764-9',
      'Document type',
      group,
      codeType,
      words === undefined ? undefined : { repeat: [[undefined, words]] },
    );
    answer('29768-9', 'Date vaccine information statement published', group, date, dtm(published));
    answer('29769-7', 'Date vaccine information statement presented', group, date, dtm(presented));
  }
}
