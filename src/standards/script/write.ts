/** A SCRIPT message as text: element order from the model, everything escaped, no white space added (reference 24.5). */
import { type Issue, issue } from '../fhir/outcome.ts';
import type { Mapped } from '../mapped.ts';
import { SCRIPT_2017071 } from './model-2017071.ts';
import { type Content, createModel, type GroupParticle } from './notation.ts';

/** What is written: a tree that was read (`XmlElement`) or made. */
export interface ScriptElement {
  readonly name: string;
  readonly attributes: readonly { readonly name: string; readonly value: string; readonly prefix?: string }[];
  readonly children: readonly (ScriptElement | string)[];
}

export const scriptElement = (
  name: string,
  children: readonly (ScriptElement | string)[] = [],
  attributes: Readonly<Record<string, string>> = {},
): ScriptElement => ({
  name,
  children,
  attributes: Object.entries(attributes).map(([key, value]) => ({ name: key, value })),
});

export const XML_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n';

const MODEL = createModel(SCRIPT_2017071);

/** The message in UTF-8, elements in the order of 2017071. Characters XML cannot carry are issues, and nothing is written. */
export function formatScript(message: ScriptElement): Mapped<string> {
  const parts: string[] = [XML_DECLARATION];
  const issues: Issue[] = [];
  writeElement(message, MODEL.contentOf('Message'), { parts, issues, path: 'Message' });
  return issues.length > 0 ? { issues } : { value: parts.join(''), issues };
}

interface Output {
  readonly parts: string[];
  readonly issues: Issue[];
  readonly path: string;
}

/** https://www.w3.org/TR/xml/#charsets: what XML 1.0 has no way to write. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that are looked for
const FORBIDDEN = /[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]|\p{Surrogate}/u;

function writeElement(element: ScriptElement, content: Content | undefined, output: Output): void {
  const { parts, path } = output;
  parts.push(`<${element.name}`);
  for (const { name, value, prefix } of element.attributes)
    if (!prefix)
      parts.push(` ${name}="${escapeOrRefuse(value, output).replaceAll(/[\n\t]/g, (c) => `&#${c.charCodeAt(0)};`)}"`);
  const nodes = childrenInOrder(element, content);
  if (nodes.length === 0) {
    parts.push('/>');
    return;
  }
  parts.push('>');
  for (const node of nodes) {
    if (typeof node === 'string') parts.push(escapeOrRefuse(node, output));
    else writeElement(node, contentOf(node, content, path), { ...output, path: `${path}/${node.name}` });
  }
  parts.push(`</${element.name}>`);
}

function contentOf(node: ScriptElement, parent: Content | undefined, path: string): Content | undefined {
  if (path === 'Message/Body') return MODEL.contentOf(node.name);
  const type = parent?.children && typeOf(parent.children, node.name);
  return type === undefined ? undefined : MODEL.contentOf(type);
}

function typeOf(group: GroupParticle, name: string): string | Content | undefined {
  for (const part of group.parts) {
    if (!part.names.has(name)) continue;
    return part.kind === 'element' ? part.type : typeOf(part, name);
  }
  return undefined;
}

/** White space between elements goes. What the model does not know stays behind what it stood behind. */
function childrenInOrder(element: ScriptElement, content: Content | undefined): readonly (ScriptElement | string)[] {
  const elements = element.children.filter((node) => typeof node !== 'string');
  if (elements.length === 0) {
    const text = element.children.join('').trim();
    return text === '' ? [] : [text];
  }
  const group = content?.children;
  if (group === undefined || !ordersByName(group)) return elements;
  let last = 0;
  const ranked = elements.map((node) => {
    const rank = group.parts.findIndex((part) => part.names.has(node.name));
    last = rank < 0 ? last : rank;
    return { node, rank: last };
  });
  return ranked.toSorted((one, other) => one.rank - other.rank).map(({ node }) => node);
}

/** Where a name stands in two places (dose ranges), document order carries the meaning and is kept. */
const ordersByName = (group: GroupParticle): boolean =>
  group.kind === 'sequence' && group.parts.reduce((sum, part) => sum + part.names.size, 0) === group.names.size;

function escapeOrRefuse(text: string, { issues, path }: Output): string {
  if (FORBIDDEN.test(text)) issues.push(issue('value', `${path} holds a character that XML cannot carry`, path));
  return escapeXml(text);
}

const ESCAPES = new Map([
  ['&', '&amp;'],
  ['<', '&lt;'],
  ['>', '&gt;'],
  ['"', '&quot;'],
  ['\r', '&#13;'],
]);
const escapeXml = (text: string): string => text.replaceAll(/[&<>"\r]/g, (c) => ESCAPES.get(c) ?? c);

/**
 * One text for all ways to write the same element: no prefixes, white space between elements or comments, attributes by
 * name. `omit`: paths below the element that are left out.
 */
export function canonicalText(element: ScriptElement, omit: ReadonlySet<string> = new Set(), path = ''): string {
  const attributes = element.attributes
    .filter(({ prefix }) => !prefix)
    .map(({ name, value }) => ` ${name}="${escapeXml(value)}"`)
    .toSorted();
  const elements = element.children.filter((node) => typeof node !== 'string');
  const inside =
    elements.length === 0
      ? escapeXml(element.children.join('').trim())
      : elements
          .map((node) => ({ node, below: path === '' ? node.name : `${path}/${node.name}` }))
          .filter(({ below }) => !omit.has(below))
          .map(({ node, below }) => canonicalText(node, omit, below))
          .join('');
  return `<${element.name}${attributes.join('')}>${inside}</${element.name}>`;
}
