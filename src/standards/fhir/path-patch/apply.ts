/** FHIRPath Patch. https://hl7.org/fhir/R4/fhirpatch.html; SECURITY F6 (200 operations), IN-31 */
import { choiceName, type Definitions, type ElementDefinition } from '../definitions.ts';
import { compilePath } from '../fhirpath/compile.ts';
import { PathSyntaxError } from '../fhirpath/lexer.ts';
import { createModel } from '../fhirpath/model.ts';
import { Scope, TooCostlyError } from '../fhirpath/scope.ts';
import { item, PathError } from '../fhirpath/values.ts';
import { isContainer } from '../json-pointer.ts';
import { FhirError, issue } from '../outcome.ts';
import { checkIdentity } from '../patch.ts';
import { suggestNames } from '../search/suggest.ts';
import { type PathPatchOperation, readPathPatch } from './operations.ts';
import {
  type Element,
  elementsOf,
  findPlaces,
  type JsonObject,
  type Place,
  type Places,
  putElements,
} from './places.ts';
import { createValueReader } from './values.ts';

/** Returns the resource patched; the one given is not changed. The result has yet to be validated. */
export type ApplyPathPatch = (resource: object, parameters: Readonly<Record<string, unknown>>) => unknown;

/** Values that all operations together may look at. */
const NODES_MAX = 4_000_000;
/** Steps of the expressions of one patch. */
const STEPS_MAX = 500_000;

/** Of one element with the definition it has there. */
interface Found {
  readonly place: Place;
  readonly parent: JsonObject;
  readonly element: ElementDefinition;
}

/**
 * Throws a FhirError: 400 for Parameters that are no patch and paths that are no FHIRPath, 422 where a path does not find
 * what its operation needs, or the operation does not fit the element.
 */
