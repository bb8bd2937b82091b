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
  const writer = { text: '' };
  write(element, NO_NAMESPACES, writer);
  return writer.text;
}

/** What is written so far. Appending to one text is the fastest way to a long one. */
interface Writer {
  text: string;
}

function write(element: XmlElement, scope: NamespaceScope, writer: Writer): void {
  const tag = element.prefix === '' ? element.name : `${element.prefix}:${element.name}`;
  const declarations = declarationsOf(element, scope);
  let start = `<${tag}`;
  for (const [prefix, namespace] of declarations)
    start += `${prefix === '' ? ' xmlns' : ` xmlns:${prefix}`}="${escapeAttribute(namespace)}"`;
  for (const { name, prefix, value } of sorted(element.attributes))
    start += ` ${prefix === '' ? name : `${prefix}:${name}`}="${escapeAttribute(value)}"`;
  writer.text += `${start}>`;
  const within = scopeWithin(scope, declarations);
  for (const child of element.children) {
    if (typeof child === 'string') writer.text += escapeText(child);
    else write(child, within, writer);
  }
  writer.text += `</${tag}>`;
}

/** By namespace, then by local name; those without a namespace come first. */
const compare = (a: XmlAttribute, b: XmlAttribute): number =>
  compareCodePoints(a.namespace, b.namespace) || compareCodePoints(a.name, b.name);

/** Most are in order already. */
const sorted = (attributes: readonly XmlAttribute[]): readonly XmlAttribute[] =>
  attributes.every((attribute, i) => i === 0 || compare(attributes[i - 1] ?? attribute, attribute) < 0)
    ? attributes
    : attributes.toSorted(compare);

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
