/**
 * What `_text` and `_content` ask for: words, "phrases", AND, OR, NOT and brackets, as in
 * `(bone OR liver) and metastases`. https://hl7.org/fhir/R4/search.html#content
 *
 * Words are compared as strings are, without case and accents, and otherwise as they are written: none is left out as too
 * common, none is reduced to a stem. `word*` stands for all that begin so.
 */
import { splitEscaped, unescapeValue } from './escape.ts';
import type { Parsed } from './parse-condition.ts';
import { type ParseContext, problem, unknown } from './parse-context.ts';
import type { TextQuery } from './request.ts';
import { splitWords } from './words.ts';

const WORDS_MAX = 50;
const DEPTH_MAX = 10;
const NAMES: ReadonlyMap<string, 'narrative' | 'content'> = new Map([
  ['_text', 'narrative'],
  ['_content', 'content'],
]);

/** Whether a parameter is one of the two, with a modifier or without. */
export const isTextParameter = (name: string): boolean => /^_(?:text|content)(?::|$)/.test(name);

/** The condition of `_text=…` or `_content=…` on a type. */
export function parseText(context: ParseContext, type: string, name: string, value: string): Parsed {
  const [code = '', modifier] = name.split(':');
  const scope = NAMES.get(code);
  if (modifier !== undefined || scope === undefined)
    return { problems: [problem('not-supported', `Parameter '${code}' takes no modifier`)] };
  const { fullText } = context.parameters;
  if (fullText === undefined || (scope === 'content' && fullText !== 'all'))
    return { problems: [unknown('not-supported', `Parameter '${code}' is not searched on this server (FULL_TEXT)`)] };
  if (scope === 'narrative' && context.parameters.get(type)?.hasNarrative !== true)
    return { problems: [unknown('invalid', `Parameter '_text': ${type} has no narrative`)] };
  const values: TextQuery[] = [];
  for (const piece of splitEscaped(value, ',')) {
    const read = parseTextQuery(unescapeValue(piece));
    if ('reason' in read) return { problems: [problem('value', `Parameter '${code}': ${read.reason}`)] };
    values.push(read.query);
  }
  return { condition: { kind: 'text', type, scope, values } };
}

type Token = '(' | ')' | 'and' | 'or' | 'not' | { readonly words: readonly string[]; readonly isBeginning: boolean };

/** The query, or what is wrong with it. */
export function parseTextQuery(text: string): { readonly query: TextQuery } | { readonly reason: string } {
  const tokens = readTokens(text);
  if (typeof tokens === 'string') return { reason: tokens };
  const count = tokens.reduce((sum, token) => sum + (typeof token === 'string' ? 0 : token.words.length), 0);
  if (count > WORDS_MAX) return { reason: `more than ${WORDS_MAX} words` };
  const reader = new QueryReader(tokens);
  const query = reader.either(0);
  if (query === undefined || !reader.isDone) return { reason: reader.fault };
  return isFoundInNothing(query)
    ? { reason: 'name a word that must be there: what is only excluded would be found nearly everywhere' }
    : { query };
}

const OPERATORS: ReadonlyMap<string, 'and' | 'or' | 'not'> = new Map([
  ['and', 'and'],
  ['or', 'or'],
  ['not', 'not'],
]);
const SPACE = /\s/;
const ENDS = /[\s()"]/;

/** The tokens, or what is wrong with the text. What has no letter or digit in it says nothing and is passed over. */
function readTokens(text: string): Token[] | string {
  const tokens: Token[] = [];
  const add = (words: readonly string[], isBeginning: boolean): void => {
    if (words.length > 0) tokens.push({ words, isBeginning });
  };
  for (let at = 0; at < text.length; ) {
    const char = text.charAt(at);
    if (SPACE.test(char)) at++;
    else if (char === '(' || char === ')') {
      tokens.push(char);
      at++;
    } else if (char === '"') {
      const end = text.indexOf('"', at + 1);
      if (end < 0) return 'a quotation mark has no end';
      add(splitWords(text.slice(at + 1, end)), false);
      at = end + 1;
    } else if (char === '-') {
      tokens.push('not');
      at++;
    } else {
      let end = at;
      while (end < text.length && !ENDS.test(text.charAt(end))) end++;
      const word = text.slice(at, end);
      const operator = OPERATORS.get(word.toLowerCase());
      // Parts of one word (`co-amoxiclav`, `1.5`) stand side by side.
      if (operator) tokens.push(operator);
      else add(splitWords(word), word.endsWith('*'));
      at = end;
    }
  }
  return tokens;
}

const NO_WORD = 'there is no word in it';
const NOT_OPENED = "a ')' has no '('";

class QueryReader {
  readonly #tokens: readonly Token[];
  #at = 0;
  #fault: string | undefined;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  /** What is wrong: the first thing that was met. */
  get fault(): string {
    return this.#fault ?? (this.#tokens[this.#at] === ')' ? NOT_OPENED : NO_WORD);
  }

  get isDone(): boolean {
    return this.#at >= this.#tokens.length;
  }

  /** `a b OR c`: OR binds less than words side by side. */
  either(depth: number): TextQuery | undefined {
    const found = this.#all(depth);
    if (!found) return undefined;
    const of = [found];
    while (this.#tokens[this.#at] === 'or') {
      this.#at++;
      const next = this.#all(depth);
      if (!next) return this.#fail("'or' needs a word on both sides");
      of.push(next);
    }
    return of.length === 1 ? found : { kind: 'or', of };
  }

  #all(depth: number): TextQuery | undefined {
    const first = this.#one(depth);
    if (!first) return undefined;
    const of = [first];
    for (;;) {
      const token = this.#tokens[this.#at];
      if (token === undefined || token === 'or' || token === ')') break;
      if (token === 'and') this.#at++;
      const next = this.#one(depth);
      if (!next) return token === 'and' ? this.#fail("'and' needs a word on both sides") : undefined;
      of.push(next);
    }
    return of.length === 1 ? first : { kind: 'and', of };
  }

  #one(depth: number): TextQuery | undefined {
    if (depth > DEPTH_MAX) return this.#fail(`more than ${DEPTH_MAX} brackets or exclusions within one another`);
    const token = this.#tokens[this.#at];
    if (token === undefined || token === ')' || token === 'and' || token === 'or') return undefined;
    this.#at++;
    if (token === 'not') {
      const of = this.#one(depth + 1);
      return of ? { kind: 'not', of } : this.#fail("'not' and '-' need a word after them");
    }
    if (token !== '(') return { kind: 'words', ...token };
    const inner = this.either(depth + 1);
    if (!inner) return this.#fail('a pair of brackets has no word in it');
    if (this.#tokens[this.#at] !== ')') return this.#fail("a '(' has no ')'");
    this.#at++;
    return inner;
  }

  #fail(reason: string): undefined {
    this.#fault ??= reason;
    return undefined;
  }
}

/** Whether a text without any word would do. */
function isFoundInNothing(query: TextQuery): boolean {
  switch (query.kind) {
    case 'words':
      return false;
    case 'not':
      return !isFoundInNothing(query.of);
    case 'and':
      return query.of.every(isFoundInNothing);
    case 'or':
      return query.of.some(isFoundInNothing);
  }
}
