/** Reads FHIR XML to the value that JSON would have, in one pass over the tags. https://hl7.org/fhir/R4/xml.html */
import type { SaxesAttributeNS, SaxesTagNS } from 'saxes';
import { XMLNS } from '../../xml/read.ts';
import { streamXml, type XmlPlace } from '../../xml/stream.ts';
import type { Definitions } from '../definitions.ts';
import { Decimal, JSON_LIMITS } from '../json.ts';
import { FhirError, type Issue, type IssueCode } from '../outcome.ts';
import { suggestNames } from '../search/suggest.ts';
import { attach, attachPrimitive, countOf, dropEmptyLists, type Json } from './attach.ts';
import { NARRATIVE_DEPTH } from './narrative.ts';
import {
  compileXmlTypes,
  FHIR_NAMESPACE,
  isPrimitive,
  XHTML_NAMESPACE,
  type XmlField,
  type XmlType,
  type XmlTypes,
} from './types.ts';

/**
 * Returns the resource of a document in UTF-8. Throws a FhirError with every fault that was found, each with its line,
 * column and element: 400, or 413 for what is too long. What the definitions ask of values is for the validator.
 */
export type FhirXmlReader = (content: Buffer | string) => Record<string, unknown>;

/** The limits of JSON, counted as its objects and lists would be (SECURITY section F6). */
const DEPTH_MAX = JSON_LIMITS.depth;
const LIMITS = {
  bytes: JSON_LIMITS.base64Bytes,
  depth: DEPTH_MAX + NARRATIVE_DEPTH,
  elements: 1_000_000,
  attributes: 64,
};
const ISSUES_MAX = 100;

const XSI = 'http://www.w3.org/2001/XMLSchema-instance';
const NUMBER = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$/;

/** An element whose end tag has not come yet. */
interface Frame {
  readonly name: string;
  /** Which one of a list; -1 for what stands alone. */
  readonly index: number;
  /** What may stand in it; undefined where its own element is a resource's. */
  readonly type: XmlType | undefined;
  /** The element that holds it; undefined for the document's root. */
  readonly field: XmlField | undefined;
  readonly object: Json;
  /** Of a primitive. */
  value: unknown;
  /** Objects and lists around it and itself, as JSON would have them. */
  readonly depth: number;
  /** Of the last child. */
  order: number;
  last: string;
}

/** Returns the reader; each type is compiled when first met. */
export function createXmlReader(definitions: Definitions, types = compileXmlTypes(definitions)): FhirXmlReader {
  return (content) => {
    const reading = new Reading(types);
    const fault = streamXml(content, LIMITS, reading);
    const issues = fault === undefined ? reading.issues : [...reading.issues, located(fault, reading)];
    if (issues.length > 0) throw new FhirError(issues.some((i) => i.code === 'too-long') ? 413 : 400, issues);
    return reading.root as Json; // a document without faults has one
  };
}

const located = (fault: Issue, { frames }: Reading): Issue =>
  frames.length === 0 ? withoutExpression(fault) : { ...fault, expression: [pathOf(frames)] };
const withoutExpression = ({ severity, code, diagnostics }: Issue): Issue =>
  diagnostics === undefined ? { severity, code } : { severity, code, diagnostics };

/** `Patient.contact[0].name` */
const pathOf = (frames: readonly Frame[]): string =>
  frames
    .map(stepOf)
    .filter((step) => step !== '')
    .join('.');

/** Empty for the resource in an element that holds one. */
function stepOf({ name, field, index }: Frame, at: number): string {
  if (field === undefined) return at === 0 ? name : '';
  return index < 0 ? field.path : `${field.path}[${index}]`;
}

class Reading {
  readonly issues: Issue[] = [];
  readonly frames: Frame[] = [];
  root: Json | undefined;
  readonly #types: XmlTypes;
  /** Depth within an element that is passed over, as it is a fault by itself. */
  #skipped = 0;
  /** Depth within a narrative, and where it begins. */
  #narrative = 0;
  #narrativeStart = 0;

  constructor(types: XmlTypes) {
    this.#types = types;
  }

