/** What RXD, RXG and RXA have in common: numbers, product, batch, dosage. */
import type { Identifier } from '../transaction-bundle.ts';
import { compact, type Json, present } from './compact.ts';
import { type Cursor, localSystem, type SegmentCursor } from './cursor.ts';
import { concept, text } from './data-types.ts';
import type { Order, OrderPart } from './order-groups.ts';
import type { Translation } from './translation.ts';

export interface BatchFields {
  readonly lot: number;
  readonly expiry: number;
  readonly maker: number;
}

export interface Product {
  readonly element: Readonly<Record<string, unknown>>;
  readonly contained?: readonly Json[];
}

/** A code; with a batch or a form a contained Medication. */
export function productOf(segment: SegmentCursor, drug: number, form: number, batch: BatchFields): Product | undefined {
  const code = concept()(segment.at(drug));
  if (code === undefined) return undefined;
  const lot = compact({
    lotNumber: present(segment.all(batch.lot).map(text))[0],
    expirationDate: segment.at(batch.expiry).isValued ? segment.at(batch.expiry).dateTime : undefined,
  });
  const maker = segment.at(batch.maker).isValued ? concept()(segment.at(batch.maker)) : undefined;
  const shape = segment.at(form).isValued ? concept()(segment.at(form)) : undefined;
  if (lot === undefined && maker === undefined && shape === undefined)
    return { element: { medicationCodeableConcept: code } };
  const medication = compact({
    resourceType: 'Medication',
    id: 'medication',
    code,
    manufacturer: maker && { display: displayOf(maker) },
    form: shape,
    batch: lot,
  }) as Json; // it has its resourceType
  return { contained: [medication], element: { medicationReference: { reference: '#medication' } } };
}

export function displayOf(value: Json): unknown {
  const [first] = (value['coding'] ?? []) as readonly Json[];
  return value['text'] ?? first?.['display'] ?? first?.['code'];
}

/** The number of a supply within its order: filler's or placer's number, and what counts there. */
export function supplyIdentifier(
  { orc }: Order,
  kind: string,
  counters: readonly string[],
  to: Translation,
): Identifier | undefined {
  const [filled, placed] = [orc.segment.at(3).at(1).text, orc.segment.at(2).at(1).text];
  const number = filled || placed;
  if (number === '') return undefined;
  const value = [number, ...counters].join('-');
  return compact({ system: localSystem(to.reading, kind), value }) as unknown as Identifier; // the value is there
}

/** Texts of a field, and of the NTE of the part, as one note each. */
export function notesOf(part: OrderPart, ...fields: readonly number[]): readonly Json[] {
  const own = fields.flatMap((n) => present(part.segment.all(n).map(wordsAt)));
  const said = part.notes.flatMap((nte) => present(nte.all(3).map((cursor) => cursor.value))).join('\n');
  return [...own, said].filter((note) => note !== '').map((note) => ({ text: note }));
}

const wordsAt = (cursor: Cursor): string | undefined => {
  const value = concept()(cursor);
  return value && (displayOf(value) as string | undefined);
};
