/**
 * Extractors: one generated function a resource type that walks a resource once and reports every search value, its
 * presence bits and its compartments. https://hl7.org/fhir/R4/search.html
 */
import type { CompartmentKind, Definitions } from '../definitions.ts';
import { type Code, code, compileFunction, join, literal, name } from '../generate.ts';
import { parseDate } from './date.ts';
import { generateComposite } from './extract-composite.ts';
import { createVariables, eachValue, filtered, type Variables } from './extract-path.ts';
import * as quantities from './extract-quantities.ts';
import * as values from './extract-values.ts';
import type { Atom, Leaf, PathStep, SearchParameter, SearchParameters, TypeParameters } from './parameter.ts';
import { COMPARTMENTS, type Extractor } from './sink.ts';

/** What generated code may call, each by its own name. */
const HELPERS = { ...values, ...quantities, parseDate };

/** Extractors of all storable types, each generated when it is first asked for. Throws for any other type. */
export function createExtractors(
  definitions: Definitions,
  parameters: SearchParameters,
): (resourceType: string) => Extractor {
  const extractors = new Map<string, Extractor>();
  return (resourceType) => {
    let extractor = extractors.get(resourceType);
    if (extractor === undefined) {
      const type = parameters.get(resourceType);
      if (type === undefined) throw new Error(`no search parameters for ${resourceType}`);
      extractor = compileExtractor(definitions, type);
      extractors.set(resourceType, extractor);
    }
    return extractor;
  };
}

/** A place in the JSON, and all that is found there. */
interface Place {
  readonly step: PathStep;
  readonly children: Map<string, Place>;
  /** The same elements where a filter holds. */
  readonly filters: Map<string, Place>;
  /** FHIR type, once a leaf has said it. */
  type: string;
  readonly finds: { readonly atom: Atom; readonly leaf: Leaf; readonly parameters: readonly SearchParameter[] }[];
}

const createPlace = (step: PathStep): Place => ({
  step,
  children: new Map(),
  filters: new Map(),
  type: 'Element',
  finds: [],
});

function compileExtractor(definitions: Definitions, type: TypeParameters): Extractor {
  const root = createPlace({ name: 'root', array: false });
  const parametersOf = groupByAtom(type);
  for (const atom of type.atoms)
    if (!atom.notFalse)
      for (const leaf of atom.leaves) {
        const place = findPlace(root, leaf.steps);
        if (leaf.steps.length > 0) place.type = leaf.type;
        place.finds.push({ atom, leaf, parameters: parametersOf.get(atom) ?? [] });
      }
  const kinds = compartmentsByAtom(definitions, type);
  const variables = createVariables();
  const resource = name('r');
  const body = join([
    ...[...type.parameters.values()].filter((p) => p.atoms.length === 0).map(present), // `_id`, `_lastUpdated`
    ...type.atoms.filter((a) => a.notFalse).map((a) => generateNotFalse(a, parametersOf.get(a) ?? [])),
    generatePlace({ variables, kinds }, root, resource),
  ]);
  const imports = join(Object.keys(HELPERS).map((helper) => code`const ${name(helper)} = h.${name(helper)};`));
  const create = compileFunction<(helpers: typeof HELPERS) => Extractor>(
    ['h'],
    code`${imports}return function (r, s) {${body}};`,
  );
  return create(HELPERS);
}

function groupByAtom(type: TypeParameters): Map<Atom, SearchParameter[]> {
  const groups = new Map<Atom, SearchParameter[]>();
  for (const parameter of type.parameters.values())
    for (const atom of parameter.atoms) groups.set(atom, [...(groups.get(atom) ?? []), parameter]);
  return groups;
}

/** Atoms whose references make the resource a member, with the compartments. `{def}` is the store's concern. */
function compartmentsByAtom(definitions: Definitions, type: TypeParameters): Map<Atom, CompartmentKind[]> {
  const kinds = new Map<Atom, CompartmentKind[]>();
  for (const kind of COMPARTMENTS)
    for (const parameter of definitions.compartments[kind][type.resourceType] ?? [])
      for (const atom of type.parameters.get(parameter)?.atoms ?? []) {
        const known = kinds.get(atom) ?? [];
        if (atom.type === 'reference' && !known.includes(kind)) kinds.set(atom, [...known, kind]);
      }
  return kinds;
}

function findPlace(root: Place, steps: readonly PathStep[]): Place {
  let place = root;
  for (const { where, ...step } of steps) {
    place = below(place.children, `${step.name}[${step.index ?? ''}]`, step);
    if (where !== undefined) place = below(place.filters, `${where.name}=${where.value}`, { ...step, where });
  }
  return place;
}

function below(places: Map<string, Place>, key: string, step: PathStep): Place {
  const place = places.get(key) ?? createPlace(step);
  places.set(key, place);
  return place;
}

interface Context {
  readonly variables: Variables;
  readonly kinds: ReadonlyMap<Atom, readonly CompartmentKind[]>;
}

