/** What a partner's messages need before they are mapped: its mapping file, checked once. docs/hl7v2.md "A mapping file for a partner" */
import { issue } from '../../standards/fhir/outcome.ts';
import { withValue } from '../../standards/hl7v2/format.ts';
import type { Message } from '../../standards/hl7v2/message.ts';
import { type Place, parsePlace } from '../../standards/hl7v2/place.ts';
import type { Mapped } from '../../standards/mapped.ts';
import type { Json } from './compact.ts';
import { Cursor, type Reading } from './cursor.ts';
import { concept } from './data-types.ts';

/** Values of extensions that a field may become. */
const EXTENSION_TYPES = {
  string: 'valueString',
  dateTime: 'valueDateTime',
  decimal: 'valueDecimal',
  boolean: 'valueBoolean',
  code: 'valueCodeableConcept',
} as const;
type ExtensionType = keyof typeof EXTENSION_TYPES;

interface FieldRule {
  readonly kind: 'move' | 'copy' | 'set' | 'clear';
  /** What is filled or emptied. */
  readonly to: Place;
  readonly from?: Place;
  readonly value?: string;
  readonly when: readonly (readonly [path: string, value: string])[];
}

interface ExtensionRule {
  readonly from: Place;
  readonly path: string;
  readonly resourceType: string;
  readonly url: string;
  readonly type: ExtensionType;
}

interface CodeRule {
  readonly place: Place;
  readonly codes: ReadonlyMap<string, string>;
}

/** A mapping file, compiled. */
export interface PartnerRules {
  readonly codes: readonly CodeRule[];
  readonly fields: readonly FieldRule[];
  readonly extensions: readonly ExtensionRule[];
  /** Whose file it is: MSH-3 and MSH-4 with a bar, `PAS|RXX`, as they send and as they are sent to. */
  readonly partners: readonly string[];
  /** Segments (`AL1`) and fields (`PID.3`) that they may be sent; all where it is absent. */
  readonly send?: ReadonlySet<string>;
}

const RULES_MAX = 200;
const CODES_MAX = 2000;

/** Reads `{ "partners": …, "codes": …, "fields": …, "extensions": …, "send": … }`; every fault is told with its place in the file. */
export function parsePartnerRules(content: unknown): Mapped<PartnerRules> {
  const faults: string[] = [];
  const root = objectAt(content, 'the file', faults);
  for (const name of Object.keys(root))
    if (!['partners', 'codes', 'fields', 'extensions', 'send'].includes(name)) faults.push(`${name} is not known`);
  const codes = Object.entries(objectAt(root['codes'] ?? {}, 'codes', faults)).flatMap(([path, map]) =>
    codeRule(path, map, faults),
  );
  const fields = listAt(root['fields'], 'fields', faults).flatMap((rule, n) => fieldRule(rule, `fields[${n}]`, faults));
  const extensions = listAt(root['extensions'], 'extensions', faults).flatMap((rule, n) =>
    extensionRule(rule, `extensions[${n}]`, faults),
  );
  const partners = listAt(root['partners'], 'partners', faults).flatMap((name, n) =>
    partnerAt(name, `partners[${n}]`, faults),
  );
  const send = listAt(root['send'], 'send', faults).flatMap((path, n) => sentAt(path, `send[${n}]`, faults));
  const size = codes.reduce((sum, rule) => sum + rule.codes.size, 0);
  if (codes.length + fields.length + extensions.length + partners.length > RULES_MAX || size + send.length > CODES_MAX)
    faults.push(`A file has ${RULES_MAX} rules and ${CODES_MAX} codes at most`);
  if (faults.length > 0) return { issues: faults.map((fault) => issue('invalid', `Mapping file: ${fault}`)) };
  const isRestricted = root['send'] !== undefined;
  return { value: { codes, fields, extensions, partners, ...(isRestricted && { send: new Set(send) }) }, issues: [] };
}

function partnerAt(name: unknown, at: string, faults: string[]): readonly string[] {
  if (typeof name === 'string' && /^[^|]*\|[^|]*$/.test(name) && name !== '|') return [name];
  faults.push(`${at} must be an application and a facility with a bar, such as PAS|RXX`);
  return [];
}

/** `AL1`, or `PID.3`. */
function sentAt(path: unknown, at: string, faults: string[]): readonly string[] {
  if (typeof path === 'string' && /^[A-Z][A-Z0-9]{2}(?:\.[1-9]\d{0,2})?$/.test(path)) return [path];
  faults.push(`${at} must be a segment or a field, such as AL1 or PID.3`);
  return [];
}

function objectAt(value: unknown, name: string, faults: string[]): Json {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Json;
  faults.push(`${name} must be an object`);
  return {};
}

function listAt(value: unknown, name: string, faults: string[]): readonly unknown[] {
  if (value === undefined) return [];
  if (Array.isArray(value)) return value;
  faults.push(`${name} must be a list`);
  return [];
}

/** `PID.8`, `ZU1.3.2`: a field at least, and not of the header's first two. */
function placeAt(path: unknown, name: string, faults: string[]): Place | undefined {
  const place = typeof path === 'string' ? parsePlace(path) : undefined;
  const isHeader = place?.segment === 'MSH' && (place.field ?? 0) <= 2;
  if (place?.field !== undefined && !isHeader) return place;
  faults.push(`${name} must be a path such as PID.8 or ZU1.3.2`);
  return undefined;
}

