/**
 * The R4 search parameters of every storable type, compiled from the official definitions.
 * https://hl7.org/fhir/R4/searchparameter-registry.html
 */
import { canonicalUrl } from '../code-systems.ts';
import type { Definitions, SearchParameterDefinition } from '../definitions.ts';
import { assignAtoms, type Candidate } from './atoms.ts';
import { type PathExpression, parseExpression } from './expression.ts';
import { LEAF_TYPES, type ResolvedLeaf, resolveLeaves } from './leaves.ts';
import { MAIN_DATES } from './main-dates.ts';
import type { Atom, FullText, SearchParameter, SearchParameters, TypeParameters } from './parameter.ts';

/** Known, but without values of their own: full text (text-query.ts), geography (parse-near.ts), languages. */
export const UNSUPPORTED_PARAMETERS: ReadonlySet<string> = new Set([
  ...['_text', '_content', '_query', '_filter', 'near'],
]);

/** Parameters `Parameters` has none of: it is never stored. https://hl7.org/fhir/R4/parameters.html */
const NOT_STORED = 'Parameters';
const BASE_TYPES = new Set(['Resource', 'DomainResource']);
/** Answered from the row itself, so without atoms. */
const ROW_PARAMETERS = new Set(['_id', '_lastUpdated']);
/** https://hl7.org/fhir/R4/search.html#token: the implicit system of boolean values. */
const BOOLEAN_SYSTEM = 'http://terminology.hl7.org/CodeSystem/special-values';
const PRESENCE_BITS = 63;

/** Types a server stores: all concrete resource types but Parameters. */
export const storableTypes = (definitions: Definitions): string[] =>
  definitions.resourceTypes.filter((type) => type !== NOT_STORED);

/** All search parameters; each type is compiled when it is first asked for. */
export function createSearchParameters(
  definitions: Definitions,
  fullText: FullText | 'off' = 'narrative',
): SearchParameters {
  const storable = new Set(storableTypes(definitions));
  const source = createSource(definitions);
  const compiled = new Map<string, TypeParameters>();
  return {
    ...(fullText !== 'off' && { fullText }),
    get(resourceType) {
      let found = compiled.get(resourceType);
      if (found === undefined && storable.has(resourceType)) {
        found = compileType(source, resourceType);
        compiled.set(resourceType, found);
      }
      return found;
    },
  };
}

type Definition = SearchParameterDefinition;

/** The definitions with what is looked up for each type. */
export interface Source {
  readonly definitions: Definitions;
  readonly storable: readonly string[];
  readonly byUrl: ReadonlyMap<string, Definition>;
  readonly byBase: ReadonlyMap<string, readonly Definition[]>;
  /** `parseExpression`, once for the many types that share an expression. */
  readonly parse: (expression: string) => readonly PathExpression[];
}

export function createSource(definitions: Definitions): Source {
  const byBase = new Map<string, Definition[]>();
  for (const parameter of definitions.searchParameters)
    for (const base of parameter.base) byBase.set(base, [...(byBase.get(base) ?? []), parameter]);
  const parsed = new Map<string, readonly PathExpression[]>();
  return {
    definitions,
    storable: storableTypes(definitions),
    byUrl: new Map(definitions.searchParameters.map((p) => [p.url, p])),
    byBase,
    parse(expression) {
      const known = parsed.get(expression) ?? parseExpression(expression);
      parsed.set(expression, known);
      return known;
    },
  };
}

