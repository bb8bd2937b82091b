/**
 * Exclusive XML Canonicalization 1.0 without comments, of a whole element. https://www.w3.org/TR/xml-exc-c14n/
 * The tree keeps no comments and no unused declarations, so what is left are tags and text. It keeps no processing
 * instructions either, which the canonical form has: what was signed with one inside does not verify.
 */
import { compareCodePoints, declarationsOf, type NamespaceScope, NO_NAMESPACES, scopeWithin } from './namespaces.ts';
import type { XmlAttribute, XmlElement } from './tree.ts';

/** The algorithm's name in XML signatures. */
export const EXCLUSIVE_C14N = 'http://www.w3.org/2001/10/xml-exc-c14n#';

/** The canonical form of the element as a text to be encoded in UTF-8; it begins a document, with nothing declared. */
export function canonicalise(element: XmlElement): string {
  const pieces: string[] = [];
  write(element, NO_NAMESPACES, pieces);
  return pieces.join('');
}

function write(element: XmlElement, scope: NamespaceScope, pieces: string[]): void {
  const tag = element.prefix === '' ? element.name : `${element.prefix}:${element.name}`;
  const declarations = declarationsOf(element, scope);
  let start = `<${tag}`;
  for (const [prefix, namespace] of declarations)
    start += `${prefix === '' ? ' xmlns' : ` xmlns:${prefix}`}="${escapeAttribute(namespace)}"`;
  for (const { name, prefix, value } of sorted(element.attributes))
    start += ` ${prefix === '' ? name : `${prefix}:${name}`}="${escapeAttribute(value)}"`;
  pieces.push(start, '>');
  const within = scopeWithin(scope, declarations);
  for (const child of element.children) {
    if (typeof child === 'string') pieces.push(escapeText(child));
    else write(child, within, pieces);
  }
  pieces.push(`</${tag}>`);
}

/** By namespace, then by local name; those without a namespace come first. */
const sorted = (attributes: readonly XmlAttribute[]): readonly XmlAttribute[] =>
  attributes.length < 2
    ? attributes
    : [...attributes].sort((a, b) => compareCodePoints(a.namespace, b.namespace) || compareCodePoints(a.name, b.name));

const IN_TEXT = new Map([
  ['&', '&amp;'],
  ['<', '&lt;'],
  ['>', '&gt;'],
  ['\r', '&#xD;'],
]);
const IN_ATTRIBUTE = new Map([
  ['&', '&amp;'],
  ['<', '&lt;'],
  ['"', '&quot;'],
  ['\t', '&#x9;'],
  ['\n', '&#xA;'],
  ['\r', '&#xD;'],
]);

const escapeText = (text: string): string =>
  /[&<>\r]/.test(text) ? text.replaceAll(/[&<>\r]/g, (character) => IN_TEXT.get(character) ?? '') : text;
const escapeAttribute = (text: string): string =>
  /[&<"\t\n\r]/.test(text) ? text.replaceAll(/[&<"\t\n\r]/g, (character) => IN_ATTRIBUTE.get(character) ?? '') : text;