export function createPathPatch(definitions: Definitions): ApplyPathPatch {
  const model = createModel(definitions);
  const readValue = createValueReader(definitions);

  const elementNamed = (type: string, name: string): ElementDefinition | undefined =>
    definitions.types[type]?.elements.find((one) => one.name === name);
  const jsonNames = (element: ElementDefinition): readonly string[] =>
    element.choice ? element.types.map(({ code }) => choiceName(element.name, code)) : [element.name];

  /** The type of what is at a place, from the resource down. */
  function typeAt(place: Place, places: Places): string {
    const value = places.objectAt(place);
    if (isContainer(value) && typeof value['resourceType'] === 'string') return value['resourceType'];
    if (!place.parentPlace) return 'Resource';
    if (place.isBeside) return 'Element';
    const element = definedAt(place, places);
    const types = element?.types ?? [];
    return (
      (element?.choice ? types.find(({ code }) => choiceName(element.name, code) === place.json) : types[0])?.code ?? ''
    );
  }

  function definedAt({ parentPlace, json }: Place, places: Places): ElementDefinition | undefined {
    if (!parentPlace) return undefined;
    const type = typeAt(parentPlace, places);
    return (definitions.types[type]?.elements ?? []).find((one) => jsonNames(one).includes(json));
  }

  return (resource, parameters) => {
    const operations = readPathPatch(parameters);
    const result = structuredCopy(resource) as JsonObject;
    const scope = new Scope(STEPS_MAX);
    let nodes = NODES_MAX;
    const spend = (some: number): void => {
      nodes -= some;
      if (nodes < 0)
        throw new FhirError(400, [
          issue('too-costly', 'The patch has too many operations for a resource of this size'),
        ]);
    };

    for (const operation of operations) {
      const fault = (text: string, code: 'processing' | 'not-found' | 'structure' = 'processing'): FhirError =>
        new FhirError(422, [issue(code, `${operation.type}: ${text}`, `Parameters.parameter[${operation.index}]`)]);
      const places = findPlaces(result, spend);
      const found = select(operation, places, scope).map((one) => {
        const place = places.placeOf(one);
        if (!place) throw fault('the path makes a value instead of finding an element of the resource');
        return place;
      });
      apply(operation, found, places, fault);
    }
    checkIdentity(resource, result);
    return result;
  };

  function select({ path, index }: PathPatchOperation, { copy }: Places, scope: Scope) {
    try {
      const root = item(String(copy['resourceType']), copy);
      scope.resource = root;
      return compilePath(path, model).evaluate(root, scope);
    } catch (error) {
      if (!(error instanceof PathError) && !(error instanceof PathSyntaxError)) throw error;
      const code = error instanceof TooCostlyError ? 'too-costly' : 'invalid';
      throw new FhirError(400, [
        issue(code, `The path cannot be followed: ${error.message}`, `Parameters.parameter[${index}]`),
      ]);
    }
  }

  function apply(
    operation: PathPatchOperation,
    found: readonly Place[],
    places: Places,
    fault: (text: string, code?: 'not-found' | 'structure') => FhirError,
  ): void {
    switch (operation.type) {
      case 'add': {
        const { parent, element } = parentFor(operation.name, only(found, fault), places, fault);
        add(parent, element, readValue(operation.value, element, fault), fault);
        break;
      }
      case 'delete': {
        const [place] = found;
        if (found.length > 1) throw fault(`the path finds ${found.length} elements, and one may be deleted at a time`);
        if (!place) break; // it is not there, as was asked
        const { parent, element } = inParent(place, places, fault);
        const rest = elementsOf(parent, place.json).filter((_, i) => i !== (place.index ?? 0));
        putElements(parent, place.json, rest, element.max !== 1);
        if (place.parentPlace?.isBeside && Object.keys(parent).length === 0) dropCompanion(place.parentPlace);
        break;
      }
      case 'replace': {
        const { place, parent, element } = inParent(only(found, fault), places, fault);
        const { json, made } = readValue(operation.value, element, fault);
        const all = elementsOf(parent, place.json);
        all[place.index ?? 0] = made;
        if (json !== place.json) putElements(parent, place.json, [], false);
        putElements(parent, json, all, element.max !== 1);
        break;
      }
      case 'insert': {
        const { place, parent, element } = listOf(found, places, fault);
        const all = elementsOf(parent, place.json);
        if (operation.at > all.length) throw fault(outside('index', operation.at, all.length));
        all.splice(operation.at, 0, readValue(operation.value, element, fault).made);
        putElements(parent, place.json, all, true);
        break;
      }
      default: {
        const { place, parent } = listOf(found, places, fault);
        const all = elementsOf(parent, place.json);
        const { source, destination } = operation;
        if (source >= all.length) throw fault(outside('source', source, all.length - 1));
        if (destination >= all.length) throw fault(outside('destination', destination, all.length - 1));
        const [moved] = all.splice(source, 1);
        all.splice(destination, 0, moved as Element); // source was within
        putElements(parent, place.json, all, true);
        break;
      }
    }
  }

  function add(
    parent: JsonObject,
    element: ElementDefinition,
    { json, made }: { readonly json: string; readonly made: Element },
    fault: (text: string) => FhirError,
  ): void {
    const isList = element.max !== 1;
    const before = jsonNames(element).flatMap((name) => elementsOf(parent, name));
    if (!isList && before.length > 0) throw fault('the element is there already and may not repeat: use replace');
    putElements(parent, json, [...before, made], isList);
  }

  /** The element that gets a new child of that name. */
  function parentFor(name: string, place: Place, places: Places, fault: (text: string) => FhirError) {
    const type = typeAt(place, places);
    const isOfPrimitive = model.isPrimitive(type);
    const element = elementNamed(isOfPrimitive ? 'Element' : type, name);
    if (!element || (isOfPrimitive && name === 'value')) {
      const known = (definitions.types[isOfPrimitive ? 'Element' : type]?.elements ?? []).map((one) => one.name);
      const near = suggestNames(name, known);
      throw fault(
        `${type} has no element '${name.slice(0, 64)}'${near.length > 0 ? `; did you mean ${near.join(' or ')}?` : ''}`,
      );
    }
    if (!isOfPrimitive) return { parent: places.objectAt(place) as JsonObject, element }; // an element with children
    return { parent: companionAt(place), element };
  }

  function inParent(place: Place, places: Places, fault: (text: string) => FhirError): Found {
    const { parent } = place;
    const element = definedAt(place, places);
    if (!parent) throw fault('the path finds the resource itself: delete or update that');
    if (!element) throw fault('the path finds nothing that can be changed');
    return { place, parent, element };
  }

  /** One list, all of whose elements the path finds. */
  function listOf(
    found: readonly Place[],
    places: Places,
    fault: (text: string, code?: 'not-found') => FhirError,
  ): Found {
    const [first] = found;
    if (!first) throw fault('the path finds nothing, so there is no list: use add', 'not-found');
    const one = inParent(first, places, fault);
    if (one.element.max === 1) throw fault('the element may not repeat: there is no list');
    if (found.some(({ parent, json }) => parent !== first.parent || json !== first.json))
      throw fault('the path finds elements of several lists');
    const { length } = elementsOf(one.parent, first.json);
    if (found.length !== length)
      throw fault(`the path finds ${found.length} of the ${length} elements of the list: name them all`);
    return one;
  }
}

function only(found: readonly Place[], fault: (text: string, code?: 'not-found') => FhirError): Place {
  const [place] = found;
  if (!place) throw fault('the path finds nothing; read the resource again and look', 'not-found');
  if (found.length > 1) throw fault(`the path finds ${found.length} elements: it must find one`);
  return place;
}

const outside = (name: string, given: number, max: number): string =>
  `${name} is ${given}, and the list has room from 0 to ${max}`;

/** `_birthDate`, made where there is none, in line with the values of a list. */
function companionAt({ parent, json, index }: Place): JsonObject {
  const holder = parent as JsonObject; // a primitive has one
  const all = elementsOf(holder, json);
  const one = all[index ?? 0];
  const beside = isContainer(one?.beside) ? (one.beside as JsonObject) : {};
  all[index ?? 0] = { value: one?.value, beside };
  putElements(holder, json, all, index !== undefined);
  return beside;
}

/** Nothing stands beside the primitive any more. */
function dropCompanion({ parent, json, index }: Place): void {
  const holder = parent as JsonObject; // a primitive has one
  const all = elementsOf(holder, json);
  all[index ?? 0] = { value: all[index ?? 0]?.value, beside: undefined };
  putElements(holder, json, all, index !== undefined);
}

/** Objects and lists anew; numbers that keep their digits are never changed and so are shared. */
function structuredCopy(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(structuredCopy);
  if (!isContainer(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, structuredCopy(one)]));
}
