/** Builds elements of HL7 Version 3 messages. */
import { compareCodePoints } from '../xml/namespaces.ts';
import type { XmlAttribute, XmlElement, XmlNode } from '../xml/tree.ts';

export const HL7_V3 = 'urn:hl7-org:v3';

/** An attribute without a value is left out. */
export type V3Attributes = Readonly<Record<string, string | undefined>>;

/** What may stand in an element: what is undefined is left out. */
export type V3Content = XmlElement | readonly (XmlElement | undefined)[] | undefined;

const NO_ATTRIBUTES: readonly XmlAttribute[] = [];

/** An element of the V3 namespace, its attributes in alphabetical order, its content in the order given. */
export function element(name: string, attributes?: V3Attributes, ...content: readonly V3Content[]): XmlElement {
  return elementOf(name, attributes === undefined ? NO_ATTRIBUTES : attributesOf(attributes), contentOf(content));
}

/** An element that holds text. Line ends become line feeds, as every XML reader sees them (XML 1.0 section 2.11). */
export const textElement = (name: string, text: string | undefined): XmlElement =>
  elementOf(name, NO_ATTRIBUTES, text === undefined || text === '' ? [] : [textOf(text)]);

/** An element whose only content is the attribute `value`. */
export const valueElement = (name: string, value: string | undefined): XmlElement => element(name, { value });

const elementOf = (
  name: string,
  attributes: readonly XmlAttribute[],
  children: readonly XmlNode[],
  namespace = HL7_V3,
): XmlElement => ({ name, prefix: '', namespace, attributes, children, line: 0, column: 0 });

/** An element without a namespace. */
export const bareElement = (name: string, ...children: readonly XmlElement[]): XmlElement =>
  elementOf(name, NO_ATTRIBUTES, children, '');

function contentOf(content: readonly V3Content[]): readonly XmlElement[] {
  const children: XmlElement[] = [];
  for (const part of content) {
    if (part === undefined) continue;
    if (isList(part)) for (const child of part) child !== undefined && children.push(child);
    else children.push(part);
  }
  return children;
}

const isList = (part: XmlElement | readonly (XmlElement | undefined)[]): part is readonly (XmlElement | undefined)[] =>
  Array.isArray(part);

function attributesOf(attributes: V3Attributes): readonly XmlAttribute[] {
  const list: XmlAttribute[] = [];
  let last = '';
  let inOrder = true;
  for (const name in attributes) {
    const value = attributes[name];
    if (value === undefined) continue;
    if (name < last) inOrder = false;
    last = name;
    list.push({ name, prefix: '', namespace: '', value: normaliseAttribute(value) });
  }
  return inOrder ? list : list.sort((a, b) => compareCodePoints(a.name, b.name));
}

/** A run of tabs and form feeds, and each line end, becomes one space. */
export const normaliseAttribute = (value: string): string =>
  /[\t\f\r\n]/.test(value) ? value.replaceAll(/[\t\f]+|\r?\n|\r/g, ' ') : value;

/** XML 1.0 has no form feed; a space stands for it. */
const textOf = (text: string): string =>
  /[\r\f]/.test(text) ? text.replaceAll(/\r\n?/g, '\n').replaceAll('\f', ' ') : text;
