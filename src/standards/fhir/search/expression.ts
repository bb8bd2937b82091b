/**
 * The part of FHIRPath that R4 search parameters are written in, read into paths. Anything else throws, so that no
 * parameter is left out unseen: its message names the character, what stands there, and what could.
 * https://hl7.org/fhir/R4/searchparameter-definitions.html#SearchParameter.expression
 */

export type Step =
  | { readonly kind: 'child'; readonly name: string }
  | { readonly kind: 'of-type'; readonly type: string }
  | { readonly kind: 'index'; readonly index: number }
  /** `.where(name = 'value')` */
  | { readonly kind: 'where-equals'; readonly name: string; readonly value: string }
  /** `.where(resolve() is type)` */
  | { readonly kind: 'where-resolves'; readonly type: string };

/** One branch of a union. */
export interface PathExpression {
  /** `%resource` was its start: the path begins at the resource even inside a composite. */
  readonly fromResource: boolean;
  readonly steps: readonly Step[];
  /** `path.exists() and path != false`: the value is whether that holds. */
  readonly notFalse: boolean;
}

const TOKEN = /\s*(?:([A-Za-z%][A-Za-z0-9]*)|'([^'\\]*)'|(\d+)|(!=|[.()[\]|=]))/y;

interface Token {
  readonly kind: 'name' | 'string' | 'number' | 'symbol' | 'end';
  readonly text: string;
  /** Where it begins. */
  readonly at: number;
}

/** What an expression may be made of, for whoever wrote another. */
export const SUPPORTED =
  "Supported are paths of element names with '.', unions with '|', 'as', ofType(), extension('url'), where(name='value'), where(resolve() is Type), [n], and 'a.exists() and a != false': docs/fhir.md#custom-search-parameters";
const CONTEXT = 24;

/** An error that names the character (the first is 1), the text from there on, and what is wrong with it. */
function notUnderstood(expression: string, at: number, why: string): Error {
  const from = at + (/^\s*/.exec(expression.slice(at))?.[0].length ?? 0);
  const rest = expression.slice(from, from + CONTEXT);
  const before = expression.trimEnd().slice(-CONTEXT);
  const place =
    rest === ''
      ? `at its end, after "${before}"`
      : `at character ${from + 1}, "${rest}${from + CONTEXT < expression.length ? '…' : ''}"`;
  return new Error(`The expression is not understood ${place}: ${why}. ${SUPPORTED}`);
}

function tokenise(expression: string): Token[] {
  const tokens: Token[] = [];
  const length = expression.trimEnd().length;
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < length) {
    const at = TOKEN.lastIndex;
    const match = TOKEN.exec(expression);
    if (match === null) throw notUnderstood(expression, at, whyNotToken(expression.slice(at).trimStart()));
    const [all, name, string, number, symbol] = match;
    const from = at + all.length - all.trimStart().length;
    if (name !== undefined) tokens.push({ kind: 'name', text: name, at: from });
    else if (string !== undefined) tokens.push({ kind: 'string', text: string, at: from });
    else if (number !== undefined) tokens.push({ kind: 'number', text: number, at: from });
    else tokens.push({ kind: 'symbol', text: symbol ?? '', at: from });
  }
  return [...tokens, { kind: 'end', text: '', at: length }];
}

