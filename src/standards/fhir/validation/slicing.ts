/** Lists in slices. https://hl7.org/fhir/R4/profiling.html#slicing */
import { type Item, isObject } from '../fhirpath/values.ts';
import { parseReference } from '../reference.ts';
import { isMember } from './bindings.ts';
import {
  checkElement,
  childrenOf,
  conforms,
  coreTypeOf,
  fitsPattern,
  isSame,
  type PlacedItem,
  type ProfileContext,
} from './profile-check.ts';
import type { Discriminator, Node, Slicing } from './profile-tree.ts';

/** Extensions are in slices by their url wherever they are. */
const BY_URL: Slicing = { discriminators: [{ type: 'value', path: 'url' }], rules: 'open', ordered: false };

/** Puts each item into its slice and checks it by that; the run stands at the list. */
export function checkSlices(node: Node, items: readonly PlacedItem[], context: ProfileContext): void {
  const { run } = context;
  const slicing = node.slicing ?? (/xtension$/.test(node.name) ? BY_URL : undefined);
  const slices = [...node.slices.values()];
  const counts = new Map<Node, PlacedItem[]>(slices.map((slice) => [slice, []]));
  let last = -1;
  let open = false;
  for (const placed of items) {
    run.scope.spend(slices.length);
    const at = slices.findIndex((slice) => isIn(slice, placed.item, slicing, context));
    run.at(placed.index);
    if (at < 0) {
      open = true;
      if (slicing?.rules === 'closed')
        run.add(
          'structure',
          `is in none of the slices that the profile allows (${slices.map(({ sliceName }) => sliceName).join(', ')})`,
        );
      continue;
    }
    const slice = slices[at]!;
    if (slicing?.ordered === true && at < last)
      run.add('structure', `is out of order: ${slice.sliceName} comes earlier by the profile`);
    if (slicing?.rules === 'openAtEnd' && open)
      run.add('structure', `must come before what is in no slice (${slice.sliceName})`);
    last = Math.max(last, at);
    counts.get(slice)?.push(placed);
    checkElement(slice, placed.item, context);
  }
  run.at(-1);
  for (const [slice, found] of counts) checkCount(slice, found, context);
}

function checkCount(slice: Node, found: readonly PlacedItem[], context: ProfileContext): void {
  const { run } = context;
  const { min, max, sliceName = '' } = slice;
  if (min !== undefined && found.length < min)
    run.add(
      'required',
      `must have ${min === 1 ? 'one' : `${min}`} in slice ${sliceName} by the profile, found ${found.length}${hintOf(slice)}`,
    );
  if (max !== undefined && found.length > max)
    run.add(
      'structure',
      max === 0
        ? `must have none in slice ${sliceName} by the profile`
        : `must have at most ${max} in slice ${sliceName} by the profile, found ${found.length}`,
    );
  if (slice.slices.size > 0) checkSlices(slice, found, context);
  if (slice.mustSupport && found.length === 0 && run.isThorough && (min ?? 0) === 0)
    run.noteAbsent(`slice ${sliceName}`);
}

/** What tells the slice: its url, or the values of its own. */
function hintOf({ types, pattern, fixed, children }: Node): string {
  const url = types?.[0]?.profiles[0];
  if (url !== undefined) return `; send one with url ${url}`;
  const told = pattern ?? fixed ?? undefined;
  if (told !== undefined) return `; send one with ${JSON.stringify(told).slice(0, 120)}`;
  const values = [...children.values()].flatMap((child) => {
    const value = child.fixed ?? child.pattern;
    return value === undefined ? [] : [`${child.name} ${JSON.stringify(value).slice(0, 120)}`];
  });
  return values.length === 0 ? '' : `; send one with ${values.join(' and ')}`;
}

function isIn(slice: Node, item: Item, slicing: Slicing | undefined, context: ProfileContext): boolean {
  const discriminators = slicing?.discriminators ?? [];
  // A slice that nothing tells apart can only be told by all it says.
  if (discriminators.length === 0) return satisfies(slice, item, context);
  return discriminators.every((one) => fits(one, slice, item, context));
}

