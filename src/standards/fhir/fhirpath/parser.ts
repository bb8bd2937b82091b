/** FHIRPath text as a tree. Grammar: http://hl7.org/fhirpath/N1/grammar.html */
import { PathSyntaxError, readTokens, type Token } from './lexer.ts';

export type Expression =
  | { readonly kind: 'empty' }
  | { readonly kind: 'literal'; readonly type: LiteralType; readonly text: string; readonly unit?: string }
  /** `$this`, `$index`, `$total` */
  | { readonly kind: 'special'; readonly name: 'this' | 'index' | 'total' }
  /** `%resource` */
  | { readonly kind: 'variable'; readonly name: string }
  /** `on` absent: of what the expression is about. */
  | { readonly kind: 'member'; readonly on?: Expression; readonly name: string }
  | { readonly kind: 'call'; readonly on?: Expression; readonly name: string; readonly args: readonly Expression[] }
  | { readonly kind: 'indexer'; readonly on: Expression; readonly at: Expression }
  | { readonly kind: 'binary'; readonly op: string; readonly left: Expression; readonly right: Expression }
  | { readonly kind: 'negative'; readonly on: Expression }
  | { readonly kind: 'type'; readonly op: 'is' | 'as'; readonly on: Expression; readonly type: string };

export type LiteralType = 'String' | 'Boolean' | 'Integer' | 'Decimal' | 'Date' | 'DateTime' | 'Time' | 'Quantity';

const DEPTH_MAX = 200;

/** Binary operators, the loosest first. */
const LEVELS: readonly (readonly string[])[] = [
  ['implies'],
  ['or', 'xor'],
  ['and'],
  ['in', 'contains'],
  ['=', '~', '!=', '!~'],
  ['<', '<=', '>', '>='],
  ['|'],
  ['is', 'as'],
  ['+', '-', '&'],
  ['*', '/', 'div', 'mod'],
];
const TYPE_LEVEL = 7;
const UNITS = /^(?:year|month|week|day|hour|minute|second|millisecond)s?$/;

/** Throws `PathSyntaxError`. */
export function parsePath(text: string): Expression {
  const parser = new Parser(readTokens(text));
  return parser.whole();
}

class Parser {
  readonly #tokens: readonly Token[];
  #at = 0;
  #depth = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  whole(): Expression {
    const expression = this.#binary(0);
    if (this.#now.kind !== 'end') this.#fail('an operator');
    return expression;
  }

  get #now(): Token {
    return this.#tokens[this.#at]!; // the last token is `end`, which is never passed
  }

  #fail(wanted: string): never {
    throw new PathSyntaxError(`${wanted} is expected at offset ${this.#now.at}`);
  }

  #is(text: string): boolean {
    const { kind, text: found } = this.#now;
    return found === text && (kind === 'symbol' || kind === 'name');
  }

  #takes(text: string): boolean {
    if (!this.#is(text)) return false;
    this.#at++;
    return true;
  }

  #expect(text: string): void {
    if (!this.#takes(text)) this.#fail(`'${text}'`);
  }

  #binary(level: number): Expression {
    const operators = LEVELS[level];
    if (operators === undefined) return this.#unary();
    if (level === 0 && ++this.#depth > DEPTH_MAX) throw new PathSyntaxError('the expression is nested too deeply');
    let left = this.#binary(level + 1);
    for (;;) {
      const op = operators.find((one) => this.#is(one));
      if (op === undefined) break;
      this.#at++;
      if (level === TYPE_LEVEL) left = { kind: 'type', op: op as 'is' | 'as', on: left, type: this.#typeName() };
      else left = { kind: 'binary', op, left, right: this.#binary(level + 1) };
    }
    if (level === 0) this.#depth--;
    return left;
  }

  #typeName(): string {
    let name = this.#name();
    while (this.#takes('.')) name += `.${this.#name()}`;
    return name;
  }

  #name(): string {
    const { kind, text } = this.#now;
    if (kind !== 'name' && kind !== 'quoted-name') this.#fail('a name');
    this.#at++;
    return text;
  }

  #unary(): Expression {
    if (this.#is('-') || this.#is('+')) {
      if (++this.#depth > DEPTH_MAX) throw new PathSyntaxError('the expression is nested too deeply');
      const negative = this.#takes('-');
      if (!negative) this.#at++;
      const on = this.#unary();
      this.#depth--;
      return negative ? { kind: 'negative', on } : on;
    }
    return this.#steps(this.#term());
  }

  #steps(first: Expression): Expression {
    let on = first;
    for (;;) {
      if (this.#takes('.')) on = this.#invocation(on);
      else if (this.#takes('[')) {
        const at = this.#binary(0);
        this.#expect(']');
        on = { kind: 'indexer', on, at };
      } else return on;
    }
  }

  #invocation(on: Expression | undefined): Expression {
    const { kind, text } = this.#now;
    if (kind === 'name' && text.startsWith('$') && on === undefined) {
      this.#at++;
      return { kind: 'special', name: text.slice(1) as 'this' };
    }
    const name = this.#name();
    if (kind === 'name' && this.#takes('(')) {
      const args: Expression[] = [];
      if (!this.#takes(')')) {
        do args.push(this.#binary(0));
        while (this.#takes(','));
        this.#expect(')');
      }
      return on === undefined ? { kind: 'call', name, args } : { kind: 'call', on, name, args };
    }
    return on === undefined ? { kind: 'member', name } : { kind: 'member', on, name };
  }

  #term(): Expression {
    const { kind, text } = this.#now;
    switch (kind) {
      case 'string':
        this.#at++;
        return { kind: 'literal', type: 'String', text };
      case 'number':
        this.#at++;
        return this.#number(text);
      case 'date':
        this.#at++;
        return { kind: 'literal', type: dateType(text), text: text.replace(/T$/, '') };
      case 'variable':
        this.#at++;
        return { kind: 'variable', name: text };
      case 'name':
        if (text === 'true' || text === 'false') {
          this.#at++;
          return { kind: 'literal', type: 'Boolean', text };
        }
        return this.#invocation(undefined);
      case 'quoted-name':
        return this.#invocation(undefined);
      default:
        if (this.#takes('(')) {
          const inner = this.#binary(0);
          this.#expect(')');
          return inner;
        }
        if (this.#takes('{')) {
          this.#expect('}');
          return { kind: 'empty' };
        }
        return this.#fail('a term');
    }
  }

  #number(text: string): Expression {
    const next = this.#now;
    if (next.kind === 'string' || (next.kind === 'name' && UNITS.test(next.text))) {
      this.#at++;
      return { kind: 'literal', type: 'Quantity', text, unit: next.text };
    }
    return { kind: 'literal', type: text.includes('.') ? 'Decimal' : 'Integer', text };
  }
}

const dateType = (text: string): LiteralType => {
  if (text.startsWith('T')) return 'Time';
  return text.includes('T') ? 'DateTime' : 'Date';
};
