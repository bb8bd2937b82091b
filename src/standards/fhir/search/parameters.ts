/**
 * The R4 search parameters of every storable type, compiled from the official definitions.
 * https://hl7.org/fhir/R4/searchparameter-registry.html
 */
import { canonicalUrl } from '../code-systems.ts';
import type { Definitions, SearchParameterDefinition } from '../definitions.ts';
import { assignAtoms, type Candidate } from './atoms.ts';
import { parseExpression } from './expression.ts';
import { LEAF_TYPES, type ResolvedLeaf, resolveLeaves } from './leaves.ts';
import { MAIN_DATES } from './main-dates.ts';
import type { Atom, SearchParameter, SearchParameters, TypeParameters } from './parameter.ts';

/** Known, but not searchable: `_text` and `_content` are full text, `near` needs geography, the rest are languages. */
export const UNSUPPORTED_PARAMETERS: ReadonlySet<string> = new Set([
  ...['_text', '_content', '_query', '_filter', '_list', 'near'],
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
export function createSearchParameters(definitions: Definitions): SearchParameters {
  const storable = new Set(storableTypes(definitions));
  const byUrl = new Map(definitions.searchParameters.map((p) => [p.url, p]));
  const compiled = new Map<string, TypeParameters>();
  return {
    get(resourceType) {
      let found = compiled.get(resourceType);
      if (found === undefined && storable.has(resourceType)) {
        found = compileType(definitions, byUrl, resourceType);
        compiled.set(resourceType, found);
      }
      return found;
    },
  };
}

type Definition = SearchParameterDefinition;

function compileType(definitions: Definitions, byUrl: ReadonlyMap<string, Definition>, type: string): TypeParameters {
  const own = definitions.searchParameters
    .filter((p) => p.base.some((base) => base === type || BASE_TYPES.has(base)) && !UNSUPPORTED_PARAMETERS.has(p.code))
    .sort((a, b) => (a.code < b.code ? -1 : 1));
  if (own.length > PRESENCE_BITS) throw new Error(`${type} has more search parameters than presence bits`);

  const candidates = own.filter((p) => !ROW_PARAMETERS.has(p.code)).map((p) => candidate(definitions, byUrl, type, p));
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
      targets: found === undefined ? [] : targetTypes(definitions, definition, found),
      onlyTargets: found?.onlyTargets ?? [],
      bit,
      components: componentDefinitions(byUrl, definition).map((c) => ({ type: c.type, code: c.code })),
      impliedSystems: found === undefined ? [] : impliedSystems(definitions, found),
    });
  });
  return {
    resourceType: type,
    parameters,
    atoms,
    mainDate: parameters.get(MAIN_DATES.get(type) ?? '')?.atoms[0],
    ...patientAnswer(definitions, type, parameters),
  };
}

/** The parameter with its leaves in this type; throws when there are none, so that none is lost unseen. */
function candidate(
  definitions: Definitions,
  byUrl: ReadonlyMap<string, Definition>,
  type: string,
  parameter: Definition,
): Candidate {
  const branches = parseExpression(parameter.expression ?? '').flatMap((branch) => {
    const [first] = branch.steps;
    const root = first?.kind === 'child' ? first.name : '';
    if (root === type || BASE_TYPES.has(root)) return [{ ...branch, steps: branch.steps.slice(1) }];
    return definitions.types[root] === undefined ? [branch] : []; // `name | alias`: a path without its type
  });
  const components = componentDefinitions(byUrl, parameter);
  const found = branches.flatMap((branch) => resolveLeaves(definitions, type, branch));
  const leaves =
    parameter.type === 'composite'
      ? found.map((leaf) => ({ ...leaf, parts: components.map((c) => componentLeaves(definitions, type, leaf, c)) }))
      : found.filter((leaf) => LEAF_TYPES[parameter.type].has(leaf.type));
  if (leaves.length === 0) throw new Error(`search parameter ${type}.${parameter.code} has no values`);
  const entry = leaves.some((leaf) => leaf.type === 'Resource'); // Bundle.entry[0].resource: its type is the target
  return {
    code: parameter.code,
    type: parameter.type,
    components: components.map((c) => c.type),
    leaves,
    onlyTargets: entry ? (parameter.target ?? []) : onlyTargets(leaves, `${type}.${parameter.code}`),
    notFalse: branches.some((branch) => branch.notFalse),
  };
}

type Component = { readonly type: Definition['type']; readonly code: string; readonly expression: string };

function componentDefinitions(byUrl: ReadonlyMap<string, Definition>, parameter: Definition): Component[] {
  return (parameter.component ?? []).map(({ definition, expression }) => {
    const component = byUrl.get(definition);
    if (component === undefined) throw new Error(`composite ${parameter.url} names the unknown ${definition}`);
    return { type: component.type, code: component.code, expression };
  });
}

function componentLeaves(
  definitions: Definitions,
  type: string,
  at: ResolvedLeaf,
  component: Component,
): ResolvedLeaf[] {
  return parseExpression(component.expression)
    .flatMap((path) => resolveLeaves(definitions, path.fromResource ? type : at.type, path))
    .filter((leaf) => LEAF_TYPES[component.type].has(leaf.type));
}

/** The restriction by `resolve() is X`, which the definitions put on all branches of a type or on none. */
function onlyTargets(leaves: readonly ResolvedLeaf[], name: string): readonly string[] {
  const all = leaves.map((leaf) => leaf.onlyTargets);
  const first = all[0] ?? [];
  if (all.some((targets) => targets.join() !== first.join())) throw new Error(`mixed restrictions in ${name}`);
  return first;
}

/** What may be pointed to: what parameter and element both allow; what the restriction leaves when there is one. */
function targetTypes(
  definitions: Definitions,
  parameter: Definition,
  { leaves, onlyTargets }: Candidate,
): readonly string[] {
  if (parameter.type !== 'reference') return [];
  if (onlyTargets.length > 0) return onlyTargets;
  const storable = storableTypes(definitions);
  const known = new Set(storable);
  const declared = parameter.target?.filter((t) => known.has(t)) ?? [];
  const pointers = leaves.some((leaf) => leaf.targets.length === 0) ? [] : leaves.flatMap((leaf) => leaf.targets);
  const allowed = new Set(pointers);
  const both = allowed.size === 0 ? declared : declared.filter((t) => allowed.has(t));
  if (both.length > 0) return [...both].sort();
  if (declared.length > 0) return [...declared].sort();
  return allowed.size > 0 ? [...allowed].sort() : storable;
}

function impliedSystems(definitions: Definitions, { type, leaves }: Candidate): readonly string[] {
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
