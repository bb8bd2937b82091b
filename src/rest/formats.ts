/** In which format an answer is given. https://hl7.org/fhir/R4/http.html#mime-type */
import { FhirError, issue } from '../standards/fhir/outcome.ts';
import type { Headers } from './exchange.ts';
import { isPretty, parseQuery } from './preferences.ts';

export type Format = 'json' | 'xml';

/** How an answer is shown. */
export interface Presentation {
  readonly format: Format;
  readonly pretty: boolean;
}

/** What a request asks for in its headers and its query. Throws 406. */
export function presentationOf(headers: Headers, query: string): Presentation {
  const parameters = query.includes('_format') || query.includes('_pretty') ? parseQuery(query) : NONE;
  return { format: negotiate(headers, parameters.get('_format')), pretty: isPretty(parameters.get('_pretty')) };
}
const NONE: ReadonlyMap<string, string> = new Map();

/** Media types of each format, and the short names that `_format` has for them. */
const FORMATS: ReadonlyMap<string, Format> = new Map<string, Format>([
  ['application/fhir+json', 'json'],
  ['application/json', 'json'],
  ['text/json', 'json'],
  ['json', 'json'],
  ['application/fhir+xml', 'xml'],
  ['application/xml', 'xml'],
  ['text/xml', 'xml'],
  ['xml', 'xml'],
]);
const RDF = new Set(['application/fhir+turtle', 'text/turtle', 'ttl', 'turtle', 'application/ld+json', 'rdf']);
const EXPLICIT = new Set(['application/fhir+json', 'application/fhir+xml']);

/** One media range of an `Accept` header, in lower case. RFC 9110 section 12.5.1 */
interface MediaRange {
  readonly type: string;
  /** From 0 to 1; 0 where another FHIR version is asked for. */
  readonly weight: number;
}

/** The format that `_format` asks for, else `Accept`; JSON where nothing is preferred. Throws 406 for what there is not. */
function negotiate(headers: Headers, format: string | undefined): Format {
  if (format !== undefined) {
    const { type, weight } = parseRange(format);
    const found = FORMATS.get(type);
    if (found === undefined || weight === 0) throw notAcceptable('_format', [type]);
    return found;
  }
  const { accept } = headers;
  if (accept === undefined || accept === '*/*' || accept === 'application/fhir+json') return 'json';
  const ranges = parseRanges(accept);
  const best = preferred(ranges);
  if (best === undefined)
    throw notAcceptable(
      'Accept',
      ranges.map(({ type }) => type),
    );
  return best;
}

/** The format with the greatest weight, the one that is named first of several; undefined when none is acceptable. */
function preferred(ranges: readonly MediaRange[]): Format | undefined {
  const json = weightOf(ranges, 'json');
  const xml = weightOf(ranges, 'xml');
  if (json === 0 && xml === 0) return undefined;
  if (json !== xml) return json > xml ? 'json' : 'xml';
  return ranges.map(({ type }) => FORMATS.get(type)).find((format) => format !== undefined) ?? 'json';
}

/** What names a format counts before what names everything: `application/json;q=0` beside any type is not JSON. */
function weightOf(ranges: readonly MediaRange[], format: Format): number {
  const named = ranges.filter(({ type }) => FORMATS.get(type) === format);
  const found = named.length > 0 ? named : ranges.filter(({ type }) => type === 'application/*');
  const any = found.length > 0 ? found : ranges.filter(({ type }) => type === '*/*');
  return Math.max(0, ...any.map(({ weight }) => weight));
}

/**
 * Whether a Binary is asked for as it is, not as a resource: `Accept` names no FHIR format, or prefers the content's own
 * type. Throws 406 where it allows neither. https://hl7.org/fhir/R4/binary.html#rest
 */
export function wantsContent(headers: Headers, contentType: string): boolean {
  const { accept } = headers;
  if (accept === undefined || accept === '*/*') return true;
  const [own = ''] = contentType.toLowerCase().split(';');
  const ranges = parseRanges(accept);
  const matching = [own, `${own.split('/')[0]}/*`, '*/*']
    .map((wanted) => ranges.filter(({ type }) => type === wanted))
    .find((found) => found.length > 0);
  const content = Math.max(0, ...(matching ?? []).map(({ weight }) => weight));
  const asFhir = ranges.filter(({ type }) => EXPLICIT.has(type) || (FORMATS.has(type) && type !== own));
  const fhir = Math.max(0, ...asFhir.map(({ weight }) => weight));
  if (content > fhir) return true;
  if (fhir > 0) return false;
  throw new FhirError(406, [
    issue(
      'not-supported',
      'Accept names neither the type of this content, nor application/fhir+json or application/fhir+xml',
    ),
  ]);
}

const parseRanges = (accept: string): MediaRange[] => accept.split(',').map(parseRange);

function parseRange(text: string): MediaRange {
  // A + that was sent without its percent-encoding arrives as a space.
  const [type = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase());
  let weight = 1;
  for (const parameter of parameters) {
    if (parameter.startsWith('q=')) weight = Number(/^q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/.exec(parameter)?.[1] ?? 0);
    if (parameter.startsWith('fhirversion=') && parameter !== 'fhirversion=4.0') return { type: '', weight: 0 };
  }
  return { type: type.replace(' ', '+'), weight };
}

const notAcceptable = (where: string, types: readonly string[]): FhirError =>
  new FhirError(406, [
    issue(
      'not-supported',
      `${types.some((type) => RDF.has(type)) ? 'RDF is not available' : `${where} asks for a format that is not available`}: ` +
        'use application/fhir+json or application/fhir+xml (FHIR 4.0)',
    ),
  ]);
