/** The value of an operation as the element it becomes. https://hl7.org/fhir/R4/fhirpatch.html#concept */
import { choiceName, type Definitions, type ElementDefinition } from '../definitions.ts';
import { isContainer } from '../json-pointer.ts';
import type { FhirError } from '../outcome.ts';
import type { Part } from './operations.ts';
import { type Element, elementsOf, type JsonObject, putElements } from './places.ts';

type Fault = (text: string) => FhirError;

/** The element, and the JSON name it goes under: that of its type, where the element is a choice. */
export interface ReadValue {
  readonly json: string;
  readonly made: Element;
}

export function createValueReader(
  definitions: Definitions,
): (part: Part, element: ElementDefinition, fault: Fault) => ReadValue {
  const isPrimitive = (type: string): boolean => Object.hasOwn(definitions.primitives, type);
  const isResource = (type: string): boolean => type === 'Resource' || definitions.types[type]?.kind === 'resource';

  function read(part: Part, element: ElementDefinition, fault: Fault): ReadValue {
    const { name, types } = element;
    if (part.resource !== undefined) {
      if (!types.some(({ code }) => isResource(code))) throw fault(`${name} is no resource`);
      return { json: name, made: { value: part.resource, beside: undefined } };
    }
    if ((part.part ?? []).length > 0)
      return { json: name, made: { value: readParts(part, element, fault), beside: undefined } };
    const key = Object.keys(part).find((one) => /^_?value[A-Z]/.test(one)) ?? '';
    const suffix = key.replace(/^_?value/, '');
    const made = { value: part[`value${suffix}`], beside: part[`_value${suffix}`] };
    return { json: jsonNameFor(suffix, element, made, fault), made };
  }

  /** Where the type of the value fits the element. Any primitive fits another: the validator sees what it holds. */
  function jsonNameFor(
    suffix: string,
    { name, types, choice }: ElementDefinition,
    { value }: Element,
    fault: Fault,
  ): string {
    const fitting = types.find(({ code }) => choiceName('', code) === suffix);
    if (fitting) return choice ? choiceName(name, fitting.code) : name;
    const [only] = types;
    const isAlike = only && !choice && isPrimitive(only.code) && !isContainer(value) && !Array.isArray(value);
    if (isAlike) return name;
    throw fault(`${name} cannot be value${suffix.slice(0, 64)}: it is ${types.map(({ code }) => code).join(' or ')}`);
  }

  /** An element that is no data type comes as its children: `part` with their names. */
  function readParts({ part = [] }: Part, { name, types }: ElementDefinition, fault: Fault): JsonObject {
    const type = types.find(({ code }) => definitions.types[code] !== undefined && !isResource(code))?.code;
    if (type === undefined) throw fault(`${name} has no parts: send value[x]`);
    const made: JsonObject = {};
    for (const one of part) {
      const element = definitions.types[type]?.elements.find((child) => child.name === one.name);
      if (!element) throw fault(`${type} has no element '${one.name.slice(0, 64)}'`);
      const child = read(one, element, fault);
      const before = elementsOf(made, child.json);
      if (element.max === 1 && before.length > 0) throw fault(`${type}.${element.name} may not repeat`);
      putElements(made, child.json, [...before, child.made], element.max !== 1);
    }
    return made;
  }

  return read;
}
