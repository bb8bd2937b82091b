/** The walk over a resource along its compiled type. */

import { Decimal } from '../json.ts';
import { SAFE_NAME } from '../json-fault.ts';
import { checkBinding } from './bindings.ts';
import { checkClaims, checkExtension } from './claims.ts';
import {
  BESIDE,
  type CompiledType,
  type CompiledTypes,
  type Field,
  PRIMITIVE,
  REFERENCE,
  RESOURCE,
  type Slot,
  TYPE_NAME,
} from './compile.ts';
import { checkInvariant } from './invariants.ts';
import { nearestName } from './nearest.ts';
import { jsonTypeOf } from './primitives.ts';
import { checkCanonical, checkContained, checkReference, checkReferredTo, noteFragment } from './references.ts';
import type { JsonObject, Run } from './run.ts';

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Decimal);

const NULL = 'must not be null; leave the element out instead';

/** Checks a resource by the type it names; the caller has entered its place. */
export function checkResource(value: unknown, types: CompiledTypes, run: Run): void {
  if (!isObject(value)) {
    run.add('structure', `must be a resource, a JSON object; found ${jsonTypeOf(value)}`);
    return;
  }
  const type = typeOf(value, types, run);
  if (type === undefined) return;
  const { container, inContained } = run;
  const { referred, errors } = run;
  if (!inContained) {
    run.container = value;
    run.referred = value['contained'] === undefined ? undefined : new Set();
  }
  const former = run.begin(type.name, value);
  if (type.name === 'Bundle') run.bundles++;
  checkObject(type, value, types, run);
  if (type.name === 'Bundle') run.bundles--;
  if (run.profiling !== undefined && run.errors === errors) checkClaims(type.name, value, run);
  run.end(former);
  if (!inContained) {
    if (run.referred !== undefined && run.errors === errors) checkReferredTo(value, run.referred, run);
    run.referred = referred;
  }
  run.container = container;
}

function typeOf(resource: JsonObject, types: CompiledTypes, run: Run): CompiledType | undefined {
  const name = resource['resourceType'];
  const type = typeof name === 'string' ? types.resource(name) : undefined;
  if (name === undefined) run.addBelow('resourceType', 'required', 'is required; it names the type, such as Patient');
  else if (type === undefined) {
    const nearest = typeof name === 'string' ? nearestName(name, types.resourceTypes) : undefined;
    const hint = nearest === undefined ? '' : `; did you mean ${nearest}?`;
    run.addBelow('resourceType', 'value', `must be an R4 resource type${hint}`);
  }
  return type;
}

function checkObject(type: CompiledType, object: JsonObject, types: CompiledTypes, run: Run): void {
  const fields = type.fields;
  const { errors } = run;
  let empty = true;
  let content = type.kind === 'resource' || type.name === 'Element';
  let pending = type.always;
  let seen = 0;
  let clash = 0;
  for (const key in object) {
    const value = object[key];
    if (value === undefined) continue;
    empty = false;
    if (key !== 'id') content = true;
    const field = fields.get(key);
    if (field === undefined) {
      addUnknown(type, key, run);
      continue;
    }
    if (field.bit !== 0 && (field.kind !== BESIDE || hasExtension(value))) {
      if (field.choice) clash |= seen & field.bit;
      seen |= field.bit;
    }
    pending |= field.wakes;
    if (field.kind === TYPE_NAME) continue;
    run.enter(field.path);
    if (field.kind === BESIDE) checkBeside(field, value, object, types, run);
    else if (field.array) checkArray(field, value, object, types, run);
    else checkItem(field, value, types, run);
    run.leave();
  }
  if (empty) run.add('structure', 'must not be an empty object; leave the element out instead');
  else {
    if (clash !== 0) addClashes(type, object, clash, run);
    if ((seen & type.required) !== type.required) addMissing(type, seen, run);
    if (!content) run.add('structure', 'must have more than an id; add a value, or leave the element out (ele-1)');
    for (const rule of type.rules) rule(object, seen, run);
    // What is not well formed is not asked about more.
    if (run.errors === errors) {
      checkInvariants(type, object, pending, run);
      if (type.name === 'Extension' && run.profiling !== undefined) checkExtension(object, run);
    }
  }
}

