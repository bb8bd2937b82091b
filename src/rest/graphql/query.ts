/** A GraphQL request read and bounded before anything is looked up. https://hl7.org/fhir/R4/graphql.html; SECURITY CP-16 */
import {
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  GraphQLError,
  type OperationDefinitionNode,
  parse,
  type SelectionSetNode,
  type ValueNode,
} from 'graphql';
import { badRequest, FhirError, issue } from '../../standards/fhir/outcome.ts';

export const DEPTH_MAX = 8;
/** Of what is asked of the schema: a type within lists within non-nulls is many levels for tools. */
const SCHEMA_DEPTH_MAX = 20;
/** Lists of the schema within one another: types, and the fields of each. */
const SCHEMA_LISTS_MAX = 2;
const SCHEMA_LISTS = /^(?:types|fields|inputFields|interfaces|possibleTypes|enumValues)$/;
const ALIASES_MAX = 20;
const TOKENS_MAX = 5_000;
/** Fields with those of fragments where they are used. */
const FIELDS_MAX = 2_000;

export interface Query {
  readonly selection: SelectionSetNode;
  readonly fragments: ReadonlyMap<string, FragmentDefinitionNode>;
  readonly variables: Readonly<Record<string, unknown>>;
}

export interface RawQuery {
  readonly query?: unknown;
  readonly operationName?: unknown;
  readonly variables?: unknown;
}

/** Throws 400 for what is no query, asks for too much, or writes. `isSchemaShown`: whether `__schema` and `__type` may be asked for. */
export function readQuery({ query, operationName, variables }: RawQuery, isSchemaShown = false): Query {
  if (typeof query !== 'string' || query.trim() === '') throw badRequest('The request has no query');
  const document = parseDocument(query);
  const operations = document.definitions.filter(
    (one): one is OperationDefinitionNode => one.kind === 'OperationDefinition',
  );
  const operation =
    typeof operationName === 'string' ? operations.find(({ name }) => name?.value === operationName) : operations[0];
  if (!operation || (typeof operationName !== 'string' && operations.length > 1))
    throw badRequest('operationName must name one of the operations of the query');
  if (operation.operation !== 'query') throw badRequest('Only queries are taken: write by the interactions of REST');
  const fragments = new Map(
    document.definitions.flatMap((one) => (one.kind === 'FragmentDefinition' ? [[one.name.value, one] as const] : [])),
  );
  checkBounds(operation.selectionSet, fragments, isSchemaShown);
  return { selection: operation.selectionSet, fragments, variables: readVariables(operation, variables) };
}

function parseDocument(text: string): DocumentNode {
  try {
    return parse(text, { noLocation: true, maxTokens: TOKENS_MAX });
  } catch (error) {
    if (error instanceof GraphQLError) {
      const [place] = error.locations ?? [];
      throw badRequest(`The query cannot be read${place ? ` (line ${place.line}, column ${place.column})` : ''}`);
    }
    throw error;
  }
}

/** Fragments are followed where they are used, so that a circle is too deep, and many small ones are many. */
function checkBounds(root: SelectionSetNode, fragments: Query['fragments'], isSchemaShown: boolean): void {
  const tooCostly = (text: string): FhirError => new FhirError(400, [issue('too-costly', text)]);
  let [fields, aliases] = [0, 0];
  /** `lists`: of the schema, around this; absent outside it. */
  const visit = (set: SelectionSetNode, depth: number, spread: number, lists?: number): void => {
    const depthMax = lists === undefined ? DEPTH_MAX : SCHEMA_DEPTH_MAX;
    if (depth > depthMax) throw tooCostly(`The query is nested deeper than ${depthMax} levels`);
    if (lists !== undefined && lists > SCHEMA_LISTS_MAX)
      throw tooCostly('The query asks for lists of the schema within lists within lists');
    if (spread > 50) throw badRequest('A fragment of the query uses itself');
    for (const one of set.selections) {
      fields += 1;
      if (fields > FIELDS_MAX) throw tooCostly(`The query has more than ${FIELDS_MAX} fields`);
      if (one.kind === 'Field') {
        if (one.alias) aliases += 1;
        if (aliases > ALIASES_MAX) throw tooCostly(`The query has more than ${ALIASES_MAX} aliases`);
        const isSchema = isSchemaField(one.name.value);
        if (isSchema && !isSchemaShown)
          throw badRequest('The schema is not shown on this server: see the definitions of R4');
        const around = lists ?? (isSchema ? 0 : undefined);
        const more = around === undefined ? undefined : around + Number(SCHEMA_LISTS.test(one.name.value));
        if (one.selectionSet) visit(one.selectionSet, depth + 1, spread, more);
      } else if (one.kind === 'InlineFragment') visit(one.selectionSet, depth, spread + 1, lists);
      else {
        const fragment = fragments.get(one.name.value);
        if (!fragment) throw badRequest('The query uses a fragment that it does not have');
        visit(fragment.selectionSet, depth, spread + 1, lists);
      }
    }
  };
  visit(root, 1, 0);
}

