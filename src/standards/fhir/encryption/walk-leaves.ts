/**
 * The leaves of a resource's JSON text with the place of each, found without building the resource: protected leaves are
 * replaced in the text, and everything else stays byte for byte as it is. SECURITY KS-04, KS-07
 */
import type { ProtectedElements, ProtectedNode } from './protected-elements.ts';

/** A leaf: its JSON text is `text.slice(start, end)`. */
export interface VisitedLeaf {
  readonly start: number;
  readonly end: number;
  /** Whether it lies in a protected element. */
  readonly isProtected: boolean;
}

const QUOTE = 34;
const BACKSLASH = 92;
const OBJECT = 123;
const ARRAY = 91;
const OBJECT_END = 125;
const ARRAY_END = 93;
const COMMA = 44;
const NONE: ProtectedElements = new Map();

/** Calls `visit` for every string, number and boolean, in the order of the text, which is valid JSON of a resource. */
export function walkLeaves(
  text: string,
  type: string,
  visit: (leaf: VisitedLeaf) => void,
  elements: ProtectedElements = NONE,
): void {
  const at = skipSpace(text, 0);
  new Walk(text, visit, elements).object(at, elements.get(type), false, true);
}

class Walk implements VisitedLeaf {
  start = 0;
  end = 0;
  isProtected = false;
  readonly #text: string;
  readonly #visit: (leaf: VisitedLeaf) => void;
  readonly #elements: ProtectedElements;
  /** Whether resources lie inside this one: their elements are those of their own type. */
  readonly #hasInner: boolean;

  constructor(text: string, visit: (leaf: VisitedLeaf) => void, elements: ProtectedElements) {
    this.#text = text;
    this.#visit = visit;
    this.#elements = elements;
    this.#hasInner = elements.size > 0 && text.indexOf('"resourceType"') !== text.lastIndexOf('"resourceType"');
  }

  /** Walks the object at `at`; returns the position after it. */
  object(at: number, given: ProtectedNode | undefined, whole: boolean, isRoot = false): number {
    const text = this.#text;
    let node = given;
    if (!isRoot && !whole && this.#hasInner) {
      const type = typeOfObject(text, at);
      if (type !== undefined) node = this.#elements.get(type);
    }
    let i = skipSpace(text, at + 1);
    if (text.charCodeAt(i) === OBJECT_END) return i + 1;
    for (;;) {
      const nameEnd = stringEnd(text, i);
      const name = text.slice(i + 1, nameEnd - 1);
      // `_birthDate` is what is said of `birthDate`: a part of it.
      const below = whole ? undefined : node?.below.get(name.charCodeAt(0) === 95 ? name.slice(1) : name);
      i = this.#value(skipSpace(text, skipSpace(text, nameEnd) + 1), below, whole || below?.whole === true);
      i = skipSpace(text, i);
      if (text.charCodeAt(i) !== COMMA) return i + 1;
      i = skipSpace(text, i + 1);
    }
  }

  #array(at: number, node: ProtectedNode | undefined, whole: boolean): number {
    const text = this.#text;
    let i = skipSpace(text, at + 1);
    if (text.charCodeAt(i) === ARRAY_END) return i + 1;
    for (;;) {
      i = skipSpace(text, this.#value(i, node, whole));
      if (text.charCodeAt(i) !== COMMA) return i + 1;
      i = skipSpace(text, i + 1);
    }
  }

  #value(at: number, node: ProtectedNode | undefined, whole: boolean): number {
    const text = this.#text;
    const first = text.charCodeAt(at);
    if (first === OBJECT) return this.object(at, node, whole);
    if (first === ARRAY) return this.#array(at, node, whole);
    const end = first === QUOTE ? stringEnd(text, at) : scalarEnd(text, at);
    if (first === 110) return end; // null holds nothing
    this.start = at;
    this.end = end;
    this.isProtected = whole;
    this.#visit(this);
    return end;
  }
}

/** The `resourceType` among an object's own members. */
function typeOfObject(text: string, at: number): string | undefined {
  let i = skipSpace(text, at + 1);
  if (text.charCodeAt(i) === OBJECT_END) return undefined;
  for (;;) {
    const nameEnd = stringEnd(text, i);
    const value = skipSpace(text, skipSpace(text, nameEnd) + 1);
    const end = valueEnd(text, value);
    if (nameEnd - i === 14 && text.startsWith('resourceType', i + 1)) return text.slice(value + 1, end - 1);
    i = skipSpace(text, end);
    if (text.charCodeAt(i) !== COMMA) return undefined;
    i = skipSpace(text, i + 1);
  }
}

function valueEnd(text: string, at: number): number {
  const first = text.charCodeAt(at);
  if (first === QUOTE) return stringEnd(text, at);
  if (first !== OBJECT && first !== ARRAY) return scalarEnd(text, at);
  let depth = 0;
  for (let i = at; ; ) {
    const code = text.charCodeAt(i);
    if (Number.isNaN(code)) throw new Error('the stored text ends too early');
    if (code === QUOTE) {
      i = stringEnd(text, i);
      continue;
    }
    if (code === OBJECT || code === ARRAY) depth++;
    else if (code === OBJECT_END || code === ARRAY_END) depth--;
    i++;
    if (depth === 0) return i;
  }
}

/** Position after the string that begins at `at`. */
function stringEnd(text: string, at: number): number {
  for (let i = text.indexOf('"', at + 1); i >= 0; i = text.indexOf('"', i + 1)) {
    let slashes = 0;
    while (text.charCodeAt(i - 1 - slashes) === BACKSLASH) slashes++;
    if (slashes % 2 === 0) return i + 1;
  }
  throw new Error('the stored text ends too early');
}

function scalarEnd(text: string, at: number): number {
  let i = at;
  for (; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === COMMA || code === OBJECT_END || code === ARRAY_END || code <= 32) break;
  }
  if (i === at) throw new Error('the stored text is no JSON');
  return i;
}

function skipSpace(text: string, at: number): number {
  let i = at;
  while (text.charCodeAt(i) <= 32) i++;
  return i;
}
