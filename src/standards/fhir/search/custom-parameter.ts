/**
 * A posted SearchParameter, compiled with what the definitions know of its types. Nothing of it becomes code: its values
 * are found by extract-custom.ts. https://hl7.org/fhir/R4/searchparameter.html, SECURITY IN-03, IN-35
 */
import type { Definitions, SearchParameterDefinition } from '../definitions.ts';
import { type Issue, issue } from '../outcome.ts';
import { bare, type Candidate } from './atoms.ts';
import { type CustomDefinition, type FindOwn, readDefinition } from './custom-definition.ts';
import { canExtract } from './extract-custom.ts';
import { canExtractPart } from './extract-custom-composite.ts';
import { isMultiple, type ResolvedLeaf } from './leaves.ts';
import type { Atom, Leaf, SearchParameter, SearchParameters } from './parameter.ts';
import { candidate, createSource, impliedSystems, type Source, targetTypes } from './parameters.ts';

export interface CustomParameter {
  readonly id: string;
  /** Version of the resource that says so. */
  readonly version: number;
  readonly url: string;
  readonly type: SearchParameterDefinition['type'];
  readonly code: string;
  /** Equal where the same values are found; part of the name under which they are kept. */
  readonly fingerprint: string;
  /** By base; the index of each one's only atom is given out later. */
  readonly of: ReadonlyMap<string, SearchParameter>;
}

export interface CustomCompiler {
  /** `value` is absent when there are issues, and when the resource has no effect on searches here. */
  read(
    resource: Readonly<Record<string, unknown>>,
    findOwn?: FindOwn,
  ): { readonly value?: Compiled; readonly issues: readonly Issue[] };
}

/** Without the resource's id and version. */
export type Compiled = Omit<CustomParameter, 'id' | 'version'>;

export interface CompilerOptions {
  readonly definitions: Definitions;
  /** The parameters of R4. */
  readonly official: SearchParameters;
  /** Whether an atom of a type looks at an element that is stored encrypted. */
  readonly isSealed: (type: string, atom: Atom) => boolean;
}

/** Types that are told of, where an expression fits none of many. */
const ISSUES_MAX = 20;

export function createCustomCompiler(options: CompilerOptions): CustomCompiler {
  const source = createSource(options.definitions);
  return {
    read(resource, findOwn = () => undefined) {
      // A copy of an official definition says nothing new.
      if (resource['status'] !== 'active' || source.byUrl.has(String(resource['url']))) return { issues: [] };
      const issues: Issue[] = [];
      const read = readDefinition(options.official, source, findOwn, resource, issues);
      if (!read) return { issues };
      const { url, type, code } = read.definition;
      const of = new Map<string, SearchParameter>();
      const inside = withOwn(source, read);
      for (const base of read.types)
        try {
          of.set(base, compile(options, inside, read, base));
        } catch (error) {
          if (!(error instanceof Error)) throw error;
          const why = `The expression cannot be searched by as ${type} of ${base}: ${error.message}`;
          issues.push(issue('not-supported', why, 'SearchParameter.expression'));
          if (issues.length === ISSUES_MAX) break;
        }
      if (issues.length > 0) return { issues };
      return { value: { url, type, code, fingerprint: read.fingerprint, of }, issues };
    },
  };
}

/** The source that knows the posted components too. */
function withOwn(source: Source, { components, definition: { base } }: CustomDefinition): Source {
  const own = components.filter(({ url }) => !source.byUrl.has(url)).map((one) => [one.url, { ...one, base }] as const);
  return own.length === 0 ? source : { ...source, byUrl: new Map([...source.byUrl, ...own]) };
}

/** Throws an Error that says what of the expression cannot be followed. */
function compile(
  { definitions, isSealed }: CompilerOptions,
  source: Source,
  { definition, components, fingerprint }: CustomDefinition,
  base: string,
): SearchParameter {
  const found = candidate(source, base, definition);
  const leaves = definition.type === 'composite' ? compositeLeaves(found) : plainLeaves(found);
  checkIndexes(leaves);
  const atom: Atom = {
    index: -1,
    code: `${definition.code}#${fingerprint}`,
    type: definition.type,
    components: found.components,
    notFalse: found.notFalse,
    multiple: !found.notFalse && isMultiple(leaves),
    leaves: leaves.map(bare),
    custom: true,
  };
  if (definition.type === 'reference' && isSealed(base, atom))
    throw new Error('the references that it finds are stored encrypted on this server');
  return {
    code: definition.code,
    type: definition.type,
    url: definition.url,
    resourceType: base,
    description: definition.description ?? '',
    atoms: [atom],
    targets: targetTypes(source, definition, found),
    onlyTargets: found.onlyTargets,
    bit: -1,
    components: components.map(({ type, code }) => ({ type, code })),
    impliedSystems: impliedSystems(definitions, { ...found, leaves }),
    custom: true,
  };
}

const typesOf = (leaves: readonly Leaf[]): string => [...new Set(leaves.map(({ type }) => type))].join(', ');

function plainLeaves({ type, notFalse, leaves }: Candidate): readonly ResolvedLeaf[] {
  const found = leaves.filter((leaf) => notFalse || canExtract(type, leaf.type));
  if (found.length > 0) return found;
  throw new Error(`what it finds is of type ${typesOf(leaves)}, by which a ${type} is not searched here`);
}

/** Each element with those places of its components that have values. */
function compositeLeaves({ components, leaves }: Candidate): readonly ResolvedLeaf[] {
  return leaves.map((leaf) => ({
    ...leaf,
    parts: (leaf.parts ?? []).map((places, i) => {
      const type = components[i] ?? 'special';
      const found = places.filter((place) => canExtractPart(type, place.type));
      if (found.length > 0) return found;
      throw new Error(`its component ${i + 1} finds ${typesOf(places)}, by which a ${type} is not searched here`);
    }),
  }));
}

/** `a.b[0]` is the first of all `b` in FHIRPath, wherever the `a` are: only of one `a` that is the first of each. */
function checkIndexes(leaves: readonly Leaf[]): void {
  for (const { steps, parts } of leaves) {
    checkIndexes((parts ?? []).flat());
    for (const [i, step] of steps.entries())
      if (step.index !== undefined && steps.slice(0, i).some((before) => before.array && before.index === undefined))
        throw new Error(
          `[${step.index}] of '${step.name}' must not follow an element that repeats, '${steps[i - 1]?.name}': which one is meant is not certain`,
        );
      else if (step.index !== undefined && step.index > 0 && !step.array)
        throw new Error(`'${step.name}' does not repeat: there is no [${step.index}]`);
  }
}
