/** `$translate`. https://hl7.org/fhir/R4/conceptmap-operation-translate.html */
import { tooCostly } from '../outcome.ts';
import type { Parameter } from './lookup.ts';
import type { Coding, ConceptMap, MapTarget, TerminologySource } from './resources.ts';
import { notHere } from './vocabulary.ts';

export interface TranslateOptions {
  /** Only maps into this code system. */
  readonly targetSystem?: string;
  /** From target to source. */
  readonly isReverse?: boolean;
}

export interface Match {
  readonly equivalence: string;
  readonly concept: Coding;
  /** The map that says so. */
  readonly source: string | undefined;
  readonly product: MapTarget['product'];
}

/** `unmapped.url` leads to another map so often. */
const MAPS_MAX = 5;
const NO_MATCH = new Set(['unmatched', 'disjoint']);
/** What a relation is when read from the other side. https://hl7.org/fhir/R4/valueset-concept-map-equivalence.html */
const REVERSED = new Map([
  ['wider', 'narrower'],
  ['narrower', 'wider'],
  ['subsumes', 'specializes'],
  ['specializes', 'subsumes'],
]);

/** All that the map says of the codings. Throws 422 where it leads to a map that is not here. */
export async function translate(
  source: TerminologySource,
  map: ConceptMap,
  codings: readonly Coding[],
  options: TranslateOptions = {},
  depth = 0,
): Promise<readonly Match[]> {
  if (depth >= MAPS_MAX) throw tooCostly(`Concept maps lead to one another more than ${MAPS_MAX} times`);
  const matches: Match[] = [];
  for (const coding of codings)
    for (const group of map.group ?? []) {
      const [from, to] = options.isReverse ? [group.target, group.source] : [group.source, group.target];
      if (coding.system !== undefined && from !== undefined && coding.system !== from) continue;
      if (options.targetSystem !== undefined && to !== options.targetSystem) continue;
      const found = options.isReverse ? backwards(map, group, coding) : forwards(map, group, coding);
      matches.push(...(found ?? (options.isReverse ? [] : await unmapped(source, map, group, coding, options, depth))));
    }
  return matches;
}

type Group = NonNullable<ConceptMap['group']>[number];

const codingOf = (system: string | undefined, code: string | undefined, display: string | undefined): Coding => ({
  ...(system !== undefined && { system }),
  ...(code !== undefined && { code }),
  ...(display !== undefined && { display }),
});

/** Undefined where the group does not have the code. */
function forwards(map: ConceptMap, { element, target }: Group, { code }: Coding): Match[] | undefined {
  const elements = element.filter((one) => one.code === code);
  if (elements.length === 0) return undefined;
  return elements
    .flatMap((one) => one.target ?? [])
    .map(({ code: to, display, equivalence, product }) => ({
      equivalence,
      concept: codingOf(target, to, display),
      source: map.url,
      product,
    }));
}

const backwards = (map: ConceptMap, { element, source }: Group, { code }: Coding): Match[] =>
  element.flatMap((one) =>
    (one.target ?? [])
      .filter((target) => target.code === code)
      .map(({ equivalence }) => ({
        equivalence: REVERSED.get(equivalence) ?? equivalence,
        concept: codingOf(source, one.code, one.display),
        source: map.url,
        product: undefined,
      })),
  );

async function unmapped(
  source: TerminologySource,
  map: ConceptMap,
  { target, unmapped: rule }: Group,
  coding: Coding,
  options: TranslateOptions,
  depth: number,
): Promise<readonly Match[]> {
  if (rule === undefined) return [];
  if (rule.mode === 'provided')
    return [
      {
        equivalence: 'equal',
        concept: codingOf(target, coding.code, coding.display),
        source: map.url,
        product: undefined,
      },
    ];
  if (rule.mode === 'fixed')
    return [
      {
        equivalence: 'inexact',
        concept: codingOf(target, rule.code, rule.display),
        source: map.url,
        product: undefined,
      },
    ];
  const other = rule.url === undefined ? undefined : await source.findConceptMap(rule.url);
  if (other === undefined) throw notHere(`The concept map ${rule.url?.slice(0, 256) ?? ''} is not known here`);
  return translate(source, other, [coding], options, depth + 1);
}

/** The parameters that `$translate` answers with. */
export function formatMatches(matches: readonly Match[]): Parameter[] {
  const result = matches.some(({ equivalence }) => !NO_MATCH.has(equivalence));
  return [
    { name: 'result', valueBoolean: result },
    ...(result ? [] : [{ name: 'message', valueString: 'The map has no match for the code' }]),
    ...matches.map(({ equivalence, concept, source, product }) => ({
      name: 'match',
      part: [
        { name: 'equivalence', valueCode: equivalence },
        ...(concept.code === undefined ? [] : [{ name: 'concept', valueCoding: concept }]),
        ...(product ?? []).map(({ property, system, value, display }) => ({
          name: 'product',
          part: [
            { name: 'element', valueUri: property },
            { name: 'concept', valueCoding: codingOf(system, value, display) },
          ],
        })),
        ...(source === undefined ? [] : [{ name: 'source', valueUri: source }]),
      ],
    })),
  ];
}