  open(tag: SaxesTagNS, at: XmlPlace): void {
    if (this.#narrative > 0) this.#openInNarrative(tag, at);
    else if (this.#skipped > 0) this.#skipped += 1;
    else {
      const parent = this.frames.at(-1);
      if (parent === undefined) this.#openRoot(tag, at);
      else if (parent.type === undefined) this.#openResource(tag, parent, at);
      else this.#openElement(tag, parent, parent.type, at);
    }
  }

  text(content: string, at: XmlPlace): void {
    if (this.#narrative > 0 || this.#skipped > 0 || !/[^ \t\r\n]/.test(content)) return;
    this.#fault(at, 'structure', 'text stands between elements: values are given in the attribute value');
  }

  close(at: XmlPlace): void {
    if (this.#narrative > 0) {
      this.#narrative -= 1;
      if (this.#narrative === 0) this.#closeNarrative(at);
      return;
    }
    if (this.#skipped > 0) {
      this.#skipped -= 1;
      return;
    }
    const frame = this.frames.at(-1);
    if (frame === undefined) return;
    if (frame.type === undefined && frame.last === '')
      this.#fault(at, 'required', `${frame.name} is empty: it holds one resource`);
    dropEmptyLists(frame.object);
    const parent = this.frames.at(-2);
    if (parent !== undefined && frame.field !== undefined && isPrimitive(frame.field))
      if (!attachPrimitive(parent.object, frame.field, frame))
        this.#fault(at, 'required', `${frame.name} has neither a value nor an extension: leave it out`);
    this.frames.pop();
  }

  #openRoot(tag: SaxesTagNS, at: XmlPlace): void {
    if (tag.uri !== FHIR_NAMESPACE)
      at.fault(`the root element is not in the namespace of FHIR: write <${tag.local} xmlns="${FHIR_NAMESPACE}">`);
    const type = this.#types.resource(tag.local);
    if (type === undefined)
      at.fault(`${named(tag)} is no R4 resource type${meant(tag.local, this.#types.resourceTypes)}`);
    else this.root = this.#enterResource(tag, type, 1, at);
  }

  /** The one resource of `contained`, `Bundle.entry.resource` … */
  #openResource(tag: SaxesTagNS, slot: Frame, at: XmlPlace): void {
    const type = tag.uri === FHIR_NAMESPACE ? this.#types.resource(tag.local) : undefined;
    if (slot.last !== '' || type === undefined) {
      const fault =
        slot.last === ''
          ? `${named(tag)} is no R4 resource type${meant(tag.local, this.#types.resourceTypes)}`
          : `${slot.name} holds more than one resource`;
      slot.last = tag.local;
      this.#skip(at, 'structure', fault);
      return;
    }
    slot.last = tag.local;
    const resource = this.#enterResource(tag, type, slot.depth + 1, at);
    const parent = this.frames.at(-3); // the one that holds the slot
    if (parent !== undefined && slot.field !== undefined) attach(parent.object, slot.field, resource);
  }

  #enterResource(tag: SaxesTagNS, type: XmlType, depth: number, at: XmlPlace): Json {
    const object: Json = { resourceType: type.name };
    this.#enter({ name: type.name, index: -1, type, field: undefined, object, depth }, at);
    this.#readAttributes(tag, type, object, at);
    return object;
  }

  #openElement(tag: SaxesTagNS, parent: Frame, type: XmlType, at: XmlPlace): void {
    const field = type.elements.get(tag.local);
    const namespace = field?.kind === 'xhtml' ? XHTML_NAMESPACE : FHIR_NAMESPACE;
    if (field === undefined || tag.uri !== namespace) {
      this.#skip(at, 'structure', unknown(tag, parent, type));
      return;
    }
    this.#checkOrder(field, parent, at);
    if (field.kind === 'xhtml') {
      this.#openNarrative(tag, at);
      return;
    }
    const depth = parent.depth + (field.array ? 2 : 1) - (field.kind === 'resource' ? 1 : 0);
    const index = field.array ? countOf(parent.object, field) : -1;
    if (field.kind === 'complex') {
      const object: Json = {};
      const inner = this.#types.type(field.typeName);
      attach(parent.object, field, object);
      this.#enter({ name: field.name, index, type: inner, field, object, depth }, at);
      this.#readAttributes(tag, inner, object, at);
    } else if (field.kind === 'resource') {
      const slot = { name: field.name, index, type: undefined, field, object: {}, depth };
      this.#enter(slot, at);
      this.#readAttributes(tag, undefined, slot.object, at);
    } else this.#openPrimitive(tag, field, index, depth, at);
  }

