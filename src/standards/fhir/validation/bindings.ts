/** Codes checked against the value sets they are bound to. https://hl7.org/fhir/R4/terminologies.html#binding */
import { canonicalUrl } from '../code-systems.ts';
import type { CompactValueSet } from '../value-sets.ts';
import { nearestName } from './nearest.ts';
import type { JsonObject, Run } from './run.ts';

/** A value set in the form that codes are looked up in. */
export interface CodeSet {
  readonly url: string;
  /** Of any of its systems. */
  hasCode(code: string): boolean;
  has(system: string | undefined, code: string): boolean;
  /** Whether it holds codes of the system at all. */
  hasSystem(system: string): boolean;
  /** Whether there may be codes that are not held here. */
  readonly isOpen: boolean;
  /** For messages: some of the codes. */
  readonly shown: string;
  readonly codes: () => Iterable<string>;
}

/** What kind of element a binding is of. */
export type BoundKind = 'code' | 'Coding' | 'CodeableConcept' | 'Quantity';
export interface Binding {
  readonly kind: BoundKind;
  readonly strength: string;
  readonly set: CodeSet;
}

const MIME = 'urn:ietf:bcp:13';
const LANGUAGE = 'urn:ietf:bcp:47';
/** RFC 6838 section 4.2 and parameters, or one of the short forms of https://hl7.org/fhir/R4/http.html#mime-type */
const MIME_TYPE = /^(?:[A-Za-z0-9][\w!#$&^.+-]{0,126}\/[\w!#$&^.+*-]{1,127}(?:\s*;[^\r\n]{0,200})?|xml|json|ttl|html)$/;
const LANGUAGE_TAG = /^[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8}){0,8}$/;
const SHOWN_MAX = 12;

/** A code of a system that is held as a whole, or as a grammar. */
const inWhole = (system: string, code: string): boolean =>
  system === MIME ? MIME_TYPE.test(code) : system === LANGUAGE ? LANGUAGE_TAG.test(code) : true;

export function compileCodeSet(url: string, { codes, isOpen = false }: CompactValueSet): CodeSet {
  const bySystem = new Map(codes.map(([system, list]) => [system, list === null ? null : new Set(list)]));
  const whole = codes.filter(([, list]) => list === null).map(([system]) => system);
  const any = new Set(codes.flatMap(([, list]) => list ?? []));
  const some = [...any].slice(0, SHOWN_MAX);
  return {
    url,
    isOpen,
    hasCode: (code) => any.has(code) || whole.some((system) => inWhole(system, code)),
    has(system, code) {
      if (system === undefined) return false;
      const list = bySystem.get(system);
      return list === null ? inWhole(system, code) : list?.has(code) === true;
    },
    hasSystem: (system) => bySystem.has(system),
    shown: `${some.join(', ')}${any.size > SHOWN_MAX ? ' …' : ''}`,
    codes: () => any,
  };
}

/** Value sets compiled when they are first asked for. */
export function createCodeSets(
  held: (url: string) => CompactValueSet | undefined,
): (url: string) => CodeSet | undefined {
  const compiled = new Map<string, CodeSet | undefined>();
  return (canonical) => {
    const url = canonicalUrl(canonical);
    if (compiled.has(url)) return compiled.get(url);
    const set = held(url);
    const made = set && compileCodeSet(url, set);
    compiled.set(url, made);
    return made;
  };
}

const KINDS: Readonly<Record<string, BoundKind>> = {
  code: 'code',
  string: 'code',
  uri: 'code',
  url: 'code',
  canonical: 'code',
  Coding: 'Coding',
  CodeableConcept: 'CodeableConcept',
  Quantity: 'Quantity',
  Age: 'Quantity',
  Duration: 'Quantity',
};
export const boundKindOf = (type: string): BoundKind | undefined =>
  Object.hasOwn(KINDS, type) ? KINDS[type] : undefined;

/** Whether a code, Coding or CodeableConcept is in a value set; undefined where that cannot be told. */
export function isMember(
  set: CodeSet | undefined,
  { type, value }: { readonly type: string; readonly value: unknown },
): boolean | undefined {
  const kind = boundKindOf(type) ?? (typeof value === 'string' ? 'code' : undefined);
  if (set === undefined || set.isOpen || kind === undefined || value === undefined) return undefined;
  return faultOf(kind, value, set, true) === undefined;
}

/** Checks one bound value whose structure is right. A required binding refuses; others warn where the run gathers warnings. */
export function checkBinding({ kind, strength, set }: Binding, value: unknown, run: Run): void {
  const fault = faultOf(kind, value, set, strength === 'required');
  if (fault === undefined) return;
  if (strength === 'required') run.add('code-invalid', fault);
  else if (strength === 'extensible')
    run.warn('code-invalid', `${fault} (extensible: another only where none of them fits)`);
  else run.inform('code-invalid', `${fault} (preferred)`);
}

function faultOf(kind: BoundKind, value: unknown, set: CodeSet, required: boolean): string | undefined {
  if (kind === 'code')
    return typeof value !== 'string' || set.isOpen || set.hasCode(value)
      ? undefined
      : `must be a code of ${named(set)}${nearest(value, set)}`;
  const object = value as JsonObject; // its structure was checked
  if (kind === 'Coding') return codingFault(object, set);
  if (kind === 'Quantity')
    return typeof object['code'] !== 'string' || fits(object, set)
      ? undefined
      : `must have a unit of ${named(set)}${nearest(object['code'], set)}`;
  const codings = Array.isArray(object['coding']) ? (object['coding'] as readonly JsonObject[]) : [];
  if (codings.some((coding) => fits(coding, set))) return undefined;
  if (codings.length === 0)
    return required && object['extension'] === undefined ? `needs a coding from ${named(set)}` : undefined;
  const near = codings.length === 1 ? nearestOfCoding(codings[0]!, set) : '';
  return `has no coding from ${named(set)}${near}`;
}

function fits({ system, code }: JsonObject, set: CodeSet): boolean {
  if (typeof code !== 'string') return set.isOpen;
  return set.isOpen || set.has(typeof system === 'string' ? system : undefined, code);
}

function codingFault(coding: JsonObject, set: CodeSet): string | undefined {
  if (fits(coding, set)) return undefined;
  return `must be from ${named(set)}${nearestOfCoding(coding, set)}`;
}

function nearestOfCoding({ system, code }: JsonObject, set: CodeSet): string {
  if (typeof code !== 'string') return '; it has no code';
  if (set.hasCode(code)) return typeof system === 'string' ? '; its system is another' : '; add its system';
  return nearest(code, set);
}

const named = ({ url, shown }: CodeSet): string => `${url}${shown === '' ? '' : ` (${shown})`}`;

/** Names a code of the value set, never the one that was sent. */
function nearest(code: string, set: CodeSet): string {
  // Codes of a letter or two are all near to one another.
  const found = code.length < 3 ? undefined : nearestName(code, set.codes());
  return found === undefined ? '' : `; did you mean '${found}'?`;
}