function fits(discriminator: Discriminator, slice: Node, item: Item, context: ProfileContext): boolean {
  const { type, path } = discriminator;
  // An extension's definition fixes its url.
  if (path === 'url' && slice.types?.[0]?.profiles[0] !== undefined && slice.children.get('url')?.fixed === undefined)
    return (
      isObject(item.value) &&
      slice.types[0].profiles.some((url) => canonicalOf(url) === (item.value as { url?: unknown }).url)
    );
  const { nodes, items } = follow(path, slice, [item], context);
  switch (type) {
    case 'exists':
      return nodes.every((node) => (node.max === 0 ? items.length === 0 : (node.min ?? 0) < 1 || items.length > 0));
    case 'type': {
      const codes = nodes.flatMap(({ types = [] }) =>
        types.flatMap(({ code, targets }) =>
          // What a reference leads to is told by its targets.
          path.includes('resolve()') ? targets.map((url) => context.source.find(url)?.type ?? '') : code,
        ),
      );
      return (
        items.length > 0 &&
        (codes.length === 0 || items.every((one) => codes.some((code) => context.model.isA(one.type, code))))
      );
    }
    case 'profile': {
      const urls = nodes.flatMap(({ types = [] }) =>
        types.flatMap(({ profiles, targets }) => [...profiles, ...targets]),
      );
      return (
        items.length > 0 && items.every((one) => urls.length === 0 || urls.some((url) => keepsTo(url, one, context)))
      );
    }
    default:
      return (
        items.length > 0 &&
        nodes.length > 0 &&
        nodes.every((node) => items.some((one) => satisfies(node, one, context)))
      );
  }
}

const canonicalOf = (url: string): string => url.split('|')[0]!;

function keepsTo(url: string, item: Item, context: ProfileContext): boolean {
  const profile = context.source.find(url);
  if (profile !== undefined) return profile.type === item.type && conforms(profile, item, context);
  return coreTypeOf(url) === item.type;
}

/** Whether an item has the values that a slice is told by: fixed ones, patterns and bindings, here and below. */
function satisfies(node: Node, item: Item, context: ProfileContext): boolean {
  context.run.scope.spend(1);
  const { value } = item;
  if (node.fixed !== undefined && !isSame(node.fixed, value, item.type)) return false;
  if (node.pattern !== undefined && !fitsPattern(node.pattern, value)) return false;
  if (
    node.binding?.strength === 'required' &&
    node.fixed === undefined &&
    node.pattern === undefined &&
    isMember(context.source.codeSet(node.binding.valueSet), item) === false
  )
    return false;
  for (const child of node.children.values()) {
    if (!tells(child)) continue;
    const items = childrenOf(item, child.name, context.model);
    if (!items.some((one) => satisfies(child, one.item, context))) return false;
  }
  return true;
}

/** Whether there is a value by which a slice is told, in an element or below it. */
const tells = (node: Node): boolean =>
  node.fixed !== undefined || node.pattern !== undefined || [...node.children.values()].some(tells);

/** The part of a slice, and of an item, that a discriminator's path leads to. https://hl7.org/fhir/R4/profiling.html#discriminator */
function follow(
  path: string,
  slice: Node,
  items: readonly Item[],
  context: ProfileContext,
): { nodes: readonly Node[]; items: readonly Item[] } {
  let nodes: readonly Node[] = [slice];
  let found = items;
  for (const step of stepsOf(path)) {
    if (step === '$this') continue;
    const url = /^extension\('([^']*)'\)$/.exec(step)?.[1];
    if (url !== undefined) {
      nodes = nodes.flatMap((node) =>
        [...(node.children.get('extension')?.slices.values() ?? [])].filter(
          ({ types }) => types?.[0]?.profiles[0] === url,
        ),
      );
      found = found
        .flatMap((one) => childrenOf(one, 'extension', context.model).map(({ item }) => item))
        .filter(({ value }) => isObject(value) && value['url'] === url);
    } else if (step === 'resolve()') found = found.flatMap((one) => resolved(one, context));
    else if (/^ofType\(/.test(step)) {
      const type = step.slice(7, -1);
      found = found.filter((one) => context.model.isA(one.type, type));
    } else {
      nodes = nodes.flatMap((node) => node.children.get(step) ?? []);
      found = found.flatMap((one) => childrenOf(one, step, context.model).map(({ item }) => item));
    }
  }
  return { nodes, items: found };
}

const stepsOf = (path: string): string[] => path.match(/(?:[^.()']+(?:\((?:'[^']*'|[^)]*)\))?)/g) ?? [];

/** What a reference leads to: contained resources whole, others by their type. */
function resolved({ value }: Item, { run }: ProfileContext): Item[] {
  const text = isObject(value) ? value['reference'] : undefined;
  const parsed = typeof text === 'string' ? parseReference(text) : undefined;
  if (parsed?.kind === 'fragment') {
    const found = run.containedResource(parsed.id);
    return found === undefined ? [] : [found];
  }
  const type = parsed !== undefined && 'type' in parsed ? parsed.type : isObject(value) ? value['type'] : undefined;
  return typeof type === 'string' ? [{ type, value: {} }] : [];
}
