/** FHIRPath compiled once to plain functions. docs/decisions/0014-fhirpath.md */
import { compileCall } from './calls.ts';
import type { Model } from './model.ts';
import { compileMember } from './navigate.ts';
import { compileOperator } from './operators.ts';
import { type Expression, parsePath } from './parser.ts';
import type { Scope } from './scope.ts';
import {
  booleanOf,
  EMPTY,
  FALSE,
  type Item,
  type Items,
  isObject,
  item,
  numberIn,
  ofBoolean,
  PathError,
  single,
  TRUE,
} from './values.ts';

/** A part of an expression, for both things asked of it: its items, and whether it is true. */
export interface Part {
  /** `focus` is `$this`. */
  readonly items: (focus: Items, scope: Scope) => Items;
  /** The boolean of the same; undefined of an empty collection. */
  readonly test: (focus: Items, scope: Scope) => boolean | undefined;
  /** Whether it depends on the resource around and on nothing else. */
  readonly isFixed: boolean;
}

export interface CompiledPath {
  readonly expression: Expression;
  evaluate(context: Item, scope: Scope): Items;
  /** Whether the expression is true of the element. Throws `PathError`. */
  test(context: Item, scope: Scope): boolean | undefined;
}

export interface PathCompiler {
  readonly model: Model;
  part(expression: Expression): Part;
}

/** Throws `PathSyntaxError`, and `PathError` for functions that are not known. */
export function compilePath(source: string | Expression, model: Model): CompiledPath {
  const expression = typeof source === 'string' ? parsePath(source) : source;
  let slots = 0;
  const compiler: PathCompiler = {
    model,
    part(one) {
      const made = compileExpression(one, compiler);
      return made.isFixed && one.kind !== 'literal' && one.kind !== 'variable' && one.kind !== 'empty'
        ? remembered(made, slots++)
        : made;
    },
  };
  const part = compiler.part(expression);
  const begin = (context: Item, scope: Scope): Items => {
    scope.context = context;
    if (slots > 0) scope.memo = new Array<Items | undefined>(slots);
    return [context];
  };
  return {
    expression,
    evaluate: (context, scope) => part.items(begin(context, scope), scope),
    test: (context, scope) => part.test(begin(context, scope), scope),
  };
}

/** What depends on the resource alone is worked out once an evaluation, however often a criterion asks for it. */
function remembered({ items }: Part, slot: number): Part {
  return fromItems((focus, scope) => {
    const { memo } = scope;
    const found = memo[slot] ?? items(focus, scope);
    memo[slot] = found;
    return found;
  }, true);
}

export const fromItems = (items: Part['items'], isFixed = false): Part => ({
  items,
  test: (focus, scope) => booleanOf(items(focus, scope)),
  isFixed,
});
export const fromTest = (test: Part['test'], isFixed = false): Part => ({
  items: (focus, scope) => ofBoolean(test(focus, scope)),
  test,
  isFixed,
});

function compileExpression(expression: Expression, compiler: PathCompiler): Part {
  switch (expression.kind) {
    case 'empty':
      return fromItems(() => EMPTY, true);
    case 'literal': {
      const made = literal(expression);
      return fromItems(() => made, true);
    }
    case 'special':
      return compileSpecial(expression.name);
    case 'variable':
      return compileVariable(expression.name);
    case 'member':
      return compileMemberOf(expression, compiler);
    case 'call':
      return compileCall(expression, compiler);
    case 'indexer': {
      const on = compiler.part(expression.on);
      const at = compiler.part(expression.at);
      return fromItems((focus, scope) => {
        const index = single(at.items(focus, scope));
        const found = on.items(focus, scope)[index === undefined ? -1 : (numberIn(index) ?? -1)];
        return found === undefined ? EMPTY : [found];
      }, on.isFixed && at.isFixed);
    }
    case 'negative': {
      const on = compiler.part(expression.on);
      return fromItems((focus, scope) => {
        const one = single(on.items(focus, scope));
        const number = one && numberIn(one);
        if (one === undefined) return EMPTY;
        if (number === undefined) throw new PathError('only a number can be negative');
        return [item(one.type, -number)];
      }, on.isFixed);
    }
    case 'type':
      return compileTypeTest(compiler.part(expression.on), expression.op, expression.type, compiler.model);
    default:
      return compileOperator(expression, compiler);
  }
}

