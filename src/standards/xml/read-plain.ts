/**
 * A quick way through documents that use little of XML: no comments, CDATA, prefixes of elements or entities of their own.
 * It never judges: where anything is unusual or wrong it gives up, and the strict parser reads the document from its
 * beginning (`read.ts`). What it does give is what that parser would give; a test holds the two together.
 */
import { PREDEFINED_ENTITIES } from './entities.ts';
import type { XmlLimits } from './read.ts';
import type { XmlAttribute, XmlElement, XmlNode } from './tree.ts';

interface OpenElement extends XmlElement {
  readonly children: XmlNode[];
}

/** Line ends to be normalised, characters XML forbids, and those that are counted otherwise. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that are looked for
const UNUSUAL = /[\r\u0000-\u0008\u000B\u000C\u000E-\u001F\u0085\u2028\uFEFF\uFFFE\uFFFF\uD800-\uDFFF]|\]\]>/;
const DECLARATION = /^<\?xml version="1\.0"(?: encoding="[Uu][Tt][Ff]-8")? ?\?>/;

const LESS = 60;
const GREATER = 62;
const SLASH = 47;
const SPACE = 32;
const LINE = 10;
const TAB = 9;
const EQUALS = 61;

/** Undefined: the strict parser must say. */
export function readPlain(text: string, limits: XmlLimits): XmlElement | undefined {
  if (UNUSUAL.test(text)) return undefined;
  const start = DECLARATION.exec(text)?.[0].length ?? 0;
  return new PlainReader(text, start, limits).read();
}

class PlainReader {
  readonly #text: string;
  readonly #limits: XmlLimits;
  #at: number;
  #line = 1;
  #lineStart = 0;
  /** How far lines were counted. */
  #counted = 0;
  #elements = 0;
  #namespace = '';
  readonly #prefixes = new Map<string, string>();

  constructor(text: string, start: number, limits: XmlLimits) {
    this.#text = text;
    this.#at = start;
    this.#limits = limits;
  }

