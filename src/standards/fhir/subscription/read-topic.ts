/**
 * A SubscriptionTopic that was posted, as what is asked of changes. Everything that cannot be served is refused by name.
 * https://hl7.org/fhir/R5/subscriptiontopic.html, SECURITY IN-31, CP-17
 */
import { type CompiledPath, compilePath } from '../fhirpath/compile.ts';
import { PathSyntaxError } from '../fhirpath/lexer.ts';
import type { Model } from '../fhirpath/model.ts';
import type { Expression } from '../fhirpath/parser.ts';
import { Scope, VARIABLES } from '../fhirpath/scope.ts';
import { EMPTY, type Items, item, PathError } from '../fhirpath/values.ts';
import { type Issue, issue } from '../outcome.ts';
import { readTopicElements, type TopicNode } from './topic-extensions.ts';
import { readShape } from './topic-shape.ts';
import { type Interaction, type QueryCriteria, TOPICS, type Topic, type TopicFilter, type Trigger } from './topics.ts';

type Json = Readonly<Record<string, unknown>>;

export interface TopicContext {
  readonly model: Model;
  /** Whether changes of the type are told. */
  readonly isType: (type: string) => boolean;
  /** Search type of a type's parameter; undefined where it has no such parameter. */
  readonly parameterType: (type: string, code: string) => string | undefined;
  /** What is wrong with a search of a type, controls included. */
  readonly checkSearch: (type: string, query: string) => readonly string[];
}

/** What a search answers with, not what it finds. */
export const CONTROL =
  /(?:^|&)_(?:count|sort|include|revinclude|summary|elements|total|format|pretty|cursor|offset|contained\w*|explain)(?=[:=&]|$)/;

const STATUSES = new Set(['draft', 'active', 'retired', 'unknown']);
const INTERACTIONS: readonly Interaction[] = ['create', 'update', 'delete'];
const RESULTS = new Map([
  ['test-passes', true],
  ['test-fails', false],
]);
const TRIGGERS_MAX = 20;
const FILTERS_MAX = 100;
const TEXT_MAX = 2000;
/** Steps of one expression asked of one change. */
const STEPS_MAX = 100_000;
const OWN_VARIABLES = new Set([
  ...Object.keys(VARIABLES),
  'current',
  'previous',
  'resource',
  'rootResource',
  'context',
]);
const ORDERED = new Set(['date', 'number', 'quantity']);
const OPERATORS = new Set(
  (
    '= eq ne gt lt ge le sa eb ap missing exact contains not text in not-in below above type identifier of-type ' +
    'code-text text-advanced iterate'
  ).split(' '),
);

/**
 * The topic, or every reason why it is none; neither where its status says that it is not in use. The resource is a topic
 * by its code, and valid. `isStored`: what it searches by was looked at when it came.
 */
