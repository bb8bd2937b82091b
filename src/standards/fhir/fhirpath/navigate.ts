/** From an element to what is in it. */
import type { Child, Model } from './model.ts';
import type { Scope } from './scope.ts';
import { EMPTY, type Item, type Items, isObject } from './values.ts';

const EXTENSION = 'extension';
const DEPTH_MAX = 200;

/** `x.name`: a function that finds the elements of that name. */
export function compileMember(model: Model, name: string): (on: Items, scope: Scope) => Items {
  let lastType = '';
  let lastChildren: readonly Child[] = [];
  return (on, scope) => {
    if (on.length === 0) return EMPTY;
    let found: Item[] | undefined;
    for (const one of on) {
      if (!isObject(one.value)) {
        found = addOfPrimitive(one, name, found);
        continue;
      }
      if (one.type !== lastType) {
        lastType = one.type;
        lastChildren = model.childrenNamed(one.type, name);
      }
      for (const child of lastChildren) found = addChild(one.value, child, found);
    }
    scope.spend(1 + (found?.length ?? 0));
    return found ?? EMPTY;
  };
}

/** Whether an element of the name is there: the usual question, answered without making items. */
export function compilePresence(model: Model, name: string): (on: Item) => boolean {
  let lastType = '';
  let lastChildren: readonly Child[] = [];
  return (one) => {
    const { value } = one;
    if (!isObject(value)) return addOfPrimitive(one, name, undefined) !== undefined;
    if (one.type !== lastType) {
      lastType = one.type;
      lastChildren = model.childrenNamed(one.type, name);
    }
    for (const { json, beside } of lastChildren) {
      if (isThere(value[json]) || (beside !== '' && isThere(value[beside]))) return true;
    }
    return false;
  };
}

const isThere = (value: unknown): boolean =>
  value !== undefined && value !== null && !(Array.isArray(value) && value.length === 0);

/** The children of an element, all names. */
export function childrenOf(one: Item, model: Model, into: Item[]): void {
  const { value } = one;
  if (!isObject(value)) {
    addOfPrimitive(one, 'id', into);
    addOfPrimitive(one, EXTENSION, into);
    return;
  }
  for (const child of model.childrenOf(one.type)) addChild(value, child, into);
}

/** All below, in order of depth. */
export function descendantsOf(on: Items, model: Model, scope: Scope): Items {
  const found: Item[] = [];
  let level = on;
  for (let depth = 0; level.length > 0; depth++) {
    const next: Item[] = [];
    for (const one of level) childrenOf(one, model, next);
    scope.spend(1 + next.length);
    for (const one of next) found.push(one);
    level = depth < DEPTH_MAX ? next : EMPTY;
  }
  return found;
}

function addOfPrimitive({ beside }: Item, name: string, found: Item[] | undefined): Item[] | undefined {
  if (!isObject(beside)) return found;
  const value = beside[name];
  if (value === undefined) return found;
  const list = found ?? [];
  if (name === EXTENSION && Array.isArray(value))
    for (const one of value as unknown[]) list.push({ value: one, type: 'Extension' });
  else if (name === 'id') list.push({ value, type: 'string' });
  return list;
}

function addChild(
  parent: Readonly<Record<string, unknown>>,
  child: Child,
  found: Item[] | undefined,
): Item[] | undefined {
  const value = parent[child.json];
  const beside = child.beside === '' ? undefined : parent[child.beside];
  if (value === undefined && beside === undefined) return found;
  const list = found ?? [];
  if (Array.isArray(value) || Array.isArray(beside)) {
    const values = Array.isArray(value) ? (value as readonly unknown[]) : [];
    const besides = Array.isArray(beside) ? (beside as readonly unknown[]) : [];
    const length = Math.max(values.length, besides.length);
    for (let i = 0; i < length; i++) addOne(values[i], besides[i], child, list);
  } else addOne(value, beside, child, list);
  return list;
}

function addOne(value: unknown, beside: unknown, { type }: Child, into: Item[]): void {
  const isAbsent = value === undefined || value === null;
  if (isAbsent && !isObject(beside)) return;
  if (type === '') {
    const named = isObject(value) ? value['resourceType'] : undefined;
    into.push({ value, type: typeof named === 'string' ? named : 'Resource' });
  } else if (beside === undefined || beside === null) into.push({ value, type });
  else into.push({ value: isAbsent ? undefined : value, type, beside });
}
