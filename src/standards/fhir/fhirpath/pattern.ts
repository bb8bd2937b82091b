/**
 * Regular expressions of `matches` and `replaceMatches` in time that grows with pattern × text and no more (SECURITY
 * IN-30): every way through the pattern is followed at once, none is tried and taken back.
 * Knows: literals, `.`, classes, `\d \w \s \D \W \S`, `( ) (?: )`, `|`, `? * + {n} {n,} {n,m}`, `^`, `$`.
 */
import { PathError } from './values.ts';

/** Steps a pattern may compile to; `{0,254}` is written out. */
const STEPS_MAX = 5000;
const REPEAT_MAX = 1000;

type Step =
  | { readonly kind: 'char'; readonly accepts: (code: number) => boolean }
  | { readonly kind: 'split'; to: number; other: number }
  | { readonly kind: 'jump'; to: number }
  | { readonly kind: 'start' | 'end' | 'match' };

type Tree =
  | { readonly kind: 'char'; readonly accepts: (code: number) => boolean }
  | { readonly kind: 'start' | 'end' }
  | { readonly kind: 'sequence' | 'choice'; readonly of: readonly Tree[] }
  | { readonly kind: 'repeat'; readonly of: Tree; readonly min: number; readonly max: number };

export interface Pattern {
  /** Whether some part of the text matches. */
  test(text: string): boolean;
  testWhole(text: string): boolean;
  /** The text with every match (the longest from the left) replaced by the very words of `by`. */
  replace(text: string, by: string): string;
}

const isDigit = (c: number): boolean => c >= 0x30 && c <= 0x39;
const isWord = (c: number): boolean => isDigit(c) || (c >= 0x41 && c <= 0x5a) || (c >= 0x61 && c <= 0x7a) || c === 0x5f;
const isSpace = (c: number): boolean => /\s/.test(String.fromCharCode(c));
const not =
  (accepts: (c: number) => boolean) =>
  (c: number): boolean =>
    !accepts(c);
const CLASSES: Readonly<Record<string, (c: number) => boolean>> = {
  d: isDigit,
  D: not(isDigit),
  w: isWord,
  W: not(isWord),
  s: isSpace,
  S: not(isSpace),
};
const CONTROLS: Readonly<Record<string, number>> = { n: 10, r: 13, t: 9, f: 12, v: 11, 0: 0 };

const compiled = new Map<string, Pattern>();
const COMPILED_MAX = 500;

/** Throws `PathError` where a pattern is none, or one that this does not know (look-arounds, back-references). */
export function compilePattern(source: string): Pattern {
  let pattern = compiled.get(source);
  if (pattern === undefined) {
    pattern = createPattern(new PatternParser(source).whole());
    if (compiled.size >= COMPILED_MAX) compiled.clear();
    compiled.set(source, pattern);
  }
  return pattern;
}

function createPattern(tree: Tree): Pattern {
  const steps: Step[] = [];
  write(tree, steps);
  steps.push({ kind: 'match' });
  const run = createRun(steps);
  return {
    test: (text) => run(text, 0, true, false) >= 0,
    testWhole: (text) => run(text, 0, false, true) === text.length,
    replace(text, by) {
      let made = '';
      let at = 0;
      // A text that is tried at every place costs its square: only short ones are replaced in.
      if (text.length > 10_000) throw new PathError('replaceMatches takes texts of at most 10000 characters');
      while (at <= text.length) {
        const end = run(text, at, false, false);
        if (end > at) {
          made += by;
          at = end;
          continue;
        }
        if (end === at) made += by;
        made += text.charAt(at);
        at++;
      }
      return made;
    },
  };
}

