/**
 * The local Spine's own XML: read, looked into, written, canonicalised. It shares nothing with src/standards, so that an
 * error in one shows in the other. https://www.w3.org/TR/xml-names/ https://www.w3.org/TR/xml-exc-c14n/
 */
import { SaxesParser } from 'saxes';

export interface Node {
  readonly name: string;
  readonly prefix: string;
  readonly namespace: string;
  /** Names as written, without namespace declarations. */
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: readonly (Node | string)[];
}

/** The XML cannot be read. */
export class XmlError extends Error {}

const DEPTH_MAX = 60;
const NODES_MAX = 50_000;
const CHARACTERS_MAX = 5 * 1024 * 1024;

export const V3 = 'urn:hl7-org:v3';

interface Open extends Node {
  readonly attributes: Map<string, string>;
  readonly children: (Node | string)[];
}

/** Throws `XmlError`: not well-formed, a document type, too long or too deep. White space between elements is dropped. */
export function readXml(text: string): Node {
  if (text.length > CHARACTERS_MAX) throw new XmlError('the XML is too long');
  const parser = new SaxesParser({ xmlns: true });
  const stack: Open[] = [];
  const found: Node[] = [];
  let nodes = 0;
  const fail = (message: string): never => {
    throw new XmlError(message);
  };
  parser.on('error', (error) => fail(error.message));
  parser.on('doctype', () => fail('a document type is refused'));
  parser.on('opentag', (tag) => {
    nodes += 1;
    if (nodes > NODES_MAX || stack.length >= DEPTH_MAX) fail('the XML is too large');
    const attributes = new Map<string, string>();
    for (const attribute of Object.values(tag.attributes))
      if (attribute.uri !== 'http://www.w3.org/2000/xmlns/') attributes.set(attribute.name, attribute.value);
    const node: Open = { name: tag.local, prefix: tag.prefix, namespace: tag.uri, attributes, children: [] };
    stack.at(-1)?.children.push(node);
    if (stack.length === 0) found.push(node);
    stack.push(node);
  });
  parser.on('closetag', () => {
    const node = stack.pop();
    // Messages are indented: between elements white space means nothing, in a text it stays.
    if (node?.children.some(isNode)) dropBlank(node.children);
  });
  const addText = (content: string): void => {
    const parent = stack.at(-1);
    const last = parent?.children.at(-1);
    if (typeof last === 'string') parent?.children.splice(-1, 1, last + content);
    else parent?.children.push(content);
  };
  parser.on('text', addText);
  parser.on('cdata', addText);
  parser.write(text).close();
  return found[0] ?? fail('there is no element');
}

function dropBlank(children: (Node | string)[]): void {
  for (let i = children.length - 1; i >= 0; i--) {
    const child = children[i];
    if (typeof child === 'string' && child.trim() === '') children.splice(i, 1);
  }
}

export const isNode = (child: Node | string): child is Node => typeof child !== 'string';

/** Every element at the end of this path of names. */
export function all(node: Node | undefined, path: string): readonly Node[] {
  let found: readonly Node[] = node === undefined ? [] : [node];
  for (const name of path.split('/'))
    found = found.flatMap(({ children }) => children.filter(isNode).filter((child) => child.name === name));
  return found;
}

/** The first element at the end of this path of names. */
export const at = (node: Node | undefined, path: string): Node | undefined => all(node, path)[0];

/** An attribute of the first element at the end of the path; an empty one counts as absent. */
export function attribute(node: Node | undefined, path: string, name: string): string | undefined {
  const value = (path === '' ? node : at(node, path))?.attributes.get(name);
  return value === '' ? undefined : value;
}

/** All text within. */
export const textOf = (node: Node | undefined): string =>
  node === undefined ? '' : node.children.map((child) => (isNode(child) ? textOf(child) : child)).join('');

/** An element in the namespace of V3. */
export function v3(
  name: string,
  attributes: Readonly<Record<string, string | undefined>> = {},
  ...children: readonly (Node | string | undefined)[]
): Node {
  const given = Object.entries(attributes).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return {
    name,
    prefix: '',
    namespace: V3,
    attributes: new Map(given),
    children: children.filter((child) => child !== undefined),
  };
}

/** The same element with other children. */
export const withChildren = (node: Node, children: readonly (Node | string)[]): Node => ({ ...node, children });

/** The element as it is canonicalised: also the form in which replies are written. */
export function canonicalise(node: Node, scope: ReadonlyMap<string, string> = new Map()): string {
  const tag = node.prefix === '' ? node.name : `${node.prefix}:${node.name}`;
  const used = new Set([node.prefix]);
  for (const name of node.attributes.keys()) if (name.includes(':')) used.add(name.slice(0, name.indexOf(':')));
  used.delete('xml');
  const declared: [string, string][] = [];
  for (const prefix of [...used].sort()) {
    // Attributes with a prefix occur in envelopes alone, and those are never canonicalised.
    if (prefix !== node.prefix) throw new XmlError('attributes with a prefix are not canonicalised');
    if ((scope.get(prefix) ?? '') !== node.namespace) declared.push([prefix, node.namespace]);
  }
  const inner = declared.length === 0 ? scope : new Map([...scope, ...declared]);
  const declarations = declared.map(([prefix, uri]) => ` xmlns${prefix === '' ? '' : `:${prefix}`}="${escaped(uri)}"`);
  const attributes = [...node.attributes]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => ` ${name}="${escaped(value)}"`);
  const content = node.children.map((child) => (isNode(child) ? canonicalise(child, inner) : escapedText(child)));
  return `<${tag}${declarations.join('')}${attributes.join('')}>${content.join('')}</${tag}>`;
}

const REFERENCES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  '\t': '&#x9;',
  '\n': '&#xA;',
  '\r': '&#xD;',
};
const escaped = (text: string): string => text.replaceAll(/[&<"\t\n\r]/g, (character) => REFERENCES[character] ?? '');
const escapedText = (text: string): string => text.replaceAll(/[&<>\r]/g, (character) => REFERENCES[character] ?? '');
export const escapeXml = (text: string): string =>
  text.replaceAll(/[&<>"]/g, (character) => REFERENCES[character] ?? '');
