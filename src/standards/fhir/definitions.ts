/**
 * The compact form of the official R4 definitions that validator, extractor and capability statement are compiled from.
 * Pure: the raw bundles are handed in. https://hl7.org/fhir/R4/structuredefinition.html
 */
import { canonicalUrl, compileCodeSystems } from './code-systems.ts';

import { type Constraint, constraintsOf, type RawConstraint, readTypeProfiles } from './definition-constraints.ts';
import { correctElements } from './definition-corrections.ts';
import { type CompactValueSet, compactValueSets } from './value-sets.ts';

export interface ElementType {
  /** Type name: primitive (`code`), complex (`HumanName`), a resource (`Resource`) or a path (`Patient.contact`). */
  readonly code: string;
  /** For Reference and canonical: resource types that may be pointed to; absent or empty = any. */
  readonly targets?: readonly string[];
}

export interface ElementDefinition {
  /** JSON name; for a choice the base name (`value` of `value[x]`). */
  readonly name: string;
  readonly min: number;
  /** Largest count; -1 is unbounded. An element with max other than 1 is an array in JSON. */
  readonly max: number;
  readonly choice: boolean;
  readonly summary: boolean;
  readonly modifier: boolean;
  readonly types: readonly ElementType[];
  readonly binding?: { readonly strength: string; readonly valueSet: string };
  /** Invariants of the element here, beside those of its type. */
  readonly constraints?: readonly Constraint[];
}

export type TypeKind = 'resource' | 'complex-type' | 'backbone';

export interface TypeDefinition {
  /** `Patient`, `HumanName` or the path of a backbone element, `Patient.contact`. */
  readonly name: string;
  readonly kind: TypeKind;
  readonly elements: readonly ElementDefinition[];
  readonly constraints?: readonly Constraint[];
}

export interface SearchParameterDefinition {
  readonly url: string;
  readonly code: string;
  readonly type: 'number' | 'date' | 'string' | 'token' | 'reference' | 'composite' | 'quantity' | 'uri' | 'special';
  readonly base: readonly string[];
  /** FHIRPath; absent for a few special parameters. */
  readonly expression?: string;
  readonly target?: readonly string[];
  readonly component?: readonly { readonly definition: string; readonly expression: string }[];
  readonly description?: string;
}

export type CompartmentKind = 'Device' | 'Encounter' | 'Patient' | 'Practitioner' | 'RelatedPerson';

export interface Definitions {
  /** Changes when the compact form changes; part of the cache key. */
  readonly format: number;
  readonly fhirVersion: string;
  /** The 146 concrete resource types, sorted by name. */
  readonly resourceTypes: readonly string[];
  readonly types: Readonly<Record<string, TypeDefinition>>;
  /** Primitive type name → the official pattern of its value (absent where the definitions give none). */
  readonly primitives: Readonly<Record<string, { readonly pattern?: string }>>;
  readonly searchParameters: readonly SearchParameterDefinition[];
  /** Compartment → resource type → parameter codes whose reference makes a resource a member (`{def}` = itself). */
  readonly compartments: Readonly<Record<CompartmentKind, Readonly<Record<string, readonly string[]>>>>;
  /** Value set (without version) of a required binding → the code systems it draws from; empty without `valuesets.json`. */
  readonly codeSystems: Readonly<Record<string, readonly string[]>>;
  /** Value set (without version) of a required, extensible or preferred binding → its codes, as far as they are held. */
  readonly valueSets: Readonly<Record<string, CompactValueSet>>;
}

export const DEFINITIONS_FORMAT = 7;
/** The package also holds SubscriptionStatus, which is 4.3.0. */
const FHIR_VERSION = '4.0.1';

