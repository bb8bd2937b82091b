/**
 * The values of a custom composite: every combination of its components' values within one element, found by walking.
 * https://hl7.org/fhir/R4/search.html#composite
 */
import { parseDate } from './date.ts';
import * as quantities from './extract-quantities.ts';
import { type Element, readPeriod, text } from './extract-values.ts';
import { follow, shapeOf } from './follow-path.ts';
import type { Atom, Leaf, SearchType } from './parameter.ts';
import type { Extractor, SearchSink } from './sink.ts';

/** What one value is to the sink: a token's system and code, a date's ends … */
type Part = readonly unknown[];
type ReadParts = (value: unknown) => readonly Part[];

/** Combinations of one resource: what comes after them is not found. */
const COMBINATIONS_MAX = 2000;

const coding = (value: Element): readonly Part[] =>
  typeof value['code'] === 'string' ? [[text(value['system']), value['code']]] : [];
const concept = ({ coding: codings }: Element): readonly Part[] =>
  Array.isArray(codings) ? codings.flatMap((one) => (isElement(one) ? coding(one) : [])) : [];
const identifier = (value: Element): readonly Part[] =>
  typeof value['value'] === 'string' ? [[text(value['system']), value['value']]] : [];
const isElement = (value: unknown): value is Element => typeof value === 'object' && value !== null;
const reference = ({ reference: target }: Element): readonly Part[] =>
  typeof target === 'string' && target.charCodeAt(0) !== 35 ? [[target]] : []; // not `#contained`
const number = (value: unknown): readonly Part[] => {
  const found = quantities.numeric(value);
  return Number.isNaN(found) ? [] : [[found]];
};
const dates = (range: { readonly low: number; readonly high: number } | undefined): readonly Part[] =>
  range ? [[range.low, range.high]] : [];
const ranged =
  (read: (value: Element) => quantities.QuantityRange | undefined) =>
  (value: Element): readonly Part[] => {
    const found = read(value);
    return found ? [[found.low, found.high, found.system, found.code, found.unit]] : [];
  };

/** A reader of what `shapeOf` has looked at. */
const typed =
  <T>(read: (value: T) => readonly Part[]): ReadParts =>
  (value) =>
    read(value as T);
const plainToken = typed<string>((value) => [[undefined, value]]);

/** Search type and leaf type → the values of a component. */
const READERS: ReadonlyMap<string, ReadParts> = new Map<string, ReadParts>([
  ['token Coding', typed(coding)],
  ['token CodeableConcept', typed(concept)],
  ['token Identifier', typed(identifier)],
  ['token boolean', (value) => [[undefined, String(value)]]],
  ...['code', 'string', 'id', 'uri'].map((type) => [`token ${type}`, plainToken] as const),
  ['reference Reference', typed(reference)],
  ...['string', 'markdown'].map((type) => [`string ${type}`, typed<string>((value) => [[value]])] as const),
  ['date Period', typed((value: Element) => dates(readPeriod(value)))],
  ...['date', 'dateTime', 'instant'].map(
    (type) => [`date ${type}`, typed<string>((value) => dates(parseDate(value)))] as const,
  ),
  ...['decimal', 'integer', 'positiveInt', 'unsignedInt'].map((type) => [`number ${type}`, number] as const),
  ['quantity Money', typed(ranged(quantities.money))],
  ['quantity Range', typed(ranged(quantities.range))],
  ['quantity SampledData', typed(ranged(quantities.sampledData))],
  ...['Quantity', 'Age', 'Duration', 'Count', 'Distance'].map(
    (type) => [`quantity ${type}`, typed(ranged(quantities.quantity))] as const,
  ),
]);

/** Whether a component of a search type has values at such a place. */
export const canExtractPart = (type: SearchType, leafType: string): boolean => READERS.has(`${type} ${leafType}`);

type Report = (sink: SearchSink, atom: number, parts: readonly Part[]) => void;
type Rest<K extends keyof SearchSink> = SearchSink[K] extends (atom: number, ...rest: infer R) => void ? R : never;

/** What the sink is told, by the types of the components in the order of `RANKS`: the same as of R4's composites. */
const REPORTS: ReadonlyMap<string, Report> = new Map<string, Report>([
  ['reference,token', (sink, atom, parts) => sink.referenceToken(atom, ...(parts.flat() as Rest<'referenceToken'>))],
  ['token,token', (sink, atom, parts) => sink.tokenToken(atom, ...(parts.flat() as Rest<'tokenToken'>))],
  ['token,quantity', (sink, atom, parts) => sink.tokenQuantity(atom, ...(parts.flat() as Rest<'tokenQuantity'>))],
  ['token,date', (sink, atom, parts) => sink.tokenDate(atom, ...(parts.flat() as Rest<'tokenDate'>))],
  ['token,string', (sink, atom, parts) => sink.tokenString(atom, ...(parts.flat() as Rest<'tokenString'>))],
  [
    'token,number,number',
    (sink, atom, parts) => sink.tokenNumberNumber(atom, ...(parts.flat() as Rest<'tokenNumberNumber'>)),
  ],
]);
const RANKS: readonly SearchType[] = ['reference', 'token', 'quantity', 'date', 'string', 'number'];

export const SUPPORTED_COMBINATIONS =
  'a token with a token, a quantity, a date, a string, a reference or two numbers: docs/fhir.md#custom-search-parameters';

/** Places of the components in the order of `RANKS`, and what is told of them; undefined when they are not combined. */
export function combinationOf(
  types: readonly SearchType[],
): { readonly order: readonly number[]; readonly report: Report } | undefined {
  const order = types.map((_, i) => i).sort((a, b) => rank(types[a]) - rank(types[b]) || a - b);
  const report = REPORTS.get(order.map((i) => types[i]).join());
  return report && { order, report };
}

const rank = (type: SearchType | undefined): number => RANKS.indexOf(type ?? 'special');

/** Reports the combinations of a composite atom. */
export function createCompositeExtractor({ index, leaves, components }: Atom): Extractor {
  const combination = combinationOf(components);
  if (!combination) throw new Error(`no composite of ${components.join()}`);
  const { order, report } = combination;
  const elements = leaves.map(({ steps, parts }) => ({
    steps,
    readers: order.map((i) => partsReader(components[i] as SearchType, parts?.[i] ?? [])), // one of the components
  }));
  return (resource, sink) => {
    let left = COMBINATIONS_MAX;
    for (const { steps, readers } of elements)
      follow(resource, steps, 0, (element) => {
        const values = readers.map((read) => read(element));
        if (values.some((found) => found.length === 0)) return;
        sink.presentAtom(index);
        const combine = (chosen: readonly Part[], [first, ...rest]: readonly (readonly Part[])[]): void => {
          if (!first) {
            if (left-- > 0) report(sink, index, chosen);
            return;
          }
          for (const part of first) {
            if (left <= 0) return;
            combine([...chosen, part], rest);
          }
        };
        combine([], values);
      });
  };
}

/** All values of one component below an element. */
function partsReader(type: SearchType, places: readonly Leaf[]): (element: unknown) => readonly Part[] {
  const readers = places.map((place) => ({
    steps: place.steps,
    isOf: shapeOf(place.type),
    read: READERS.get(`${type} ${place.type}`),
  }));
  return (element) => {
    const found: Part[] = [];
    for (const { steps, isOf, read } of readers)
      follow(element, steps, 0, (value) => {
        if (read && isOf(value)) found.push(...read(value));
      });
    return found;
  };
}
