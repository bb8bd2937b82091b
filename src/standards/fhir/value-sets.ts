/** Value sets as the codes they hold, for bindings. https://hl7.org/fhir/R4/valueset.html#compose */
import { canonicalUrl } from './code-systems.ts';

/** Codes by system. */
export interface CompactValueSet {
  /** System and its codes; null is every code of the system. */
  readonly codes: readonly (readonly [system: string, codes: readonly string[] | null])[];
  /** Whether it may hold more than is known here (SNOMED CT by a filter, a value set nobody has). */
  readonly isOpen?: boolean;
}

interface Concept {
  code?: string;
  concept?: Concept[];
  property?: { code?: string; valueCode?: string; valueString?: string; valueBoolean?: boolean }[];
}
interface CodeSystem {
  url?: string;
  content?: string;
  concept?: Concept[];
}
interface Filter {
  property?: string;
  op?: string;
  value?: string;
}
interface Include {
  system?: string;
  concept?: { code?: string }[];
  filter?: Filter[];
  valueSet?: string[];
}
interface Contains {
  system?: string;
  code?: string;
  abstract?: boolean;
  contains?: Contains[];
}
export interface ValueSet {
  url?: string;
  compose?: { include?: Include[]; exclude?: Include[] };
  expansion?: { contains?: Contains[] };
}

/** Where value sets and code systems are found. */
export interface Terminology {
  valueSet(url: string): ValueSet | undefined;
  codeSystem(url: string): CodeSystem | undefined;
  /** A value set that is expanded already. */
  expanded?(url: string): CompactValueSet | undefined;
}

/** A value set that holds more is not written out. */
const CODES_MAX = 50_000;
const NESTED_MAX = 10;

/** Codes by system; null is every code. */
type Expansion = { readonly codes: Map<string, Set<string> | null>; isOpen: boolean };

/** The wanted value sets of the raw resources, those that nothing is known of left out. */
export function compactValueSets(
  raw: { readonly valueSets: Iterable<unknown>; readonly codeSystems: Iterable<unknown> },
  wanted: ReadonlySet<string>,
): Record<string, CompactValueSet> {
  const terminology = createTerminology(raw.valueSets, raw.codeSystems);
  const found: Record<string, CompactValueSet> = {};
  for (const url of [...wanted].sort()) {
    const expanded = expandValueSet(url, terminology);
    if (expanded !== undefined) found[url] = expanded;
  }
  return found;
}

/** What is given first wins. */
export function createTerminology(valueSets: Iterable<unknown>, codeSystems: Iterable<unknown>): Terminology {
  const index = <T extends { url?: string }>(resources: Iterable<unknown>): Map<string, T> => {
    const byUrl = new Map<string, T>();
    for (const resource of resources) {
      const one = resource as T; // the shape of the pinned package, or of a resource that was validated
      if (one.url !== undefined && !byUrl.has(one.url)) byUrl.set(one.url, one);
    }
    return byUrl;
  };
  const sets = index<ValueSet>(valueSets);
  const systems = index<CodeSystem>(codeSystems);
  return { valueSet: (url) => sets.get(canonicalUrl(url)), codeSystem: (url) => systems.get(canonicalUrl(url)) };
}

/** The codes of a value set; undefined where it is not held at all. */
export function expandValueSet(url: string, terminology: Terminology): CompactValueSet | undefined {
  const expansion = expand(url, terminology, []);
  if (expansion === undefined) return undefined;
  const codes = [...expansion.codes].map(([system, list]) => [system, list === null ? null : [...list]] as const);
  return expansion.isOpen ? { codes, isOpen: true } : { codes };
}

function expand(url: string, terminology: Terminology, within: readonly string[]): Expansion | undefined {
  const held = terminology.expanded?.(canonicalUrl(url));
  if (held !== undefined)
    return {
      codes: new Map(held.codes.map(([system, list]) => [system, list === null ? null : new Set(list)])),
      isOpen: held.isOpen === true,
    };
  const valueSet = terminology.valueSet(url);
  if (valueSet === undefined || within.length > NESTED_MAX || within.includes(url)) return undefined;
  const made: Expansion = { codes: new Map(), isOpen: false };
  if (valueSet.compose === undefined) {
    if (valueSet.expansion === undefined) return undefined;
    addContains(valueSet.expansion.contains ?? [], made);
    return made;
  }
  const inside = [...within, url];
  for (const include of valueSet.compose.include ?? []) unite(made, expandInclude(include, terminology, inside));
  for (const exclude of valueSet.compose.exclude ?? []) subtract(made, expandInclude(exclude, terminology, inside));
  return made;
}

function addContains(list: readonly Contains[], into: Expansion): void {
  for (const { system = '', code, abstract, contains = [] } of list) {
    if (code !== undefined && abstract !== true) add(into, system, [code]);
    addContains(contains, into);
  }
}

function expandInclude(include: Include, terminology: Terminology, within: readonly string[]): Expansion {
  const { system, valueSet: urls = [] } = include;
  let made: Expansion | undefined = system === undefined ? undefined : ofSystem(system, include, terminology);
  // Several value sets in one include: what is in all of them.
  for (const url of urls) {
    const other = expand(url, terminology, within) ?? { codes: new Map(), isOpen: true };
    made = made === undefined ? other : intersect(made, other);
  }
  return made ?? { codes: new Map(), isOpen: false };
}