function whyNotToken(rest: string): string {
  if (!rest.startsWith("'")) return 'this character has no meaning here';
  const end = rest.slice(1).search(/['\\]/);
  return end < 0 ? "the text that begins here has no closing '" : 'texts with escapes (\\) are not supported';
}

/** What is wanted where something else stands. */
const WANTED: Readonly<Record<Token['kind'], string>> = {
  name: 'a name must stand here',
  string: "a text in single quotes ('…') must stand here",
  number: 'a number must stand here',
  symbol: 'it goes on otherwise than expected',
  end: 'nothing more can follow here',
};

/**
 * Reads an expression into the branches of its union, each a path from the resource (or the composite's element). Throws
 * an Error that says, to whoever wrote it, which character is not understood and why.
 */
export function parseExpression(expression: string): PathExpression[] {
  const tokens = tokenise(expression);
  let at = 0;
  const current = (): Token => tokens[Math.min(at, tokens.length - 1)] as Token; // there is an end
  const fail = (why: string, token = current()): never => {
    throw notUnderstood(expression, token.at, why);
  };
  const next = (text: string): boolean => current().kind !== 'string' && current().text === text;
  const accept = (text: string): boolean => {
    if (!next(text)) return false;
    at++;
    return true;
  };
  const expect = (text: string): void => {
    if (!accept(text)) fail(`'${text}' must stand here`);
  };
  const take = (kind: Token['kind']): string => {
    const token = current();
    if (token.kind !== kind) return fail(WANTED[kind]);
    at++;
    return token.text;
  };

  const union = (): PathExpression[] => {
    const branches = [...term()];
    while (accept('|')) branches.push(...term());
    return branches;
  };
  /** A path, `(union)` followed by more of a path, `path as Type`, or the one boolean form. */
  const term = (): PathExpression[] => {
    let branches: PathExpression[];
    if (accept('(')) {
      branches = union();
      expect(')');
    } else {
      const name = take('name');
      if (next('(')) fail(`a path begins with the name of a type or of an element, not with ${name}()`, tokens[at - 1]);
      branches = [
        {
          fromResource: name === '%resource',
          steps: [{ kind: 'child', name }].slice(name === '%resource' ? 1 : 0) as Step[],
          notFalse: false,
        },
      ];
    }
    for (;;) {
      if (accept('.')) {
        const name = take('name');
        if (name === 'exists' && next('(')) return [booleanForm(branches)];
        const steps: readonly Step[] = next('(') ? call(name) : [{ kind: 'child', name }];
        branches = branches.map((b) => steps.reduce(append, b));
      } else if (accept('[')) {
        const index = Number(take('number'));
        expect(']');
        branches = branches.map((b) => append(b, { kind: 'index', index }));
      } else if (accept('as')) {
        const type = take('name');
        branches = branches.map((b) => append(b, { kind: 'of-type', type }));
      } else return branches;
    }
  };
  const call = (name: string): readonly Step[] => {
    const called = CALLS.get(name);
    if (!called) return fail(`the function ${name}() is not supported`, tokens[at - 1]);
    expect('(');
    const steps = called === 'of-type' ? [ofType()] : called === 'where' ? [where()] : extension();
    expect(')');
    return steps;
  };
  /** https://hl7.org/fhir/R4/fhirpath.html#functions: short for `extension.where(url = 'value')` */
  const extension = (): readonly Step[] => [
    { kind: 'child', name: 'extension' },
    { kind: 'where-equals', name: 'url', value: take('string') },
  ];
  const ofType = (): Step => ({ kind: 'of-type', type: take('name') });
  const where = (): Step => {
    const name = take('name');
    if (accept('=')) return { kind: 'where-equals', name, value: take('string') };
    if (name !== 'resolve') fail("where() compares one element with one text by '=', or is where(resolve() is Type)");
    expect('(');
    expect(')');
    expect('is');
    return { kind: 'where-resolves', type: take('name') };
  };
  const booleanForm = (paths: PathExpression[]): PathExpression => {
    const from = tokens[at - 1];
    expect('(');
    expect(')');
    if (!accept('and')) fail("exists() is supported in 'a.exists() and a != false' only", from);
    const [again] = term();
    expect('!=');
    expect('false');
    if (paths.length !== 1 || paths[0] === undefined || JSON.stringify(paths[0]) !== JSON.stringify(again))
      return fail("both sides of 'a.exists() and a != false' must be the same path", from);
    return { ...paths[0], notFalse: true };
  };

  const branches = union();
  return current().kind === 'end' ? branches : fail(WANTED.end);
}

const CALLS: ReadonlyMap<string, 'of-type' | 'where' | 'extension'> = new Map([
  ['ofType', 'of-type'],
  ['as', 'of-type'],
  ['where', 'where'],
  ['extension', 'extension'],
]);

const append = (path: PathExpression, step: Step): PathExpression => ({ ...path, steps: [...path.steps, step] });