function literal({ type, text, unit }: Extract<Expression, { kind: 'literal' }>): Items {
  switch (type) {
    case 'Boolean':
      return text === 'true' ? TRUE : FALSE;
    case 'Integer':
    case 'Decimal':
      return [item(`System.${type}`, Number(text))];
    case 'Quantity':
      return [item('System.Quantity', { value: Number(text), code: unit })];
    default:
      return [item(`System.${type}`, text)];
  }
}

function compileSpecial(name: 'this' | 'index' | 'total'): Part {
  if (name === 'this') return fromItems((focus) => focus);
  if (name === 'index') return fromItems((_focus, scope) => [item('System.Integer', scope.index)]);
  return fromItems((_focus, scope) => scope.total ?? EMPTY);
}

function compileVariable(name: string): Part {
  switch (name) {
    case 'resource':
      return fromItems((_focus, { resource }) => (resource === undefined ? EMPTY : [resource]), true);
    case 'rootResource':
      return fromItems(
        (_focus, { resource, rootResource = resource }) => (rootResource === undefined ? EMPTY : [rootResource]),
        true,
      );
    case 'context':
      return fromItems((_focus, { context }) => (context === undefined ? EMPTY : [context]), true);
    default: {
      const url = /^(?:vs|ext)-/.test(name)
        ? `http://hl7.org/fhir/${name.startsWith('vs-') ? 'ValueSet/' : 'StructureDefinition/'}${name.slice(name.indexOf('-') + 1)}`
        : undefined;
      return fromItems((_focus, { variables, elements }) => {
        const given = elements.get(name);
        if (given) return given;
        const text = url ?? (Object.hasOwn(variables, name) ? variables[name] : undefined);
        if (text === undefined) throw new PathError('the expression uses a variable that is not known');
        return [item('System.String', text)];
      }, true);
    }
  }
}

/** The first step of a path may be the type's own name: `Appointment.status` of an Appointment. */
function compileMemberOf({ on, name }: Extract<Expression, { kind: 'member' }>, compiler: PathCompiler): Part {
  const { model } = compiler;
  const step = compileMember(model, name);
  if (on !== undefined) {
    const before = compiler.part(on);
    return fromItems((focus, scope) => step(before.items(focus, scope), scope), before.isFixed);
  }
  if (!/^[A-Z]/.test(name)) return fromItems(step);
  return fromItems((focus, scope) =>
    focus.length > 0 && focus.every(({ type }) => model.isA(type, name)) ? focus : step(focus, scope),
  );
}

/** `is` and `as`. A bare name in capitals is a type of System for made values: `String`, `Boolean`. */
export function compileTypeTest(on: Part, op: 'is' | 'as', name: string, model: Model): Part {
  const fits = typeTest(name, model);
  if (op === 'as') return fromItems((focus, scope) => on.items(focus, scope).filter(fits), on.isFixed);
  return fromTest((focus, scope) => {
    const one = single(on.items(focus, scope));
    return one === undefined ? undefined : fits(one);
  }, on.isFixed);
}

export function typeTest(name: string, model: Model): (one: Item) => boolean {
  if (name.startsWith('System.')) return ({ type }) => type === name;
  const bare = name.startsWith('FHIR.') ? name.slice(5) : name;
  const system = bare === name && /^(?:String|Boolean|Integer|Decimal|Date|DateTime|Time|Quantity)$/.test(bare);
  return ({ type, value }) =>
    model.isA(type, bare) ||
    (system && type === `System.${bare}`) ||
    (isObject(value) && value['resourceType'] === bare);
}