function checkInvariants(type: CompiledType, object: JsonObject, pending: number, run: Run): void {
  if (pending === 0 && !run.isThorough) return;
  const element = { type: type.name, value: object };
  for (let i = 0; pending >>> i !== 0; i++)
    if (((pending >>> i) & 1) === 1) checkInvariant(type.invariants[i]!, element, run);
  if (run.isThorough) for (const warning of type.warnings) checkInvariant(warning, element, run);
}

function hasAny(object: JsonObject, keys: readonly string[]): boolean {
  for (const key of keys) if (object[key] !== undefined) return true;
  return false;
}

/** The rules of an element in its place; its value has been checked by its type. */
function checkInPlace(field: Field, value: unknown, run: Run): void {
  if (field.binding !== undefined && (field.binding.strength === 'required' || run.isThorough))
    checkBinding(field.binding, value, run);
  for (const { invariant, keys } of field.invariants) {
    if (invariant.severity === 'warning' && !run.isThorough) continue;
    if (keys === undefined || hasAny(value as JsonObject, keys))
      checkInvariant(invariant, { type: field.typeName, value }, run);
  }
}

function checkArray(field: Field, value: unknown, object: JsonObject, types: CompiledTypes, run: Run): void {
  if (!Array.isArray(value)) {
    run.add('structure', value === null ? NULL : `must be an array in JSON, even of one; found ${jsonTypeOf(value)}`);
    return;
  }
  const items = value as readonly unknown[];
  const max = field.element?.max ?? -1;
  if (items.length === 0) run.add('structure', 'must not be an empty array; leave the element out instead');
  if (max > 0 && items.length > max) run.add('structure', `must have at most ${max} values, found ${items.length}`);
  if (field.name === 'contained') {
    checkAllContained(items, types, run);
    return;
  }
  const paired = field.kind === PRIMITIVE && Array.isArray(object[`_${field.name}`]);
  for (let i = 0; i < items.length; i++) {
    run.at(i);
    // Where `_x` stands beside, both sides of a null are looked at together.
    if (items[i] !== null || !paired) checkItem(field, items[i], types, run);
  }
}

function checkItem(field: Field, value: unknown, types: CompiledTypes, run: Run): void {
  if (value === null) run.add('structure', NULL);
  else if (Array.isArray(value))
    run.add('structure', `must be one value, not an array${value.length === 1 ? '; remove the brackets' : ''}`);
  else if (field.kind === PRIMITIVE) {
    const fault = field.check(value);
    if (fault !== undefined) run.addFault(fault);
    else {
      if (field.nameable) {
        if (field.canonical) checkCanonical(value, run);
        noteFragment(value, run);
      }
      checkInPlace(field, value, run);
    }
  } else if (field.kind === RESOURCE) {
    const { inContained } = run;
    run.inContained = false;
    checkResource(value, types, run);
    run.inContained = inContained;
  } else if (isObject(value)) {
    const { errors } = run;
    field.type ??= types.type(field.typeName);
    checkObject(field.type, value, types, run);
    if (field.kind === REFERENCE) checkReference(value, field.targets, types.resourceTypes, run);
    if (run.errors === errors) checkInPlace(field, value, run);
  } else run.add('structure', `must be a JSON object (${field.typeName}); found ${jsonTypeOf(value)}`);
}

function checkAllContained(items: readonly unknown[], types: CompiledTypes, run: Run): void {
  // Inside a contained resource the whole element has its issue already.
  if (run.inContained) return;
  const ids = new Set<string>();
  for (let i = 0; i < items.length; i++) {
    run.at(i);
    run.inContained = true;
    run.containedIndex = i;
    const item = items[i];
    checkResource(item, types, run);
    if (isObject(item)) checkContained(item, ids, run);
  }
  run.inContained = false;
}

/**
 * `_given` beside `given`: id and extensions of a primitive. In arrays nulls keep the places, and each place has
 * something on one side. https://hl7.org/fhir/R4/json.html#primitive
 */
