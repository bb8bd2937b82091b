/**
 * A posted SearchParameter, compiled with what the definitions know of its types. Nothing of it becomes code: its values
 * are found by extract-custom.ts. https://hl7.org/fhir/R4/searchparameter.html, SECURITY IN-03, IN-35
 */
import { createHash } from 'node:crypto';
import type { Definitions, SearchParameterDefinition } from '../definitions.ts';
import { type Issue, issue } from '../outcome.ts';
import { bare, type Candidate } from './atoms.ts';
import { parseExpression, type Step, SUPPORTED } from './expression.ts';
import { canExtract } from './extract-custom.ts';
import { isMultiple } from './leaves.ts';
import type { Atom, SearchParameter, SearchParameters, SearchType } from './parameter.ts';
import {
  candidate,
  createSource,
  impliedSystems,
  type Source,
  targetTypes,
  UNSUPPORTED_PARAMETERS,
} from './parameters.ts';

export interface CustomParameter {
  readonly id: string;
  /** Version of the resource that says so. */
  readonly version: number;
  readonly code: string;
  /** Equal where the same values are found; part of the name under which they are kept. */
  readonly fingerprint: string;
  /** By base; the index of each one's only atom is given out later. */
  readonly of: ReadonlyMap<string, SearchParameter>;
}

export interface CustomCompiler {
  /** `value` is absent when there are issues, and when the resource has no effect on searches here. */
  read(resource: Readonly<Record<string, unknown>>): { readonly value?: Compiled; readonly issues: readonly Issue[] };
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

/** Raised when the same definition gives other values than before. */
const FORMAT = 1;
const CODE = /^[A-Za-z][A-Za-z0-9-]{0,63}$/;
const EXPRESSION_LENGTH_MAX = 2000;
const BASES_MAX = 20;
const TYPES: readonly SearchType[] = ['number', 'date', 'string', 'token', 'reference', 'quantity', 'uri'];
/** Searched in the audit trail, which has columns of its own. */
const NEVER: ReadonlySet<string> = new Set(['AuditEvent']);

export function createCustomCompiler(options: CompilerOptions): CustomCompiler {
  const source = createSource(options.definitions);
  return {
    read(resource) {
      // A copy of an official definition says nothing new.
      if (resource['status'] !== 'active' || source.byUrl.has(String(resource['url']))) return { issues: [] };
      const issues: Issue[] = [];
      const definition = readDefinition(options, resource, issues);
      if (!definition) return { issues };
      const fingerprint = fingerprintOf(definition);
      const of = new Map<string, SearchParameter>();
      // What is wrong for every base is said once.
      const wrong = attempt(() => {
        for (const { steps } of parseExpression(definition.expression ?? '')) checkSteps(steps, options.official);
      });
      if (wrong) return { issues: [issue('not-supported', wrong, 'SearchParameter.expression')] };
      for (const base of definition.base) {
        const why = attempt(() => void of.set(base, compile(options, source, definition, base, fingerprint)));
        if (why)
          issues.push(
            issue(
              'not-supported',
              `The expression cannot be searched by as ${definition.type} of ${base}: ${why}`,
              'SearchParameter.expression',
            ),
          );
      }
      return issues.length > 0 ? { issues } : { value: { code: definition.code, fingerprint, of }, issues };
    },
  };
}

/** What an Error says, if there is one. */
function attempt(work: () => void): string | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return error.message;
  }
}

const texts = (value: unknown): readonly string[] =>
  Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];

