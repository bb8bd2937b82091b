/** Reads XML strictly: no document type, no entities of its own, bounded. https://www.w3.org/TR/xml/ */
import { type SaxesAttributeNS, SaxesParser, type SaxesTagNS } from 'saxes';
import { issue } from '../fhir/outcome.ts';
import type { Mapped } from '../mapped.ts';
import { readPlain } from './read-plain.ts';
import type { XmlAttribute, XmlElement, XmlNode } from './tree.ts';

export interface XmlLimits {
  readonly bytes: number;
  readonly depth: number;
  readonly elements: number;
  /** Of one element, namespace declarations counted. */
  readonly attributes?: number;
  /** Of comments and processing instructions: left out, or faults where something is signed. */
  readonly asides?: 'dropped' | 'refused';
}

export const XML_LIMITS: XmlLimits = { bytes: 5 * 1024 * 1024, depth: 64, elements: 20_000, attributes: 64 };

const XMLNS = 'http://www.w3.org/2000/xmlns/';
/** A document type cannot begin later than the root element, and no prolog is longer. */
const PROLOG_MAX = 64 * 1024;

interface OpenElement extends XmlElement {
  readonly children: XmlNode[];
}

/** Stops the parser at the first fault; what follows one says nothing more. */
class XmlFault extends Error {
  readonly code: 'structure' | 'security';

  constructor(message: string, code: 'structure' | 'security') {
    super(message);
    this.code = code;
  }
}

/**
 * Reads a document in UTF-8 or UTF-16 as its byte order mark says, else UTF-8. Entities other than the five of XML are
 * faults, comments and processing instructions are left out unless the limits refuse them. An issue's expression is `line:column`.
 */
export function readXml(content: Buffer | string, limits: XmlLimits = XML_LIMITS): Mapped<XmlElement> {
  const text = typeof content === 'string' ? content.replace(/^\uFEFF/, '') : decode(content);
  if (text === undefined) return refused('structure', 'The XML is not valid UTF-8', placeOfBadByte(content));
  if (text.length > limits.bytes) return refused('too-long', `The XML is longer than ${limits.bytes} bytes`);
  if (text.trim() === '') return refused('structure', 'The XML is empty');
  if (declaresDoctype(text))
    return refused(
      'security',
      'A document type (DOCTYPE) is refused: send the element alone, without it',
      placeAt(text, text.search(/<!(?:DOCTYPE|ENTITY)/i)),
    );
  const plain = readPlain(text, limits);
  if (plain) return { value: plain, issues: [] };
  try {
    return { value: parseStrictly(text, limits), issues: [] };
  } catch (error) {
    if (!(error instanceof XmlFault)) throw error;
    const [place = '', message = ''] = error.message.split('\n');
    return { issues: [issue(error.code, `Line ${place.replace(':', ', column ')}: ${message}`, place)] };
  }
}

/** Throws `XmlFault`. */
export function parseStrictly(text: string, limits: XmlLimits): XmlElement {
  const parser = new SaxesParser({ xmlns: true, position: true });
  const open: OpenElement[] = [];
  let root: XmlElement | undefined;
  let elements = 0;
  const fault = (message: string, code: XmlFault['code'] = 'structure'): never => {
    throw new XmlFault(`${parser.line}:${parser.column}\n${message}`, code);
  };
  const addText = (content: string): void => {
    const children = open.at(-1)?.children;
    if (!children) return;
    const last = children.at(-1);
    if (typeof last === 'string') children[children.length - 1] = last + content;
    else children.push(content);
  };
  parser.on('error', (error) => fault(withoutPlace(error.message)));
  parser.on('doctype', () => fault('a document type (DOCTYPE) is refused', 'security'));
  if (limits.asides === 'refused') {
    parser.on('comment', () => fault('a signed document has no comments', 'security'));
    parser.on('processinginstruction', () => fault('a signed document has no processing instructions', 'security'));
  }
  const attributesMax = limits.attributes ?? 64;
  let attributes = 0;
  parser.on('opentagstart', () => {
    attributes = 0;
  });
  parser.on('attribute', () => {
    attributes += 1;
    if (attributes > attributesMax) fault(`an element has more than ${attributesMax} attributes`);
  });
  parser.on('opentag', (tag: SaxesTagNS) => {
    elements += 1;
    if (elements > limits.elements) fault(`more than ${limits.elements} elements`);
    if (open.length >= limits.depth) fault(`elements are nested deeper than ${limits.depth}`);
    const element = openElement(tag, parser.line, parser.column);
    open.at(-1)?.children.push(element);
    root ??= element;
    open.push(element);
  });
  parser.on('closetag', () => void open.pop());
  parser.on('text', addText);
  parser.on('cdata', addText);
  parser.write(text).close();
  return root ?? fault('there is no root element');
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

/** The parser's messages quote names of the document at most, and begin with the place, which is told apart. */
const withoutPlace = (message: string): string => message.replace(/^\d+:\d+: /, '').slice(0, 200);

function decode(content: Buffer): string | undefined {
  const encoding =
    content[0] === 0xfe && content[1] === 0xff
      ? 'utf-16be'
      : content[0] === 0xff && content[1] === 0xfe
        ? 'utf-16le'
        : 'utf-8';
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(content);
  } catch {
    return undefined;
  }
}

/** `line:column`, as the parser counts them. */
function placeAt(text: string, index: number): string {
  const before = text.slice(0, Math.max(index, 0)).split('\n');
  return `${before.length}:${(before.at(-1)?.length ?? 0) + 1}`;
}

/** A decoder that goes on puts U+FFFD where it could not read. */
function placeOfBadByte(content: Buffer | string): string {
  const text = content.toString('utf8');
  return placeAt(text, text.indexOf('\uFFFD'));
}

/** Before any parser sees it: everything up to the root element's start tag. */
function declaresDoctype(text: string): boolean {
  const root = /<[A-Za-z_:\u0080-\uFFFF]/.exec(text.slice(0, PROLOG_MAX));
  return /<!(?:DOCTYPE|ENTITY)/i.test(withoutComments(text.slice(0, root ? root.index : PROLOG_MAX)));
}

/** In one pass: an expression would look for each end anew. */
function withoutComments(text: string): string {
  let kept = '';
  let at = 0;
  for (let start = text.indexOf('<!--'); start >= 0; start = text.indexOf('<!--', at)) {
    kept += text.slice(at, start);
    const end = text.indexOf('-->', start + 4);
    if (end < 0) return kept;
    at = end + 3;
  }
  return kept + text.slice(at);
}

const refused = (
  code: 'structure' | 'too-long' | 'security',
  diagnostics: string,
  place?: string,
): Mapped<XmlElement> => ({
  issues: [place === undefined ? issue(code, diagnostics) : issue(code, diagnostics, place)],
});
