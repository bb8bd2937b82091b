/** What `__schema` and `__type` are answered. https://spec.graphql.org/October2021/#sec-Introspection, SECURITY CP-16 */
import {
  type DocumentNode,
  executeSync,
  FieldsOnCorrectTypeRule,
  type FragmentDefinitionNode,
  type GraphQLSchema,
  Kind,
  KnownArgumentNamesRule,
  OperationTypeNode,
  ProvidedRequiredArgumentsRule,
  print,
  ScalarLeafsRule,
  validate,
} from 'graphql';
import { badRequest } from '../../standards/fhir/outcome.ts';
import type { Services } from '../services.ts';
import type { Field } from './output.ts';
import { createSchema } from './schema.ts';

const RULES = [FieldsOnCorrectTypeRule, ScalarLeafsRule, KnownArgumentNamesRule, ProvidedRequiredArgumentsRule];
/** Answers that are kept: tools ask the same again and again, and the whole schema is some megabytes. */
const KEPT_MAX = 4;

interface Shown {
  readonly schema: GraphQLSchema;
  readonly answers: Map<string, unknown>;
}

/** By what the server declares at the moment: posted search parameters are arguments. */
const made = new WeakMap<object, Shown>();

/** The value of one root field; throws 400 for what the schema does not have. */
export function introspect(
  services: Services,
  { node, name, args }: Field,
  fragments: ReadonlyMap<string, FragmentDefinitionNode>,
): unknown {
  const { schema, answers } = shownOf(services);
  const [type] = args.get('name') ?? [];
  const { alias: _alias, directives: _directives, arguments: _arguments, ...plain } = node;
  const document: DocumentNode = {
    kind: Kind.DOCUMENT,
    definitions: [
      {
        kind: Kind.OPERATION_DEFINITION,
        operation: OperationTypeNode.QUERY,
        selectionSet: {
          kind: Kind.SELECTION_SET,
          selections: [
            {
              ...plain,
              // Variables are in their places.
              ...(type !== undefined && {
                arguments: [
                  {
                    kind: Kind.ARGUMENT,
                    name: { kind: Kind.NAME, value: 'name' },
                    value: { kind: Kind.STRING, value: type },
                  },
                ],
              }),
            },
          ],
        },
      },
      ...[...fragments.values()].filter((one) => one.typeCondition.name.value.startsWith('__')),
    ],
  };
  const key = print(document);
  const known = answers.get(key);
  if (known !== undefined) return known;
  const [fault] = validate(schema, document, RULES);
  if (fault) throw badRequest(`The schema cannot be asked this: ${fault.message.slice(0, 200)}`);
  const { data, errors } = executeSync({ schema, document });
  if (errors?.[0]) throw badRequest(`The schema cannot be asked this: ${errors[0].message.slice(0, 200)}`);
  const answer = data?.[name] ?? null;
  if (answers.size >= KEPT_MAX) answers.clear();
  answers.set(key, answer);
  return answer;
}

function shownOf(services: Services): Shown {
  const of = services.capability();
  const shown = made.get(of) ?? {
    schema: createSchema(services.definitions, services.parameters),
    answers: new Map<string, unknown>(),
  };
  made.set(of, shown);
  return shown;
}
