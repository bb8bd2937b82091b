/** A code system in the form that is asked: concepts by code, with what is above and below. https://hl7.org/fhir/R4/codesystem.html */
import type { CodeSystem, ConceptProperty, Designation, RawConcept } from './resources.ts';

export interface Concept {
  readonly code: string;
  readonly display: string | undefined;
  readonly definition: string | undefined;
  readonly designations: readonly Designation[];
  readonly properties: readonly ConceptProperty[];
  /** Codes right above and right below. */
  readonly parents: readonly string[];
  readonly children: readonly string[];
  readonly isInactive: boolean;
  /** May not be chosen (`notSelectable`). */
  readonly isAbstract: boolean;
}

export interface Concepts {
  readonly system: string;
  readonly version: string | undefined;
  readonly name: string | undefined;
  readonly language: string | undefined;
  readonly content: CodeSystem['content'];
  /** Property → what it means. */
  readonly descriptions: ReadonlyMap<string, string>;
  /** In the order of the resource. */
  readonly all: ReadonlyMap<string, Concept>;
  /** By code; without regard to case where the system has none. */
  find(code: string): Concept | undefined;
  /** Whether `below` is `above` or one of its descendants. */
  isA(below: string, above: string): boolean;
  /** The code and all below it. */
  descendants(code: string): ReadonlySet<string>;
  /** The code and all above it. */
  ancestors(code: string): ReadonlySet<string>;
}

interface OpenConcept extends Concept {
  readonly designations: Designation[];
  readonly properties: ConceptProperty[];
  readonly parents: string[];
  readonly children: string[];
}

/** Properties by which a concept names those above it: that of FHIR, and that of HL7 V3's code systems. */
const ABOVE = new Set(['parent', 'subsumedBy']);

/** Compiles a code system, with what supplements add. Nesting and the properties `parent`, `subsumedBy` and `child` make the hierarchy. */
export function compileConcepts(codeSystem: CodeSystem, supplements: readonly CodeSystem[] = []): Concepts {
  const all = new Map<string, OpenConcept>();
  const add = (raw: RawConcept, parent: string | undefined): void => {
    const known = all.get(raw.code);
    const concept = known ?? openConcept(raw);
    all.set(raw.code, concept);
    if (parent !== undefined) link(all, parent, raw.code);
    for (const child of raw.concept ?? []) add(child, raw.code);
  };
  for (const raw of codeSystem.concept ?? []) add(raw, undefined);
  for (const { code, properties } of all.values())
    for (const property of properties) {
      const other = property.valueCode ?? property.valueCoding?.code;
      if (other === undefined) continue;
      if (ABOVE.has(property.code)) link(all, other, code);
      else if (property.code === 'child') link(all, code, other);
    }
  for (const supplement of supplements)
    for (const raw of supplement.concept ?? []) supplementConcept(all, raw, supplement);
  const folded = codeSystem.caseSensitive === false ? foldCase(all) : undefined;
  return {
    system: codeSystem.url ?? '',
    version: codeSystem.version,
    name: codeSystem.title ?? codeSystem.name,
    language: codeSystem.language,
    content: codeSystem.content,
    descriptions: new Map((codeSystem.property ?? []).map(({ code, description }) => [code, description ?? code])),
    all,
    find: (code) => all.get(code) ?? folded?.get(code.toLowerCase()),
    isA: (below, above) => below === above || walk(all, below, 'parents').has(above),
    descendants: (code) => walk(all, code, 'children'),
    ancestors: (code) => walk(all, code, 'parents'),
  };
}

function openConcept(raw: RawConcept): OpenConcept {
  const properties = [...(raw.property ?? [])];
  return {
    code: raw.code,
    display: raw.display,
    definition: raw.definition,
    designations: [...(raw.designation ?? [])],
    properties,
    parents: [],
    children: [],
    isInactive: properties.some(
      (p) =>
        (p.code === 'inactive' && p.valueBoolean === true) ||
        (p.code === 'status' && /^(?:retired|inactive)$/.test(p.valueCode ?? p.valueString ?? '')),
    ),
    isAbstract: properties.some(
      (p) => (p.code === 'notSelectable' || p.code === 'abstract') && p.valueBoolean === true,
    ),
  };
}

/** Links are kept where both ends are there; one that is told twice is one. */
function link(all: ReadonlyMap<string, OpenConcept>, above: string, below: string): void {
  const [parent, child] = [all.get(above), all.get(below)];
  if (parent === undefined || child === undefined || above === below) return;
  if (!parent.children.includes(below)) parent.children.push(below);
  if (!child.parents.includes(above)) child.parents.push(above);
}

function supplementConcept(all: ReadonlyMap<string, OpenConcept>, raw: RawConcept, { language }: CodeSystem): void {
  const concept = all.get(raw.code);
  if (concept !== undefined) {
    concept.designations.push(...(raw.designation ?? []));
    // The supplement's own display is one in its language.
    if (raw.display !== undefined && raw.display !== concept.display)
      concept.designations.push({ ...(language !== undefined && { language }), value: raw.display });
    concept.properties.push(...(raw.property ?? []));
  }
  for (const child of raw.concept ?? [])
    supplementConcept(all, child, {
      resourceType: 'CodeSystem',
      content: 'supplement',
      ...(language !== undefined && { language }),
    });
}

const foldCase = (all: ReadonlyMap<string, OpenConcept>): Map<string, OpenConcept> =>
  new Map([...all].map(([code, concept]) => [code.toLowerCase(), concept]));

/** The code and all that are reached from it; a hierarchy that runs in a circle ends. */
function walk(all: ReadonlyMap<string, Concept>, from: string, by: 'parents' | 'children'): Set<string> {
  const found = new Set([from]);
  for (const code of found) for (const next of all.get(code)?.[by] ?? []) found.add(next);
  return found;
}

/** The text for a concept in a language (BCP 47; `en` also takes `en-GB`); its display where there is none. */
export function displayIn(
  concept: Pick<Concept, 'display' | 'designations'>,
  language: string | undefined,
): string | undefined {
  if (language === undefined) return concept.display;
  const wanted = language.toLowerCase();
  const isWanted = (given: string | undefined): boolean =>
    given?.toLowerCase() === wanted || given?.toLowerCase().startsWith(`${wanted}-`) === true;
  return concept.designations.find((designation) => isWanted(designation.language))?.value ?? concept.display;
}