interface RawType {
  code?: string;
  targetProfile?: string[];
  profile?: string[];
  extension?: { url: string; valueUrl?: string; valueString?: string }[];
}
interface RawElement {
  path: string;
  min?: number;
  max?: string;
  type?: RawType[];
  contentReference?: string;
  isSummary?: boolean;
  isModifier?: boolean;
  binding?: { strength: string; valueSet?: string };
  constraint?: RawConstraint[];
}
interface RawResource {
  resourceType: string;
  url: string;
  name: string;
  type?: string;
  kind?: string;
  abstract?: boolean;
  derivation?: string;
  fhirVersion?: string;
  version?: string;
  snapshot?: { element: RawElement[] };
  code?: string;
  base?: string[];
  expression?: string;
  target?: string[];
  component?: { definition: string; expression: string }[];
  description?: string;
  resource?: { code: string; param?: string[] }[];
}
export interface RawBundle {
  readonly entry: readonly { readonly resource: unknown }[];
}

const FHIR_TYPE = 'http://hl7.org/fhir/StructureDefinition/structuredefinition-fhir-type';
const REGEX = 'http://hl7.org/fhir/StructureDefinition/regex';
/** Profiles elsewhere belong to the package's makers. */
const OFFICIAL = 'http://hl7.org/fhir/';
const lastSegment = (url: string): string => url.slice(url.lastIndexOf('/') + 1);

/** The JSON name of a choice of one type: `value` of `Quantity` is `valueQuantity`. https://hl7.org/fhir/R4/formats.html#choice */
export const choiceName = (name: string, type: string): string => name + type.charAt(0).toUpperCase() + type.slice(1);

/** Compiles the raw bundles (`profiles-types.json`, `profiles-resources.json`, `search-parameters.json`, `valuesets.json`). */
export function compileDefinitions(bundles: readonly RawBundle[]): Definitions {
  const types: Record<string, TypeDefinition> = {};
  const primitives: Record<string, { pattern?: string }> = {};
  const resourceTypes: string[] = [];
  const searchParameters: SearchParameterDefinition[] = [];
  const compartments: Record<string, Record<string, string[]>> = {};
  const valueSets: RawResource[] = [];
  const codeSystems: unknown[] = [];
  const ofProfiles = readTypeProfiles(bundles);
  for (const bundle of bundles)
    for (const entry of bundle.entry) {
      // The bundles come from the pinned definitions package, whose shape is fixed.
      const raw = entry.resource as RawResource;
      if (
        raw.resourceType === 'StructureDefinition' &&
        raw.fhirVersion === FHIR_VERSION &&
        raw.derivation !== 'constraint' &&
        raw.snapshot
      ) {
        if (raw.kind === 'primitive-type') primitives[raw.name] = primitivePattern(raw);
        else if (raw.kind === 'resource' || raw.kind === 'complex-type') {
          if (raw.kind === 'resource' && !raw.abstract) resourceTypes.push(raw.name);
          for (const type of structureTypes(raw, raw.kind, ofProfiles)) types[type.name] = type;
        }
      } else if (raw.resourceType === 'SearchParameter') {
        // One of them is of 5.0.0 and searches an element that R4 does not have.
        if (raw.version === FHIR_VERSION) searchParameters.push(searchParameter(raw));
      } else if (raw.resourceType === 'ValueSet') valueSets.push(raw);
      else if (raw.resourceType === 'CodeSystem') codeSystems.push(raw);
      else if (raw.resourceType === 'CompartmentDefinition')
        compartments[raw.code ?? ''] = Object.fromEntries(
          (raw.resource ?? []).filter((r) => r.param !== undefined).map((r) => [r.code, r.param ?? []]),
        );
    }
  return {
    format: DEFINITIONS_FORMAT,
    fhirVersion: FHIR_VERSION,
    resourceTypes: resourceTypes.sort(),
    types,
    primitives,
    searchParameters,
    compartments: compartments as unknown as Definitions['compartments'], // the package holds all five (tested)
    codeSystems: compileCodeSystems(valueSets, boundValueSets(types, ['required'])),
    valueSets: compactValueSets(
      { valueSets, codeSystems },
      boundValueSets(types, ['required', 'extensible', 'preferred']),
    ),
  };
}

const boundValueSets = (types: Readonly<Record<string, TypeDefinition>>, strengths: readonly string[]): Set<string> =>
  new Set(
    Object.values(types)
      .flatMap((type) => type.elements)
      .filter((e) => strengths.includes(e.binding?.strength ?? ''))
      .map((e) => canonicalUrl(e.binding?.valueSet ?? '')),
  );

