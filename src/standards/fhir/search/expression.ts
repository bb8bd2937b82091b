/**
 * The part of FHIRPath that R4 search parameters are written in, read into paths. Anything else throws, so that no
 * parameter is left out unseen. https://hl7.org/fhir/R4/searchparameter-definitions.html#SearchParameter.expression
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

const TOKEN = /\s*(?:([A-Za-z%][A-Za-z0-9]*)|'([^']*)'|(\d+)|(!=|[.()[\]|=]))/y;

interface Token {
  readonly kind: 'name' | 'string' | 'number' | 'symbol';
  readonly text: string;
}

function tokenise(expression: string): Token[] {
  const tokens: Token[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < expression.trimEnd().length) {
    const at = TOKEN.lastIndex;
    const match = TOKEN.exec(expression);
    if (match === null) throw new Error(`search expression not understood at ${at}: ${expression}`);
    const [, name, string, number, symbol] = match;
    if (name !== undefined) tokens.push({ kind: 'name', text: name });
    else if (string !== undefined) tokens.push({ kind: 'string', text: string });
    else if (number !== undefined) tokens.push({ kind: 'number', text: number });
    else tokens.push({ kind: 'symbol', text: symbol ?? '' });
  }
  return tokens;
}

/** Reads an expression into the branches of its union, each a path from the resource (or the composite's element). */
export function parseExpression(expression: string): PathExpression[] {
  const tokens = tokenise(expression);
  let at = 0;
  const fail = (): never => {
    throw new Error(`search expression not understood: ${expression}`);
  };
  const next = (text: string): boolean => tokens[at]?.kind !== 'string' && tokens[at]?.text === text;
  const accept = (text: string): boolean => {
    if (!next(text)) return false;
    at++;
    return true;
  };
  const expect = (text: string): void => {
    if (!accept(text)) fail();
  };
  const take = (kind: Token['kind']): string => {
    const token = tokens[at++];
    return token?.kind === kind ? token.text : fail();
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
    expect('(');
    const steps =
      name === 'ofType' || name === 'as'
        ? [ofType()]
        : name === 'where'
          ? [where()]
          : name === 'extension'
            ? extension()
            : fail();
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
    if (name !== 'resolve') fail();
    expect('(');
    expect(')');
    expect('is');
    return { kind: 'where-resolves', type: take('name') };
  };
  const booleanForm = (paths: PathExpression[]): PathExpression => {
    expect('(');
    expect(')');
    expect('and');
    const [again] = term();
    expect('!=');
    expect('false');
    if (paths.length !== 1 || paths[0] === undefined || JSON.stringify(paths[0]) !== JSON.stringify(again))
      return fail();
    return { ...paths[0], notFalse: true };
  };

  const branches = union();
  return at === tokens.length ? branches : fail();
}

const append = (path: PathExpression, step: Step): PathExpression => ({ ...path, steps: [...path.steps, step] });
