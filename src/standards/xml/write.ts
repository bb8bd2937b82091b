/** Writes an element as an XML 1.0 document in UTF-8. https://www.w3.org/TR/xml/ https://www.w3.org/TR/xml-names/ */
import { declarationsOf, type NamespaceScope, NO_NAMESPACES, scopeWithin } from './namespaces.ts';
import type { XmlElement, XmlNode } from './tree.ts';

/**
 * `pretty`: a line an element, two spaces a level; an element that holds text stays on one line, so that no text changes.
 * `compact`: nothing between elements.
 */
export type XmlLayout = 'pretty' | 'compact';

const DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>';

/**
 * The document's text, without a newline at its end. Attributes keep the order of the tree, declarations stand before
 * them where a prefix is first used, and an element without content closes itself.
 */
export function writeXml(root: XmlElement, layout: XmlLayout): string {
  const writer = { text: layout === 'pretty' ? `${DECLARATION}\n` : DECLARATION };
  write(root, NO_NAMESPACES, layout === 'pretty' ? '\n' : undefined, writer);
  return writer.text;
}

/** What is written so far. Appending to one text is the fastest way to a long one. */
interface Writer {
  text: string;
}

/** `line`: the line break and indentation of this element; undefined where nothing may be put between elements. */
function write(element: XmlElement, scope: NamespaceScope, line: string | undefined, writer: Writer): void {
  const { children } = element;
  const tag = element.prefix === '' ? element.name : `${element.prefix}:${element.name}`;
  const declarations = declarationsOf(element, scope);
  let start = `<${tag}`;
  for (const [declared, namespace] of declarations)
    start += `${declared === '' ? ' xmlns' : ` xmlns:${declared}`}="${escapeAttribute(namespace)}"`;
  for (const { name, prefix, value } of element.attributes)
    start += ` ${prefix === '' ? name : `${prefix}:${name}`}="${escapeAttribute(value)}"`;
  if (isEmpty(children)) {
    writer.text += `${start}/>`;
    return;
  }
  writer.text += `${start}>`;
  const within = scopeWithin(scope, declarations);
  const inner = line === undefined || children.some(isText) ? undefined : `${line}  `;
  for (const child of children) {
    if (isText(child)) writer.text += escapeText(child);
    else {
      if (inner !== undefined) writer.text += inner;
      write(child, within, inner, writer);
    }
  }
  writer.text += inner === undefined ? `</${tag}>` : `${line}</${tag}>`;
}

const isText = (node: XmlNode): node is string => typeof node === 'string';

const isEmpty = (children: XmlElement['children']): boolean =>
  children.length === 0 || children.every((child) => child === '');

const ESCAPES = new Map([
  ['&', '&amp;'],
  ['<', '&lt;'],
  ['>', '&gt;'],
  ['"', '&quot;'],
  ["'", '&#39;'],
  ['\t', '&#9;'],
  ['\n', '&#10;'],
  ['\r', '&#13;'],
]);
const escapeBy = (character: string): string => ESCAPES.get(character) ?? character;

/** A carriage return is written as a reference, else every reader would take it for a line feed (XML 1.0 section 2.11). */
const escapeText = (text: string): string => (/[&<>\r]/.test(text) ? text.replaceAll(/[&<>\r]/g, escapeBy) : text);
/** So are tabs and line ends in attributes, which readers turn into spaces (XML 1.0 section 3.3.3). */
export const escapeAttribute = (text: string): string =>
  /[&<>"'\t\n\r]/.test(text) ? text.replaceAll(/[&<>"'\t\n\r]/g, escapeBy) : text;
