/**
 * Patterns that somebody else wrote, matched in time linear in pattern and text: states are followed side by side, and
 * nothing is tried again (Thompson's construction). SECURITY IN-30
 */
import { badValue } from '../outcome.ts';

export type Matches = (text: string) => boolean;

const PATTERN_MAX = 500;
const STATES_MAX = 5000;

type CharacterTest = (unit: number) => boolean;
type Node =
  | { readonly kind: 'character'; readonly test: CharacterTest }
  | { readonly kind: 'sequence' | 'choice'; readonly parts: readonly Node[] }
  | { readonly kind: 'repeat'; readonly part: Node; readonly min: number; readonly max: number };

/** `test` leads to `next`; without it both ways are free. */
interface State {
  readonly test?: CharacterTest;
  next: number;
  other?: number;
}

/**
 * Whether the whole text matches. Literals, `.`, classes, `\d \w \s` and their opposites, groups, `|`, `* + ? {m,n}`;
 * `^` at the start and `$` at the end say nothing. Throws 400 for anything else.
 */
export function compileBoundedPattern(pattern: string): Matches {
  if (pattern.length > PATTERN_MAX) throw badValue(`A regular expression has at most ${PATTERN_MAX} characters`);
  const states: State[] = [];
  const accept = -1;
  const start = build(new PatternReader(pattern.replace(/^\^/, '').replace(/(?<!\\)\$$/, '')).read(), accept, states);
  return (text) => {
    let current = close(states, [start]);
    for (let i = 0; i < text.length && current.size > 0; i++) {
      const unit = text.charCodeAt(i);
      const next: number[] = [];
      for (const at of current) {
        const state = states[at];
        if (state?.test?.(unit) === true) next.push(state.next);
      }
      current = close(states, next);
    }
    return current.has(accept);
  };
}

/** Follows the free ways. */
function close(states: readonly State[], from: readonly number[]): Set<number> {
  const reached = new Set(from);
  for (const at of reached) {
    const state = states[at];
    if (state === undefined || state.test !== undefined) continue;
    reached.add(state.next);
    if (state.other !== undefined) reached.add(state.other);
  }
  return reached;
}

function put(states: State[], state: State): number {
  if (states.length >= STATES_MAX) throw badValue('The regular expression repeats too much');
  states.push(state);
  return states.length - 1;
}

function build(node: Node, next: number, states: State[]): number {
  switch (node.kind) {
    case 'character':
      return put(states, { test: node.test, next });
    case 'sequence':
      return node.parts.reduceRight((after, part) => build(part, after, states), next);
    case 'choice':
      return node.parts
        .map((part) => build(part, next, states))
        .reduceRight((other, one) => put(states, { next: one, other }));
    case 'repeat': {
      let after = next;
      if (node.max === Number.POSITIVE_INFINITY) {
        const loop = put(states, { next: after, other: after });
        (states[loop] as State).other = build(node.part, loop, states);
        after = loop;
      } else
        for (let i = node.min; i < node.max; i++)
          after = put(states, { next: build(node.part, after, states), other: next });
      for (let i = 0; i < node.min; i++) after = build(node.part, after, states);
      return after;
    }
  }
}

const within = (text: string): CharacterTest => {
  const units = new Set([...text].map((character) => character.charCodeAt(0)));
  return (unit) => units.has(unit);
};
const isDigit: CharacterTest = (unit) => unit >= 0x30 && unit <= 0x39;
const isWord: CharacterTest = (unit) =>
  isDigit(unit) || (unit >= 0x41 && unit <= 0x5a) || (unit >= 0x61 && unit <= 0x7a) || unit === 0x5f;
const isSpace = within(' \t\n\r\f\v\u00A0');
const not =
  (test: CharacterTest): CharacterTest =>
  (unit) =>
    !test(unit);
const CLASSES: ReadonlyMap<string, CharacterTest> = new Map([
  ['d', isDigit],
  ['D', not(isDigit)],
  ['w', isWord],
  ['W', not(isWord)],
  ['s', isSpace],
  ['S', not(isSpace)],
  ['t', within('\t')],
  ['n', within('\n')],
  ['r', within('\r')],
]);

