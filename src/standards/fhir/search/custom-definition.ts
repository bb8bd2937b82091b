/**
 * What of a posted SearchParameter matters here, and what is wrong with it, in the words of the resource.
 * https://hl7.org/fhir/R4/searchparameter.html, SECURITY IN-35
 */
import { createHash } from 'node:crypto';
import type { SearchParameterDefinition } from '../definitions.ts';
import { type Issue, issue } from '../outcome.ts';
import { parseExpression, type Step, SUPPORTED } from './expression.ts';
import { combinationOf, SUPPORTED_COMBINATIONS } from './extract-custom-composite.ts';
import type { SearchParameters, SearchType } from './parameter.ts';
import { type Source, UNSUPPORTED_PARAMETERS } from './parameters.ts';

/** A posted parameter as a composite names it. */
export type OwnComponent = Pick<SearchParameterDefinition, 'url' | 'code' | 'type'>;
/** The active posted parameter of a url. */
export type FindOwn = (url: string) => OwnComponent | undefined;

export interface CustomDefinition {
  readonly definition: SearchParameterDefinition;
  /** Each of its bases; of `Resource` and `DomainResource` the types that are searched. */
  readonly types: readonly string[];
  /** Composites: in order. */
  readonly components: readonly OwnComponent[];
  /** Equal where the same values are found. */
  readonly fingerprint: string;
}

/** Raised when the same definition gives other values than before. */
const FORMAT = 1;
const CODE = /^[A-Za-z][A-Za-z0-9-]{0,63}$/;
const EXPRESSION_LENGTH_MAX = 2000;
const BASES_MAX = 20;
const COMPONENTS_MAX = 3;
const TYPES: readonly SearchType[] = ['number', 'date', 'string', 'token', 'reference', 'composite', 'quantity', 'uri'];
/** Searched in the audit trail, which has columns of its own. */
const NEVER = 'AuditEvent';

type Refuse = (element: string, why: string, kind?: Issue['code']) => void;
type Fields = Readonly<Record<string, unknown>>;

/** Undefined with issues. */
export function readDefinition(
  official: SearchParameters,
  source: Source,
  findOwn: FindOwn,
  resource: Fields,
  issues: Issue[],
): CustomDefinition | undefined {
  const { url, code, type, expression, description, target } = resource;
  const refuse: Refuse = (element, why, kind = 'value') =>
    void issues.push(issue(kind, why, `SearchParameter.${element}`));
  if (typeof code !== 'string' || !CODE.test(code))
    refuse('code', 'A code is up to 64 letters, digits and hyphens here, and begins with a letter: it stands in URLs');
  if (type === 'special')
    refuse('type', 'A special parameter is searched by in a way of its own, which data cannot say: use another type');
  else if (!TYPES.includes(type as SearchType)) refuse('type', `Parameters are of type ${TYPES.join(', ')}`);
  if (typeof expression !== 'string' || expression.length > EXPRESSION_LENGTH_MAX)
    refuse('expression', `An expression of at most ${EXPRESSION_LENGTH_MAX} characters says where the values are`);
  else checkExpression(official, expression, type === 'composite', 'expression', refuse);
  const base = [...new Set(texts(resource['base']))].sort();
  const types = readBases(official, source, base, code, refuse);
  for (const one of texts(target))
    if (official.get(one) === undefined) refuse('target', `${one.slice(0, 64)} is no resource type that can be stored`);
  const components = type === 'composite' ? readComponents(official, source, findOwn, resource, refuse) : [];
  if (issues.length > 0) return undefined;
  const definition: SearchParameterDefinition = {
    url: String(url),
    code: code as string, // all three were looked at
    type: type as SearchType,
    expression: expression as string,
    base,
    ...(texts(target).length > 0 && { target: [...new Set(texts(target))].sort() }),
    ...(components.length > 0 && {
      component: components.map(({ url: definition, expression: path }) => ({ definition, expression: path })),
    }),
    ...(typeof description === 'string' && { description }),
  };
  return { definition, types, components, fingerprint: fingerprintOf(definition, components) };
}

