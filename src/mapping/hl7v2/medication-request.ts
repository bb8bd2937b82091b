/** ORC with RXO or RXE as MedicationRequest. Source: segment map RXO[MedicationRequest], completed for RXE: docs/hl7v2.md. */
import type { FhirResource, Identifier } from '../transaction-bundle.ts';
import { organization, practitioner, practitionerRole } from './actors.ts';
import { REQUEST_PRIORITY, SUBSTITUTION } from './code-tables.ts';
import { compact, type Json, present } from './compact.ts';
import { type Cursor, localSystem, type SegmentCursor } from './cursor.ts';
import { codeOf, concept, quantity, words } from './data-types.ts';
import { type DoseFields, mapDosages } from './dosage.ts';
import type { MappedEncounter } from './encounter.ts';
import { keysOf } from './entries.ts';
import { ei } from './identifiers.ts';
import { mapObservations } from './observation.ts';
import type { Order, OrderPart } from './order-groups.ts';
import { findOrderControl, orderStatus } from './order-status.ts';
import type { MappedPatient } from './patient.ts';
import { readLegacyTimings, readTimings } from './timing.ts';
import type { Translation } from './translation.ts';

/** Where RXO and RXE have the same things. */
interface Fields extends DoseFields {
  readonly drug: number;
  readonly form: number;
  readonly substitution: number;
  readonly amount: number;
  readonly amountUnit: number;
  readonly repeats: number;
  readonly orderer: number;
  readonly reason: number;
  /** For the pharmacist. */
  readonly instruction: number;
}

const RXO: Fields = {
  drug: 1,
  low: 2,
  high: 3,
  unit: 4,
  form: 5,
  instruction: 6,
  sig: 7,
  substitution: 9,
  amount: 11,
  amountUnit: 12,
  repeats: 13,
  orderer: 14,
  reason: 20,
  rate: 21,
  rateUnit: 22,
};
const RXE: Fields = {
  drug: 2,
  low: 3,
  high: 4,
  unit: 5,
  form: 6,
  sig: 7,
  substitution: 9,
  amount: 10,
  amountUnit: 11,
  repeats: 12,
  orderer: 13,
  maximum: 19,
  instruction: 21,
  rate: 23,
  rateUnit: 24,
  reason: 27,
};

export interface OrderContext {
  readonly patient: MappedPatient;
  readonly encounter: MappedEncounter | undefined;
  /** The order that the one before replaces. */
  replaced?: Json;
}

/** The reference of the order; undefined, with an error, for one that cannot be mapped. */
export function mapOrder(order: Order, context: OrderContext, to: Translation): Json | undefined {
  const orc = order.orc.segment;
  const control = findOrderControl(orc.at(1).text);
  if (control === undefined) {
    orc.at(1).tell('error', 'not-supported', 'This order control code is not taken');
    return undefined;
  }
  const part = order.rxe ?? order.rxo;
  const fields = order.rxe === undefined ? RXO : RXE;
  const { identifiers, keys } = orderIdentifiers(order, to);
  if (keys.length === 0) {
    orc.at(2).tell('error', 'required', 'The order has no number by which it may be found');
    return undefined;
  }
  if (keys[0] !== undefined && to.entries.has('MedicationRequest', keys[0])) {
    orc.at(2).tell('error', 'duplicate', 'Two orders of the message have the same number');
    return undefined;
  }
  const medication = part && medicationOf(part, fields);
  if (medication === undefined || part === undefined) {
    orc.at(1).tell('error', 'required', 'The order names no drug');
    return undefined;
  }
  const { patient, encounter } = context;
  const [key] = keys;
  const observations = [order.rxo, order.rxe].flatMap((found) => found?.observations ?? []);
  const { references: observed } =
    key === undefined
      ? { references: [] }
      : mapObservations(observations, { patient, encounter, key, effective: to.eventTime }, to);
  const { status, isDefault } = orderStatus(control, orc.at(5).text);
  const content = control.content ? contentOf(order, part, fields, to) : {};
  const resource = compact({
    resourceType: 'MedicationRequest',
    contained: medication.contained,
    identifier: identifiers,
    status,
    statusReason: concept()(orc.at(16)),
    intent: 'order',
    category: categoryOf(orc, to),
    ...medication.element,
    subject: context.patient.reference,
    encounter: context.encounter?.reference,
    ...content,
    supportingInformation: observed,
    groupIdentifier: ei(orc.at(4), 'PGN', placerSystem(to)),
    priorPrescription: orc.field(1).value === 'RO' ? context.replaced : undefined,
  }) as FhirResource; // it has its resourceType
  const reference = to.entries.store(resource, keys, { defaults: isDefault ? ['status'] : [] });
  if (orc.field(1).value === 'RP') context.replaced = { reference };
  return { reference };
}

