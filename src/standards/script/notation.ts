/**
 * The notation in which the SCRIPT element models are written, and what it compiles to.
 *
 * A type is the list of its children in wire order:
 * `LastName:an35 MiddleName?:an35 (Date:date | DateTime:dateTime) ReasonCode*10:an3 Pharmacy{2} ...`
 * A child is its name, how often it occurs (`?` 0..1, `*` any number, `*n` 0..n, `+` 1 or more, `{n}`, `{m,n}`; else
 * once) and its type; without one the type has the child's name. Types that begin with a small letter are leaf formats
 * (`leaf-format.ts`). Parentheses group; `|` separates alternatives; `{…}` after the colon is a type without a name;
 * `...` at the end lets anything follow where the public sources are silent.
 */

export interface ElementParticle {
  readonly kind: 'element';
  readonly name: string;
  readonly type: string | Content;
  readonly min: number;
  readonly max: number;
  readonly names: ReadonlySet<string>;
}
export interface GroupParticle {
  readonly kind: 'sequence' | 'choice';
  readonly parts: readonly Particle[];
  readonly min: number;
  readonly max: number;
  /** All elements that may occur in it, at this level. */
  readonly names: ReadonlySet<string>;
  /** Number of the last of its parts in which an element may occur. */
  readonly lastPart: ReadonlyMap<string, number>;
}
export type Particle = ElementParticle | GroupParticle;

/** What stands inside an element. */
export interface Content {
  /** Children in wire order; absent for leaves. */
  readonly children?: GroupParticle;
  /** Whether anything may follow the children. */
  readonly open: boolean;
  /** Leaf format, e.g. `an1-35`. */
  readonly leaf?: string;
  /** Attribute names, and whether they are required. */
  readonly attributes: ReadonlyMap<string, boolean>;
}

/** A type as it is written: the notation, with attributes where there are any (`!` at the end: required). */
export type TypeNotation = string | { readonly attributes: readonly string[]; readonly content: string };
export type ModelNotation = Readonly<Record<string, TypeNotation>>;

export interface Model {
  /** The content of a type; undefined where the model does not know it. */
  contentOf(type: string | Content): Content | undefined;
}

const ANYTHING: Content = { open: true, attributes: new Map() };
const TOKEN = /\.\.\.|[A-Za-z][\w.-]*|[()|:{},?+]|\*\d*|\d+|\S/g;

/** A model whose types are compiled when first met. */
export function createModel(notation: ModelNotation): Model {
  const types = new Map(Object.entries(notation));
  const compiled = new Map<string, Content | undefined>();
  const compile = (name: string): Content | undefined => {
    if (name === 'any') return ANYTHING;
    if (/^[a-z]/.test(name)) return { leaf: name, open: false, attributes: new Map() };
    const type = types.get(name);
    return type === undefined ? undefined : parseType(type);
  };
  return {
    contentOf(type) {
      if (typeof type !== 'string') return type;
      const known = compiled.get(type);
      if (known === undefined && !compiled.has(type)) compiled.set(type, compile(type));
      return known ?? compiled.get(type);
    },
  };
}

function parseType(type: TypeNotation): Content {
  if (typeof type === 'string') return parseContent(new Tokens(type));
  const attributes = new Map(type.attributes.map((name) => [name.replace('!', ''), name.endsWith('!')] as const));
  return { ...parseContent(new Tokens(type.content)), attributes };
}

class Tokens {
  readonly #tokens: readonly string[];
  #at = 0;
  constructor(text: string) {
    this.#tokens = text.match(TOKEN) ?? [];
  }
  peek(): string | undefined {
    return this.#tokens[this.#at];
  }
  next(): string {
    this.#at += 1;
    return this.#tokens[this.#at - 1] ?? '';
  }
  take(token: string): boolean {
    if (this.peek() !== token) return false;
    this.#at += 1;
    return true;
  }
  expect(token: string): void {
    if (!this.take(token)) throw new Error(`the model has '${this.peek()}' where '${token}' is expected`);
  }
}

/** To the end of the text or a closing brace. A single format (`an35`) is a leaf. */
function parseContent(tokens: Tokens): Content {
  const first = tokens.peek();
  if (first !== undefined && /^[a-z]/.test(first))
    return tokens.next() === 'any' ? ANYTHING : { leaf: first, open: false, attributes: new Map() };
  const parts: Particle[] = [];
  let open = false;
  for (let next = tokens.peek(); next !== undefined && next !== '}'; next = tokens.peek()) {
    if (tokens.take('...')) open = true;
    else parts.push(parseParticle(tokens));
  }
  return { children: group('sequence', parts, 1, 1), open, attributes: new Map() };
}

function parseParticle(tokens: Tokens): Particle {
  if (tokens.take('(')) return parseGroup(tokens);
  const name = tokens.next();
  if (!/^[A-Z]/.test(name)) throw new Error(`the model has '${name}' where an element is expected`);
  const [min, max] = parseOccurs(tokens);
  return { kind: 'element', name, type: parseTypeOf(name, tokens), min, max, names: new Set([name]) };
}

function parseTypeOf(name: string, tokens: Tokens): string | Content {
  if (!tokens.take(':')) return name;
  if (!tokens.take('{')) return tokens.next();
  const content = parseContent(tokens);
  tokens.expect('}');
  return content;
}

function parseGroup(tokens: Tokens): GroupParticle {
  const options: Particle[][] = [[]];
  while (!tokens.take(')')) {
    if (tokens.peek() === undefined) throw new Error('the model has a parenthesis that is not closed');
    if (tokens.take('|')) options.push([]);
    else options.at(-1)?.push(parseParticle(tokens));
  }
  const [min, max] = parseOccurs(tokens);
  if (options.length === 1) return group('sequence', options[0] ?? [], min, max);
  const parts = options.map((option) =>
    option.length === 1 && option[0] ? option[0] : group('sequence', option, 1, 1),
  );
  return group('choice', parts, min, max);
}

const group = (kind: 'sequence' | 'choice', parts: readonly Particle[], min: number, max: number): GroupParticle => ({
  kind,
  parts,
  min,
  max,
  names: new Set(parts.flatMap((part) => [...part.names])),
  lastPart: new Map(parts.flatMap((part, at) => [...part.names].map((name) => [name, at] as const))),
});

function parseOccurs(tokens: Tokens): readonly [min: number, max: number] {
  const token = tokens.peek();
  if (token === undefined) return [1, 1];
  if (tokens.take('?')) return [0, 1];
  if (tokens.take('+')) return [1, Infinity];
  if (token.startsWith('*')) return [0, Number(tokens.next().slice(1)) || Infinity];
  if (!tokens.take('{')) return [1, 1];
  const min = Number(tokens.next());
  const max = tokens.take(',') ? Number(tokens.next()) : min;
  tokens.expect('}');
  return [min, max];
}
