/** FHIRPath's functions whose arguments are criteria: each is asked of every item. http://hl7.org/fhirpath/N1/#functions */
import { compileTypeTest, fromItems, fromTest, type Part, type PathCompiler, typeTest } from './compile.ts';
import { FUNCTIONS } from './functions.ts';
import { childrenOf, compilePresence, descendantsOf } from './navigate.ts';
import { spentKey } from './operators.ts';
import type { Expression } from './parser.ts';
import type { Scope } from './scope.ts';
import { EMPTY, type Item, type Items, isObject, item, PathError, single } from './values.ts';

type Call = Extract<Expression, { kind: 'call' }>;
type Maker = (on: Part, args: readonly Part[], compiler: PathCompiler, call: Call) => Part;

const FOCUS: Part = fromItemsOf((focus) => focus);
function fromItemsOf(items: Part['items']): Part {
  return {
    items,
    test: (focus, scope) => {
      const one = single(items(focus, scope));
      return one === undefined ? undefined : typeof one.value === 'boolean' ? one.value : one.value !== undefined;
    },
    isFixed: false,
  };
}

/** Throws `PathError` where a function is not known, or has too few or too many arguments. */
export function compileCall(call: Call, compiler: PathCompiler): Part {
  const { on, name, args } = call;
  const before = on === undefined ? FOCUS : compiler.part(on);
  if (Object.hasOwn(CRITERIA, name)) {
    const { min, max, make } = CRITERIA[name]!;
    checkCount(name, args.length, min, max);
    return make(before, TAKES_TYPE.has(name) ? [] : args.map((arg) => compiler.part(arg)), compiler, call);
  }
  if (!Object.hasOwn(FUNCTIONS, name)) throw new PathError(`the function ${name.slice(0, 40)} is not known`);
  const { min, max, run } = FUNCTIONS[name]!;
  checkCount(name, args.length, min, max);
  const parts = args.map((arg) => compiler.part(arg));
  const isFixed = before.isFixed && parts.every((part) => part.isFixed);
  return fromItems(
    (focus, scope) =>
      run(
        before.items(focus, scope),
        parts.map((part) => part.items(focus, scope)),
        scope,
      ),
    isFixed,
  );
}

function checkCount(name: string, count: number, min: number, max: number): void {
  if (count < min || count > max) throw new PathError(`the function ${name} has another number of arguments`);
}

/** `exists()` and `empty()` of an element's own children make no items. */
function presence(call: Call, compiler: PathCompiler): ((focus: Items) => boolean) | undefined {
  const { on } = call;
  if (on?.kind !== 'member' || on.on !== undefined || /^[A-Z]/.test(on.name)) return undefined;
  const has = compilePresence(compiler.model, on.name);
  return (focus) => {
    for (const one of focus) if (has(one)) return true;
    return false;
  };
}

const each = (focus: Items, scope: Scope, visit: (items: Items, one: Item) => boolean | undefined): void => {
  const { index } = scope;
  scope.spend(1 + focus.length);
  for (let i = 0; i < focus.length; i++) {
    scope.index = i;
    const one = focus[i]!;
    if (visit([one], one) === false) break;
  }
  scope.index = index;
};

const where: Maker = (on, [criteria]) =>
  fromItems((focus, scope) => {
    const input = on.items(focus, scope);
    if (input.length === 0) return EMPTY;
    const found: Item[] = [];
    each(input, scope, (items, one) => {
      if (criteria!.test(items, scope) === true) found.push(one);
      return true;
    });
    return found;
  });

/** Whether the criteria hold for some item (`wanted` true), or fail for some (false). */
const some = (on: Part, criteria: Part, wanted: boolean) => (focus: Items, scope: Scope) => {
  let met = false;
  each(on.items(focus, scope), scope, (items) => {
    met = (criteria.test(items, scope) === true) === wanted;
    return !met;
  });
  return met;
};

const exists: Maker = (on, [criteria], compiler, call) => {
  if (criteria !== undefined) return fromTest(some(on, criteria, true));
  const has = presence(call, compiler);
  if (has !== undefined) return fromTest(has);
  return fromTest((focus, scope) => on.items(focus, scope).length > 0, on.isFixed);
};
const empty: Maker = (on, _args, compiler, call) => {
  const has = presence(call, compiler);
  if (has !== undefined) return fromTest((focus) => !has(focus));
  return fromTest((focus, scope) => on.items(focus, scope).length === 0, on.isFixed);
};

const select: Maker = (on, [projection]) =>
  fromItems((focus, scope) => {
    const found: Item[] = [];
    each(on.items(focus, scope), scope, (items) => {
      for (const one of projection!.items(items, scope)) found.push(one);
      return true;
    });
    return found;
  });

