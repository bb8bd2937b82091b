/** Task that says what to give now, as ORC, RXG, TQ1 and RXR. docs/hl7v2.md "FHIR to HL7 v2" */
import { type Json, present } from '../compact.ts';
import { amount, cwe, dtm, ei, identifierOf, plainIdentifier } from './fields.ts';
import { firstNotes, lastNote, writeNotes } from './notes.ts';
import { doseOf, sigOf } from './orders.ts';
import type { Outbound } from './outbound.ts';
import { pl } from './place.ts';
import { listOf, objectOf, textOf } from './source.ts';
import { writeRoute, writeTimings } from './timing.ts';

const SENT = [
  ...['identifier', 'status', 'intent', 'code', 'description', 'focus', 'for', 'encounter', 'executionPeriod'],
  ...['authoredOn', 'location', 'note', 'input'],
];

/** Tasks of other kinds are no instruction to give a drug. */
export const isGive = (task: Json): boolean => textOf(objectOf(task['code'])?.['text']) === 'Give';

export function writeGive(task: Json, to: Outbound): void {
  const { from, out } = to;
  from.tellUnsent(task, SENT);
  const order = from.resolve(task['focus']);
  const [placed, filled] = [identifierOf(order, 'PLAC') ?? plainIdentifier(order), identifierOf(order, 'FILL')];
  const inputs = (name: string): readonly Json[] =>
    listOf(task['input']).filter(({ type }) => textOf(objectOf(type)?.['text']) === name);
  const drug = cwe(inputs('drug')[0]?.['valueCodeableConcept']);
  const dosages = present(inputs('dosage').map(({ valueDosage }) => objectOf(valueDosage)));
  if (task['status'] !== 'requested') from.fail('What is to be given is not sent in this status', 'Task.status');
  if (placed === undefined && filled === undefined)
    from.fail('What is to be given belongs to an order that is in the Bundle', 'Task.focus');
  if (drug === undefined) from.fail('What is to be given names a drug', 'Task.input');
  const { low, high, unit } = doseOf(dosages);
  const rate = amount(listOf(dosages[0]?.['doseAndRate'])[0]?.['rateQuantity']);
  const start = dtm(objectOf(task['executionPeriod'])?.['start']);
  const [first, second] = countersOf(task, textOf((filled ?? placed)?.['value']) ?? '');
  out.write('ORC', { 1: 'RE', 2: ei(placed), 3: ei(filled) });
  out.write('RXG', {
    1: first,
    2: second,
    3: start && [undefined, undefined, undefined, start],
    4: drug,
    5: low,
    6: high,
    7: unit,
    8: cwe(inputs('form')[0]?.['valueCodeableConcept']),
    9: firstNotes(task),
    11: pl(task['location'], from),
    13: sigOf(dosages),
    15: rate.value,
    16: rate.unit,
  });
  writeNotes(lastNote(task), out);
  if (to.version >= 250) writeTimings(dosages, undefined, to);
  writeRoute(dosages, to);
}

/** RXG-1 and RXG-2 tell what is given under one order, whose number its own begins with. */
function countersOf(task: Json, order: string): readonly [string, string | undefined] {
  for (const identifier of listOf(task['identifier'])) {
    const value = textOf(identifier['value']) ?? '';
    if (!value.startsWith(`${order}-`)) continue;
    const [, first, second] = /^(\d{1,4})(?:-(\d{1,4}))?$/.exec(value.slice(order.length + 1)) ?? [];
    if (first !== undefined) return [first, second];
  }
  return ['1', '1'];
}
