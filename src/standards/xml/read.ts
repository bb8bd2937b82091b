/** Reads XML strictly as a tree. https://www.w3.org/TR/xml/ */
import type { SaxesAttributeNS, SaxesTagNS } from 'saxes';
import type { Mapped } from '../mapped.ts';
import { readPlain } from './read-plain.ts';
import { faultOf, openXml, parseXml, type XmlLimits } from './stream.ts';
import type { XmlAttribute, XmlElement, XmlNode } from './tree.ts';

export type { XmlLimits } from './stream.ts';

export const XML_LIMITS: XmlLimits = { bytes: 5 * 1024 * 1024, depth: 64, elements: 20_000, attributes: 64 };

export const XMLNS = 'http://www.w3.org/2000/xmlns/';

interface OpenElement extends XmlElement {
  readonly children: XmlNode[];
}

/** Reads a document as `streamXml` does. */
export function readXml(content: Buffer | string, limits: XmlLimits = XML_LIMITS): Mapped<XmlElement> {
  const text = openXml(content, limits);
  if (typeof text !== 'string') return { issues: [text] };
  const plain = readPlain(text, limits);
  if (plain) return { value: plain, issues: [] };
  let root: XmlElement | undefined;
  const fault = faultOf(() => {
    root = parseStrictly(text, limits);
  });
  return fault === undefined && root !== undefined ? { value: root, issues: [] } : { issues: fault ? [fault] : [] };
}

/** Throws what `faultOf` knows. */
export function parseStrictly(text: string, limits: XmlLimits): XmlElement {
  const open: OpenElement[] = [];
  let root: XmlElement | undefined;
  parseXml(text, limits, {
    open(tag, { line, column }) {
      const element = openElement(tag, line, column);
      open.at(-1)?.children.push(element);
      root ??= element;
      open.push(element);
    },
    close: () => void open.pop(),
    text(content) {
      const children = open.at(-1)?.children;
      if (!children) return;
      const last = children.at(-1);
      if (typeof last === 'string') children[children.length - 1] = last + content;
      else children.push(content);
    },
  });
  return root as unknown as XmlElement; // a document without faults has one
}

function openElement(tag: SaxesTagNS, line: number, column: number): OpenElement {
  const attributes: XmlAttribute[] = [];
  for (const attribute of Object.values(tag.attributes) as SaxesAttributeNS[])
    if (attribute.uri !== XMLNS)
      attributes.push({
        name: attribute.local,
        prefix: attribute.prefix,
        namespace: attribute.uri,
        value: attribute.value,
      });
  return { name: tag.local, prefix: tag.prefix, namespace: tag.uri, attributes, children: [], line, column };
}
