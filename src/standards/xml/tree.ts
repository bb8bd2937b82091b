/** An XML document as a light tree. https://www.w3.org/TR/xml/ https://www.w3.org/TR/xml-names/ */

export interface XmlAttribute {
  /** Local name. */
  readonly name: string;
  /** Empty when there is none. */
  readonly prefix: string;
  /** Empty when there is none. */
  readonly namespace: string;
  readonly value: string;
}

export interface XmlElement {
  /** Local name. */
  readonly name: string;
  readonly prefix: string;
  readonly namespace: string;
  /** In document order, without namespace declarations. */
  readonly attributes: readonly XmlAttribute[];
  /** Elements and text in document order; adjacent text and CDATA are one string. */
  readonly children: readonly XmlNode[];
  /** Where the start tag ends, from 1. */
  readonly line: number;
  readonly column: number;
}

export type XmlNode = XmlElement | string;

export const isElement = (node: XmlNode): node is XmlElement => typeof node !== 'string';

/** Child elements in document order. */
export function elementsOf(element: XmlElement): readonly XmlElement[] {
  const { children } = element;
  // Written without white space there is nothing else; leaves have one text.
  if (children.every(isElement)) return children;
  return children.filter(isElement);
}

/** The first child element of that local name. */
export function childOf(element: XmlElement, name: string): XmlElement | undefined {
  for (const node of element.children) if (typeof node !== 'string' && node.name === name) return node;
  return undefined;
}

/** All text of the element itself, its child elements' aside. */
export function ownText(element: XmlElement): string {
  const { children } = element;
  const [only] = children;
  if (children.length === 1) return typeof only === 'string' ? only : '';
  return children.filter((node) => typeof node === 'string').join('');
}

/** The value of the attribute of that local name without a prefix. */
export const attributeOf = (element: XmlElement, name: string): string | undefined =>
  element.attributes.find((attribute) => attribute.name === name && attribute.prefix === '')?.value;