function ofSystem(system: string, { concept, filter = [] }: Include, terminology: Terminology): Expansion {
  const made: Expansion = { codes: new Map(), isOpen: false };
  if (concept !== undefined) {
    add(
      made,
      system,
      concept.flatMap(({ code }) => code ?? []),
    );
    return made;
  }
  const codeSystem = terminology.codeSystem(system);
  if (codeSystem?.content !== 'complete' || codeSystem.concept === undefined) {
    if (filter.length > 0) made.isOpen = true;
    made.codes.set(system, filter.length > 0 ? new Set() : null);
    return made;
  }
  let codes: Set<string> | undefined;
  for (const one of filter) {
    const found = filtered(codeSystem.concept, one);
    if (found === undefined) made.isOpen = true;
    else codes = codes === undefined ? found : codes.intersection(found);
  }
  add(made, system, codes ?? (made.isOpen ? [] : allCodes(codeSystem.concept)));
  return made;
}

function add(into: Expansion, system: string, codes: Iterable<string>): void {
  const held = into.codes.get(system);
  if (held === null) return;
  const list = held ?? new Set<string>();
  for (const code of codes) {
    if (list.size >= CODES_MAX) {
      into.isOpen = true;
      break;
    }
    list.add(code);
  }
  into.codes.set(system, list);
}

function unite(into: Expansion, other: Expansion): void {
  into.isOpen ||= other.isOpen;
  for (const [system, codes] of other.codes) {
    if (codes === null) into.codes.set(system, null);
    else add(into, system, codes);
  }
}

function subtract(from: Expansion, other: Expansion): void {
  for (const [system, codes] of other.codes) {
    const held = from.codes.get(system);
    if (held === undefined) continue;
    if (codes === null) from.codes.delete(system);
    else if (held === null) from.isOpen = true;
    else from.codes.set(system, held.difference(codes));
  }
}

function intersect(a: Expansion, b: Expansion): Expansion {
  const made: Expansion = { codes: new Map(), isOpen: a.isOpen || b.isOpen };
  for (const [system, codes] of a.codes) {
    const other = b.codes.get(system);
    if (other === undefined) continue;
    made.codes.set(system, codes === null ? other : other === null ? codes : codes.intersection(other));
  }
  return made;
}

function* walk(concepts: readonly Concept[]): Generator<Concept> {
  for (const concept of concepts) {
    yield concept;
    yield* walk(concept.concept ?? []);
  }
}

function* allCodes(concepts: readonly Concept[]): Generator<string> {
  for (const { code } of walk(concepts)) if (code !== undefined) yield code;
}

/** https://hl7.org/fhir/R4/valueset-filter-operator.html; undefined for an operator that is not known here. */
function filtered(concepts: readonly Concept[], { property = '', op, value = '' }: Filter): Set<string> | undefined {
  const isHierarchy = property === 'concept' || property === 'code';
  switch (op) {
    case 'is-a':
      return isHierarchy ? below(concepts, value) : undefined;
    case 'descendent-of':
      return isHierarchy ? below(concepts, value).difference(new Set([value])) : undefined;
    case 'is-not-a':
      return isHierarchy ? new Set(allCodes(concepts)).difference(below(concepts, value)) : undefined;
    case '=':
      return new Set(matching(concepts, (one) => propertiesOf(one, property).includes(value)));
    case 'in': {
      const wanted = new Set(value.split(',').map((text) => text.trim()));
      return new Set(matching(concepts, (one) => propertiesOf(one, property).some((text) => wanted.has(text))));
    }
    case 'exists':
      return new Set(matching(concepts, (one) => propertiesOf(one, property).length > 0 === (value === 'true')));
    default:
      return undefined;
  }
}

function* matching(concepts: readonly Concept[], fits: (concept: Concept) => boolean): Generator<string> {
  for (const concept of walk(concepts)) if (concept.code !== undefined && fits(concept)) yield concept.code;
}

const propertiesOf = (concept: Concept, name: string): string[] =>
  name === 'code' || name === 'concept'
    ? [concept.code ?? '']
    : (concept.property ?? [])
        .filter(({ code }) => code === name)
        .map(({ valueCode, valueString, valueBoolean }) => valueCode ?? valueString ?? String(valueBoolean));

/** A concept and all below it, by nesting and by the properties that name parents (`subsumedBy`, `parent`). */
function below(concepts: readonly Concept[], root: string): Set<string> {
  const children = new Map<string, string[]>();
  const note = (parent: string, child: string): void => {
    const list = children.get(parent);
    if (list) list.push(child);
    else children.set(parent, [child]);
  };
  for (const { code = '', concept = [], property = [] } of walk(concepts)) {
    for (const child of concept) if (child.code !== undefined) note(code, child.code);
    for (const one of property)
      if ((one.code === 'subsumedBy' || one.code === 'parent') && one.valueCode !== undefined)
        note(one.valueCode, code);
  }
  const found = new Set([root]);
  for (const code of found) for (const child of children.get(code) ?? []) found.add(child);
  return found;
}
