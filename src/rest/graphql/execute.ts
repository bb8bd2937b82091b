/** Carries a GraphQL query out over resources as they are stored. https://hl7.org/fhir/R4/graphql.html */
import type { SelectionSetNode } from 'graphql';
import type { Resource } from '../../ports/resource-store.ts';
import { createModel, type Model } from '../../standards/fhir/fhirpath/model.ts';
import { isNumber } from '../../standards/fhir/json.ts';
import { isContainer } from '../../standards/fhir/json-pointer.ts';
import { badRequest, notFound } from '../../standards/fhir/outcome.ts';
import type { Services } from '../services.ts';
import { createChoices } from './choose.ts';
import { introspect } from './introspect.ts';
import { type Field, keyOf, type Output, put, unknownField } from './output.ts';
import { argumentsOf, directivesOf, isSchemaField, type Query } from './query.ts';
import { typeNameOf } from './schema.ts';
import type { Sources } from './sources.ts';

type Json = Readonly<Record<string, unknown>>;

const LIST = /^([A-Z][A-Za-z]+)(List|Connection)$/;
const models = new WeakMap<object, Model>();

export interface Execution {
  /** `PatientList`, `Patient(id: …)` */
  atBase(): Promise<Output>;
  of(resource: Resource): Promise<Output>;
}

/** What a field stands for. */
interface Found {
  readonly type: string;
  readonly values: readonly Json[];
  readonly isList?: boolean;
  /** The resource that they are in: what it contains can be referred to. */
  readonly root: Resource;
}

const ofResource = (resource: Resource): Found => ({ type: resource.resourceType, values: [resource], root: resource });

