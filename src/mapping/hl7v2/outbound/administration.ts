/** MedicationAdministration as ORC, RXA and RXR. docs/hl7v2.md "FHIR to HL7 v2" */
import type { Json } from '../compact.ts';
import { amount, cwe, dtm, ei, identifierOf, plainIdentifier, repeated, xcn } from './fields.ts';
import { noteText, writeNotes } from './notes.ts';
import type { Outbound } from './outbound.ts';
import { listOf, objectOf, textOf } from './source.ts';
import { displayOf, writeRoute } from './timing.ts';

const SENT = [
  ...['identifier', 'status', 'statusReason', 'medicationCodeableConcept', 'medicationReference', 'subject', 'context'],
  ...['effectiveDateTime', 'effectivePeriod', 'performer', 'reasonCode', 'request', 'note', 'dosage'],
];

/** Completion (table 0322) and action (table 0206). */
const STATES = new Map([
  ['completed', ['CP', 'A']],
  ['in-progress', ['PA', 'A']],
  ['stopped', ['PA', 'A']],
  ['not-done', ['RE', 'A']],
  ['entered-in-error', ['CP', 'D']],
] as const);
/** RXA-6: the amount is not known. */
const UNKNOWN_AMOUNT = '999';

export function writeAdministration(administration: Json, to: Outbound): void {
  const { from, out } = to;
  from.tellUnsent(administration, SENT);
  const state = STATES.get((textOf(administration['status']) ?? '') as 'completed');
  if (state === undefined) {
    from.fail('What was given is not sent in this status', 'MedicationAdministration.status');
    return;
  }
  const order = from.resolve(administration['request']);
  const filled = identifierOf(order, 'FILL') ?? identifierOf(administration, 'FILL');
  out.write('ORC', { 1: 'RE', 2: ei(identifierOf(order, 'PLAC') ?? plainIdentifier(order)), 3: ei(filled) });
  const medication = from.resolve(administration['medicationReference'], administration);
  const drug = cwe(administration['medicationCodeableConcept']) ?? cwe(medication?.['code']);
  if (drug === undefined)
    from.fail('What was given names a drug', 'MedicationAdministration.medicationCodeableConcept');
  const batch = objectOf(medication?.['batch']);
  const period = objectOf(administration['effectivePeriod']);
  const start = administration['effectiveDateTime'] ?? period?.['start'];
  const dosage = objectOf(administration['dosage']);
  const dose = amount(dosage?.['dose']);
  const [completion, action] = state;
  out.write('RXA', {
    ...countersOf(administration, start),
    3: dtm(start),
    4: dtm(period?.['end'] ?? start),
    5: drug,
    6: dose.value ?? UNKNOWN_AMOUNT,
    7: dose.unit,
    8: cwe(medication?.['form']),
    10: repeated(listOf(administration['performer']).flatMap(({ actor }) => xcn(actor, from))),
    15: textOf(batch?.['lotNumber']),
    16: dtm(batch?.['expirationDate']),
    17: displayOf({ text: objectOf(medication?.['manufacturer'])?.['display'] }),
    18: repeated(listOf(administration['statusReason']).map((reason) => cwe(reason))),
    19: repeated(listOf(administration['reasonCode']).map((reason) => cwe(reason))),
    20: completion,
    21: action,
  });
  writeNotes(noteText(administration['note']), out);
  if (dosage !== undefined) writeRoute([dosage], to);
}

/** RXA-1 and RXA-2 tell what was given under one order: those it came with, else its time. */
function countersOf(administration: Json, start: unknown): { readonly 1: string; readonly 2: string } {
  for (const identifier of listOf(administration['identifier'])) {
    const [, first, second] = /-(\d{1,4})-(\d{1,12})$/.exec(textOf(identifier['value']) ?? '') ?? [];
    if (first !== undefined && second !== undefined) return { 1: first, 2: second };
  }
  const at = Date.parse(textOf(start) ?? '');
  return { 1: '0', 2: Number.isNaN(at) ? '1' : String(Math.floor(at / 1000)) };
}