const repeat: Maker = (on, [projection]) =>
  fromItems((focus, scope) => {
    const found: Item[] = [];
    const seen = new Set<unknown>();
    let level = on.items(focus, scope);
    while (level.length > 0) {
      const next: Item[] = [];
      each(level, scope, (items) => {
        for (const one of projection!.items(items, scope)) {
          // A JSON object is met once: nothing below it leads back up.
          const key = isObject(one.value) ? one.value : spentKey(one, scope);
          if (seen.has(key)) continue;
          seen.add(key);
          found.push(one);
          next.push(one);
        }
        return true;
      });
      level = next;
    }
    return found;
  });

const aggregate: Maker = (on, [step, start]) =>
  fromItems((focus, scope) => {
    const { total } = scope;
    scope.total = start?.items(focus, scope) ?? EMPTY;
    each(on.items(focus, scope), scope, (items) => {
      scope.total = step!.items(items, scope);
      return true;
    });
    const made = scope.total ?? EMPTY;
    scope.total = total;
    return made;
  });

const iif: Maker = (on, [criterion, yes, no]) =>
  fromItems((focus, scope) => {
    const input = on.items(focus, scope);
    const chosen = criterion!.test(input, scope) === true ? yes : no;
    return chosen?.items(input, scope) ?? EMPTY;
  });

const ofType: Maker = (on, _args, { model }, call) => {
  const fits = typeTest(typeNameOf(call), model);
  return fromItems((focus, scope) => on.items(focus, scope).filter(fits), on.isFixed);
};

/** A type is written as a name, and read as a path: `ofType(FHIR.Patient)`. */
function typeNameOf({ name, args }: Call): string {
  const path = (one: Expression | undefined): string => {
    if (one?.kind !== 'member') throw new PathError(`${name}() needs the name of a type`);
    return one.on === undefined ? one.name : `${path(one.on)}.${one.name}`;
  };
  return path(args[0]);
}

/** A reference is not fetched: what it leads to is known where it is contained, and by its type elsewhere (IN-42). */
const resolve: Maker = (on) =>
  fromItems((focus, scope) => on.items(focus, scope).flatMap((one) => resolved(one, scope)));

function resolved({ value }: Item, { resource, rootResource }: Scope): Item[] {
  const text = isObject(value) ? value['reference'] : value;
  const named = isObject(value) ? value['type'] : undefined;
  if (typeof text !== 'string') return typeof named === 'string' ? [item(named, {})] : [];
  if (text.startsWith('#')) {
    const container = (rootResource ?? resource)?.value;
    const contained: unknown = isObject(container) ? container['contained'] : undefined;
    const found = Array.isArray(contained)
      ? (contained as unknown[]).find((one) => isObject(one) && one['id'] === text.slice(1))
      : undefined;
    return isObject(found) ? [item(String(found['resourceType']), found)] : [];
  }
  const type = /(?:^|\/)([A-Z][A-Za-z]+)\/[A-Za-z0-9\-.]{1,64}(?:\/_history\/[A-Za-z0-9\-.]{1,64})?$/.exec(text)?.[1];
  if (type !== undefined) return [item(type, {})];
  return typeof named === 'string' ? [item(named, {})] : [];
}

const TAKES_TYPE = new Set(['ofType', 'is', 'as']);

const CRITERIA: Readonly<Record<string, { readonly min: number; readonly max: number; readonly make: Maker }>> = {
  where: { min: 1, max: 1, make: where },
  select: { min: 1, max: 1, make: select },
  exists: { min: 0, max: 1, make: exists },
  empty: { min: 0, max: 0, make: empty },
  all: {
    min: 1,
    max: 1,
    make: (on, [criteria]) => {
      const fails = some(on, criteria!, false);
      return fromTest((focus, scope) => !fails(focus, scope));
    },
  },
  repeat: { min: 1, max: 1, make: repeat },
  aggregate: { min: 1, max: 2, make: aggregate },
  iif: { min: 2, max: 3, make: iif },
  ofType: { min: 1, max: 1, make: ofType },
  is: { min: 1, max: 1, make: (on, _args, { model }, call) => compileTypeTest(on, 'is', typeNameOf(call), model) },
  as: { min: 1, max: 1, make: (on, _args, { model }, call) => compileTypeTest(on, 'as', typeNameOf(call), model) },
  not: {
    min: 0,
    max: 0,
    make: (on) =>
      fromTest((focus, scope) => {
        const value = on.test(focus, scope);
        return value === undefined ? undefined : !value;
      }, on.isFixed),
  },
  trace: { min: 1, max: 2, make: (on) => on },
  resolve: { min: 0, max: 0, make: resolve },
  children: {
    min: 0,
    max: 0,
    make: (on, _args, { model }) =>
      fromItems((focus, scope) => {
        const found: Item[] = [];
        for (const one of on.items(focus, scope)) childrenOf(one, model, found);
        scope.spend(1 + found.length);
        return found;
      }, on.isFixed),
  },
  descendants: {
    min: 0,
    max: 0,
    make: (on, _args, { model }) =>
      fromItems((focus, scope) => descendantsOf(on.items(focus, scope), model, scope), on.isFixed),
  },
};
