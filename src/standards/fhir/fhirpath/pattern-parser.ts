/** Regular expressions as trees: the part of their language that `pattern.ts` follows. */
import { PathError } from './values.ts';

const REPEAT_MAX = 1000;

export type Tree =
  | { readonly kind: 'char'; readonly accepts: (code: number) => boolean }
  | { readonly kind: 'start' | 'end' }
  | { readonly kind: 'sequence' | 'choice'; readonly of: readonly Tree[] }
  | { readonly kind: 'repeat'; readonly of: Tree; readonly min: number; readonly max: number };

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

export class PatternParser {
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
