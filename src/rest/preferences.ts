/** Request headers and general parameters: If-Match, Prefer, Accept, `_format` … https://hl7.org/fhir/R4/http.html */
import { badRequest, badValue, unsupportedMediaType } from '../standards/fhir/outcome.ts';
import type { Headers } from './exchange.ts';

/** The version an `If-Match` header asks for; undefined without the header. */
export function parseIfMatch(headers: Headers): number | undefined {
  const text = headers['if-match'];
  return text === undefined ? undefined : parseEtag(text);
}

/** `W/"3"`, `"3"` or `3` as a number. */
export function parseEtag(text: string): number {
  const match = /^(?:W\/)?"?([0-9]{1,9})"?$/.exec(text.trim());
  if (!match) throw badRequest('If-Match must be the ETag of a version, such as W/"3"');
  return Number(match[1]);
}

/** Whether the client's copy is still current (If-None-Match wins over If-Modified-Since, RFC 9110 section 13.2.2). */
export function isNotModified(headers: Headers, versionId: number, lastUpdated: number): boolean {
  const none = headers['if-none-match'];
  if (none !== undefined) return namesVersion(none, versionId);
  const since = headers['if-modified-since'];
  if (since === undefined) return false;
  const at = Date.parse(since);
  return !Number.isNaN(at) && Math.floor(lastUpdated / 1000) * 1000 <= at;
}

/** Whether an `If-None-Match` names this version, among others or by `*`. */
export const namesVersion = (ifNoneMatch: string, versionId: number): boolean =>
  ifNoneMatch.split(',').some((tag) => ['*', `W/"${versionId}"`, `"${versionId}"`].includes(tag.trim()));

export interface Preferences {
  /** What a write answers with; absent: the resource for single writes, nothing in bundles. */
  readonly return?: 'minimal' | 'representation' | 'OperationOutcome';
  readonly handling?: 'strict' | 'lenient';
  /** `respond-async`: what takes its time is not waited for (RFC 7240 section 4.1). */
  readonly isAsync?: true;
}

/** https://hl7.org/fhir/R4/http.html#ops; what is unknown is ignored, as RFC 7240 asks. */
export function parsePrefer(headers: Headers): Preferences {
  const found: { return?: Preferences['return']; handling?: Preferences['handling']; isAsync?: true } = {};
  for (const part of (headers['prefer'] ?? '').split(/[,;]/)) {
    const [name, value] = part.split('=').map((s) => s.trim().replace(/^"|"$/g, ''));
    if (name === 'return' && (value === 'minimal' || value === 'representation' || value === 'OperationOutcome'))
      found.return = value;
    if (name === 'respond-async') found.isAsync = true;
    if (name === 'handling' && (value === 'strict' || value === 'lenient')) found.handling = value;
  }
  return found as Preferences;
}

/** 415 unless the body is declared to be one of these media types, in UTF-8. */
export function checkContentType(headers: Headers, allowed: readonly string[]): string {
  const text = headers['content-type'];
  if (text === undefined) throw unsupportedMediaType(`Content-Type is missing: send ${allowed.join(' or ')}`);
  const [type = '', ...parameters] = text.split(';').map((s) => s.trim().toLowerCase());
  if (!allowed.includes(type))
    throw unsupportedMediaType(`Content-Type is not supported here: send ${allowed.join(' or ')}`);
  for (const parameter of parameters) {
    if (parameter.startsWith('charset=') && !/^charset="?utf-?8"?$/.test(parameter))
      throw unsupportedMediaType('Only UTF-8 is supported');
    if (parameter.startsWith('fhirversion=') && parameter !== 'fhirversion=4.0')
      throw unsupportedMediaType('Only FHIR version 4.0 is supported');
  }
  return type;
}

/** Of a body that is a resource. */
export const RESOURCE_TYPES = [
  'application/fhir+json',
  'application/fhir+xml',
  'application/json',
  'application/xml',
  'text/xml',
] as const;

/** Whether a content type, or a body's own, is XML. */
export const isXmlType = (contentType: string | undefined): boolean =>
  /^\s*(?:application\/(?:fhir\+)?|text\/)xml\s*(?:;|$)/i.test(contentType ?? '');

/** `_pretty=true`. */
export const isPretty = (value: string | undefined): boolean => value === 'true';

/** `_count` of a history: 0 is not a page. */
export function parseCount(text: string | undefined, defaultCount: number, max: number): number {
  if (text === undefined) return defaultCount;
  if (!/^[0-9]{1,9}$/.test(text) || Number(text) === 0)
    throw badValue('_count must be a whole number above 0', '_count');
  return Math.min(Number(text), max);
}

/** General parameters of a query, each given at most once; the rest is left to the interaction. */
export function parseQuery(query: string): Map<string, string> {
  const found = new Map<string, string>();
  if (query === '') return found;
  for (const part of query.split('&')) {
    const equals = part.indexOf('=');
    const [name, value] = equals < 0 ? [part, ''] : [part.slice(0, equals), part.slice(equals + 1)];
    try {
      const decoded = decodeURIComponent(name.replaceAll('+', ' '));
      if (!found.has(decoded)) found.set(decoded, decodeURIComponent(value.replaceAll('+', ' ')));
    } catch {
      throw badRequest('The query holds a % that is not followed by two hexadecimal digits');
    }
  }
  return found;
}

const QUERY_PARTS_MAX = 100;

/** Parameters of a query, with all the values of each. Throws 400. */
export function parseRepeatedQuery(query: string): Map<string, string[]> {
  const parts = query.split('&').filter((part) => part !== '');
  if (parts.length > QUERY_PARTS_MAX) throw badRequest(`The query has more than ${QUERY_PARTS_MAX} parameters`);
  const found = new Map<string, string[]>();
  for (const part of parts)
    for (const [name, value] of parseQuery(part)) found.set(name, [...(found.get(name) ?? []), value]);
  return found;
}