/** Code for all that is found at a place and below it. */
function generatePlace(context: Context, place: Place, value: Code): Code {
  const { variables } = context;
  return join([
    ...place.finds.map((find) => generateFind(context, find, value)),
    ...[...place.filters.values()].map((filter) =>
      filtered(value, filter.step.where ?? { name: '', value: '' }, generatePlace(context, filter, value)),
    ),
    ...[...place.children.values()].map((child) => {
      const type = child.type === 'Element' ? ([...child.filters.values()][0]?.type ?? 'Element') : child.type;
      return eachValue(variables, value, child.step, type, (each) => generatePlace(context, child, each));
    }),
  ]);
}

const present = (parameter: SearchParameter): Code => code`s.present(${parameter.bit});`;

function generateFind({ variables, kinds }: Context, find: Place['finds'][number], value: Code): Code {
  const { atom, leaf, parameters } = find;
  if (atom.type === 'composite') return generateComposite(variables, atom, leaf, value, join(parameters.map(present)));
  if (leaf.type === 'Resource') return generateEntry(atom, parameters, value);
  if (leaf.type === 'Reference') return generateReference(atom, parameters, kinds.get(atom) ?? [], value);
  const report = REPORTS.get(`${atom.type} ${leaf.type}`) ?? REPORTS.get(`${atom.type} *`);
  if (report === undefined) throw new Error(`no values for a ${atom.type} parameter from ${leaf.type}`);
  return join([...parameters.map(present), report(atom.index, value)]);
}

/** Restricted parameters are present, and compartments joined, only when the reference is to the right type. */
function generateReference(
  atom: Atom,
  parameters: readonly SearchParameter[],
  kinds: readonly CompartmentKind[],
  value: Code,
): Code {
  const types = [...new Set([...parameters.flatMap((p) => p.onlyTargets), ...kinds])].sort();
  const byType = types.map((type) => {
    const bits = join(parameters.filter((p) => p.onlyTargets.includes(type)).map(present));
    const kind = COMPARTMENTS.findIndex((k) => k === type && kinds.includes(k));
    const member =
      kind < 0 ? code`` : code`if (${value}.reference !== undefined) s.member(${kind}, ${value}.reference);`;
    return code`if (refersTo(${value}, ${literal(type)})) {${bits}${member}}`;
  });
  const free = parameters.filter((p) => p.onlyTargets.length === 0).map(present);
  return join([...free, code`reference(s, ${atom.index}, ${value});`, ...byType]);
}

function generateEntry(atom: Atom, parameters: readonly SearchParameter[], value: Code): Code {
  return join(
    parameters.flatMap((parameter) =>
      parameter.onlyTargets.map(
        (type) =>
          code`if (${value}.resourceType === ${literal(type)}) {${present(parameter)}entry(s, ${atom.index}, ${value});}`,
      ),
    ),
  );
}

/** `true` or `false` in every resource; present when the element is. */
function generateNotFalse(atom: Atom, parameters: readonly SearchParameter[]): Code {
  const found = atom.leaves.flatMap(({ steps: [step] }) => (step === undefined ? [] : [code`r.${name(step.name)}`]));
  const some = (test: (value: Code) => Code): Code => found.map(test).reduce((a, b) => code`${a} || ${b}`);
  const value = some((v) => code`(${v} !== undefined && ${v} !== false)`);
  const given = some((v) => code`${v} !== undefined`);
  return code`s.token(${atom.index}, undefined, ${value} ? 'true' : 'false');if (${given}) {${join(parameters.map(present))}}`;
}

type Report = (atom: number, value: Code) => Code;
const helper =
  (called: keyof typeof HELPERS): Report =>
  (atom, value) =>
    code`${name(called)}(s, ${atom}, ${value});`;
const ranged =
  (reader: keyof typeof HELPERS): Report =>
  (atom, value) =>
    code`report(s, ${atom}, ${name(reader)}(${value}));`;
const token: Report = (atom, value) => code`s.token(${atom}, undefined, ${value});`;
const canonical: Report = (atom, value) => code`s.canonical(${atom}, ${value});`;

/** Search type and leaf type → the code that reports the value, whose shape has been checked. */
const REPORTS: ReadonlyMap<string, Report> = new Map<string, Report>([
  ['token CodeableConcept', helper('concept')],
  ['token Coding', helper('coding')],
  ['token Identifier', helper('identifier')],
  ['token ContactPoint', helper('contactPoint')],
  ['token boolean', (atom, value) => code`s.token(${atom}, undefined, ${value} ? 'true' : 'false');`],
  ...['code', 'string', 'id', 'uri'].map((type) => [`token ${type}`, token] as const),
  ['reference canonical', canonical],
  ['reference uri', canonical],
  ['string HumanName', helper('humanName')],
  ['string Address', helper('address')],
  ['string *', (atom, value) => code`s.string(${atom}, ${value});`],
  ['uri canonical', helper('canonicalUri')],
  ['uri *', (atom, value) => code`s.uri(${atom}, ${value});`],
  ['date Period', helper('period')],
  ['date Timing', helper('timing')],
  ['date *', helper('date')],
  ['number Range', helper('numberRange')],
  ['number *', helper('number')],
  ['quantity Money', ranged('money')],
  ['quantity Range', ranged('range')],
  ['quantity SampledData', ranged('sampledData')],
  ['quantity *', ranged('quantity')],
]);
