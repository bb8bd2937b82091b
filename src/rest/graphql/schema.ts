/**
 * The GraphQL schema of R4 as this server answers it: for tools that ask what there is. Queries themselves are carried out
 * over the definitions, not over it. https://hl7.org/fhir/R4/graphql.html
 */
import {
  DirectiveLocation,
  GraphQLBoolean,
  GraphQLDirective,
  type GraphQLFieldConfig,
  type GraphQLFieldConfigArgumentMap,
  GraphQLID,
  GraphQLInt,
  GraphQLInterfaceType,
  GraphQLList,
  GraphQLNonNull,
  GraphQLObjectType,
  type GraphQLOutputType,
  GraphQLScalarType,
  GraphQLSchema,
  GraphQLString,
  specifiedDirectives,
} from 'graphql';
import type { Definitions } from '../../standards/fhir/definitions.ts';
import { createModel } from '../../standards/fhir/fhirpath/model.ts';
import type { SearchParameters } from '../../standards/fhir/search/parameter.ts';

type Fields = Record<string, GraphQLFieldConfig<unknown, unknown>>;

/** `Patient.contact` → `PatientContact`: names have no points. */
export const typeNameOf = (type: string): string =>
  type.includes('.')
    ? type
        .split('.')
        .map((part) => part.charAt(0).toUpperCase() + part.slice(1))
        .join('')
    : type;

/** `birth-date` → `birth_date`: names have no hyphens. */
const argumentNameOf = (code: string): string => code.replaceAll('-', '_');

const OWN_SCALARS: Readonly<Record<string, GraphQLScalarType>> = {
  boolean: GraphQLBoolean,
  integer: GraphQLInt,
  positiveInt: GraphQLInt,
  unsignedInt: GraphQLInt,
  string: GraphQLString,
};

const TEXTS = { type: new GraphQLList(GraphQLString) };
const PAGE: GraphQLFieldConfigArgumentMap = {
  _count: { type: GraphQLInt },
  _cursor: { type: GraphQLString },
  _sort: TEXTS,
};

/** https://hl7.org/fhir/R4/graphql.html#list */
const DIRECTIVES = [
  ...['flatten', 'first', 'singleton'].map(
    (name) => new GraphQLDirective({ name, locations: [DirectiveLocation.FIELD] }),
  ),
  new GraphQLDirective({
    name: 'slice',
    locations: [DirectiveLocation.FIELD],
    args: { path: { type: new GraphQLNonNull(GraphQLString) } },
  }),
];

/** The types of the definitions, with searches by the parameters of the moment. */
export function createSchema(definitions: Definitions, parameters: SearchParameters): GraphQLSchema {
  const model = createModel(definitions);
  const storable = definitions.resourceTypes.filter((type) => parameters.get(type) !== undefined);
  const objects = new Map<string, GraphQLObjectType>();
  const scalars = new Map<string, GraphQLScalarType>();

  const scalarOf = (type: string): GraphQLScalarType => {
    const made = OWN_SCALARS[type] ?? scalars.get(type) ?? new GraphQLScalarType({ name: type });
    scalars.set(type, made);
    return made;
  };
  const objectOf = (type: string): GraphQLObjectType => {
    const isResource = definitions.resourceTypes.includes(type);
    const made =
      objects.get(type) ??
      new GraphQLObjectType({
        name: typeNameOf(type),
        fields: () => ({ ...elementsOf(type), ...(isResource ? listsWithin(type) : {}) }),
        ...(isResource && { interfaces: [resource] }),
      });
    objects.set(type, made);
    return made;
  };
  const resource: GraphQLInterfaceType = new GraphQLInterfaceType({
    name: 'Resource',
    description: 'A resource of any type',
    fields: () => elementsOf('Resource'),
  });
  const typeOf = (type: string): GraphQLOutputType =>
    type === '' ? resource : model.isPrimitive(type) ? scalarOf(type) : objectOf(type);

  function elementsOf(type: string): Fields {
    const fields: Fields = {};
    for (const element of definitions.types[type]?.elements ?? [])
      for (const child of model.childrenOf(type).filter(({ name }) => name === element.name)) {
        const one = typeOf(child.type);
        const isList = element.max !== 1;
        fields[child.json] = {
          type: isList ? new GraphQLList(one) : one,
          ...(isList && child.beside === '' && { args: choiceOf(child.type) }),
        };
        if (child.beside !== '') {
          const beside = objectOf('Element');
          fields[child.beside] = { type: isList ? new GraphQLList(beside) : beside };
        }
      }
    if (type === 'Resource' || definitions.resourceTypes.includes(type))
      fields['resourceType'] = { type: GraphQLString };
    if (type === 'Reference')
      fields['resource'] = {
        type: resource,
        args: { optional: { type: GraphQLBoolean }, type: { type: GraphQLString } },
      };
    return fields;
  }

  /** `name(use: "official", _offset: 1)`; those of choices are taken too, and left out here: an Extension has fifty. */
  function choiceOf(type: string): GraphQLFieldConfigArgumentMap {
    const choices = new Set(definitions.types[type]?.elements.flatMap(({ choice, name }) => (choice ? [name] : [])));
    const values = model.childrenOf(type).filter((child) => child.beside !== '' && !choices.has(child.name));
    return {
      ...Object.fromEntries(values.map(({ json }) => [json, TEXTS])),
      fhirpath: TEXTS,
      _offset: { type: GraphQLInt },
      _count: { type: GraphQLInt },
    };
  }

  /** Types that name this one as what they refer to: `Patient { ObservationList(_reference: "patient") { … } }`. */
  function listsWithin(type: string): Fields {
    const sources = storable.filter((source) =>
      [...(parameters.get(source)?.parameters.values() ?? [])].some(
        ({ targets, onlyTargets }) =>
          targets.length < storable.length && (onlyTargets.length > 0 ? onlyTargets : targets).includes(type),
      ),
    );
    const args = { _reference: { type: new GraphQLNonNull(GraphQLString) }, ...PAGE };
    return Object.fromEntries(
      sources.map((source) => [`${source}List`, { type: new GraphQLList(objectOf(source)), args }]),
    );
  }

  function searchOf(type: string): GraphQLFieldConfigArgumentMap {
    const codes = [...(parameters.get(type)?.parameters.keys() ?? [])].map(argumentNameOf);
    return { ...Object.fromEntries(codes.map((code) => [code, TEXTS])), ...PAGE };
  }

  function connectionOf(type: string): GraphQLObjectType {
    const text = { type: GraphQLString };
    const edge = new GraphQLObjectType({
      name: `${type}Edge`,
      fields: () => ({ mode: text, score: { type: scalarOf('decimal') }, resource: { type: objectOf(type) } }),
    });
    return new GraphQLObjectType({
      name: `${type}Connection`,
      fields: {
        count: { type: GraphQLInt },
        pagesize: { type: GraphQLInt },
        offset: { type: GraphQLInt },
        first: text,
        previous: text,
        next: text,
        last: text,
        edges: { type: new GraphQLList(edge) },
      },
    });
  }

  const query: Fields = {};
  for (const type of storable) {
    const args = searchOf(type);
    query[type] = { type: objectOf(type), args: { id: { type: new GraphQLNonNull(GraphQLID) } } };
    query[`${type}List`] = { type: new GraphQLList(objectOf(type)), args };
    query[`${type}Connection`] = { type: connectionOf(type), args };
  }
  return new GraphQLSchema({
    query: new GraphQLObjectType({ name: 'Query', fields: query }),
    types: definitions.resourceTypes.map(objectOf),
    directives: [...specifiedDirectives, ...DIRECTIVES],
  });
}