export function readTopic(
  resource: Json,
  context: TopicContext,
  isStored = false,
): { readonly value?: Topic; readonly issues: readonly Issue[] } {
  const issues: Issue[] = [];
  const fault = (diagnostics: string, place: string): void => void issues.push(issue('value', diagnostics, place));
  const quiet: Issue[] = [];
  const root = readTopicElements(resource, (text, place) => void quiet.push(issue('value', text, place)));
  const status = textOf(root, 'status', fault);
  const isKnown = status !== undefined && STATUSES.has(status);
  if (status === undefined) fault(STATUS_MISSING, 'Basic.modifierExtension');
  else if (!isKnown) fault(`status is one of ${[...STATUSES].join(', ')}`, placeOf(root, 'status'));
  if (resource['subject'] !== undefined)
    fault('A SubscriptionTopic is about nobody: leave subject out', 'Basic.subject');
  if (isKnown && status !== 'active') return { issues };

  issues.push(...quiet);
  const url = textOf(root, 'url', fault);
  const version = textOf(root, 'version', fault);
  if (url === undefined) fault('url is missing: subscriptions name the topic by it', 'Basic.extension');
  else if (!/^[a-z][a-z0-9+.-]*:[^\s|#]+$/.test(url))
    fault('url is an absolute URI without version or fragment', placeOf(root, 'url'));
  else if (TOPICS.some((one) => one.url === url))
    fault('This url is a topic of the server itself', placeOf(root, 'url'));
  if (version !== undefined && /[|\s]/.test(version)) fault('version has no | and no blank', placeOf(root, 'version'));
  const reading: Reading = { context, fault, isStored };
  for (const { place } of root.nodes.get('eventTrigger') ?? [])
    fault('eventTrigger is not supported: say with resourceTrigger which change is the event', place);
  const nodes = root.nodes.get('resourceTrigger') ?? [];
  if (nodes.length === 0) fault('resourceTrigger is missing: it says which changes are events', 'Basic.extension');
  if (nodes.length > TRIGGERS_MAX) fault(`There are at most ${TRIGGERS_MAX} triggers`, 'Basic.extension');
  const triggers = nodes.slice(0, TRIGGERS_MAX).flatMap((node) => readTrigger(reading, node));
  const types = [...new Set(triggers.map(({ type }) => type))];
  const filterNodes = root.nodes.get('canFilterBy') ?? [];
  if (filterNodes.length > FILTERS_MAX) fault(`There are at most ${FILTERS_MAX} filters`, 'Basic.extension');
  const filters = filterNodes.slice(0, FILTERS_MAX).flatMap((node) => readFilter(reading, node, types));
  const shapes = (root.nodes.get('notificationShape') ?? []).flatMap((node) => {
    const type = typeOf(reading, node, types);
    const made = type === undefined ? undefined : readShape(node, type, fault);
    if (!made) return [];
    checkSearch(reading, made.type, made.query, node.place);
    return [made];
  });
  if (issues.length > 0 || url === undefined) return { issues };
  const title = textOf(root, 'title', fault) ?? url;
  return { issues, value: { url, ...(version !== undefined && { version }), title, triggers, filters, shapes } };
}

const STATUS_MISSING =
  'status is missing: the modifierExtension http://hl7.org/fhir/5.0/StructureDefinition/extension-SubscriptionTopic.status, with valueCode active for a topic that is in use';

interface Reading {
  readonly context: TopicContext;
  readonly fault: (diagnostics: string, place: string) => void;
  readonly isStored: boolean;
}

function readTrigger(reading: Reading, node: TopicNode): readonly Trigger[] {
  const { fault } = reading;
  const type = typeOf(reading, node);
  const interactions = textsOf(node, 'supportedInteraction', fault);
  for (const { value, place } of interactions)
    if (!INTERACTIONS.includes(value as Interaction))
      fault(`supportedInteraction is one of ${INTERACTIONS.join(', ')}`, place);
  const criteria = node.nodes.get('queryCriteria') ?? [];
  if (criteria.length > 1) fault('There is one queryCriteria at most: several triggers are alternatives', node.place);
  const query = criteria[0] && type !== undefined ? readQuery(reading, criteria[0], type) : undefined;
  const source = textOf(node, 'fhirPathCriteria', fault);
  const path = source === undefined ? undefined : compileCriterion(reading, source, placeOf(node, 'fhirPathCriteria'));
  if (type === undefined) return [];
  const said = interactions.map(({ value }) => value as Interaction); // refused else
  return [
    {
      type,
      interactions: new Set(said.length > 0 ? said : INTERACTIONS),
      ...(query && { query }),
      ...(path && { isMet: (current, previous) => isMet(path, type, current, previous) }),
    },
  ];
}

function readQuery(reading: Reading, node: TopicNode, type: string): QueryCriteria | undefined {
  const { fault } = reading;
  const search = (name: string): string | undefined => {
    const text = textOf(node, name, fault);
    if (text === undefined) return undefined;
    const prefix = `${type}?`;
    const query = text.startsWith(prefix) ? text.slice(prefix.length) : text.replace(/^\?/, '');
    if (query === '') fault(`${name} is a search of ${type}, such as status=active`, placeOf(node, name));
    else checkSearch(reading, type, query, placeOf(node, name), true);
    return query;
  };
  const result = (name: string): boolean | undefined => {
    const text = textOf(node, name, fault);
    if (text !== undefined && !RESULTS.has(text))
      fault(`${name} is ${[...RESULTS.keys()].join(' or ')}`, placeOf(node, name));
    return text === undefined ? undefined : RESULTS.get(text);
  };
  const [previous, current] = [search('previous'), search('current')];
  const [forCreate, forDelete] = [result('resultForCreate'), result('resultForDelete')];
  const [both] = node.leaves.get('requireBoth') ?? [];
  if (both && typeof both.value !== 'boolean') fault('requireBoth is true or false', both.place);
  if (previous === undefined && current === undefined) {
    fault('queryCriteria has previous, current or both', node.place);
    return undefined;
  }
  return {
    requireBoth: both?.value === true,
    ...(previous !== undefined && { previous }),
    ...(current !== undefined && { current }),
    ...(forCreate !== undefined && { resultForCreate: forCreate }),
    ...(forDelete !== undefined && { resultForDelete: forDelete }),
  };
}

function readFilter(reading: Reading, node: TopicNode, types: readonly string[]): readonly TopicFilter[] {
  const { fault, context } = reading;
  const parameter = textOf(node, 'filterParameter', fault);
  if (parameter === undefined) fault('filterParameter is missing: the code of a search parameter', node.place);
  const said = [...textsOf(node, 'comparator', fault), ...textsOf(node, 'modifier', fault)];
  for (const { value, place } of said)
    if (!OPERATORS.has(value)) fault(`'${value.slice(0, 64)}' is no comparator and no modifier of a search`, place);
  const one = node.leaves.has('resource') ? typeOf(reading, node, types) : undefined;
  const of = node.leaves.has('resource') ? (one === undefined ? [] : [one]) : types;
  if (parameter === undefined) return [];
  return of.map((type) => {
    const kind = context.parameterType(type, parameter);
    if (kind === undefined && !reading.isStored)
      fault(`${type} has no search parameter '${parameter.slice(0, 64)}'`, placeOf(node, 'filterParameter'));
    return {
      type,
      parameter,
      operators: new Set(said.map(({ value }) => value)),
      isOrdered: kind !== undefined && ORDERED.has(kind),
    };
  });
}

/** The type that an element names, by itself or by the url of its definition. `among`: types of the triggers. */
function typeOf({ fault, context }: Reading, node: TopicNode, among?: readonly string[]): string | undefined {
  const text = textOf(node, 'resource', fault);
  if (text === undefined) return void fault('resource is missing: the type that it is about', node.place);
  const type = text.replace(/^http:\/\/hl7\.org\/fhir\/StructureDefinition\//, '');
  const place = placeOf(node, 'resource');
  if (!context.isType(type)) return void fault(`'${type.slice(0, 64)}' is no type whose changes are told`, place);
  if (among && !among.includes(type)) return void fault(`No resourceTrigger is about ${type}`, place);
  return type;
}

function checkSearch(
  { context, fault, isStored }: Reading,
  type: string,
  query: string,
  place: string,
  isCriterion = false,
): void {
  if (isStored) return;
  if (isCriterion && CONTROL.test(query))
    fault('The criteria say what is found; controls such as _count have no place there', place);
  else for (const text of context.checkSearch(type, query)) fault(text, place);
}

function compileCriterion({ context, fault }: Reading, source: string, place: string): CompiledPath | undefined {
  try {
    const path = compilePath(source, context.model);
    for (const name of variablesIn(path.expression))
      if (!OWN_VARIABLES.has(name) && !/^(?:vs|ext)-/.test(name))
        fault(`%${name.slice(0, 64)} is not known here: there are %current, %previous and those of FHIR`, place);
    return path;
  } catch (error) {
    if (!(error instanceof PathError) && !(error instanceof PathSyntaxError)) throw error;
    return void fault(`The expression cannot be followed: ${error.message}`, place);
  }
}

function variablesIn(expression: Expression): readonly string[] {
  if (expression.kind === 'variable') return [expression.name];
  return Object.values(expression)
    .flat()
    .flatMap((one: unknown) =>
      typeof one === 'object' && one !== null && 'kind' in one ? variablesIn(one as Expression) : [],
    );
}

function isMet(path: CompiledPath, type: string, current: Json | undefined, previous: Json | undefined): boolean {
  const itemsOf = (one: Json | undefined): Items => (one === undefined ? EMPTY : [item(type, one)]);
  const [now, before] = [itemsOf(current), itemsOf(previous)];
  const [focus = item(type, {})] = [...now, ...before];
  const scope = new Scope(
    STEPS_MAX,
    {},
    VARIABLES,
    new Map([
      ['current', now],
      ['previous', before],
    ]),
  );
  scope.resource = focus;
  return path.test(focus, scope) === true;
}

const placeOf = (node: TopicNode, name: string): string => node.leaves.get(name)?.[0]?.place ?? node.place;

function textsOf(
  node: TopicNode,
  name: string,
  fault: Reading['fault'],
): readonly { readonly value: string; readonly place: string }[] {
  return (node.leaves.get(name) ?? []).flatMap(({ value, place }) => {
    if (typeof value === 'string' && value !== '' && value.length <= TEXT_MAX) return [{ value, place }];
    fault(`${name} is a text of at most ${TEXT_MAX} characters`, place);
    return [];
  });
}

/** The only value of an element. */
function textOf(node: TopicNode, name: string, fault: Reading['fault']): string | undefined {
  const [first, ...more] = textsOf(node, name, fault);
  if (more.length > 0) fault(`There is one ${name} at most`, more[0]?.place ?? node.place);
  return first?.value;
}
