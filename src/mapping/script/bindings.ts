/** Rows that say which SCRIPT leaf stands where in FHIR; both directions are derived from them. */
import { textOf } from '../../standards/script/message.ts';
import { endsBeforeStart } from '../period-order.ts';
import { type Codec, DATE, DATE_TIME, TEXT } from './codecs.ts';
import { getAt, type Json, type Slices, setAt } from './place.ts';
import type { Source } from './source.ts';
import type { Target } from './target.ts';

/** Path of the leaf, place in the resource (`place.ts`), and how the value is written; text as it is when left out. */
export type Binding = readonly [script: string, fhir: string, codec?: Codec];

/** Puts every leaf that is there and fits into its place; the others stay to be kept as residue. */
export function bindToFhir(rows: readonly Binding[], source: Source, json: Json, slices?: Slices): void {
  for (const [script, fhir, { decode } = TEXT] of rows) {
    const element = source.locate(script);
    const text = textOf(element);
    if (element === undefined || text === undefined) continue;
    const value = decode(text);
    // Two rows may lead to one place; whichever is there first stays.
    if (value === undefined || (fhir !== '' && getAt(json, fhir, slices) !== undefined)) continue;
    if (isReversed(fhir, value, (place) => getAt(json, place, slices))) continue;
    if (setAt(json, fhir, value, slices)) source.taken.add(element);
  }
}

/** A Period that would end before it began (per-1) keeps the end it has. */
function isReversed(place: string, value: unknown, at: (place: string) => unknown): boolean {
  const [, period, side] = /^(.*[pP]eriod)\.(start|end)$/.exec(place) ?? [];
  if (period === undefined || typeof value !== 'string') return false;
  const other = at(`${period}.${side === 'start' ? 'end' : 'start'}`);
  if (typeof other !== 'string') return false;
  return side === 'start' ? endsBeforeStart(value, other) : endsBeforeStart(other, value);
}

export function bindToScript(rows: readonly Binding[], json: unknown, target: Target, slices?: Slices): void {
  for (const [script, fhir, { encode } = TEXT] of rows) {
    const value = getAt(json, fhir, slices);
    const text = value === undefined ? undefined : encode(value);
    if (text !== undefined && !target.has(script)) target.put(script, text);
  }
}

/** The same rows one level down: `Name` and `name:official` before each. */
export const within = (script: string, fhir: string, rows: readonly Binding[]): readonly Binding[] =>
  rows.map(([inner, place, codec = TEXT]) => [`${script}/${inner}`, `${fhir}.${place}`, codec] as const);

/** The choice of Date or DateTime at a place of FHIR type dateTime. */
export const dateChoice = (script: string, fhir: string): readonly Binding[] => [
  [`${script}/Date`, fhir, DATE],
  [`${script}/DateTime`, fhir, DATE_TIME],
];