/** What matters of the resource, or undefined with issues. */
function readDefinition(
  { official }: CompilerOptions,
  resource: Readonly<Record<string, unknown>>,
  issues: Issue[],
): SearchParameterDefinition | undefined {
  const { url, code, type, expression, description, target } = resource;
  const refuse = (element: string, why: string, kind: Issue['code'] = 'value'): void =>
    void issues.push(issue(kind, why, `SearchParameter.${element}`));
  const base = [...new Set(texts(resource['base']))].sort();
  if (typeof code !== 'string' || !CODE.test(code))
    refuse('code', 'A code is up to 64 letters, digits and hyphens here, and begins with a letter: it stands in URLs');
  if (!TYPES.includes(type as SearchType))
    refuse('type', `Custom parameters are of type ${TYPES.join(', ')}; composite and special ones are not supported`);
  if (typeof expression !== 'string' || expression.length > EXPRESSION_LENGTH_MAX)
    refuse('expression', `An expression of at most ${EXPRESSION_LENGTH_MAX} characters says where the values are`);
  if (base.length === 0 || base.length > BASES_MAX)
    refuse('base', `A parameter is of 1 to ${BASES_MAX} resource types`);
  for (const one of base)
    if (official.get(one) === undefined || NEVER.has(one))
      refuse('base', `Custom parameters cannot be of ${one.slice(0, 64)}: name the resource types one by one`);
    else if (typeof code === 'string' && (official.get(one)?.parameters.has(code) || UNSUPPORTED_PARAMETERS.has(code)))
      refuse('code', `'${code}' is a parameter of ${one} in R4: choose another code`, 'duplicate');
  for (const one of texts(target))
    if (official.get(one) === undefined) refuse('target', `${one.slice(0, 64)} is no resource type that can be stored`);
  if (issues.length > 0) return undefined;
  return {
    url: String(url),
    code: code as string, // all three were looked at
    type: type as SearchType,
    expression: expression as string,
    base,
    ...(texts(target).length > 0 && { target: [...new Set(texts(target))].sort() }),
    ...(typeof description === 'string' && { description }),
  };
}

function fingerprintOf({ code, type, base, expression, target }: SearchParameterDefinition): string {
  const text = JSON.stringify([FORMAT, code, type, base, expression, target]);
  return createHash('sha256').update(text).digest('base64url').slice(0, 16);
}

/** Throws an Error that says what of the expression cannot be followed. */
function compile(
  { definitions, isSealed }: CompilerOptions,
  source: Source,
  definition: SearchParameterDefinition,
  base: string,
  fingerprint: string,
): SearchParameter {
  const found = candidate(source, base, definition);
  const leaves = found.leaves.filter((leaf) => found.notFalse || canExtract(definition.type, leaf.type));
  if (leaves.length === 0)
    throw new Error(
      `what it finds is of type ${found.leaves.map(({ type }) => type).join(', ')}, by which a ${definition.type} is not searched here`,
    );
  checkIndexes(found);
  const atom: Atom = {
    index: -1,
    code: `${definition.code}#${fingerprint}`,
    type: definition.type,
    components: [],
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
    components: [],
    impliedSystems: impliedSystems(definitions, { ...found, leaves }),
    custom: true,
  };
}

/** The order of filters that the walk keeps to: a name, one `[n]`, one comparison. Others would mean something else. */
function checkSteps(steps: readonly Step[], official: SearchParameters): void {
  let last: 'child' | 'index' | 'where' = 'child';
  for (const step of steps) {
    const { kind } = step;
    if (kind === 'where-resolves' && official.get(step.type) === undefined)
      throw new Error(`The expression has where(resolve() is ${step.type}), and ${step.type} is no resource type`);
    if (kind === 'child') last = 'child';
    else if (kind === 'index') {
      if (last !== 'child') throw new Error(`In the expression, [n] must follow the name of an element. ${SUPPORTED}`);
      last = 'index';
    } else if (kind === 'where-equals') {
      if (last === 'where')
        throw new Error(`In the expression, an element is compared twice by where(…): once is supported. ${SUPPORTED}`);
      last = 'where';
    }
  }
}

/** `a.b[0]` is the first of all `b` in FHIRPath, wherever the `a` are: only of one `a` that is the first of each. */
function checkIndexes({ leaves }: Candidate): void {
  for (const { steps } of leaves)
    for (const [i, step] of steps.entries())
      if (step.index !== undefined && steps.slice(0, i).some((before) => before.array && before.index === undefined))
        throw new Error(
          `[${step.index}] of '${step.name}' must not follow an element that repeats, '${steps[i - 1]?.name}': which one is meant is not certain`,
        );
      else if (step.index !== undefined && step.index > 0 && !step.array)
        throw new Error(`'${step.name}' does not repeat: there is no [${step.index}]`);
}
