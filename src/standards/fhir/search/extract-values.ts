/**
 * How each FHIR type gives values to each kind of search parameter. Resources have been validated, but a wrong shape
 * never throws here: it gives no value. https://hl7.org/fhir/R4/search.html#table
 */
import { type DateRange, lastHigh, readLow } from './date.ts';
import type { SearchSink } from './sink.ts';

/** An object of the resource; its members are looked at before use. */
export type Element = Readonly<Record<string, unknown>>;

export const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);
const isElement = (value: unknown): value is Element => typeof value === 'object' && value !== null;
const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : EMPTY);
const EMPTY: readonly unknown[] = [];

// Tokens: https://hl7.org/fhir/R4/search.html#token

export function coding(sink: SearchSink, atom: number, value: Element): void {
  const system = text(value['system']);
  const code = text(value['code']);
  if (code !== undefined || system !== undefined) sink.token(atom, system, code);
}

export function concept(sink: SearchSink, atom: number, value: Element): void {
  const codings = value['coding'];
  if (!Array.isArray(codings)) return;
  for (let i = 0; i < codings.length; i++) {
    const each: unknown = codings[i];
    if (isElement(each)) coding(sink, atom, each);
  }
}

export function identifier(sink: SearchSink, atom: number, value: Element): void {
  const system = text(value['system']);
  const code = text(value['value']);
  if (code !== undefined || system !== undefined) sink.token(atom, system, code);
  const type = value['type'];
  if (code === undefined || !isElement(type)) return;
  for (const each of list(type['coding']))
    if (isElement(each)) {
      const typeCode = text(each['code']);
      if (typeCode !== undefined) sink.ofType(atom, text(each['system']), typeCode, code);
    }
}

/** The specification makes `use` the system; clients write `telecom=phone|555` as well, which names `system`. */
export function contactPoint(sink: SearchSink, atom: number, value: Element): void {
  const code = text(value['value']);
  if (code === undefined) return;
  const use = text(value['use']);
  const system = text(value['system']);
  sink.token(atom, use, code);
  if (system !== undefined) sink.token(atom, system, code);
}

// References: https://hl7.org/fhir/R4/search.html#reference

export function reference(sink: SearchSink, atom: number, value: Element): void {
  const target = text(value['reference']);
  if (target !== undefined && target.charCodeAt(0) !== 35) sink.reference(atom, target); // not `#contained`
  const logical = value['identifier'];
  if (!isElement(logical)) return;
  const code = text(logical['value']);
  if (code !== undefined) sink.referenceIdentifier(atom, text(logical['system']), code);
}

/** A resource that stands where a reference would (the first entry of a document or message). */
export function entry(sink: SearchSink, atom: number, value: Element): void {
  const id = text(value['id']);
  if (id !== undefined) sink.reference(atom, `${value['resourceType']}/${id}`);
}

/** Whether a reference's text names a resource of the type: `Patient/1`, `https://…/Patient/1/_history/2`. */
export function namesType(target: unknown, type: string): boolean {
  if (typeof target !== 'string') return false;
  const slash = target.indexOf('/');
  if (slash === type.length) return target.startsWith(type);
  if (slash < 1 || target.charCodeAt(slash - 1) !== 58) return false; // relative to another type, or no URL
  const version = target.indexOf('/_history/');
  const idEnd = version < 0 ? target.length : version;
  const idStart = target.lastIndexOf('/', idEnd - 1);
  const typeStart = idStart - type.length;
  return target.charCodeAt(typeStart - 1) === 47 && target.startsWith(type, typeStart);
}

/** Whether a Reference is to the type; one without a URL may say so in its `type`. */
export const refersTo = (value: Element, type: string): boolean =>
  value['reference'] === undefined ? value['type'] === type : namesType(value['reference'], type);

// Dates: https://hl7.org/fhir/R4/search.html#date

export function date(sink: SearchSink, atom: number, value: string): void {
  const low = readLow(value);
  if (!Number.isNaN(low)) sink.date(atom, low, lastHigh());
}

export function period(sink: SearchSink, atom: number, value: Element): void {
  const low = periodLow(value);
  const high = periodHigh(value);
  if (low !== Number.NEGATIVE_INFINITY || high !== Number.POSITIVE_INFINITY) sink.date(atom, low, high);
}

/** A Period as a composite's component. */
export function readPeriod(value: Element): DateRange | undefined {
  const low = periodLow(value);
  const high = periodHigh(value);
  return low === Number.NEGATIVE_INFINITY && high === Number.POSITIVE_INFINITY ? undefined : { low, high };
}

const periodLow = (value: Element): number => {
  const low = typeof value['start'] === 'string' ? readLow(value['start']) : Number.NaN;
  return Number.isNaN(low) ? Number.NEGATIVE_INFINITY : low;
};

const periodHigh = (value: Element): number => {
  if (typeof value['end'] !== 'string' || Number.isNaN(readLow(value['end']))) return Number.POSITIVE_INFINITY;
  return lastHigh();
};

/** "the specified scheduling details are ignored and only the outer limits matter" */
export function timing(sink: SearchSink, atom: number, value: Element): void {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const event of list(value['event']))
    if (typeof event === 'string') {
      const start = readLow(event);
      if (Number.isNaN(start)) continue;
      low = Math.min(low, start);
      high = Math.max(high, lastHigh());
    }
  const repeat = value['repeat'];
  const bounds = isElement(repeat) ? repeat['boundsPeriod'] : undefined;
  if (isElement(bounds)) {
    const start = periodLow(bounds);
    const end = periodHigh(bounds);
    if (start !== Number.NEGATIVE_INFINITY || end !== Number.POSITIVE_INFINITY) {
      low = Math.min(low, start);
      high = Math.max(high, end);
    }
  }
  if (low <= high) sink.date(atom, low, high);
}

// Strings: https://hl7.org/fhir/R4/search.html#string

const part = (sink: SearchSink, atom: number, value: unknown): void => {
  if (typeof value === 'string') sink.string(atom, value);
};
const parts = (sink: SearchSink, atom: number, values: unknown): void => {
  if (Array.isArray(values)) for (let i = 0; i < values.length; i++) part(sink, atom, values[i]);
};

export function humanName(sink: SearchSink, atom: number, value: Element): void {
  part(sink, atom, value['family']);
  parts(sink, atom, value['given']);
  parts(sink, atom, value['prefix']);
  parts(sink, atom, value['suffix']);
  part(sink, atom, value['text']);
}

export function address(sink: SearchSink, atom: number, value: Element): void {
  parts(sink, atom, value['line']);
  part(sink, atom, value['city']);
  part(sink, atom, value['district']);
  part(sink, atom, value['state']);
  part(sink, atom, value['postalCode']);
  part(sink, atom, value['country']);
  part(sink, atom, value['text']);
}

// Canonicals

/** A canonical is found with its version and without. https://hl7.org/fhir/R4/references.html#canonical */
export function canonicalUri(sink: SearchSink, atom: number, value: string): void {
  sink.uri(atom, value);
  const bar = value.indexOf('|');
  if (bar > 0) sink.uri(atom, value.slice(0, bar));
}
