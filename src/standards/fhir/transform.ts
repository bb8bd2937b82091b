/**
 * Makes a resource anew, element by element, each with its type: for copies that leave out or change what some types hold.
 * What the definitions do not know is left out. https://hl7.org/fhir/R4/json.html
 */
import { choiceName, type Definitions, type ElementType } from './definitions.ts';
import { isContainer } from './json-pointer.ts';

/** One value and where it stands. */
export interface Element {
  /** `string`, `HumanName`, `Patient.contact`, `Resource`. */
  readonly type: string;
  /** JSON name: `valueString`. */
  readonly name: string;
  /** Type or path that has the element: `Patient`, `HumanName`, `Patient.contact`. */
  readonly owner: string;
  /** Of a Reference: types it may point to; empty for any. */
  readonly targets: readonly string[];
  /** There must be one; of a choice, one of its kinds. */
  readonly required: boolean;
}

/** Goes on below the value. */
export const DESCEND = Symbol('descend');
/** What a value becomes: another, `undefined` for nothing at all, or `DESCEND`. */
export type Change = (element: Element, value: unknown) => unknown;

export interface Transform {
  /** Undefined for what is no resource. */
  <R>(resource: R, change: Change): R | undefined;
  /** A value of a data type; undefined where nothing of it is left. */
  value(
    type: string,
    value: Readonly<Record<string, unknown>>,
    change: Change,
  ): Readonly<Record<string, unknown>> | undefined;
}

type Slots = ReadonlyMap<string, Element>;

/** https://hl7.org/fhir/R4/extension-data-absent-reason.html */
export const MASKED = {
  extension: [{ url: 'http://hl7.org/fhir/StructureDefinition/data-absent-reason', valueCode: 'masked' }],
};

/** Empty objects and lists are left out, as FHIR has none; where there must be one, it says that it was masked. */
export function createTransform(definitions: Definitions): Transform {
  const compiled = new Map<string, Slots>();
  const resourceTypes = new Set(definitions.resourceTypes);
  const slotsOf = (type: string): Slots => {
    const known = compiled.get(type);
    if (known) return known;
    const slots = compileSlots(definitions, type);
    compiled.set(type, slots);
    return slots;
  };

  function one(element: Element, value: unknown, change: Change): unknown {
    const changed = change(element, value);
    if (changed !== DESCEND) return changed;
    if (!isContainer(value)) return value; // a primitive
    if (element.type === 'Resource') return resource(value, change);
    return object(value, slotsOf(element.type), change) ?? (element.required ? MASKED : undefined);
  }

  function object(
    value: Readonly<Record<string, unknown>>,
    slots: Slots,
    change: Change,
  ): Readonly<Record<string, unknown>> | undefined {
    const made: Record<string, unknown> = {};
    for (const [name, child] of Object.entries(value)) {
      const slot = slots.get(name);
      if (!slot) continue;
      const kept = Array.isArray(child) ? list(slot, child, change) : one(slot, child, change);
      if (kept !== undefined) made[name] = kept;
    }
    return Object.keys(made).length === 0 ? undefined : made;
  }

  /** Lists of primitives and of what belongs to each are told apart by place: `null` keeps it. */
  function list(slot: Element, values: readonly unknown[], change: Change): unknown {
    const kept = values.map((value) => (value === null ? null : (one(slot, value, change) ?? null)));
    const isPrimitive = /^[a-z]/.test(slot.type) || slot.name.startsWith('_');
    const left = isPrimitive && values.includes(null) ? kept : kept.filter((value) => value !== null);
    return left.some((value) => value !== null) ? left : undefined;
  }

  function resource(value: unknown, change: Change): unknown {
    if (!isContainer(value)) return undefined;
    const type = value['resourceType'];
    if (typeof type !== 'string' || !resourceTypes.has(type)) return undefined;
    return { resourceType: type, ...object(value, slotsOf(type), change) };
  }

  const whole = <R>(value: R, change: Change): R | undefined => resource(value, change) as R | undefined;
  return Object.assign(whole, {
    value: (type: string, value: Readonly<Record<string, unknown>>, change: Change) =>
      object(value, slotsOf(type), change),
  });
}

function compileSlots(definitions: Definitions, type: string): Slots {
  const slots = new Map<string, Element>();
  const add = (name: string, { code, targets = [] }: ElementType, required: boolean): void => {
    slots.set(name, { type: code, name, owner: type, targets, required });
    if (/^[a-z]/.test(code))
      slots.set(`_${name}`, { type: 'Element', name: `_${name}`, owner: type, targets: [], required: false });
  };
  for (const { name, choice, types, min } of definitions.types[type]?.elements ?? [])
    for (const one of types) add(choice ? choiceName(name, one.code) : name, one, min > 0);
  return slots;
}
