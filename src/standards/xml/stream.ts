/** Reads XML strictly as a stream of tags: no document type, no entities of its own, bounded. https://www.w3.org/TR/xml/ */
import { SaxesParser, type SaxesTagNS } from 'saxes';
import { type Issue, issue } from '../fhir/outcome.ts';

export interface XmlLimits {
  readonly bytes: number;
  readonly depth: number;
  readonly elements: number;
  /** Of one element, namespace declarations counted. */
  readonly attributes?: number;
  /** Of comments and processing instructions: left out, or faults where something is signed. */
  readonly asides?: 'dropped' | 'refused';
}

/** Where the reader is. */
export interface XmlPlace {
  /** From 1. */
  readonly line: number;
  readonly column: number;
  /** Index into the text just behind what was read. */
  readonly position: number;
  /** The whole document, decoded. */
  readonly text: string;
  /** Ends the reading with this fault. */
  fault(message: string, code?: XmlFaultCode): never;
}

/** A class, as each document makes one: an object literal with getters makes a hidden class each time, which lives long. */
class ParserPlace implements XmlPlace {
  readonly text: string;
  readonly fault: XmlPlace['fault'];
  readonly #parser: Pick<XmlPlace, 'line' | 'column' | 'position'>;

  constructor(parser: Pick<XmlPlace, 'line' | 'column' | 'position'>, text: string, fault: XmlPlace['fault']) {
    this.#parser = parser;
    this.text = text;
    this.fault = fault;
  }

  get line(): number {
    return this.#parser.line;
  }

  get column(): number {
    return this.#parser.column;
  }

  get position(): number {
    return this.#parser.position;
  }
}

/** What a document consists of, told in its order. */
export interface XmlHandler {
  /** After the start tag's `>`. */
  open(tag: SaxesTagNS, at: XmlPlace): void;
  /** Text or CDATA within the root element, in one piece or several. */
  text(content: string, at: XmlPlace): void;
  /** After the end tag's `>`. */
  close(at: XmlPlace): void;
}

export type XmlFaultCode = 'structure' | 'security' | 'too-costly';

/** A document type cannot begin later than the root element, and no prolog is longer. */
const PROLOG_MAX = 64 * 1024;

/** ASCII is UTF-8 as well. */
const ENCODINGS = /^(?:utf-8|utf-16|utf-16le|utf-16be|us-ascii)$/i;

/** Stops the parser at the first fault; what follows one says nothing more. */
class XmlFault extends Error {
  readonly code: XmlFaultCode;

  constructor(message: string, code: XmlFaultCode) {
    super(message);
    this.code = code;
  }
}

/**
 * Tells the handler a document in UTF-8 or UTF-16 as its byte order mark says, else UTF-8. Entities other than the five
 * of XML are faults, comments and processing instructions are left out unless the limits refuse them. Returns the fault
 * that ended the reading; its expression is `line:column`.
 */
export function streamXml(content: Buffer | string, limits: XmlLimits, handler: XmlHandler): Issue | undefined {
  const text = openXml(content, limits);
  return typeof text === 'string' ? faultOf(() => parseXml(text, limits, handler)) : text;
}

/** The document as text, or why it is not read at all. */
export function openXml(content: Buffer | string, limits: XmlLimits): string | Issue {
  const text = typeof content === 'string' ? content.replace(/^\uFEFF/, '') : decode(content);
  if (text === undefined) return issue('structure', 'The XML is not valid UTF-8', placeOfBadByte(content));
  if (text.length > limits.bytes) return issue('too-long', `The XML is longer than ${limits.bytes} bytes`);
  if (text.trim() === '') return issue('structure', 'The XML is empty');
  if (declaresDoctype(text))
    return issue(
      'security',
      'A document type (DOCTYPE) is refused: send the element alone, without it',
      placeAt(text, text.search(/<!(?:DOCTYPE|ENTITY)/i)),
    );
  return text;
}

/** The fault that ends a reading, if one does. */
export function faultOf(read: () => void): Issue | undefined {
  try {
    read();
    return undefined;
  } catch (error) {
    if (!(error instanceof XmlFault)) throw error;
    const [place = '', message = ''] = error.message.split('\n');
    return issue(error.code, `Line ${place.replace(':', ', column ')}: ${message}`, place);
  }
}

/** Throws for `faultOf`. */
export function parseXml(text: string, limits: XmlLimits, handler: XmlHandler): void {
  const parser = new SaxesParser({ xmlns: true, position: true });
  const fault = (message: string, code: XmlFaultCode = 'structure'): never => {
    throw new XmlFault(`${parser.line}:${parser.column}\n${message}`, code);
  };
  const at = new ParserPlace(parser, text, fault);
  parser.on('error', (error) => fault(withoutPlace(error.message)));
  parser.on('doctype', () => fault('a document type (DOCTYPE) is refused', 'security'));
  if (limits.asides === 'refused') {
    parser.on('comment', () => fault('a signed document has no comments', 'security'));
    parser.on('processinginstruction', () => fault('a signed document has no processing instructions', 'security'));
  }
  parser.on('xmldecl', ({ version, encoding }) => {
    const refuse = (message: string): never => {
      throw new XmlFault(`1:1\n${message}`, 'structure'); // nothing stands before a declaration
    };
    // XML 1.1 has characters and line ends that 1.0 cannot say again, and signatures are over 1.0.
    if (version !== '1.0') refuse('only XML 1.0 is read');
    if (encoding !== undefined && !ENCODINGS.test(encoding))
      refuse('another encoding than UTF-8 and UTF-16 is declared');
  });
  let elements = 0;
  let depth = 0;
  countAttributes(parser, limits.attributes ?? 64, fault);
  parser.on('opentag', (tag) => {
    elements += 1;
    if (elements > limits.elements) fault(`more than ${limits.elements} elements`);
    if (depth >= limits.depth) fault(`elements are nested deeper than ${limits.depth}`);
    depth += 1;
    handler.open(tag, at);
  });
  parser.on('closetag', () => {
    depth -= 1;
    handler.close(at);
  });
  const tell = (content: string): void => void (depth > 0 && handler.text(content, at));
  parser.on('text', tell);
  parser.on('cdata', tell);
  parser.write(text).close();
  if (elements === 0) fault('there is no root element');
}

function countAttributes(parser: SaxesParser<{ xmlns: true }>, max: number, fault: (message: string) => never): void {
  let attributes = 0;
  parser.on('opentagstart', () => {
    attributes = 0;
  });
  parser.on('attribute', () => {
    attributes += 1;
    if (attributes > max) fault(`an element has more than ${max} attributes`);
  });
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
