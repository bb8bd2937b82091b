/** Writes a resource as FHIR XML. https://hl7.org/fhir/R4/xml.html */
import { escapeAttribute, type XmlLayout } from '../../xml/write.ts';
import type { Definitions } from '../definitions.ts';
import { isNumber } from '../json.ts';
import { FhirError, issue } from '../outcome.ts';
import { writeNarrative } from './narrative.ts';
import { compileXmlTypes, FHIR_NAMESPACE, type XmlField, type XmlType, type XmlTypes } from './types.ts';

/**
 * The document's text in UTF-8. Elements come in the order of the definitions, whatever the order in JSON; each digit of
 * a decimal and each byte of a well-formed narrative is kept. Throws 406 when a text holds a character that XML cannot
 * carry (https://www.w3.org/TR/xml/#charsets), and a plain error for an element that R4 does not have.
 */
export type FhirXmlWriter = (resource: object, layout?: XmlLayout) => string;

type JsonObject = Readonly<Record<string, unknown>>;

const DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>';
const BESIDE = '_';
const BESIDE_CODE = 0x5f;

/** What XML 1.0 has no way to write, not even as a reference. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const UNWRITABLE = /[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const SPECIAL = /[&<>"'\u0000-\u001F\uFFFE\uFFFF]/;

/** Returns the writer; each type is compiled when first met. */
export function createXmlWriter(definitions: Definitions, types = compileXmlTypes(definitions)): FhirXmlWriter {
  return (resource, layout = 'compact') => {
    const pretty = layout === 'pretty';
    const writer: Writer = { text: pretty ? `${DECLARATION}\n` : DECLARATION, types, path: [] };
    writeResource(writer, resource as JsonObject, ` xmlns="${FHIR_NAMESPACE}"`, pretty ? '\n' : undefined);
    return writer.text;
  };
}

interface Writer {
  text: string;
  readonly types: XmlTypes;
  /** Names from the root to where the writer is. */
  readonly path: string[];
}

/** `line`: line break and indentation of the element; undefined where nothing stands between elements. */
function writeResource(writer: Writer, resource: JsonObject, namespace: string, line: string | undefined): void {
  const name = resource['resourceType'];
  const type = typeof name === 'string' ? writer.types.resource(name) : undefined;
  if (type === undefined) throw new Error(`${writer.path.join('.') || 'The answer'} is not a resource`);
  writer.path.push(type.name);
  writeObject(writer, type.name, namespace, resource, type, line);
  writer.path.pop();
}

function writeObject(
  writer: Writer,
  tag: string,
  namespace: string,
  object: JsonObject,
  type: XmlType,
  line: string | undefined,
): void {
  const start = `<${tag}${namespace}${attributesOf(writer, object, type)}`;
  const names = orderedNames(object, type);
  if (names.length === 0) {
    writer.text += `${start}/>`;
    return;
  }
  writer.text += `${start}>`;
  const inner = line === undefined ? undefined : `${line}  `;
  for (const name of names) {
    const field = type.elements.get(name);
    if (field === undefined) throw new Error(`${writer.path.join('.')} has no element ${name}`);
    writeField(writer, field, object[name], object[BESIDE + name], inner);
  }
  writer.text += line === undefined ? `</${tag}>` : `${line}</${tag}>`;
}

function attributesOf(writer: Writer, object: JsonObject, type: XmlType): string {
  let text = '';
  for (const name of type.attributes.keys()) {
    const value = object[name];
    if (value !== undefined) text += ` ${name}="${escapeValue(writer, name, value)}"`;
  }
  return text;
}

/** Names of the elements, `birthDate` and `_birthDate` being one, in the order of the definitions. */
function orderedNames(object: JsonObject, type: XmlType): readonly string[] {
  const names: string[] = [];
  let last = -1;
  let isOrdered = true;
  for (const key in object) {
    if (object[key] === undefined) continue;
    if (type.attributes.has(key) || (type.isResource && key === 'resourceType')) continue;
    const isBeside = key.charCodeAt(0) === BESIDE_CODE;
    const name = isBeside ? key.slice(1) : key;
    if (isBeside && object[name] !== undefined) continue;
    const order = type.elements.get(name)?.order ?? -1;
    if (order < last) isOrdered = false;
    last = order;
    names.push(name);
  }
  const orderOf = (name: string): number => type.elements.get(name)?.order ?? -1;
  return isOrdered ? names : names.sort((a, b) => orderOf(a) - orderOf(b));
}

function writeField(writer: Writer, field: XmlField, value: unknown, beside: unknown, line: string | undefined): void {
  if (!field.array) {
    writeOne(writer, field, value, beside, line);
    return;
  }
  const values = (value ?? []) as readonly unknown[]; // what is written was validated
  const besides = (beside ?? []) as readonly unknown[];
  const count = Math.max(values.length, besides.length);
  for (let i = 0; i < count; i++) {
    writer.path.push(`${field.path}[${i}]`);
    writeItem(writer, field, values[i] ?? undefined, besides[i] ?? undefined, line);
    writer.path.pop();
  }
}

function writeOne(writer: Writer, field: XmlField, value: unknown, beside: unknown, line: string | undefined): void {
  writer.path.push(field.path);
  writeItem(writer, field, value ?? undefined, beside ?? undefined, line);
  writer.path.pop();
}

function writeItem(writer: Writer, field: XmlField, value: unknown, beside: unknown, line: string | undefined): void {
  if (line !== undefined) writer.text += line;
  switch (field.kind) {
    case 'complex':
      writeObject(writer, field.name, '', value as JsonObject, writer.types.type(field.typeName), line);
      return;
    case 'resource':
      writer.text += `<${field.name}>`;
      if (line !== undefined) writer.text += `${line}  `;
      writeResource(writer, value as JsonObject, '', line === undefined ? undefined : `${line}  `);
      writer.text += line === undefined ? `</${field.name}>` : `${line}</${field.name}>`;
      return;
    case 'xhtml':
      writer.text += writeNarrative(String(value), writer.path);
      return;
    default:
      writePrimitive(writer, field, value, beside as JsonObject | undefined, line);
  }
}

function writePrimitive(
  writer: Writer,
  field: XmlField,
  value: unknown,
  beside: JsonObject | undefined,
  line: string | undefined,
): void {
  const text = value === undefined ? '' : ` value="${escapeValue(writer, undefined, value)}"`;
  if (beside === undefined) writer.text += `<${field.name}${text}/>`;
  else writeObject(writer, field.name, text, beside, writer.types.type(field.typeName), line);
}

function escapeValue(writer: Writer, name: string | undefined, value: unknown): string {
  if (typeof value !== 'string') {
    if (typeof value === 'boolean' || isNumber(value)) return String(value);
    throw new Error(`${writer.path.join('.')} is not a primitive value`);
  }
  if (!SPECIAL.test(value)) return value;
  if (UNWRITABLE.test(value)) throw unwritable([...writer.path, ...(name === undefined ? [] : [name])]);
  return escapeAttribute(value);
}

const unwritable = (path: readonly string[]): FhirError =>
  new FhirError(406, [
    issue(
      'not-supported',
      'The text holds a control character, U+FFFE or U+FFFF, which XML cannot carry: ask for application/fhir+json',
      path.join('.'),
    ),
  ]);