function compileType(source: Source, type: string): TypeParameters {
  const own = [type, ...BASE_TYPES]
    .flatMap((base) => source.byBase.get(base) ?? [])
    .filter((p) => !UNSUPPORTED_PARAMETERS.has(p.code))
    .sort((a, b) => (a.code < b.code ? -1 : 1));
  if (own.length > PRESENCE_BITS) throw new Error(`${type} has more search parameters than presence bits`);

  const candidates = own.filter((p) => !ROW_PARAMETERS.has(p.code)).map((p) => candidate(source, type, p));
  const { atoms, atomsOf } = assignAtoms(candidates);
  const leavesOf = new Map(candidates.map((c) => [c.code, c]));

  const parameters = new Map<string, SearchParameter>();
  own.forEach((definition, bit) => {
    const found = leavesOf.get(definition.code);
    parameters.set(definition.code, {
      code: definition.code,
      type: definition.type,
      url: definition.url,
      resourceType: type,
      description: describe(definition, type),
      atoms: atomsOf.get(definition.code) ?? [],
      targets: found === undefined ? [] : targetTypes(source, definition, found),
      onlyTargets: found?.onlyTargets ?? [],
      bit,
      components: componentDefinitions(source, definition).map((c) => ({ type: c.type, code: c.code })),
      impliedSystems: found === undefined ? [] : impliedSystems(source.definitions, found),
    });
  });
  return {
    resourceType: type,
    parameters,
    atoms,
    hasNarrative: hasNarrative(source.definitions, type),
    mainDate: parameters.get(MAIN_DATES.get(type) ?? '')?.atoms[0],
    ...patientAnswer(source.definitions, type, parameters),
  };
}

const typesOf = (leaves: readonly ResolvedLeaf[]): string => [...new Set(leaves.map(({ type }) => type))].join(', ');

/** The parameter with its leaves in this type; throws when there are none, so that none is lost unseen. */
export function candidate(source: Source, type: string, parameter: Definition): Candidate {
  const { definitions } = source;
  const branches = source.parse(parameter.expression ?? '').flatMap((branch) => {
    const [first] = branch.steps;
    const root = first?.kind === 'child' ? first.name : '';
    if (root === type || BASE_TYPES.has(root)) return [{ ...branch, steps: branch.steps.slice(1) }];
    return definitions.types[root] === undefined ? [branch] : []; // `name | alias`: a path without its type
  });
  const components = componentDefinitions(source, parameter);
  const found = branches.flatMap((branch) => resolveLeaves(definitions, type, branch));
  const leaves =
    parameter.type === 'composite'
      ? found.map((leaf) => ({ ...leaf, parts: components.map((c) => componentLeaves(source, type, leaf, c)) }))
      : found.filter((leaf) => LEAF_TYPES[parameter.type].has(leaf.type));
  if (branches.length === 0) throw new Error(`none of its paths begins with ${type}`);
  if (leaves.length === 0)
    throw new Error(
      `what it finds is of type ${typesOf(found)}; a ${parameter.type} is of ${[...LEAF_TYPES[parameter.type]].join(', ')}`,
    );
  const entry = leaves.some((leaf) => leaf.type === 'Resource'); // Bundle.entry[0].resource: its type is the target
  return {
    code: parameter.code,
    type: parameter.type,
    components: components.map((c) => c.type),
    leaves,
    onlyTargets: entry ? (parameter.target ?? []) : onlyTargets(leaves),
    notFalse: branches.some((branch) => branch.notFalse),
  };
}

/** The definitions give these components each other's expression: `relatesto` is the target, `relation` the code. */
const RELATIONSHIP = 'http://hl7.org/fhir/SearchParameter/DocumentReference-relationship';

type Component = { readonly type: Definition['type']; readonly code: string; readonly expression: string };

function componentDefinitions({ byUrl }: Source, parameter: Definition): Component[] {
  const given = parameter.component ?? [];
  const expressions = given.map((c) => c.expression);
  if (parameter.url === RELATIONSHIP) expressions.reverse();
  return given.map(({ definition }, i) => {
    const expression = expressions[i] ?? '';
    const component = byUrl.get(definition);
    if (component === undefined) throw new Error(`composite ${parameter.url} names the unknown ${definition}`);
    return { type: component.type, code: component.code, expression };
  });
}