const placerSystem = (to: Translation): string | undefined =>
  localSystem(to.reading, to.message.header.value(3) || 'orders');

/** The order that a supply is for: stored as unknown unless it is there. Undefined without a number. */
export function mentionOrder(order: Order, { patient, encounter }: OrderContext, to: Translation): Json | undefined {
  const supply = order.supplies[0];
  // What is said of the order is said of this supply.
  order.orc.segment.ignore(1, 5);
  const { identifiers, keys } = orderIdentifiers(order, to);
  const code = supply && concept()(supply.segment.at(drugField(supply)));
  if (keys.length === 0 || code === undefined) return undefined;
  const resource = compact({
    resourceType: 'MedicationRequest',
    identifier: identifiers,
    status: 'unknown',
    intent: 'order',
    medicationCodeableConcept: code,
    subject: patient.reference,
    encounter: encounter?.reference,
  }) as FhirResource; // it has its resourceType
  return to.entries.mention(resource, keys);
}

/** RXD-2; RXG-4; RXA-5. */
const drugField = ({ segment }: OrderPart): number =>
  segment.segment.id === 'RXD' ? 2 : segment.segment.id === 'RXG' ? 4 : 5;

/** The placer's number finds the order, else the filler's, else that of the prescription. */
function orderIdentifiers(
  { orc, rxe }: Order,
  to: Translation,
): { identifiers: readonly Json[]; keys: readonly Identifier[] } {
  const system = placerSystem(to);
  const filler = localSystem(to.reading, `${to.message.header.value(3) || 'orders'}-filler`);
  const number = rxe?.segment.at(15);
  const placed = ei(orc.segment.at(2), 'PLAC', system);
  const filled = ei(orc.segment.at(3), 'FILL', filler);
  const prescribed = number?.isValued ? prescriptionNumber(number) : undefined;
  const identifiers = present([placed, filled, prescribed]);
  return { identifiers, keys: keysOf(identifiers).slice(0, 1) };
}

const prescriptionNumber = (cursor: Cursor): Json | undefined => {
  const found = ei(cursor, undefined, localSystem(cursor.reading, 'prescription'));
  return found && { type: { text: 'Prescription number' }, ...found };
};

function contentOf(order: Order, part: OrderPart, fields: Fields, to: Translation): Readonly<Record<string, unknown>> {
  const { segment } = part;
  const orc = order.orc.segment;
  const { dosages, priority } = mapDosages(part, fields, timingsOf(order, part), routesOf(order, part));
  const substitution = segment.at(fields.substitution);
  const repeats = segment.at(fields.repeats).text;
  return {
    priority: priority === undefined ? undefined : codeOf(REQUEST_PRIORITY)(priority),
    authoredOn: authoredOn(order),
    requester: requesterOf(orc, segment, fields, to),
    recorder: orc.at(10).isValued ? practitioner(orc.at(10), to) : undefined,
    reasonCode: present(segment.all(fields.reason).map(concept())),
    note: notesOf(order, part, fields),
    dosageInstruction: dosages,
    dispenseRequest: compact({
      numberOfRepeatsAllowed: /^\d{1,4}$/.test(repeats) ? Number(repeats) : undefined,
      quantity: quantity(segment.at(fields.amount), segment.at(fields.amountUnit)),
    }),
    substitution: substitution.isValued
      ? compact({ allowedCodeableConcept: concept(SUBSTITUTION)(substitution) })
      : undefined,
  };
}