class PatternReader {
  readonly #text: string;
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  read(): Node {
    const node = this.#choice();
    if (this.#at < this.#text.length) throw this.#wrong('a bracket is closed that was not opened');
    return node;
  }

  #choice(): Node {
    const parts = [this.#sequence()];
    while (this.#take('|')) parts.push(this.#sequence());
    return parts.length === 1 ? (parts[0] as Node) : { kind: 'choice', parts };
  }

  #sequence(): Node {
    const parts: Node[] = [];
    while (this.#at < this.#text.length && !'|)'.includes(this.#text.charAt(this.#at))) parts.push(this.#repeated());
    return { kind: 'sequence', parts };
  }

  #repeated(): Node {
    const part = this.#atom();
    const [min, max] = this.#count();
    if (min === 1 && max === 1) return part;
    if ('*+?{'.includes(this.#text.charAt(this.#at) || 'x')) throw this.#wrong('a repetition is repeated');
    return { kind: 'repeat', part, min, max };
  }

  #count(): readonly [number, number] {
    if (this.#take('*')) return [0, Number.POSITIVE_INFINITY];
    if (this.#take('+')) return [1, Number.POSITIVE_INFINITY];
    if (this.#take('?')) return [0, 1];
    const found = /^\{(\d{1,3})(,(\d{1,3})?)?\}/.exec(this.#text.slice(this.#at, this.#at + 10));
    if (found === null) return [1, 1];
    this.#at += found[0].length;
    const min = Number(found[1]);
    const max = found[2] === undefined ? min : found[3] === undefined ? Number.POSITIVE_INFINITY : Number(found[3]);
    if (max < min) throw this.#wrong('a repetition ends before it begins');
    return [min, max];
  }

  #atom(): Node {
    const character = this.#text.charAt(this.#at++);
    if (character === '(') return this.#group();
    if (character === '[') return { kind: 'character', test: this.#class() };
    if (character === '.') return { kind: 'character', test: () => true };
    if (character === '\\') return { kind: 'character', test: this.#escaped() };
    if ('*+?{}^$'.includes(character)) throw this.#wrong(`'${character}' stands where a character is expected`);
    return { kind: 'character', test: within(character) };
  }

  #group(): Node {
    this.#depth += 1;
    if (this.#depth > 20) throw this.#wrong('groups are nested deeper than 20');
    if (this.#take('?') && !this.#take(':')) throw this.#wrong('look-around and named groups are not supported');
    const node = this.#choice();
    if (!this.#take(')')) throw this.#wrong('a group is not closed');
    this.#depth -= 1;
    return node;
  }

  #class(): CharacterTest {
    const isNegated = this.#take('^');
    const tests: CharacterTest[] = [];
    while (this.#at < this.#text.length && (tests.length === 0 || this.#text.charAt(this.#at) !== ']')) {
      const first = this.#text.charAt(this.#at++);
      if (first === '\\') tests.push(this.#escaped());
      else if (this.#text.charAt(this.#at) === '-' && !'\\]'.includes(this.#text.charAt(this.#at + 1) || ']')) {
        const [low, high] = [first.charCodeAt(0), this.#text.charCodeAt(this.#at + 1)];
        this.#at += 2;
        tests.push((unit) => unit >= low && unit <= high);
      } else tests.push(within(first));
    }
    if (!this.#take(']')) throw this.#wrong('a class is not closed');
    const some: CharacterTest = (unit) => tests.some((test) => test(unit));
    return isNegated ? not(some) : some;
  }

  #escaped(): CharacterTest {
    const character = this.#text.charAt(this.#at++);
    if (character === '') throw this.#wrong('it ends with a backslash');
    const known = CLASSES.get(character);
    if (known !== undefined) return known;
    if (/[A-Za-z0-9]/.test(character)) throw this.#wrong(`\\${character} is not supported`);
    return within(character);
  }

  #take(character: string): boolean {
    if (this.#text.charAt(this.#at) !== character) return false;
    this.#at += 1;
    return true;
  }

  #wrong(why: string): Error {
    return badValue(`The regular expression cannot be read: ${why}`);
  }
}