/** Returns where the longest match that begins at `from` (or anywhere after, with `search`) ends; -1 without one. */
function createRun(steps: readonly Step[]) {
  const marks = new Int32Array(steps.length);
  let generation = 0;
  return (text: string, from: number, search: boolean, whole: boolean): number => {
    let current: number[] = [];
    let found = -1;
    const add = (list: number[], first: number, at: number): void => {
      const stack = [first];
      while (stack.length > 0) {
        const index = stack.pop()!;
        if (marks[index] === generation) continue;
        marks[index] = generation;
        const step = steps[index]!;
        if (step.kind === 'jump') stack.push(step.to);
        else if (step.kind === 'split') stack.push(step.other, step.to);
        else if (step.kind === 'start') {
          if (at === 0) stack.push(index + 1);
        } else if (step.kind === 'end') {
          if (at === text.length) stack.push(index + 1);
        } else if (step.kind === 'match') {
          if (!whole || at === text.length) found = at;
        } else list.push(index);
      }
    };
    for (let at = from; ; at++) {
      generation++;
      const starts: number[] = [];
      for (const index of current) add(starts, index, at);
      if (at === from || search) add(starts, 0, at);
      if (search && found >= 0) return found;
      if (at >= text.length || (starts.length === 0 && !search)) return found;
      const code = text.charCodeAt(at);
      current = [];
      for (const index of starts) {
        const step = steps[index]!;
        if (step.kind === 'char' && step.accepts(code)) current.push(index + 1);
      }
    }
  };
}

function write(tree: Tree, steps: Step[]): void {
  if (steps.length > STEPS_MAX) throw new PathError('the regular expression is too large');
  switch (tree.kind) {
    case 'char':
      steps.push(tree);
      return;
    case 'start':
    case 'end':
      steps.push({ kind: tree.kind });
      return;
    case 'sequence':
      for (const part of tree.of) write(part, steps);
      return;
    case 'choice': {
      const ends: { kind: 'jump'; to: number }[] = [];
      tree.of.forEach((part, i) => {
        if (i === tree.of.length - 1) {
          write(part, steps);
          return;
        }
        const split = { kind: 'split' as const, to: steps.length + 1, other: 0 };
        steps.push(split);
        write(part, steps);
        const end = { kind: 'jump' as const, to: 0 };
        ends.push(end);
        steps.push(end);
        split.other = steps.length;
      });
      for (const end of ends) end.to = steps.length;
      return;
    }
    default:
      writeRepeat(tree, steps);
  }
}

function writeRepeat({ of, min, max }: Extract<Tree, { kind: 'repeat' }>, steps: Step[]): void {
  for (let i = 0; i < min; i++) write(of, steps);
  if (max === Number.POSITIVE_INFINITY) {
    const split = { kind: 'split' as const, to: steps.length + 1, other: 0 };
    const at = steps.length;
    steps.push(split);
    write(of, steps);
    steps.push({ kind: 'jump', to: at });
    split.other = steps.length;
    return;
  }
  const splits: { kind: 'split'; to: number; other: number }[] = [];
  for (let i = min; i < max; i++) {
    const split = { kind: 'split' as const, to: steps.length + 1, other: 0 };
    splits.push(split);
    steps.push(split);
    write(of, steps);
  }
  for (const split of splits) split.other = steps.length;
}

class PatternParser {
  readonly #source: string;
  #at = 0;
  #depth = 0;

  constructor(source: string) {
    if (source.length > 2000) throw new PathError('a regular expression has at most 2000 characters');
    this.#source = source;
  }

  whole(): Tree {
    const tree = this.#choice();
    if (this.#at < this.#source.length) this.#fail();
    return tree;
  }

  #fail(): never {
    throw new PathError('the regular expression is not one that this server knows');
  }