function checkBeside(field: Field, value: unknown, object: JsonObject, types: CompiledTypes, run: Run): void {
  field.type ??= types.type('Element');
  const needed = field.array ? 'an array' : 'an object with id or extension';
  if (field.array ? !Array.isArray(value) : !isObject(value)) {
    run.add('structure', `needs ${needed} in ${field.name}; found ${jsonTypeOf(value)}`);
    return;
  }
  if (isObject(value)) {
    checkObject(field.type, value, types, run);
    const hasMore = object[field.name.slice(1)] !== undefined || value['extension'] !== undefined;
    if (!hasMore && field.element?.min === 0)
      run.add('structure', 'must have more than an id; add a value, or leave the element out (ele-1)');
    return;
  }
  const beside = value as readonly unknown[]; // what the test above left
  const main = object[field.name.slice(1)];
  const values = Array.isArray(main) ? (main as readonly unknown[]) : [];
  if (beside.length === 0) run.add('structure', `must not have an empty array in ${field.name}`);
  if (main !== undefined && values.length !== beside.length)
    run.add('structure', `must have as many places in ${field.name} as values, filled up with null`);
  for (let i = 0; i < beside.length; i++) {
    run.at(i);
    const item = beside[i];
    if (isObject(item)) checkObject(field.type, item, types, run);
    else if (item !== null) run.add('structure', `needs an object or null in ${field.name}; found ${jsonTypeOf(item)}`);
    else if (values[i] === null || values[i] === undefined)
      run.add('structure', `must not be null on both sides (value and ${field.name}); leave the place out`);
  }
}

/** Whether a `_x` holds an extension anywhere, so that it stands for a value. */
function hasExtension(value: unknown): boolean {
  if (Array.isArray(value)) return (value as readonly unknown[]).some(hasExtension);
  return isObject(value) && value['extension'] !== undefined;
}

function addMissing(type: CompiledType, seen: number, run: Run): void {
  for (const slot of type.slots)
    if (slot.element.min > 0 && (seen & slot.bit) === 0)
      run.addBelow(
        slot.element.name,
        'required',
        slot.element.choice ? `is required; send ${oneOf(slot)}` : 'is required',
      );
}

function addClashes(type: CompiledType, object: JsonObject, clash: number, run: Run): void {
  for (const slot of type.slots) {
    if ((slot.bit & clash) === 0) continue;
    const present = slot.names.filter((name) => object[name] !== undefined || object[`_${name}`] !== undefined);
    // `valueString` with its own `_valueString` is one value.
    if (present.length > 1)
      run.addBelow(slot.element.name, 'structure', `must have one type only; found ${present.join(', ')}`);
  }
}

function addUnknown(type: CompiledType, key: string, run: Run): void {
  const kind = type.kind === 'backbone' ? 'this element' : type.name;
  const told = `is not an element of ${kind}${hintFor(type, key)}`;
  if (SAFE_NAME.test(key)) run.addBelow(key, 'structure', told);
  else run.add('structure', `has a property that ${told}; its name is not repeated here`);
}

function hintFor(type: CompiledType, key: string): string {
  if (key === 'resourceType') return '; only resources have one';
  for (const slot of type.slots) {
    const base = slot.element.name;
    if (!slot.element.choice || !key.startsWith(base)) continue;
    if (key === base) return `: its name carries the type; send ${oneOf(slot)}`;
    const suffix = key.charAt(base.length);
    if (suffix !== suffix.toLowerCase()) return `: ${base}[x] is ${oneOf(slot)}`;
  }
  if (key.startsWith('_') && type.fields.has(key.slice(1)))
    return '; only primitive elements have one with an underscore';
  const nearest = nearestName(key, type.fields.keys());
  return nearest === undefined ? '' : `; did you mean '${nearest}'?`;
}

const NAMES_MAX = 12;
const oneOf = (slot: Slot): string =>
  `${slot.names.length > 1 ? 'one of ' : ''}${slot.names.slice(0, NAMES_MAX).join(', ')}${slot.names.length > NAMES_MAX ? ' …' : ''}`;