  #openPrimitive(tag: SaxesTagNS, field: XmlField, index: number, depth: number, at: XmlPlace): void {
    const object: Json = {};
    const type = this.#types.type(field.typeName);
    const text = tag.attributes['value'] as SaxesAttributeNS | undefined; // with namespaces they are objects
    const frame = this.#enter({ name: field.name, index, type, field, object, depth }, at);
    this.#readAttributes(tag, type, object, at, 'value');
    // JSON has an object beside the value only where there is something to put into it.
    this.#checkDepth(Object.keys(object).length > 0 ? depth : depth - 1, at);
    // A fault was told; it needs no second one.
    if (text !== undefined) frame.value = this.#readValue(field, text.value, at) ?? null;
  }

  #readValue(field: XmlField, text: string, at: XmlPlace): unknown {
    const max = field.kind === 'base64' ? JSON_LIMITS.base64Bytes : JSON_LIMITS.stringBytes;
    if (text.length > max) return this.#fault(at, 'too-long', `a value is longer than ${max} characters`);
    if (field.kind === 'boolean') {
      if (text === 'true' || text === 'false') return text === 'true';
      return this.#fault(at, 'value', `${field.name} must be true or false`);
    }
    if (field.kind !== 'number') return text;
    if (!NUMBER.test(text) || text.replace(/\D/g, '').length > JSON_LIMITS.digits)
      return this.#fault(at, 'value', `${field.name} must be a number like 0.5, -12 or 1.5e3`);
    const value = Number(text);
    return String(value) === text ? value : new Decimal(text);
  }

  /** `own`: an attribute that the caller reads. */
  #readAttributes(tag: SaxesTagNS, type: XmlType | undefined, object: Json, at: XmlPlace, own?: string): void {
    for (const key in tag.attributes) {
      const { uri, local, value, prefix } = tag.attributes[key] as SaxesAttributeNS; // with namespaces they are objects
      if (uri === XMLNS || (prefix === '' && local === own)) continue;
      if (prefix === '' && type?.attributes.has(local)) object[local] = value;
      // Where a schema lies is said to editors; nothing is fetched from there (IN-20).
      else if (!(uri === XSI && (local === 'schemaLocation' || local === 'noNamespaceSchemaLocation')))
        this.#fault(at, 'structure', `${tag.local} has no attribute ${key.slice(0, 64)}`);
    }
  }

  #checkOrder(field: XmlField, parent: Frame, at: XmlPlace): void {
    if (field.order < parent.order)
      this.#fault(
        at,
        'structure',
        `${field.name} must stand before ${parent.last}: the order of the elements is fixed`,
      );
    else if (field.name === parent.last && !field.array)
      this.#fault(at, 'structure', `${field.name} may be given once only`);
    parent.order = Math.max(parent.order, field.order);
    parent.last = field.name;
  }

  #openNarrative(tag: SaxesTagNS, at: XmlPlace): void {
    this.#narrativeStart = at.text.lastIndexOf('<', at.position - 1);
    this.#openInNarrative(tag, at);
  }

  /** Its text is taken as it stands, so it may not need what stands around it. */
  #openInNarrative(tag: SaxesTagNS, at: XmlPlace): void {
    this.#narrative += 1;
    if (this.#narrative > NARRATIVE_DEPTH)
      at.fault(`the narrative is nested deeper than ${NARRATIVE_DEPTH}`, 'too-costly');
    if (tag.uri !== XHTML_NAMESPACE || tag.prefix !== '')
      at.fault(`a narrative holds XHTML without prefixes: write <div xmlns="${XHTML_NAMESPACE}">`);
    for (const key in tag.attributes) {
      const { prefix, uri } = tag.attributes[key] as SaxesAttributeNS; // with namespaces they are objects
      if (prefix !== '' && uri !== XMLNS && prefix !== 'xml') at.fault('a narrative holds attributes without prefixes');
    }
  }

  #closeNarrative(at: XmlPlace): void {
    const div = at.text.slice(this.#narrativeStart, at.position);
    const parent = this.frames.at(-1);
    if (div.length > JSON_LIMITS.stringBytes)
      this.#fault(at, 'too-long', `the narrative is longer than ${JSON_LIMITS.stringBytes} characters`);
    const start = div.slice(0, div.indexOf('>'));
    // The namespace was declared further out.
    const whole = /\sxmlns\s*=/.test(start) ? div : `<div xmlns="${XHTML_NAMESPACE}"${div.slice('<div'.length)}`;
    if (parent !== undefined) parent.object['div'] = whole;
  }

  #enter(begun: Omit<Frame, 'value' | 'order' | 'last'>, at: XmlPlace): Frame {
    const frame = { ...begun, value: undefined, order: -1, last: '' };
    this.frames.push(frame);
    if (begun.field === undefined || !isPrimitive(begun.field)) this.#checkDepth(begun.depth, at);
    return frame;
  }

  #checkDepth(depth: number, at: XmlPlace): void {
    if (depth > DEPTH_MAX) at.fault(`the resource is nested deeper than ${DEPTH_MAX} levels`, 'too-costly');
  }

  #skip(at: XmlPlace, code: IssueCode, message: string): void {
    this.#skipped = 1;
    this.#fault(at, code, message);
  }

  #fault(at: XmlPlace, code: IssueCode, message: string): undefined {
    if (this.issues.length >= ISSUES_MAX) at.fault(`there are more than ${ISSUES_MAX} faults`);
    this.issues.push({
      severity: 'error',
      code,
      diagnostics: `Line ${at.line}, column ${at.column}: ${message}`,
      expression: [pathOf(this.frames)],
    });
    return undefined;
  }
}

const named = ({ local }: SaxesTagNS): string => local.slice(0, 64);

const meant = (name: string, known: Iterable<string>): string => {
  const near = suggestNames(name.slice(0, 64), known);
  return near.length === 0 ? '' : `; did you mean ${near.join(' or ')}?`;
};

function unknown(tag: SaxesTagNS, parent: Frame, type: XmlType): string {
  if (type.elements.has(tag.local)) return `${named(tag)} is in the wrong namespace`;
  if (parent.field !== undefined && isPrimitive(parent.field))
    return `${parent.name} is a primitive: it holds nothing but extensions`;
  if (type.attributes.has(tag.local)) return `${named(tag)} of ${parent.name} is an attribute, not an element`;
  return `${parent.name} has no element ${named(tag)}${meant(tag.local, type.elements.keys())}`;
}