  #peek(): string {
    return this.#source.charAt(this.#at);
  }

  #choice(): Tree {
    if (++this.#depth > 50) this.#fail();
    const of = [this.#sequence()];
    while (this.#peek() === '|') {
      this.#at++;
      of.push(this.#sequence());
    }
    this.#depth--;
    return of.length === 1 ? of[0]! : { kind: 'choice', of };
  }

  #sequence(): Tree {
    const of: Tree[] = [];
    while (this.#at < this.#source.length && this.#peek() !== '|' && this.#peek() !== ')') of.push(this.#repeated());
    return { kind: 'sequence', of };
  }

  #repeated(): Tree {
    let tree = this.#atom();
    for (;;) {
      const bounds = this.#bounds();
      if (bounds === undefined) return tree;
      if (this.#peek() === '?') this.#at++; // as few as possible: the same texts match
      tree = { kind: 'repeat', of: tree, ...bounds };
    }
  }

  #bounds(): { min: number; max: number } | undefined {
    const simple = { '?': [0, 1], '*': [0, Number.POSITIVE_INFINITY], '+': [1, Number.POSITIVE_INFINITY] }[
      this.#peek()
    ];
    if (simple !== undefined) {
      this.#at++;
      return { min: simple[0]!, max: simple[1]! };
    }
    const braces = /^\{(\d{1,4})(,(\d{0,4}))?\}/.exec(this.#source.slice(this.#at, this.#at + 12));
    if (braces === null) return undefined;
    this.#at += braces[0].length;
    const min = Number(braces[1]);
    const max = braces[2] === undefined ? min : braces[3] === '' ? Number.POSITIVE_INFINITY : Number(braces[3]);
    if (min > REPEAT_MAX || (max > REPEAT_MAX && max !== Number.POSITIVE_INFINITY) || min > max) this.#fail();
    return { min, max };
  }

  #atom(): Tree {
    const char = this.#peek();
    this.#at++;
    switch (char) {
      case '^':
        return { kind: 'start' };
      case '$':
        return { kind: 'end' };
      case '.':
        return { kind: 'char', accepts: (c) => c !== 10 };
      case '(': {
        if (this.#source.startsWith('?:', this.#at)) this.#at += 2;
        else if (this.#peek() === '?') this.#fail();
        const inner = this.#choice();
        if (this.#peek() !== ')') this.#fail();
        this.#at++;
        return inner;
      }
      case '[':
        return { kind: 'char', accepts: this.#class() };
      case '\\':
        return { kind: 'char', accepts: this.#escape() };
      case '*':
      case '+':
      case '?':
        return this.#fail();
      default: {
        const code = char.charCodeAt(0);
        return { kind: 'char', accepts: (c) => c === code };
      }
    }
  }

  #escape(): (c: number) => boolean {
    const named = CLASSES[this.#peek()];
    if (named !== undefined) {
      this.#at++;
      return named;
    }
    const code = this.#escapedCode();
    return (c) => c === code;
  }

  #escapedCode(): number {
    const char = this.#peek();
    this.#at++;
    if (char === '') this.#fail();
    if (char === 'u' || char === 'x') {
      const digits = this.#source.slice(this.#at, this.#at + (char === 'u' ? 4 : 2));
      if (!/^(?:[0-9A-Fa-f]{2}){1,2}$/.test(digits)) this.#fail();
      this.#at += digits.length;
      return Number.parseInt(digits, 16);
    }
    const control = CONTROLS[char];
    if (control !== undefined) return control;
    if (/[A-Za-z1-9]/.test(char)) this.#fail(); // \b, \p, \1 …
    return char.charCodeAt(0);
  }

  #class(): (c: number) => boolean {
    const negated = this.#peek() === '^';
    if (negated) this.#at++;
    const parts: ((c: number) => boolean)[] = [];
    let first = true;
    while (first || this.#peek() !== ']') {
      if (this.#at >= this.#source.length) this.#fail();
      first = false;
      parts.push(this.#classPart());
    }
    this.#at++;
    const accepts = (c: number): boolean => parts.some((part) => part(c));
    return negated ? not(accepts) : accepts;
  }

  #classPart(): (c: number) => boolean {
    if (this.#peek() === '\\') {
      const named = CLASSES[this.#source.charAt(this.#at + 1)];
      if (named !== undefined) {
        this.#at += 2;
        return named;
      }
    }
    const low = this.#classCode();
    if (this.#peek() !== '-' || this.#source.charAt(this.#at + 1) === ']') return (c) => c === low;
    this.#at++;
    const high = this.#classCode();
    if (high < low) this.#fail();
    return (c) => c >= low && c <= high;
  }

  #classCode(): number {
    const char = this.#peek();
    this.#at++;
    return char === '\\' ? this.#escapedCode() : char.charCodeAt(0);
  }
}
