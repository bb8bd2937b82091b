/** The text of `_filter` as a tree; names and values are not looked at yet. https://hl7.org/fhir/R4/search_filter.html */

import { isPlain } from './query-string.ts';

export const FILTER_OPERATORS = [
  ...['eq', 'ne', 'co', 'sw', 'ew', 'gt', 'lt', 'ge', 'le', 'ap', 'sa', 'eb', 'pr', 'po', 'ss', 'sb', 'in', 're'],
] as const;

/** `subject`, `subject:Patient`, `_has:Observation:patient`; `where`: what stands in brackets. */
export interface PathPart {
  readonly name: string;
  readonly where?: FilterTree;
}

export type FilterTree =
  | { readonly kind: 'and' | 'or'; readonly of: readonly FilterTree[] }
  | { readonly kind: 'not'; readonly of: FilterTree }
  | {
      readonly kind: 'compare';
      readonly path: readonly PathPart[];
      readonly operator: string;
      readonly value: string;
      /** Where it begins in the text, from 1. */
      readonly at: number;
    };

export interface FilterLimits {
  /** Brackets within brackets. */
  readonly depth: number;
  /** Comparisons. */
  readonly terms: number;
}
export const FILTER_LIMITS: FilterLimits = { depth: 10, terms: 50 };

/** What is wrong, and where: a position from 1. */
export class FilterError extends Error {
  constructor(what: string, at: number) {
    super(`${what} (at character ${at + 1})`);
  }
}

/** Throws `FilterError`. Logical operators are read from left to right, neither before the other: brackets say otherwise. */
export function parseFilterText(text: string, limits: FilterLimits = FILTER_LIMITS): FilterTree {
  const reader = new Reader(text, limits);
  const tree = reader.logical(0);
  reader.end();
  return tree;
}

const SPACE = /\s+/y;
const NAME = /[A-Za-z_][A-Za-z0-9_-]*(?::[A-Za-z][A-Za-z0-9_-]*)*/y;
const OPERATOR = /[a-z]+(?=\s|$)/y;
const BARE = /[^\s)\]"]+/y;
/** A JSON string; the query has no control characters. */
const STRING = /"(?:[^"\\]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const NOT = /not\s*\(/y;
const WORD = /(and|or)(?=[\s(])/y;

class Reader {
  readonly #text: string;
  readonly #limits: FilterLimits;
  #at = 0;
  #terms = 0;

  constructor(text: string, limits: FilterLimits) {
    this.#text = text;
    this.#limits = limits;
  }

  logical(depth: number): FilterTree {
    if (depth > this.#limits.depth)
      throw new FilterError(`brackets are more than ${this.#limits.depth} deep`, this.#at);
    let left = this.#single(depth);
    for (;;) {
      this.#take(SPACE);
      const word = this.#take(WORD);
      if (word === undefined) return left;
      const kind = word === 'and' ? 'and' : 'or';
      this.#take(SPACE);
      const right = this.#single(depth);
      left = left.kind === kind ? { kind, of: [...left.of, right] } : { kind, of: [left, right] };
    }
  }

  end(): void {
    if (this.#at < this.#text.length) throw new FilterError("expected 'and', 'or' or the end", this.#at);
  }

  #single(depth: number): FilterTree {
    this.#take(SPACE);
    if (this.#take(NOT) !== undefined) return { kind: 'not', of: this.#closed(depth, ')') };
    if (this.#text[this.#at] !== '(') return this.#comparison(depth);
    this.#at++;
    return this.#closed(depth, ')');
  }

  /** What stands before the closing bracket. */
  #closed(depth: number, bracket: string): FilterTree {
    const tree = this.logical(depth + 1);
    this.#take(SPACE);
    if (this.#text[this.#at] !== bracket) throw new FilterError(`expected '${bracket}'`, this.#at);
    this.#at++;
    return tree;
  }

  #comparison(depth: number): FilterTree {
    const at = this.#at;
    if (++this.#terms > this.#limits.terms) throw new FilterError(`more than ${this.#limits.terms} comparisons`, at);
    const path = this.#path(depth);
    if (this.#take(SPACE) === undefined) throw new FilterError('expected a space and an operator', this.#at);
    const operator = this.#take(OPERATOR);
    if (operator === undefined) throw new FilterError(`expected an operator: ${FILTER_OPERATORS.join(', ')}`, this.#at);
    if (this.#take(SPACE) === undefined) throw new FilterError('expected a space and a value', this.#at);
    const quoted = this.#take(STRING);
    const value = quoted === undefined ? this.#take(BARE) : (JSON.parse(quoted) as string); // STRING lets nothing else pass
    if (value === undefined || value === '')
      throw new FilterError('expected a value, or text in double quotes', this.#at);
    // What `\u0000` and the like stand for is no text that is stored.
    if (!isPlain(value)) throw new FilterError('the value has control characters', at);
    return { kind: 'compare', path, operator, value, at: at + 1 };
  }

  #path(depth: number): PathPart[] {
    const path: PathPart[] = [];
    for (;;) {
      const name = this.#take(NAME);
      if (name === undefined) throw new FilterError('expected the name of a search parameter', this.#at);
      if (this.#text[this.#at] === '[') {
        this.#at++;
        path.push({ name, where: this.#closed(depth, ']') });
        if (this.#text[this.#at] !== '.') throw new FilterError("expected '.' after ']'", this.#at);
      } else path.push({ name });
      if (this.#text[this.#at] !== '.') return path;
      this.#at++;
    }
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const [found] = pattern.exec(this.#text) ?? [];
    if (found === undefined) return undefined;
    this.#at += found.length;
    return found.trim();
  }
}
