/** An element checked against what a profile says of it. https://hl7.org/fhir/R4/profiling.html */
import type { Model } from '../fhirpath/model.ts';
import { TooCostlyError } from '../fhirpath/scope.ts';
import { compare, type Item, isObject, keyOf, numberIn, PathError } from '../fhirpath/values.ts';
import { isNumber } from '../json.ts';
import { parseReference } from '../reference.ts';
import { boundKindOf, type CodeSet, checkBinding } from './bindings.ts';
import { checkInvariant } from './invariants.ts';
import type { NarrowedType, Node } from './profile-tree.ts';
import type { Run } from './run.ts';
import { checkSlices } from './slicing.ts';

/** A profile that was compiled. */
export interface Profile {
  readonly url: string;
  /** `Patient`, `Extension`, `Quantity`. */
  readonly type: string;
  readonly root: Node;
}

/** Where profiles and value sets are found. */
export interface ProfileSource {
  find(canonical: string): Profile | undefined;
  codeSet(canonical: string): CodeSet | undefined;
}

/** What the walk needs besides the element. */
export interface ProfileContext {
  readonly model: Model;
  readonly source: ProfileSource;
  readonly run: Run;
  /** Profiles within profiles. */
  readonly depth: number;
}

export interface PlacedItem {
  readonly item: Item;
  /** In a list; -1 of an element that is none. */
  readonly index: number;
}

const DEPTH_MAX = 24;
/** What a profile that anybody may post can ask for: some tens of milliseconds. SECURITY IN-31 */
const PROFILE_STEPS_MAX = 200_000;

/** Adds to the run whatever of the element does not keep to the profile; the run stands at the element. */
export function checkProfile(profile: Profile, element: Item, context: ProfileContext): void {
  if (context.depth > DEPTH_MAX) return;
  const { run, depth } = context;
  const work = (): void => checkElement(profile.root, element, { ...context, depth: depth + 1 });
  try {
    run.scope.within(depth === 0 ? PROFILE_STEPS_MAX : Number.POSITIVE_INFINITY, work);
  } catch (error) {
    if (error instanceof TooCostlyError) run.tooCostly('its profiles');
    throw error;
  }
}

/** Whether an element keeps to a profile, without a word about it. */
export function conforms(profile: Profile, element: Item, context: ProfileContext): boolean {
  if (context.depth > DEPTH_MAX) return false;
  const run = context.run.silent();
  try {
    checkElement(profile.root, element, { ...context, run, depth: context.depth + 1 });
  } catch (error) {
    if (error instanceof TooCostlyError) throw error;
    if (error !== run.enough) throw error;
  }
  return run.errors === 0;
}

/** One element, and all below it that the profile speaks of. */
export function checkElement(node: Node, element: Item, context: ProfileContext): void {
  const { run } = context;
  run.scope.spend(1 + node.children.size);
  checkValue(node, element, context);
  for (const invariant of node.constraints.values())
    if (invariant.severity === 'error' || run.isThorough) checkInvariant(invariant, element, run);
  for (const child of node.children.values()) checkChild(child, element, context);
}

function checkChild(node: Node, parent: Item, context: ProfileContext): void {
  const { run, model } = context;
  const items = childrenOf(parent, node.name, model);
  if (node.min !== undefined && items.length < node.min)
    run.addBelow(
      node.name,
      'required',
      node.min === 1
        ? 'is required by the profile'
        : `must be there ${node.min} times by the profile, found ${items.length}`,
    );
  if (node.max !== undefined && items.length > node.max)
    run.addBelow(
      node.name,
      'structure',
      node.max === 0
        ? 'is not allowed by the profile; leave it out'
        : `must be there at most ${node.max} times by the profile, found ${items.length}`,
    );
  if (items.length === 0 && node.slices.size === 0) {
    if (node.mustSupport && run.isThorough && (node.min ?? 0) === 0) run.noteAbsent(node.name);
    return;
  }
  run.enter(node.name);
  for (const { item, index } of items) {
    run.at(index);
    checkElement(node, item, context);
  }
  run.at(-1);
  if (node.slices.size > 0) checkSlices(node, items, context);
  run.leave();
}

/** The elements of a name, with their places. */
export function childrenOf({ value, type, beside }: Item, name: string, model: Model): PlacedItem[] {
  const found: PlacedItem[] = [];
  const holder = isObject(value) ? value : beside;
  if (!isObject(holder)) return found;
  const named = isObject(value)
    ? model.childrenNamed(type, name)
    : [{ name, json: name, beside: '', type: name === 'extension' ? 'Extension' : 'string' }];
  for (const child of named) {
    const main = holder[child.json];
    const side = child.beside === '' ? undefined : holder[child.beside];
    const isList = Array.isArray(main) || Array.isArray(side);
    const values: readonly unknown[] = Array.isArray(main) ? main : isList ? [] : [main];
    const sides: readonly unknown[] = Array.isArray(side) ? side : isList ? [] : [side];
    for (let i = 0; i < Math.max(values.length, sides.length); i++) {
      const one = values[i] ?? undefined;
      if (one === undefined && !isObject(sides[i])) continue;
      const named = child.type === '' && isObject(one) ? one['resourceType'] : child.type;
      found.push({
        item: {
          value: one,
          type: typeof named === 'string' ? named : 'Resource',
          ...(isObject(sides[i]) && { beside: sides[i] }),
        },
        index: isList ? i : -1,
      });
    }
  }
  return found;
}