function codeRule(path: string, map: unknown, faults: string[]): readonly CodeRule[] {
  const place = placeAt(path, `codes.${path}`, faults);
  const pairs = Object.entries(objectAt(map, `codes.${path}`, faults));
  if (pairs.some(([, target]) => typeof target !== 'string')) faults.push(`codes.${path} must have texts`);
  return place === undefined ? [] : [{ place, codes: new Map(pairs.map(([code, target]) => [code, String(target)])) }];
}

/** `{ "move": "ZU1.3", "to": "PV2.8" }`, `{ "copy": …, "to": … }`, `{ "set": "PID.8", "value": "U" }`, `{ "clear": "PID.19" }`; each may have `when`. */
function fieldRule(content: unknown, name: string, faults: string[]): readonly FieldRule[] {
  const rule = objectAt(content, name, faults);
  const conditions = Object.entries(objectAt(rule['when'] ?? {}, `${name}.when`, faults));
  const when = conditions.map(([path, value]): readonly [string, string] => [path, String(value)]);
  for (const [path] of when) placeAt(path, `${name}.when.${path}`, faults);
  const kinds = (['move', 'copy', 'set', 'clear'] as const).filter((kind) => kind in rule);
  const [kind, another] = kinds;
  if (kind === undefined || another !== undefined) {
    faults.push(`${name} must have one of move, copy, set and clear`);
    return [];
  }
  const place = placeAt(rule[kind], `${name}.${kind}`, faults);
  const isTransfer = kind === 'move' || kind === 'copy';
  const target = isTransfer ? placeAt(rule['to'], `${name}.to`, faults) : place;
  const { value } = rule;
  if (kind === 'set' && typeof value !== 'string') faults.push(`${name}.value must be a text`);
  if (place === undefined || target === undefined) return [];
  return [{ kind, to: target, when, ...(isTransfer && { from: place }), ...(typeof value === 'string' && { value }) }];
}

/** `{ "from": "ZU1.4", "resource": "Encounter", "url": "https://…", "type": "string" }`. */
function extensionRule(content: unknown, name: string, faults: string[]): readonly ExtensionRule[] {
  const { from: path, resource, url, type = 'string' } = objectAt(content, name, faults);
  const from = placeAt(path, `${name}.from`, faults);
  if (typeof resource !== 'string' || !/^[A-Z][A-Za-z]+$/.test(resource))
    faults.push(`${name}.resource must name a type`);
  if (typeof url !== 'string' || !/^(?:https?:\/\/|urn:)\S+$/.test(url)) faults.push(`${name}.url must be a URL`);
  if (typeof type !== 'string' || !Object.hasOwn(EXTENSION_TYPES, type))
    faults.push(`${name}.type must be one of ${Object.keys(EXTENSION_TYPES).join(', ')}`);
  if (from === undefined) return [];
  return [{ from, path: String(path), resourceType: String(resource), url: String(url), type: type as ExtensionType }];
}

/** The message as the maps are to read it; bytes and log keep what was sent. */
export function applyFieldRules(message: Message, { codes, fields }: PartnerRules): Message {
  const translated = codes.reduce(translateCodes, message);
  return fields.reduce((current, rule) => {
    const holds = rule.when.every(([path, value]) => current.value(path) === value);
    return holds ? applyFieldRule(current, rule) : current;
  }, translated);
}

function translateCodes(message: Message, { place, codes }: CodeRule): Message {
  const { segment: id, field = 1, component = 1 } = place;
  let current = message;
  for (const segment of message.all(id))
    for (const [index, part] of segment.field(field).repetitions.entries()) {
      const target = codes.get(part.at(component).value);
      const at = { ...place, occurrence: segment.occurrence, repetition: index + 1, component };
      if (target !== undefined) current = withValue(current, at, target) ?? current;
    }
  return current;
}

/** A whole field keeps its components; a part is a text. */
function applyFieldRule(message: Message, { kind, from, to, value }: FieldRule): Message {
  const text = from === undefined ? value : leafAt(message, from);
  if (kind === 'clear') return withValue(message, to, undefined) ?? message;
  if (text === undefined || text === '') return message;
  const filled = withValue(message, to, text);
  if (filled === undefined || kind !== 'move' || from === undefined) return filled ?? message;
  return withValue(filled, from, undefined) ?? filled;
}

function leafAt(
  message: Message,
  { segment, occurrence, field = 1, repetition, component, subcomponent }: Place,
): string {
  return message.find(segment, occurrence)?.value(field, component, subcomponent, repetition) ?? '';
}

/** Extensions that fields become, by type of resource. */
export function readExtensions(
  message: Message,
  { extensions }: PartnerRules,
  reading: Reading,
): ReadonlyMap<string, readonly Json[]> {
  const found = new Map<string, Json[]>();
  for (const { path, resourceType, url, type } of extensions) {
    const at = message.at(path);
    if (at === undefined) continue;
    const cursor = new Cursor('repetitions' in at ? at.at(1) : at, reading);
    if (!cursor.isValued) continue;
    const value = extensionValue(cursor, type);
    if (value === undefined) continue;
    const list = found.get(resourceType) ?? [];
    found.set(resourceType, list);
    list.push({ url, [EXTENSION_TYPES[type]]: value });
  }
  return found;
}

function extensionValue(cursor: Cursor, type: ExtensionType): unknown {
  if (type === 'dateTime') return cursor.dateTime;
  if (type === 'decimal') return cursor.number;
  if (type === 'boolean') return cursor.boolean;
  return type === 'code' ? concept()(cursor) : cursor.value;
}