/** TQ1 of the drug, else of the order, else the TQ of older versions. */
function timingsOf(order: Order, part: OrderPart): ReturnType<typeof readTimings> {
  const segments = [part.timings, order.orc.timings, order.rxo?.timings ?? []].find((list) => list.length > 0);
  if (segments !== undefined) return readTimings(segments);
  const [encoded, placed] = [order.rxe?.segment.all(1) ?? [], order.orc.segment.all(7)];
  // Whichever says how often is believed; the other is told as not mapped, unless it says the same.
  const says = (list: readonly Cursor[]): boolean => list.some((tq) => tq.at(2).isValued);
  const [used, other] = says(encoded) || !says(placed) ? [encoded, placed] : [placed, encoded];
  if (used.length === 0) return readLegacyTimings(other);
  if (used[0]?.part.raw === other[0]?.part.raw) for (const tq of other) tq.ignore();
  return readLegacyTimings(used);
}

const routesOf = (order: Order, part: OrderPart): readonly SegmentCursor[] =>
  part.routes.length > 0 ? part.routes : (order.rxo?.routes ?? order.orc.routes);

function authoredOn({ orc, rxe }: Order): string | undefined {
  const verified = rxe?.segment.at(32);
  if (verified?.isValued) return verified.dateTime;
  const isNew = ['NW', '', 'OP'].includes(orc.segment.field(1).value);
  return isNew && orc.segment.at(9).isValued ? orc.segment.at(9).dateTime : undefined;
}

/** ORC-12, else the drug's own orderer; in the organisation of ORC-21 when that has a number. */
function requesterOf(orc: SegmentCursor, segment: SegmentCursor, fields: Fields, to: Translation): Json | undefined {
  const sent = orc.at(12).isValued ? orc.at(12) : segment.at(fields.orderer);
  const person = sent.isValued ? practitioner(sent, to) : undefined;
  const place = orc.at(21).isValued ? organization(orc.at(21), to) : undefined;
  if (person?.['reference'] === undefined || place?.['reference'] === undefined) return person ?? place;
  return practitionerRole(person, place, {}, to);
}

/** Consecutive NTE of one parent are one note. */
function notesOf(order: Order, part: OrderPart, fields: Fields): readonly Json[] {
  const lists = [order.orc.notes, ...(part === order.rxo ? [] : [order.rxo?.notes ?? []]), part.notes];
  const texts = lists.map((notes) => notes.flatMap((nte) => present(nte.all(3).map((c) => c.value))).join('\n'));
  const instructions = present(part.segment.all(fields.instruction).map(words));
  return [...instructions, ...texts].filter((text) => text !== '').map((text) => ({ text }));
}

/** https://terminology.hl7.org/CodeSystem-medicationrequest-category.html */
const CATEGORIES = new Map([
  ['I', 'inpatient'],
  ['O', 'outpatient'],
]);

function categoryOf(orc: SegmentCursor, { message }: Translation): readonly Json[] {
  const sent = orc.at(29).text;
  const code = CATEGORIES.get(sent || (message.find('PV1')?.value(2) ?? ''));
  const system = 'http://terminology.hl7.org/CodeSystem/medicationrequest-category';
  return code === undefined ? [] : [{ coding: [{ system, code }] }];
}

interface MedicationElement {
  readonly element: Readonly<Record<string, unknown>>;
  readonly contained?: readonly Json[];
}

/** A code; for a mixture a contained Medication with its parts. */
function medicationOf(part: OrderPart, fields: Fields): MedicationElement | undefined {
  const code = concept()(part.segment.at(fields.drug));
  if (code === undefined) return undefined;
  const ingredient = present(part.components.map(ingredientOf));
  if (ingredient.length === 0) return { element: { medicationCodeableConcept: code } };
  const medication = compact({
    resourceType: 'Medication',
    id: 'medication',
    code,
    form: concept()(part.segment.at(fields.form)),
    ingredient,
  }) as Json; // it has its resourceType
  return { contained: [medication], element: { medicationReference: { reference: '#medication' } } };
}

/** RXC: a base or an additive, and how much of it. */
function ingredientOf(rxc: SegmentCursor): Json | undefined {
  const item = concept()(rxc.at(2));
  if (item === undefined) return undefined;
  const kind = rxc.at(1).text;
  const numerator = quantity(rxc.at(3), rxc.at(4));
  return compact({
    itemCodeableConcept: item,
    isActive: kind === 'A' ? true : kind === 'B' ? false : undefined,
    strength: numerator && { numerator, denominator: { value: 1 } },
  });
}