function checkValue(node: Node, element: Item, context: ProfileContext): void {
  const { run, source } = context;
  const { value } = element;
  // What is of another type altogether is not looked at further.
  if (node.types !== undefined && !checkTypes(node.types, element, context)) return;
  if (node.fixed !== undefined && value !== undefined && !isSame(node.fixed, value, element.type))
    run.add('value', `must be exactly ${shown(node.fixed)} by the profile`);
  if (node.pattern !== undefined && value !== undefined && !fitsPattern(node.pattern, value))
    run.add('value', `must have ${shown(node.pattern)} by the profile`);
  if (node.maxLength !== undefined && typeof value === 'string' && value.length > node.maxLength)
    run.add('too-long', `must have at most ${node.maxLength} characters by the profile`);
  checkRange(node, element, run);
  if (node.binding !== undefined && value !== undefined) {
    const kind = boundKindOf(element.type);
    const set = kind && source.codeSet(node.binding.valueSet);
    if (kind && set) checkBinding({ kind, strength: node.binding.strength, set }, value, run);
    else if (kind && node.binding.strength !== 'example')
      run.warn('code-invalid', `is not checked: ${node.binding.valueSet} is not known here`);
  }
}

function checkRange({ minValue, maxValue }: Node, element: Item, run: Run): void {
  const outside = (bound: unknown, sign: number): boolean => {
    if (bound === undefined || element.value === undefined) return false;
    try {
      const order = compare(element, { type: element.type, value: bound });
      return order !== undefined && order * sign > 0;
    } catch (error) {
      if (error instanceof PathError) return false;
      throw error;
    }
  };
  if (outside(minValue, -1)) run.add('value', `must not be below ${shown(minValue)} by the profile`);
  if (outside(maxValue, 1)) run.add('value', `must not be above ${shown(maxValue)} by the profile`);
}

/** One of the types must fit, and one of the profiles that it is narrowed to. */
function checkTypes(types: readonly NarrowedType[], element: Item, context: ProfileContext): boolean {
  const { run, model } = context;
  const fitting = types.filter(({ code }) => code === '' || model.isA(element.type, code));
  if (fitting.length === 0) {
    run.add('structure', `must be of type ${types.map(({ code }) => code).join(' or ')} by the profile`);
    return false;
  }
  const targets = fitting.flatMap((type) => type.targets);
  if (targets.length > 0 && element.type === 'Reference') checkTarget(targets, element, context);
  if (fitting.every((type) => type.profiles.length > 0))
    checkByOneOf(
      fitting.flatMap((type) => type.profiles),
      element,
      context,
    );
  return true;
}

/** What is not known here is not held against anybody. */
function checkByOneOf(profiles: readonly string[], element: Item, context: ProfileContext): void {
  const known = profiles.map((url) => context.source.find(url)).filter((profile) => profile !== undefined);
  if (known.length < profiles.length) return;
  const [only] = known;
  if (known.length === 1 && only) checkProfile(only, element, context);
  else if (!known.some((profile) => conforms(profile, element, context)))
    context.run.add('structure', `must keep to one of ${profiles.join(', ')}`);
}

/** The type of what a reference points to, as far as it tells. */
function checkTarget(targets: readonly string[], { value }: Item, { run, source }: ProfileContext): void {
  if (!isObject(value)) return;
  const types = targets.map((url) => source.find(url)?.type ?? coreTypeOf(url));
  if (types.some((type) => type === undefined || type === 'Resource')) return;
  const text = value['reference'];
  const parsed = typeof text === 'string' ? parseReference(text) : undefined;
  const told =
    parsed !== undefined && 'type' in parsed
      ? parsed.type
      : parsed?.kind === 'fragment'
        ? run.containedType(parsed.id)
        : value['type'];
  if (typeof told === 'string' && told !== '' && !types.includes(told))
    run.add('value', `must point to ${types.join(' or ')} by the profile`);
}

const CORE = 'http://hl7.org/fhir/StructureDefinition/';
/** `http://hl7.org/fhir/StructureDefinition/Patient` → Patient. */
export const coreTypeOf = (url: string): string | undefined =>
  url.startsWith(CORE) && /^[A-Z][A-Za-z]+$/.test(url.slice(CORE.length)) ? url.slice(CORE.length) : undefined;

/** Fixed values are exact: nothing more and nothing less. https://hl7.org/fhir/R4/elementdefinition-definitions.html#ElementDefinition.fixed_x_ */
export const isSame = (wanted: unknown, found: unknown, type: string): boolean =>
  keyOf({ type, value: wanted }) === keyOf({ type, value: found });

/** A pattern is of what must be there: lists have an item for each of its items. */
export function fitsPattern(pattern: unknown, found: unknown): boolean {
  if (Array.isArray(pattern)) {
    if (!Array.isArray(found)) return false;
    return (pattern as readonly unknown[]).every((wanted) =>
      (found as readonly unknown[]).some((one) => fitsPattern(wanted, one)),
    );
  }
  if (isObject(pattern))
    return isObject(found) && Object.keys(pattern).every((key) => fitsPattern(pattern[key], found[key]));
  if (isNumber(pattern) && isNumber(found))
    return numberIn({ type: '', value: pattern }) === numberIn({ type: '', value: found });
  return pattern === found;
}

/** What a profile wants, in words: the profile's own value, never one that was sent. */
function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? '';
  return text.length > 200 ? `${text.slice(0, 200)} …` : text;
}