const texts = (value: unknown): readonly string[] =>
  Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];

/** Whether the expression is one at all; what it finds is looked at by type. */
function checkExpression(
  official: SearchParameters,
  expression: string,
  isInComposite: boolean,
  element: string,
  refuse: Refuse,
): void {
  try {
    for (const { steps, notFalse, fromResource } of parseExpression(expression)) {
      checkSteps(steps, official);
      if (isInComposite && (notFalse || fromResource || steps.some(({ kind }) => kind === 'where-resolves')))
        throw new Error('In a composite, %resource, resolve() and exists() are not supported');
    }
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    refuse(element, error.message, 'not-supported');
  }
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

/** The types that the bases stand for. */
function readBases(
  official: SearchParameters,
  { storable }: Source,
  base: readonly string[],
  code: unknown,
  refuse: Refuse,
): readonly string[] {
  if (base.length === 0 || base.length > BASES_MAX)
    refuse('base', `A parameter is of 1 to ${BASES_MAX} resource types; Resource stands for all of them`);
  const ordinary = storable.filter((type) => type !== NEVER);
  const types = base.flatMap((one) => {
    if (one === 'Resource') return ordinary;
    if (one === 'DomainResource') return ordinary.filter((type) => official.get(type)?.hasNarrative);
    if (one === NEVER) refuse('base', `${NEVER}: the audit trail is searched by the parameters of R4 alone`);
    else if (official.get(one) === undefined)
      refuse('base', `${one.slice(0, 64)} is no resource type that can be stored`);
    return [one];
  });
  const taken = types.find((type) => typeof code === 'string' && official.get(type)?.parameters.has(code));
  if (taken !== undefined || UNSUPPORTED_PARAMETERS.has(String(code)))
    refuse('code', `'${code}' is a parameter of ${taken ?? 'some types'} in R4: choose another code`, 'duplicate');
  return [...new Set(types)].sort();
}

type Component = OwnComponent & { readonly expression: string };

function readComponents(
  official: SearchParameters,
  source: Source,
  findOwn: FindOwn,
  { component }: Fields,
  refuse: Refuse,
): readonly Component[] {
  const given: readonly Fields[] = Array.isArray(component) ? component : [];
  if (given.length < 2 || given.length > COMPONENTS_MAX) {
    refuse('component', `A composite has 2 to ${COMPONENTS_MAX} components`);
    return [];
  }
  const found = given.flatMap(({ definition, expression }, i): Component[] => {
    const [url = ''] = String(definition).split('|');
    const known = source.byUrl.get(url) ?? findOwn(url);
    if (!known)
      refuse(
        `component[${i}].definition`,
        `${url.slice(0, 200)} is neither a search parameter of R4 nor an active one of this server: store that first`,
      );
    const path = String(expression);
    if (typeof expression !== 'string' || path.length > EXPRESSION_LENGTH_MAX)
      refuse(`component[${i}].expression`, 'A component says by an expression where its value is');
    else checkExpression(official, path, true, `component[${i}].expression`, refuse);
    return known ? [{ url, code: known.code, type: known.type, expression: path }] : [];
  });
  const types = found.map(({ type }) => type);
  if (found.length === given.length && combinationOf(types) === undefined)
    refuse('component', `Components of type ${types.join(', ')} are not combined here, but ${SUPPORTED_COMBINATIONS}`);
  return found;
}

function fingerprintOf(
  { code, type, base, expression, target, component }: SearchParameterDefinition,
  components: readonly OwnComponent[],
): string {
  // A component of the same url may be of another type one day.
  const more = component ? [component, components.map((one) => one.type)] : [];
  const text = JSON.stringify([FORMAT, code, type, base, expression, target, ...more]);
  return createHash('sha256').update(text).digest('base64url').slice(0, 16);
}