function componentLeaves(source: Source, type: string, at: ResolvedLeaf, component: Component): ResolvedLeaf[] {
  const leaves = source
    .parse(component.expression)
    .flatMap((path) => resolveLeaves(source.definitions, path.fromResource ? type : at.type, path))
    .filter((leaf) => LEAF_TYPES[component.type].has(leaf.type));
  if (leaves.length === 0)
    throw new Error(`its component ${component.code} finds no ${component.type} below ${at.type}`);
  return leaves;
}

/** The restriction by `resolve() is X`, which the definitions put on all branches of a type or on none. */
function onlyTargets(leaves: readonly ResolvedLeaf[]): readonly string[] {
  const all = leaves.map((leaf) => leaf.onlyTargets);
  const first = all[0] ?? [];
  if (all.some((targets) => targets.join() !== first.join()))
    throw new Error('where(resolve() is …) must be the same on all of its paths');
  return first;
}

/** What may be pointed to: what parameter and element both allow; what the restriction leaves when there is one. */
export function targetTypes(
  { storable }: Source,
  parameter: Definition,
  { leaves, onlyTargets }: Candidate,
): readonly string[] {
  if (parameter.type !== 'reference') return [];
  if (onlyTargets.length > 0) return onlyTargets;
  const known = new Set(storable);
  const declared = parameter.target?.filter((t) => known.has(t)) ?? [];
  const pointers = leaves.some((leaf) => leaf.targets.length === 0) ? [] : leaves.flatMap((leaf) => leaf.targets);
  const allowed = new Set(pointers);
  const both = allowed.size === 0 ? declared : declared.filter((t) => allowed.has(t));
  if (both.length > 0) return [...both].sort();
  if (declared.length > 0) return [...declared].sort();
  return allowed.size > 0 ? [...allowed].sort() : storable;
}

export function impliedSystems(definitions: Definitions, { type, leaves }: Candidate): readonly string[] {
  if (type !== 'token') return [];
  if (leaves.every((leaf) => leaf.type === 'boolean')) return [BOOLEAN_SYSTEM];
  const systems = new Set<string>();
  for (const { type: leafType, binding } of leaves) {
    const found =
      leafType === 'code' && binding?.strength === 'required'
        ? definitions.codeSystems[canonicalUrl(binding.valueSet)]
        : undefined;
    if (found === undefined) return [];
    for (const system of found) systems.add(system);
  }
  return [...systems].sort();
}

const hasNarrative = ({ types }: Definitions, type: string): boolean =>
  types[type]?.elements.some((e) => e.name === 'text' && e.types.some((t) => t.code === 'Narrative')) === true;

/** The line of a shared definition's description that speaks of this type. */
function describe(parameter: Definition, type: string): string {
  const description = parameter.description ?? '';
  const line = description.split(/\r?\n/).find((l) => l.startsWith(`* [${type}](`));
  return line === undefined ? description : line.slice(line.indexOf('): ') + 3);
}

type PatientAnswer = Pick<TypeParameters, 'singlePatient' | 'patientCodes' | 'patientAtom'>;

/** https://hl7.org/fhir/R4/compartmentdefinition-patient.html */
function patientAnswer(
  definitions: Definitions,
  type: string,
  parameters: ReadonlyMap<string, SearchParameter>,
): PatientAnswer {
  const membership = definitions.compartments.Patient[type] ?? [];
  const inCompartment = new Set(membership.flatMap((code) => parameters.get(code)?.atoms ?? []));
  const single = (code: string): Atom | undefined => {
    const parameter = parameters.get(code);
    const [atom, ...others] = parameter?.atoms ?? [];
    const fits = parameter?.type === 'reference' && parameter.targets.includes('Patient');
    return fits && others.length === 0 && atom?.multiple === false && inCompartment.has(atom) ? atom : undefined;
  };
  const patientAtom = single('patient') ?? single('subject') ?? single('individual') ?? single('beneficiary');
  if (patientAtom === undefined) return { singlePatient: false, patientCodes: [], patientAtom };
  const patientCodes = [...parameters.keys()].filter((code) => single(code) === patientAtom);
  return { singlePatient: true, patientCodes, patientAtom };
}
