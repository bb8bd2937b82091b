/**
 * One value of a search parameter, by the parameter's type. A value that cannot be read is answered with the reason,
 * which tells the form expected and never repeats what was given. https://hl7.org/fhir/R4/search.html#ptypes
 */
import { isId, parseReference } from '../reference.ts';
import { parseDate } from './date.ts';
import { splitEscaped, unescapeValue } from './escape.ts';
import { parseNumber } from './number.ts';
import type { SearchParameter, SearchType } from './parameter.ts';
import type {
  CompositePart,
  DateValue,
  NumberValue,
  Prefix,
  QuantityValue,
  ReferenceValue,
  TokenValue,
} from './request.ts';

export type Read<T> = { readonly value: T } | { readonly reason: string };

const PREFIX = /^(eq|ne|gt|lt|ge|le|sa|eb|ap)(?=[\d.+-])/;

/** https://hl7.org/fhir/R4/search.html#prefix */
function splitPrefix(text: string): { prefix: Prefix; rest: string } {
  const found = PREFIX.exec(text)?.[1];
  // PREFIX matches nothing but prefixes.
  return found === undefined ? { prefix: 'eq', rest: text } : { prefix: found as Prefix, rest: text.slice(2) };
}

export function readToken(text: string): Read<TokenValue> {
  const pieces = splitEscaped(text, '|').map(unescapeValue);
  const [first = '', second] = pieces;
  if (pieces.length > 2) return { reason: 'has more than one | (write \\| for one that belongs to the value)' };
  if (second === undefined) return first === '' ? { reason: 'is empty' } : { value: { code: first } };
  if (second === '') return first === '' ? { reason: 'has neither system nor code' } : { value: { system: first } };
  return { value: { system: first, code: second } };
}

/** `system|code|value` of `:of-type`. */
export function readOfType(text: string): Read<{ system: string; code: string; value: string }> {
  const pieces = splitEscaped(text, '|').map(unescapeValue);
  const [system = '', code = '', value = ''] = pieces;
  return pieces.length === 3 && code !== '' && value !== ''
    ? { value: { system, code, value } }
    : { reason: "must be 'system|code|value': the type of the identifier, then its value" };
}

export function readDate(text: string): Read<DateValue> {
  const { prefix, rest } = splitPrefix(text);
  // An offset's + that was sent without its percent-encoding arrives as a space.
  const range = parseDate(rest.replace(' ', '+'));
  if (range === undefined) return { reason: 'is not a date: write 2013, 2013-01, 2013-01-14 or 2013-01-14T10:00:00Z' };
  return { value: { prefix, ...range } };
}

export function readNumber(text: string): Read<NumberValue> {
  const { prefix, rest } = splitPrefix(text);
  const range = parseNumber(rest);
  return range === undefined ? { reason: 'is not a number: write 100, 5.40 or 1e2' } : { value: { prefix, ...range } };
}

/** `number`, `number|system|code`, `number||code`. https://hl7.org/fhir/R4/search.html#quantity */
export function readQuantity(text: string): Read<QuantityValue> {
  const [first = '', system, code, ...more] = splitEscaped(text, '|').map(unescapeValue);
  const form = "must be 'number', 'number|system|code' or 'number||code'";
  if (more.length > 0 || (system !== undefined && code === undefined)) return { reason: form };
  const number = readNumber(first);
  if ('reason' in number) return { reason: form };
  return { value: { ...number.value, ...(system && { system }), ...(code && { code }) } };
}

export interface ReferenceContext {
  readonly baseUrl: string;
  readonly isType: (type: string) => boolean;
}

/** `id`, `Type/id`, an absolute URL, `urn:…`; `type` is that of a modifier (`subject:Patient=1`). */
export function readReference(
  parameter: Pick<SearchParameter, 'atoms'>,
  text: string,
  context: ReferenceContext,
  type?: string,
): Read<ReferenceValue> {
  const leaves = parameter.atoms.flatMap((atom) => atom.leaves);
  const canonical = leaves.length > 0 && leaves.every((leaf) => leaf.type === 'canonical' || leaf.type === 'uri');
  // In a composite the separators of the whole value were escaped; a canonical keeps its | plain.
  const plain = unescapeValue(text);
  if (canonical) return readCanonical(plain);
  if (isId(plain)) return { value: type === undefined ? { id: plain } : { type, id: plain } };
  const local = plain.startsWith(`${context.baseUrl}/`) ? plain.slice(context.baseUrl.length + 1) : plain;
  const reference = parseReference(local);
  switch (reference?.kind) {
    case 'relative':
      if (!context.isType(reference.type)) return { reason: 'names a type that is not an R4 resource' };
      if (type !== undefined && reference.type !== type) return { reason: `is not a reference to ${type}` };
      return { value: { type: reference.type, id: reference.id } };
    case 'urn':
      return { value: { url: reference.urn } };
    case 'absolute':
      return { value: { url: reference.url } };
    case 'canonical':
      return { value: { url: reference.url, version: reference.version } };
    default:
      return { reason: 'is not a reference: write an id, Type/id or an absolute URL' };
  }
}

function readCanonical(text: string): Read<ReferenceValue> {
  const bar = text.indexOf('|');
  const url = bar < 0 ? text : text.slice(0, bar);
  const version = bar < 0 ? '' : text.slice(bar + 1);
  if (url === '') return { reason: 'is not a canonical: write url or url|version' };
  return { value: version === '' ? { url } : { url, version } };
}

/** `one$two`: a value for each component. https://hl7.org/fhir/R4/search.html#composite */
export function readComposite(
  parameter: SearchParameter,
  text: string,
  context: ReferenceContext,
): Read<readonly CompositePart[]> {
  const pieces = splitEscaped(text, '$');
  const names = parameter.components.map((c) => c.code).join('$');
  if (pieces.length !== parameter.components.length) return { reason: `must be '${names}'` };
  const parts: CompositePart[] = [];
  for (const [i, component] of parameter.components.entries()) {
    const read = readPart(component.type, pieces[i] ?? '', context);
    if ('reason' in read) return { reason: `${read.reason} (in its part '${component.code}')` };
    parts.push(read.value);
  }
  return { value: parts };
}

function readPart(type: SearchType, text: string, context: ReferenceContext): Read<CompositePart> {
  const named = <K extends CompositePart['type'], V>(kind: K, read: Read<V>) =>
    'reason' in read ? read : { value: { type: kind, value: read.value } };
  switch (type) {
    case 'token':
      return named('token', readToken(text));
    case 'reference':
      return named('reference', readReference({ atoms: [] }, text, context));
    case 'date':
      return named('date', readDate(unescapeValue(text)));
    case 'number':
      return named('number', readNumber(unescapeValue(text)));
    case 'quantity':
      return named('quantity', readQuantity(text));
    case 'string':
      return text === '' ? { reason: 'is empty' } : named('string', { value: unescapeValue(text) });
    default:
      return { reason: `has a part of type ${type}, which no R4 composite has` };
  }
}
