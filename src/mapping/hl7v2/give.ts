/** RXG as a Task: give this now. Nothing was given yet, so it is no administration. docs/hl7v2.md */
import type { FhirResource } from '../transaction-bundle.ts';
import { compact, type Json, present } from './compact.ts';
import { concept, quantity, wordsOf } from './data-types.ts';
import { mapDosages } from './dosage.ts';
import { keysOf } from './entries.ts';
import type { OrderPart } from './order-groups.ts';
import type { SupplyContext } from './pharmacy.ts';
import { location } from './place.ts';
import { notesOf, supplyIdentifier } from './supply.ts';
import { readLegacyTimings, readTimings } from './timing.ts';
import type { Translation } from './translation.ts';

const DRUG = 4;
const FIELDS = { low: 5, high: 6, unit: 7, sig: 13, rate: 15, rateUnit: 16 };

export function mapGive(part: OrderPart, context: SupplyContext, to: Translation): void {
  const rxg = part.segment;
  const { order, patient, encounter, request } = context;
  const identifier = supplyIdentifier(order, 'give', [rxg.at(1).text, rxg.at(2).text].filter(Boolean), to);
  const drug = concept()(rxg.at(DRUG));
  if (identifier === undefined || drug === undefined) {
    rxg.at(DRUG).tell('error', 'required', 'What is to be given has no number or names no drug');
    return;
  }
  const timings = part.timings.length > 0 ? part.timings : order.orc.timings;
  const legacy = rxg.all(3);
  const { dosages } = mapDosages(
    part,
    FIELDS,
    timings.length > 0 ? readTimings(timings) : readLegacyTimings(legacy),
    part.routes,
  );
  const start = legacy[0]?.at(4);
  const inputs: (Json | undefined)[] = [
    { type: { text: 'drug' }, valueCodeableConcept: drug },
    ...dosages.map((valueDosage) => ({ type: { text: 'dosage' }, valueDosage })),
    inputOf('dose', quantity(rxg.at(FIELDS.low), rxg.at(FIELDS.unit)), 'valueQuantity'),
    inputOf('form', rxg.at(8).isValued ? concept()(rxg.at(8)) : undefined, 'valueCodeableConcept'),
  ];
  const resource = compact({
    resourceType: 'Task',
    identifier: [identifier],
    status: 'requested',
    intent: 'order',
    code: { text: 'Give' },
    description: wordsOf(drug),
    focus: request,
    for: patient.reference,
    encounter: encounter?.reference,
    executionPeriod: compact({ start: start === undefined ? undefined : start.dateTime }),
    authoredOn: to.eventTime,
    location: rxg.at(11).isValued ? location(rxg.at(11), to) : undefined,
    note: notesOf(part, 9),
    input: present(inputs),
  }) as FhirResource; // it has its resourceType
  to.entries.store(resource, keysOf([identifier]));
}

const inputOf = (name: string, value: Json | undefined, element: string): Json | undefined =>
  value && { type: { text: name }, [element]: value };