/** https://spec.graphql.org/October2021/#sec-Schema-Introspection */
export const isSchemaField = (name: string): boolean => name === '__schema' || name === '__type';

function readVariables({ variableDefinitions = [] }: OperationDefinitionNode, given: unknown): Record<string, unknown> {
  if (given !== undefined && given !== null && (typeof given !== 'object' || Array.isArray(given)))
    throw badRequest('variables must be a JSON object');
  const values = (given ?? {}) as Readonly<Record<string, unknown>>;
  const found: Record<string, unknown> = Object.create(null);
  for (const { variable, defaultValue, type } of variableDefinitions) {
    const name = variable.name.value;
    if (Object.hasOwn(values, name)) found[name] = values[name];
    else if (defaultValue) found[name] = valueIn(defaultValue, {});
    else if (type.kind === 'NonNullType') throw badRequest(`The variable ${name.slice(0, 64)} is not given`);
  }
  return found;
}

/** A value of the query, with variables in their places. */
function valueIn(node: ValueNode, variables: Query['variables']): unknown {
  switch (node.kind) {
    case 'Variable':
      return variables[node.name.value];
    case 'ListValue':
      return node.values.map((one) => valueIn(one, variables));
    case 'NullValue':
      return undefined;
    case 'ObjectValue':
      throw badRequest('An argument must be a simple value or a list of them');
    default:
      return typeof node.value === 'boolean' ? node.value : String(node.value);
  }
}

/** The arguments of a field as texts; those that are null are left out. */
export function argumentsOf(field: FieldNode, variables: Query['variables']): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, readonly string[]>();
  for (const { name, value } of field.arguments ?? []) {
    const given = valueIn(value, variables);
    if (given === undefined || given === null) continue;
    const list = (Array.isArray(given) ? given : [given]) as readonly unknown[];
    if (list.some((one) => one === null || typeof one === 'object'))
      throw badRequest('An argument must be a simple value or a list of them');
    found.set(name.value, list.map(String));
  }
  return found;
}

export interface Directives {
  readonly flatten: boolean;
  readonly first: boolean;
  readonly singleton: boolean;
  /** Expression of `@slice`. */
  readonly slice?: string;
}

/** https://hl7.org/fhir/R4/graphql.html#list; undefined where `@skip` or `@include` leaves the field out. */
export function directivesOf(
  { directives = [] }: Pick<FieldNode, 'directives'>,
  variables: Query['variables'],
): Directives | undefined {
  const found = { flatten: false, first: false, singleton: false, slice: undefined as string | undefined };
  for (const { name, arguments: args = [] } of directives) {
    const [argument] = args;
    const value = argument && valueIn(argument.value, variables);
    switch (name.value) {
      case 'skip':
        if (value === true) return undefined;
        break;
      case 'include':
        if (value !== true) return undefined;
        break;
      case 'flatten':
      case 'first':
      case 'singleton':
        found[name.value] = true;
        break;
      case 'slice':
        if (typeof value !== 'string') throw badRequest('@slice needs a path');
        found.slice = value;
        break;
      default:
        throw badRequest(
          `The directive @${name.value.slice(0, 64)} is not known: flatten, first, singleton, slice, skip, include`,
        );
    }
  }
  const { slice, ...rest } = found;
  return slice === undefined ? rest : { ...rest, slice };
}
