/**
 * The values of a custom parameter, found by walking its leaves: what was posted never becomes code. The same readers as
 * those of the generated extractors. SECURITY IN-03
 */

import { createCompositeExtractor } from './extract-custom-composite.ts';
import * as quantities from './extract-quantities.ts';
import * as values from './extract-values.ts';
import { follow, shapeOf } from './follow-path.ts';
import type { Atom, SearchParameter, SearchType } from './parameter.ts';
import type { Extractor, SearchSink } from './sink.ts';

type Element = values.Element;

/** Reports the values of the atoms that a custom parameter has, at their index. */
export function createCustomExtractor({ atoms, onlyTargets }: SearchParameter): Extractor {
  const [first, ...more] = atoms.map((atom) => extractorOf(atom, onlyTargets));
  if (!first || more.length > 0) throw new Error('a custom parameter has one atom');
  return first;
}

function extractorOf(atom: Atom, onlyTargets: readonly string[]): Extractor {
  const { index, leaves, type } = atom;
  if (type === 'composite') return createCompositeExtractor(atom);
  if (atom.notFalse)
    return (resource, sink) => {
      const found: unknown[] = [];
      for (const { steps } of leaves) follow(resource, steps, 0, (value) => void found.push(value));
      sink.token(index, undefined, String(found.some((value) => value !== false)));
      if (found.length > 0) sink.presentAtom(index);
    };
  const readers = leaves.map((leaf) => ({
    steps: leaf.steps,
    isOf: shapeOf(leaf.type),
    report: readerOf(type, leaf.type),
  }));
  const refers = (value: unknown): boolean =>
    onlyTargets.length === 0 || onlyTargets.some((target) => values.refersTo(value as Element, target)); // of a Reference
  return (resource, sink) => {
    for (const { steps, isOf, report } of readers)
      follow(resource, steps, 0, (value) => {
        if (!isOf(value) || !refers(value)) return;
        sink.presentAtom(index);
        report(sink, index, value);
      });
  };
}

/** Whether a search type has values at such a leaf. */
export const canExtract = (type: SearchType, leafType: string): boolean => findReader(type, leafType) !== undefined;

type Reader = (sink: SearchSink, atom: number, value: unknown) => void;

/** A reader of objects or texts, given what has that shape. */
const typed =
  <T>(read: (sink: SearchSink, atom: number, value: T) => void): Reader =>
  (sink, atom, value) =>
    read(sink, atom, value as T); // `shapeOf` looked at it
const ranged = (read: (value: Element) => quantities.QuantityRange | undefined): Reader =>
  typed<Element>((sink, atom, value) => quantities.report(sink, atom, read(value)));
const plainToken = typed<string>((sink, atom, value) => sink.token(atom, undefined, value));
const canonical = typed<string>((sink, atom, value) => sink.canonical(atom, value));

/** Search type and leaf type → who reads the value. */
const READERS: ReadonlyMap<string, Reader> = new Map<string, Reader>([
  ['token CodeableConcept', typed(values.concept)],
  ['token Coding', typed(values.coding)],
  ['token Identifier', typed(values.identifier)],
  ['token ContactPoint', typed(values.contactPoint)],
  ['token boolean', (sink, atom, value) => sink.token(atom, undefined, String(value))],
  ...['code', 'string', 'id', 'uri'].map((type) => [`token ${type}`, plainToken] as const),
  ['reference Reference', typed(values.reference)],
  ['reference canonical', canonical],
  ['reference uri', canonical],
  ['string HumanName', typed(values.humanName)],
  ['string Address', typed(values.address)],
  ...['string', 'markdown'].map(
    (type) => [`string ${type}`, typed<string>((sink, atom, value) => sink.string(atom, value))] as const,
  ),
  ['uri canonical', typed(values.canonicalUri)],
  ...['uri', 'url', 'oid', 'uuid'].map(
    (type) => [`uri ${type}`, typed<string>((sink, atom, value) => sink.uri(atom, value))] as const,
  ),
  ['date Period', typed(values.period)],
  ['date Timing', typed(values.timing)],
  ...['date', 'dateTime', 'instant'].map((type) => [`date ${type}`, typed(values.date)] as const),
  ['number Range', typed(quantities.numberRange)],
  ...['decimal', 'integer', 'positiveInt', 'unsignedInt'].map((type) => [`number ${type}`, quantities.number] as const),
  ['quantity Money', ranged(quantities.money)],
  ['quantity Range', ranged(quantities.range)],
  ['quantity SampledData', ranged(quantities.sampledData)],
  ...['Quantity', 'Age', 'Duration', 'Count', 'Distance'].map(
    (type) => [`quantity ${type}`, ranged(quantities.quantity)] as const,
  ),
]);

const findReader = (type: SearchType, leafType: string): Reader | undefined => READERS.get(`${type} ${leafType}`);

function readerOf(type: SearchType, leafType: string): Reader {
  const reader = findReader(type, leafType);
  if (!reader) throw new Error(`no values for a ${type} parameter from ${leafType}`);
  return reader;
}
