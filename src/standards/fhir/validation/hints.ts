/** How a broken invariant is mended, read from the shape of its expression. */
import type { Expression } from '../fhirpath/parser.ts';

/** `add name or identifier`; empty where the shape tells nothing. */
export function hintFor(expression: Expression): string {
  if (expression.kind === 'binary') {
    const { op, left, right } = expression;
    if (op === 'implies') return implied(left, right);
    if (op === 'xor') {
      const [a, b] = [presenceOf(left), presenceOf(right)];
      return a?.is === 'there' && b?.is === 'there' ? `send ${a.name} or ${b.name}, and not both` : '';
    }
    if (op === 'or') return either(expression);
    if (op === '=' || op === '!=') return bothOrNone(op, left, right);
  }
  return '';
}

/** An element that must be there, or must not. */
interface Presence {
  readonly is: 'there' | 'absent';
  readonly name: string;
}

function presenceOf(expression: Expression): Presence | undefined {
  if (expression.kind !== 'call' || expression.args.length > 0 || expression.on === undefined) return undefined;
  const { name, on } = expression;
  if (name === 'not') {
    const inner = presenceOf(on);
    return inner && { is: inner.is === 'there' ? 'absent' : 'there', name: inner.name };
  }
  const path = pathOf(on);
  if (path === undefined) return undefined;
  if (name === 'exists' || name === 'hasValue') return { is: 'there', name: path };
  return name === 'empty' ? { is: 'absent', name: path } : undefined;
}

function pathOf(expression: Expression): string | undefined {
  if (expression.kind !== 'member') return undefined;
  if (expression.on === undefined) return expression.name;
  const before = pathOf(expression.on);
  return before === undefined ? undefined : `${before}.${expression.name}`;
}

function implied(left: Expression, right: Expression): string {
  const [a, b] = [presenceOf(left), presenceOf(right)];
  if (b === undefined) return '';
  const add = b.is === 'there' ? `add ${b.name}` : `leave ${b.name} out`;
  return a === undefined ? add : `${add}, or ${a.is === 'there' ? `leave ${a.name} out` : `add ${a.name}`}`;
}

function either(expression: Expression): string {
  const parts = [...alternatives(expression)].map(presenceOf);
  const known = parts.filter((part) => part !== undefined);
  const add = known.filter(({ is }) => is === 'there').map(({ name }) => name);
  const drop = known.filter(({ is }) => is === 'absent').map(({ name }) => name);
  if (known.length === 0) return '';
  return [add.length > 0 ? `add ${listOf(add)}` : '', drop.length > 0 ? `leave ${listOf(drop)} out` : '']
    .filter((part) => part !== '')
    .join(', or ');
}

function* alternatives(expression: Expression): Generator<Expression> {
  if (expression.kind !== 'binary' || expression.op !== 'or') yield expression;
  else {
    yield* alternatives(expression.left);
    yield* alternatives(expression.right);
  }
}

function bothOrNone(op: string, left: Expression, right: Expression): string {
  const [a, b] = [presenceOf(left), presenceOf(right)];
  if (a?.is !== 'there' || b?.is !== 'there') return '';
  return op === '=' ? `send ${a.name} and ${b.name} together, or neither` : `send ${a.name} or ${b.name}, and not both`;
}

const listOf = (names: readonly string[]): string =>
  names.length === 1 ? names[0]! : `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`;