function primitivePattern(raw: RawResource): { pattern?: string } {
  const value = raw.snapshot?.element.find((e) => e.path === `${raw.name}.value`);
  const pattern = value?.type?.[0]?.extension?.find((x) => x.url === REGEX)?.valueString;
  return pattern === undefined ? {} : { pattern };
}

function searchParameter(raw: RawResource): SearchParameterDefinition {
  return {
    url: raw.url,
    code: raw.code ?? '',
    type: raw.type as SearchParameterDefinition['type'], // required binding of SearchParameter.type
    base: raw.base ?? [],
    ...(raw.expression !== undefined && { expression: raw.expression }),
    ...(raw.target !== undefined && { target: raw.target }),
    ...(raw.component !== undefined && {
      component: raw.component.map(({ definition, expression }) => ({ definition, expression })),
    }),
    ...(raw.description !== undefined && { description: raw.description }),
  };
}

/** The type itself and one type for every backbone element below it. */
function structureTypes(
  raw: RawResource,
  kind: 'resource' | 'complex-type',
  ofProfiles: ReadonlyMap<string, readonly Constraint[]>,
): TypeDefinition[] {
  const all: readonly RawElement[] = correctElements(raw.name, raw.snapshot?.element ?? []);
  const parents = new Set(all.map((e) => e.path.slice(0, e.path.lastIndexOf('.'))));
  const found = new Map<string, TypeDefinition & { elements: ElementDefinition[] }>();
  found.set(raw.name, { name: raw.name, kind, elements: [], ...constraintsOf(all[0] ?? {}) });
  for (const element of all) {
    if (!element.path.includes('.')) continue;
    const backbone = parents.has(element.path);
    if (backbone)
      found.set(element.path, { name: element.path, kind: 'backbone', elements: [], ...constraintsOf(element) });
    const dot = element.path.lastIndexOf('.');
    const parent = found.get(element.path.slice(0, dot));
    const last = element.path.slice(dot + 1);
    const resourceId = kind === 'resource' && element.path === `${raw.name}.id`;
    parent?.elements.push({
      ...elementDefinition(element, last, resourceId, backbone),
      ...(!backbone && constraintsOf(element, ofProfiles)),
    });
  }
  return [...found.values()];
}

function elementDefinition(raw: RawElement, last: string, resourceId: boolean, backbone: boolean): ElementDefinition {
  const choice = last.endsWith('[x]');
  return {
    name: choice ? last.slice(0, -3) : last,
    min: raw.min ?? 0,
    max: raw.max === '*' ? -1 : Number(raw.max ?? 1),
    choice,
    summary: raw.isSummary ?? false,
    modifier: raw.isModifier ?? false,
    types: elementTypes(raw, resourceId, backbone),
    ...(raw.binding?.valueSet !== undefined && {
      binding: { strength: raw.binding.strength, valueSet: raw.binding.valueSet },
    }),
  };
}

function elementTypes(raw: RawElement, resourceId: boolean, backbone: boolean): ElementType[] {
  if (backbone) return [{ code: raw.path }];
  if (raw.contentReference !== undefined)
    return [{ code: raw.contentReference.slice(raw.contentReference.indexOf('#') + 1) }];
  return (raw.type ?? []).map((type) => {
    const code = type.code ?? 'Element';
    if (code.startsWith('http://hl7.org/fhirpath/')) {
      // Resource.id says `string` in 4.0.1, but its pattern and its documentation are those of `id`.
      if (resourceId) return { code: 'id' };
      return { code: type.extension?.find((x) => x.url === FHIR_TYPE)?.valueUrl ?? 'string' };
    }
    const targets = (type.targetProfile ?? [])
      .filter((profile) => profile.startsWith(OFFICIAL))
      .map(lastSegment)
      .filter((target) => target !== 'Resource');
    return targets.length > 0 ? { code, targets } : { code };
  });
}