/** Throws a FhirError for what no query may ask, or what goes beyond its budget. */
export function createExecution(
  services: Services,
  { selection, fragments, variables }: Query,
  sources: Sources,
): Execution {
  const { definitions, parameters } = services;
  let model = models.get(definitions);
  if (!model) {
    model = createModel(definitions);
    models.set(definitions, model);
  }
  const types = model;
  const choices = createChoices(types);

  /** The fields of a selection, with those of fragments that are of the type. `type` undefined: the base. */
  function* fieldsOf(set: SelectionSetNode, type: string | undefined): Iterable<Field> {
    for (const one of set.selections) {
      const directives = directivesOf(one, variables);
      if (!directives) continue;
      if (one.kind === 'Field') {
        const args = argumentsOf(one, variables);
        yield { node: one, name: one.name.value, directives, args, selection: one.selectionSet };
        continue;
      }
      const fragment = one.kind === 'InlineFragment' ? one : fragments.get(one.name.value);
      const wanted = fragment?.typeCondition?.name.value;
      const fits = wanted === undefined || type === undefined || typeNameOf(type) === wanted || types.isA(type, wanted);
      if (fragment && fits) yield* fieldsOf(fragment.selectionSet, type);
    }
  }

  async function atBase(): Promise<Output> {
    const output: Output = Object.create(null);
    for (const field of fieldsOf(selection, undefined)) {
      if (field.name === '__typename') put(output, field, 'Query');
      else if (isSchemaField(field.name)) put(output, field, introspect(services, field, fragments));
      else if (LIST.test(field.name)) await putList(output, field, undefined);
      else if (parameters.get(field.name)) {
        const [id = ''] = field.args.get('id') ?? field.args.get('_id') ?? [];
        const found = await sources.read(field.name, id);
        if (!found) throw notFound(`${field.name}/${id.slice(0, 64)}`);
        await putObject(output, field, ofResource(found));
      } else
        throw unknownField('Query', field.name, [
          ...definitions.resourceTypes,
          ...definitions.resourceTypes.map((one) => `${one}List`),
        ]);
    }
    return output;
  }

  async function ofObject(type: string, value: Json, set: SelectionSetNode, root: Resource): Promise<Output> {
    const output: Output = Object.create(null);
    sources.spend();
    for (const field of fieldsOf(set, type)) await putField(output, field, type, value, root);
    return output;
  }

  async function putField(output: Output, field: Field, type: string, value: Json, root: Resource): Promise<void> {
    const { name } = field;
    if (name === '__typename' || (name === 'resourceType' && value === root))
      return put(output, field, typeNameOf(type));
    if (name === 'resource' && type === 'Reference') return putResource(output, field, value, root);
    if (value === root && LIST.test(name)) return putList(output, field, root);
    const json = name.startsWith('_') ? name.slice(1) : name;
    const child = types.childrenOf(type).find((one) => one.json === json && (json === name || one.beside !== ''));
    if (!child)
      throw unknownField(
        type,
        name,
        types.childrenOf(type).map((one) => one.json),
      );
    const found = value[name];
    const isList = Array.isArray(found);
    const values = (isList ? found : [found]).filter((one) => one !== undefined && one !== null) as readonly unknown[];
    const below = name === json ? child.type : 'Element';
    if (name === json && types.isPrimitive(below)) {
      if (field.selection) throw badRequest(`${type}.${name} is a simple value: it has no fields`);
      return putValues(output, field, values, isList);
    }
    await putObject(output, field, { type: below, values: values as readonly Json[], isList, root });
  }

  async function putObject(output: Output, field: Field, { type, values, isList = false, root }: Found): Promise<void> {
    const { selection: set, name } = field;
    if (!set) throw badRequest(`${name.slice(0, 64)} needs fields: ${name.slice(0, 64)} { … }`);
    const isSearch = field.args.size === 0 || parameters.get(name) !== undefined;
    const chosen = isSearch ? values : choices.choose(field, type, values);
    const made = await Promise.all(
      chosen.map((value) => {
        const own = typeof value['resourceType'] === 'string' ? value['resourceType'] : type;
        const isResource = value !== root && typeof value['resourceType'] === 'string';
        return ofObject(own, value, set, isResource ? (value as Resource) : root);
      }),
    );
    if (field.directives.slice !== undefined) return putSlices(output, field, type, chosen, made);
    putValues(output, field, made, isList);
  }

  function putSlices(
    output: Output,
    field: Field,
    type: string,
    values: readonly Json[],
    made: readonly Output[],
  ): void {
    const key = keyOf(field);
    values.forEach((value, i) => {
      const path = field.directives.slice ?? '';
      const [found] = path === '$index' ? [i] : choices.evaluate(path, type, value);
      const name =
        typeof found === 'string' || isNumber(found) || typeof found === 'boolean' ? `${key}.${String(found)}` : key;
      output[name] = field.directives.singleton ? made[i] : [...((output[name] ?? []) as unknown[]), made[i]];
    });
  }

  /** `subject { resource(optional: true, type: Patient) { … } }` */
  async function putResource(output: Output, field: Field, { reference }: Json, root: Resource): Promise<void> {
    const isOptional = field.args.get('optional')?.[0] === 'true';
    const [wanted] = field.args.get('type') ?? [];
    const found = typeof reference === 'string' ? await findTarget(reference, root) : undefined;
    if (found && (wanted === undefined || wanted === found.resourceType))
      return putObject(output, { ...field, args: new Map() }, ofResource(found));
    if (found || isOptional || wanted !== undefined) return put(output, field, null);
    throw notFound('What a reference of the query points to'); // hidden or absent: the same
  }

  async function findTarget(reference: string, root: Resource): Promise<Resource | undefined> {
    if (!reference.startsWith('#')) return sources.resolve(reference);
    const contained = (root['contained'] ?? []) as readonly Resource[]; // stored, so it is valid
    return contained.find((one) => one['id'] === reference.slice(1));
  }

  async function putList(output: Output, field: Field, of: Resource | undefined): Promise<void> {
    const [, type = '', kind] = LIST.exec(field.name) ?? [];
    if (!parameters.get(type))
      throw unknownField(
        of?.resourceType ?? 'Query',
        field.name,
        definitions.resourceTypes.map((one) => `${one}List`),
      );
    if (!field.selection) throw badRequest(`${field.name} needs fields: ${field.name} { … }`);
    if (of && !field.args.has('_reference'))
      throw badRequest(`${field.name} within a resource needs _reference: the search parameter that leads back`);
    const plain = { ...field, args: new Map<string, readonly string[]>() };
    if (kind === 'List') {
      const { resources } = await sources.search(type, field.args, of, false);
      return putObject(output, plain, {
        type,
        values: resources,
        isList: true,
        root: of ?? (resources[0] as Resource),
      });
    }
    await putConnection(output, plain, type, field, of);
  }

  /** A page with its position: `PatientConnection { count next edges { resource { … } } }` */
  async function putConnection(
    output: Output,
    plain: Field,
    type: string,
    field: Field,
    of: Resource | undefined,
  ): Promise<void> {
    const set = field.selection as SelectionSetNode; // putList asked
    const fields = [...fieldsOf(set, `${type}Connection`)];
    const found = await sources.search(
      type,
      field.args,
      of,
      fields.some(({ name }) => name === 'count'),
    );
    const connection: Output = Object.create(null);
    for (const one of fields) {
      const { name } = one;
      if (name === 'count') put(connection, one, found.page.total ?? null);
      else if (name === 'pagesize') put(connection, one, found.pageSize);
      else if (name === 'next') put(connection, one, found.page.next ?? null);
      else if (name === 'offset' || name === 'first' || name === 'previous' || name === 'last')
        put(connection, one, null);
      else if (name === '__typename') put(connection, one, `${type}Connection`);
      else if (name === 'edges')
        put(connection, one, await Promise.all(found.resources.map((resource) => edgeOf(one, resource))));
      else throw unknownField(`${type}Connection`, name, ['count', 'pagesize', 'next', 'edges']);
    }
    putValues(output, plain, [connection], false);
  }

  async function edgeOf({ selection: set, name }: Field, resource: Resource): Promise<Output> {
    if (!set) throw badRequest(`${name} needs fields: ${name} { resource { … } }`);
    const edge: Output = Object.create(null);
    for (const one of fieldsOf(set, 'Edge'))
      if (one.name === 'resource') await putObject(edge, one, ofResource(resource));
      else if (one.name === 'mode') put(edge, one, 'match');
      else if (one.name === 'score') put(edge, one, null);
      else throw unknownField('Edge', one.name, ['mode', 'score', 'resource']);
    return edge;
  }

  function putValues(output: Output, field: Field, values: readonly unknown[], isList: boolean): void {
    sources.spend();
    const { flatten, first } = field.directives;
    const chosen = first ? values.slice(0, 1) : values;
    if (!flatten) {
      put(output, field, isList && !first ? (chosen.length === 0 ? null : chosen) : (chosen[0] ?? null));
      return;
    }
    // The fields of all of them become lists of what they stand in.
    const singles = new Set(
      [...(field.selection ? fieldsOf(field.selection, undefined) : [])]
        .filter((one) => one.directives.singleton)
        .map(keyOf),
    );
    for (const value of chosen)
      for (const [key, own] of Object.entries(isContainer(value) ? value : {})) {
        if (own === null) continue;
        if (singles.has(key)) output[key] ??= own;
        else
          output[key] = [...((output[key] ?? []) as unknown[]), ...(Array.isArray(own) ? (own as unknown[]) : [own])];
      }
  }

  return { atBase, of: (resource) => ofObject(resource.resourceType, resource, selection, resource) };
}