  read(): XmlElement | undefined {
    const text = this.#text;
    this.#skipSpace();
    const open: OpenElement[] = [];
    let root: OpenElement | undefined;
    while (this.#at < text.length) {
      if (text.charCodeAt(this.#at) !== LESS) return undefined;
      if (text.charCodeAt(this.#at + 1) === SLASH) {
        const element = open.pop();
        const end = element === undefined ? 0 : this.#at + 2 + element.name.length;
        if (!element || !text.startsWith(element.name, this.#at + 2) || text.charCodeAt(end) !== GREATER)
          return undefined;
        this.#at = end + 1;
      } else {
        const isFirst = root === undefined;
        if (!isFirst && open.length === 0) return undefined;
        const element = this.#startTag(isFirst);
        if (element === undefined || open.length >= this.#limits.depth) return undefined;
        open.at(-1)?.children.push(element);
        root ??= element;
        if (this.#isOpen) open.push(element);
      }
      if (open.length === 0) break;
      if (!this.#content(open)) return undefined;
    }
    this.#skipSpace();
    return open.length === 0 && this.#at === text.length ? root : undefined;
  }

  #isOpen = false;

  #startTag(isRoot: boolean): OpenElement | undefined {
    const text = this.#text;
    const from = this.#at + 1;
    const to = this.#nameEnd(from);
    this.#elements += 1;
    if (to === from || this.#elements > this.#limits.elements) return undefined;
    const attributes: XmlAttribute[] = [];
    let at = to;
    let code = text.charCodeAt(at);
    if (code === SPACE || code === LINE || code === TAB) {
      at = this.#attributes(at, attributes, isRoot);
      if (at < 0) return undefined;
      code = text.charCodeAt(at);
    }
    this.#isOpen = code === GREATER;
    if (!this.#isOpen && (code !== SLASH || text.charCodeAt(at + 1) !== GREATER)) return undefined;
    this.#at = this.#isOpen ? at + 1 : at + 2;
    this.#countLines();
    return {
      name: text.slice(from, to),
      prefix: '',
      namespace: this.#namespace,
      attributes,
      children: [],
      line: this.#line,
      column: this.#at - this.#lineStart,
    };
  }

  /** The place behind the last; less than 0 where one is unusual. */
  #attributes(from: number, attributes: XmlAttribute[], isRoot: boolean): number {
    const text = this.#text;
    const most = this.#limits.attributes ?? 64;
    const seen = new Set<string>();
    const prefixed: { readonly prefix: string; readonly name: string; readonly at: number; readonly value: string }[] =
      [];
    let at = from;
    for (;;) {
      const before = at;
      while (isSpace(text.charCodeAt(at))) at += 1;
      const code = text.charCodeAt(at);
      if (code === GREATER || code === SLASH) break;
      if (at === before) return -1;
      const first = this.#nameEnd(at);
      if (first === at) return -1;
      const isPrefixed = text.charCodeAt(first) === 58;
      const end = isPrefixed ? this.#nameEnd(first + 1) : first;
      const quote = text[end + 1];
      if (end === first + 1 || text.charCodeAt(end) !== EQUALS || (quote !== '"' && quote !== "'")) return -1;
      const close = text.indexOf(quote, end + 2);
      if (close < 0) return -1;
      const value = text.slice(end + 2, close);
      const name = text.slice(at, end);
      if (/[<&\n\t]/.test(value) || seen.has(name) || seen.size >= most) return -1;
      seen.add(name);
      if (name === 'xmlns' || name.startsWith('xmlns:')) {
        if (
          !isRoot ||
          value === '' ||
          /^xmlns:xml/i.test(name) ||
          /^http:\/\/www\.w3\.org\/(?:2000\/xmlns|XML\/1998)/.test(value)
        )
          return -1;
        if (name === 'xmlns') this.#namespace = value;
        else this.#prefixes.set(name.slice(6), value);
      } else if (isPrefixed) {
        prefixed.push({
          prefix: text.slice(at, first),
          name: text.slice(first + 1, end),
          at: attributes.length,
          value,
        });
        attributes.push({ name: '', prefix: '', namespace: '', value });
      } else attributes.push({ name, prefix: '', namespace: '', value });
      at = close + 1;
    }
    for (const one of prefixed) {
      const namespace = this.#prefixes.get(one.prefix);
      // Of two prefixes for one namespace the strict parser says whether an attribute is there twice.
      if (namespace === undefined || /^xml/i.test(one.prefix) || this.#prefixes.size > 1) return -1;
      attributes[one.at] = { name: one.name, prefix: one.prefix, namespace, value: one.value };
    }
    return at;
  }

  /** Text up to the next tag. */
  #content(open: readonly OpenElement[]): boolean {
    const text = this.#text;
    const next = text.indexOf('<', this.#at);
    if (next < 0) return false;
    if (next > this.#at) {
      const raw = text.slice(this.#at, next);
      const content = raw.includes('&') ? decoded(raw) : raw;
      if (content === undefined) return false;
      open.at(-1)?.children.push(content);
      this.#at = next;
    }
    const code = text.charCodeAt(next + 1);
    // Comments, CDATA, processing instructions.
    return code !== 33 && code !== 63;
  }

  /** Behind the name that begins here; where none begins, here. ASCII names only. */
  #nameEnd(from: number): number {
    const text = this.#text;
    const first = text.charCodeAt(from);
    if (!((first >= 65 && first <= 90) || (first >= 97 && first <= 122) || first === 95)) return from;
    let at = from + 1;
    for (;;) {
      const code = text.charCodeAt(at);
      const isName =
        (code >= 97 && code <= 122) ||
        (code >= 65 && code <= 90) ||
        (code >= 48 && code <= 57) ||
        code === 95 ||
        code === 45 ||
        code === 46;
      if (!isName) return at;
      at += 1;
    }
  }

  #skipSpace(): void {
    while (isSpace(this.#text.charCodeAt(this.#at))) this.#at += 1;
  }

  #countLines(): void {
    const text = this.#text;
    for (let end = text.indexOf('\n', this.#counted); end >= 0 && end < this.#at; end = text.indexOf('\n', end + 1)) {
      this.#line += 1;
      this.#lineStart = end + 1;
    }
    this.#counted = this.#at;
  }
}

const isSpace = (code: number): boolean => code === SPACE || code === LINE || code === TAB;

/** Undefined where a reference is not one of the five of XML. */
function decoded(raw: string): string | undefined {
  let isPlain = true;
  const content = raw.replaceAll(/&([a-z]{2,4};)?/g, (_all, name: string | undefined) => {
    const character = name === undefined ? undefined : PREDEFINED_ENTITIES.get(name.slice(0, -1));
    if (character === undefined) isPlain = false;
    return character ?? '';
  });
  return isPlain ? content : undefined;
}
