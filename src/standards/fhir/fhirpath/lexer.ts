/** The words of a FHIRPath expression. http://hl7.org/fhirpath/N1/#expressions */

export type TokenKind = 'name' | 'quoted-name' | 'string' | 'number' | 'date' | 'variable' | 'symbol' | 'end';

export interface Token {
  readonly kind: TokenKind;
  /** The name, the string without quotes and escapes, the number's digits, the date without `@`, the symbol. */
  readonly text: string;
  /** Offset in the expression. */
  readonly at: number;
}

/** What is wrong with an expression; the message is safe to show. */
export class PathSyntaxError extends Error {
  override readonly name = 'PathSyntaxError';
}

/** An expression longer than this is not one that people wrote. */
const LENGTH_MAX = 20_000;

const SPACE = /(?:\s|\/\/[^\n]*|\/\*[^*]*\*+(?:[^/*][^*]*\*+)*\/)+/y;
const NAME = /[A-Za-z_][A-Za-z0-9_]*/y;
const NUMBER = /[0-9]+(?:\.[0-9]+)?/y;
const DATE =
  /@(?:T[0-9:.]+|[0-9]{4}(?:-[0-9]{2}(?:-[0-9]{2})?)?(?:T(?:[0-9]{2}(?::[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?)?(?:Z|[+-][0-9]{2}:[0-9]{2})?)?)?)/y;
const VARIABLE = /%(?:([A-Za-z_][A-Za-z0-9_-]*)|`([^`]*)`|'([^']*)')/y;
const SPECIAL = /\$(?:this|index|total)/y;
const SYMBOL = /<=|>=|!=|!~|[.()[\]{},+\-*/&|<>=~]/y;
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', f: '\f' };

/** Returns the tokens, the last of kind `end`. Throws `PathSyntaxError`. */
export function readTokens(text: string): Token[] {
  if (text.length > LENGTH_MAX) throw new PathSyntaxError(`an expression has at most ${LENGTH_MAX} characters`);
  const tokens: Token[] = [];
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    return pattern.exec(text);
  };
  while (at < text.length) {
    const space = take(SPACE);
    if (space) {
      at += space[0].length;
      continue;
    }
    const first = text.charAt(at);
    if (first === "'" || first === '`' || first === '"') {
      const { value, end } = readQuoted(text, at, first);
      tokens.push({ kind: first === "'" ? 'string' : 'quoted-name', text: value, at });
      at = end;
      continue;
    }
    const [kind, found] = readPlain(take);
    if (found === null) throw new PathSyntaxError(`there is an odd character at offset ${at}`);
    tokens.push({
      kind,
      text: kind === 'variable' ? (found[1] ?? found[2] ?? found[3] ?? '') : trimmed(kind, found[0]),
      at,
    });
    at += found[0].length;
  }
  tokens.push({ kind: 'end', text: '', at });
  return tokens;
}

function readPlain(take: (pattern: RegExp) => RegExpExecArray | null): [TokenKind, RegExpExecArray | null] {
  for (const [kind, pattern] of [
    ['name', NAME],
    ['number', NUMBER],
    ['date', DATE],
    ['variable', VARIABLE],
    ['name', SPECIAL],
    ['symbol', SYMBOL],
  ] as const) {
    const found = take(pattern);
    if (found) return [kind, found];
  }
  return ['symbol', null];
}

const trimmed = (kind: TokenKind, text: string): string => (kind === 'date' ? text.slice(1) : text);

function readQuoted(text: string, from: number, quote: string): { value: string; end: number } {
  let value = '';
  for (let at = from + 1; at < text.length; at++) {
    const char = text.charAt(at);
    if (char === quote) return { value, end: at + 1 };
    if (char !== '\\') {
      value += char;
      continue;
    }
    const next = text.charAt(++at);
    if (next === 'u') {
      const digits = text.slice(at + 1, at + 5);
      if (!/^[0-9A-Fa-f]{4}$/.test(digits))
        throw new PathSyntaxError(`\\u needs four hexadecimal digits at offset ${at}`);
      value += String.fromCharCode(Number.parseInt(digits, 16));
      at += 4;
    } else value += ESCAPES[next] ?? next;
  }
  throw new PathSyntaxError(`the text that begins at offset ${from} has no closing ${quote}`);
}
