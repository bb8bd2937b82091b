/**
 * Every search parameter of every type: a query made from a generated resource's own values finds exactly the resources
 * that have such a value, as the extractor reports it, and none that has another.
 */
import { expect } from 'chai';
import { createFhirApi } from '../../../src/fhir-api.ts';
import { STORED_TYPES } from '../../../src/postgres/tables.ts';
import { parseDate } from '../../../src/standards/fhir/search/date.ts';
import { parseNumber } from '../../../src/standards/fhir/search/number.ts';
import type { SearchParameter } from '../../../src/standards/fhir/search/parameter.ts';
import { normaliseText } from '../../../src/standards/fhir/search/text.ts';
import { type Call, extract, typeParameters } from '../../standards/fhir/search/fixtures.ts';
import { testDefinitions } from '../../support/definitions.ts';
import { bundleOf, createFhirClient, type FhirClient, type Json, matchIds } from '../../support/fhir-client.ts';
import { generateResource } from '../../support/generate-resource.ts';
import { startTestServer, type TestServer } from '../../support/server.ts';

/** Resources of each type; the seeds turn each choice through its types. */
const SEEDS = [0, 1, 2, 3, 4, 5];

interface Stored {
  readonly id: string;
  readonly calls: readonly Call[];
}

/** A query's value, and which reported values it must find. */
interface Query {
  readonly value: string;
  readonly matches: (call: Call) => boolean;
}

type Text = string | undefined;
const escaped = (text: string): string => text.replace(/[\\,|$]/g, '\\$&');
/** A | stays a separator in canonicals. */
const escapedUrl = (text: string): string => text.replace(/[\\,$]/g, '\\$&');
const coded = (system: Text, code: Text): string => `${escaped(system ?? '')}|${escaped(code ?? '')}`;
const instant = (ms: number): string => new Date(ms).toISOString();
const same = (a: Text, b: Text): boolean => (a ?? '') === (b ?? '');

function tokenQuery(parameter: SearchParameter, [, , system, code]: Call): Query {
  const plain = parameter.impliedSystems.length > 0;
  return {
    value: plain ? escaped(String(code)) : coded(system as Text, code as Text),
    matches: ([, , s, c]) => (code === undefined || c === code) && (plain || same(s as Text, system as Text)),
  };
}

/** Local references name a resource, whichever version. */
const target = (text: string): string => text.replace(/\/_history\/.*$/, '');

function referenceQuery(parameter: SearchParameter, [, , reference]: Call): Query | undefined {
  const text = reference as string;
  const only = parameter.onlyTargets;
  const type = /(?:^|\/)([A-Z][A-Za-z]+)\/[^/]+(?:\/_history\/.*)?$/.exec(text)?.[1];
  if (only.length > 0 && (type === undefined || !only.includes(type))) return undefined;
  const isLocal = !/^[a-z]+:/.test(text);
  return {
    value: escaped(isLocal ? target(text) : text),
    matches: ([, , r]) => (isLocal ? target(r as string) === target(text) : r === text),
  };
}

interface Range {
  readonly low: number;
  readonly high: number;
}

/** The comparisons of https://hl7.org/fhir/R4/search.html#prefix over closed ranges. */
const COMPARE: Readonly<Record<string, (row: Range, asked: Range) => boolean>> = {
  eq: (row, asked) => asked.low <= row.low && row.high <= asked.high,
  ge: (row, asked) => row.high > asked.high || (asked.low <= row.low && row.high <= asked.high) || row.low >= asked.low,
  le: (row, asked) => row.low < asked.low || (asked.low <= row.low && row.high <= asked.high) || row.high <= asked.high,
  sa: (row, asked) => row.low > asked.high,
};

function dateQueries(low: number, high: number): { value: string; test: (row: Range) => boolean }[] {
  const queries: { value: string; test: (row: Range) => boolean }[] = [];
  const add = (prefix: string, text: string): void => {
    const asked = parseDate(text);
    if (asked) queries.push({ value: prefix + text, test: (row) => COMPARE[prefix]?.(row, asked) ?? false });
  };
  if (Number.isFinite(low)) {
    add('ge', instant(low));
    add('eq', new Date(low).toISOString().slice(0, 4));
    add('eq', new Date(low).toISOString().slice(0, 10));
    add('sa', '1800');
  }
  if (Number.isFinite(high)) add('le', instant(high));
  return queries;
}

function numberQueries(low: number, high: number): { value: string; test: (row: Range) => boolean }[] {
  const finite = Number.isFinite(low) ? low : high;
  const asked = parseNumber(String(finite));
  if (!asked) return [];
  const exact = { low: finite, high: finite };
  return [
    { value: `${finite}`, test: (row) => asked.low <= row.low && row.high < asked.high },
    { value: `ge${finite}`, test: (row) => COMPARE['ge']?.(row, exact) ?? false },
    { value: `le${finite}`, test: (row) => COMPARE['le']?.(row, exact) ?? false },
  ];
}

const unitText = (system: Text, code: Text, unit: Text): string =>
  code !== undefined && system !== undefined
    ? `|${coded(system, code)}`
    : (code ?? unit) !== undefined
      ? `||${escaped(code ?? unit ?? '')}`
      : '';
const unitMatches = (asked: readonly unknown[], row: readonly unknown[]): boolean => {
  const [system, code, unit] = asked as Text[];
  if (code !== undefined && system !== undefined) return row[0] === system && row[1] === code;
  const wanted = code ?? unit;
  return wanted === undefined || row[1] === wanted || row[2] === wanted;
};

/** Queries from one value that a resource reports. */
function queriesOf(parameter: SearchParameter, call: Call): Query[] {
  const [method, , ...v] = call;
  switch (method) {
    case 'token':
      return [tokenQuery(parameter, call)];
    case 'reference': {
      const query = referenceQuery(parameter, call);
      return query ? [query] : [];
    }
    case 'canonical':
    case 'uri':
      return [
        {
          value: escapedUrl(v[0] as string),
          matches: ([, , text]) => text === v[0] || (method === 'canonical' && (text as string).split('|')[0] === v[0]),
        },
      ];
    case 'string': {
      const prefix = normaliseText(v[0] as string);
      return [
        { value: escaped(v[0] as string), matches: ([, , text]) => normaliseText(text as string).startsWith(prefix) },
      ];
    }
    case 'date':
      return dateQueries(v[0] as number, v[1] as number).map(({ value, test }) => ({
        value,
        matches: ([, , low, high]) => test({ low: low as number, high: high as number }),
      }));
    case 'number':
      return numberQueries(v[0] as number, v[0] as number).map(({ value, test }) => ({
        value,
        matches: ([, , n]) => test({ low: n as number, high: n as number }),
      }));
    case 'quantity':
      return numberQueries(v[0] as number, v[1] as number).map(({ value, test }) => ({
        value: `${value}${unitText(v[2] as Text, v[3] as Text, v[4] as Text)}`,
        matches: ([, , low, high, ...unit]) =>
          test({ low: low as number, high: high as number }) && unitMatches(v.slice(2), unit),
      }));
    case 'tokenToken':
      return [
        {
          value: `${coded(v[0] as Text, v[1] as Text)}$${coded(v[2] as Text, v[3] as Text)}`,
          matches: ([, , ...w]) => [0, 1, 2, 3].every((i) => same(w[i] as Text, v[i] as Text)),
        },
      ];
    case 'referenceToken':
      return [
        {
          value: `${escaped(target(v[0] as string))}$${coded(v[1] as Text, v[2] as Text)}`,
          matches: ([, , r, s, c]) =>
            target(r as string) === target(v[0] as string) && same(s as Text, v[1] as Text) && c === v[2],
        },
      ];
    case 'tokenString': {
      const prefix = normaliseText(v[2] as string);
      return [
        {
          value: `${tokenPart(v[0] as Text, v[1] as string)}$${escaped(v[2] as string)}`,
          matches: ([, , s, c, text]) => tokenMatches(v, s, c) && normaliseText(text as string).startsWith(prefix),
        },
      ];
    }
    case 'tokenDate':
      return dateQueries(v[2] as number, v[3] as number).map(({ value, test }) => ({
        value: `${tokenPart(v[0] as Text, v[1] as string)}$${value}`,
        matches: ([, , s, c, low, high]) => tokenMatches(v, s, c) && test({ low: low as number, high: high as number }),
      }));
    case 'tokenQuantity':
      return numberQueries(v[2] as number, v[3] as number).map(({ value, test }) => ({
        value: `${tokenPart(v[0] as Text, v[1] as string)}$${value}${unitText(v[4] as Text, v[5] as Text, v[6] as Text)}`,
        matches: ([, , s, c, low, high, ...unit]) =>
          tokenMatches(v, s, c) && test({ low: low as number, high: high as number }) && unitMatches(v.slice(4), unit),
      }));
    case 'tokenNumberNumber':
      return [
        {
          value: `${tokenPart(v[0] as Text, v[1] as string)}$${v[2]}$${v[3]}`,
          matches: ([, , s, c, a, b]) => tokenMatches(v, s, c) && a === v[2] && b === v[3],
        },
      ];
    default:
      return [];
  }
}

const tokenPart = (system: Text, code: string): string => (system === undefined ? escaped(code) : coded(system, code));
const tokenMatches = (asked: readonly unknown[], system: unknown, code: unknown): boolean =>
  code === asked[1] && (asked[0] === undefined || system === asked[0]);

/** Gives the resource what a parameter's conditions ask for: `telecom.where(system = 'email')`, `resolve() is Patient`. */
function favour(resource: Json, parameter: SearchParameter): void {
  for (const { steps, type } of parameter.atoms.flatMap((atom) => atom.leaves)) {
    let at: Json | undefined = resource;
    for (const step of steps) {
      const value: unknown = at?.[step.name];
      at = (Array.isArray(value) ? value[step.index ?? 0] : value) as Json | undefined;
      if (at && step.where) at[step.where.name] = step.where.value;
    }
    const [only] = parameter.onlyTargets;
    if (at && type === 'Reference' && only !== undefined) Object.assign(at, { reference: `${only}/only`, type: only });
  }
}

const coding = (code: string): Json => ({ coding: [{ system: 'urn:deep', code }] });
const useContext = [{ code: { system: 'urn:deep', code: 'focus' }, valueCodeableConcept: coding('adult') }];
const subDetail = [{ sequence: 1, productOrService: coding('part'), udi: [{ reference: 'Device/part' }] }];
const item = [
  { sequence: 1, productOrService: coding('a'), detail: [{ sequence: 1, productOrService: coding('b'), subDetail }] },
];

/** Elements that lie deeper than generated resources go; each on top of what the type requires. */
const DEEP: Readonly<Record<string, readonly Json[]>> = {
  Bundle: [
    { type: 'document', entry: [{ resource: { ...minimal('Composition'), id: 'first' } }] },
    { type: 'message', entry: [{ resource: { ...minimal('MessageHeader'), id: 'first' } }] },
  ],
  CapabilityStatement: [{ rest: [{ mode: 'server', security: { service: [coding('OAuth')] } }] }],
  CarePlan: [{ activity: [{ detail: { status: 'scheduled', code: coding('walk') } }] }],
  Claim: [{ item }],
  CompartmentDefinition: [{ useContext }],
  ConceptMap: [
    {
      useContext,
      group: [
        {
          element: [
            {
              target: [
                {
                  equivalence: 'equal',
                  dependsOn: [{ property: 'http://example.org/depends', value: 'x' }],
                  product: [{ property: 'http://example.org/product', value: 'x' }],
                },
              ],
            },
          ],
        },
      ],
    },
  ],
  ExplanationOfBenefit: [{ item }],
  Measure: [{ useContext }],
  MedicinalProduct: [
    { name: [{ productName: 'x', countryLanguage: [{ country: coding('GB'), language: coding('cy') }] }] },
  ],
  MedicinalProductPharmaceutical: [
    { routeOfAdministration: [{ code: coding('oral'), targetSpecies: [{ code: coding('dog') }] }] },
  ],
  Observation: [
    { code: coding('when'), valueDateTime: '2001-02-03T04:05:06Z' },
    { code: coding('when'), valuePeriod: { start: '2001-02', end: '2003' } },
  ],
  SpecimenDefinition: [{ typeTested: [{ preference: 'preferred', container: { type: coding('tube') } }] }],
};

/** What a type requires and no more. */
function minimal(type: string): Json {
  return generateResource(testDefinitions(), type, { fill: 'minimal' });
}

/** Values that no generated resource has. */
const NEVER: Readonly<Record<string, string>> = {
  token: 'never|never',
  string: 'never ever',
  reference: 'Basic/never',
  uri: 'urn:never',
  date: '1799',
  number: '987654321',
  quantity: '987654321',
};

describe('search-type › every parameter', function () {
  this.timeout(180_000);
  let server: TestServer;
  let fhir: FhirClient;
  const silent: string[] = [];
  before(async () => {
    server = await startTestServer({
      // Values are made up at random: they keep to the structure, not to every rule.
      createFhirApi: (parts) => createFhirApi({ ...parts, checks: 'structure' }),
    });
    fhir = createFhirClient(server);
  });
  after(() => server.stop());

  async function load(type: string): Promise<Stored[]> {
    const resources = SEEDS.map((seed): Json & { resourceType: string; id: string } => {
      const { id: _id, ...resource } = generateResource(testDefinitions(), type, { seed });
      return { ...resource, resourceType: type, id: `s${seed}` };
    });
    const choosy = [...typeParameters(type).parameters.values()].filter(
      (p) => p.onlyTargets.length > 0 || p.atoms.some((a) => a.leaves.some((l) => l.steps.some((s) => s.where))),
    );
    choosy.forEach((parameter, i) => {
      favour(resources[i % resources.length] as Json, parameter);
    });
    (DEEP[type] ?? []).forEach((deep, i) => {
      resources.push({ ...minimal(type), ...deep, resourceType: type, id: `d${i}` });
    });
    // One that is on is a subscription, whose criteria and channel must be some.
    if (type === 'Subscription') for (const resource of resources) resource['status'] = 'off';
    if (type === 'SearchParameter') for (const resource of resources) resource['status'] = 'draft';
    const entry = resources.map(
      (resource): Json => ({ resource, request: { method: 'PUT', url: `${type}/${resource.id}` } }),
    );
    const reply = await fhir.post('', { resourceType: 'Bundle', type: 'transaction', entry });
    expect(reply.status, reply.text.slice(0, 500)).equal(200);
    return resources.map((resource) => ({ id: resource.id, calls: extract(resource).calls }));
  }

  async function find(type: string, code: string, value: string, more = ''): Promise<string> {
    const reply = await fhir.get(`${type}?${code}=${encodeURIComponent(value)}${more}`);
    if (reply.status !== 200) return `${reply.status} ${reply.text.slice(0, 300)}`;
    return matchIds(bundleOf(reply)).sort().join(' ');
  }

  async function check(type: string, parameter: SearchParameter, stored: readonly Stored[]): Promise<string[]> {
    const codes = new Set(parameter.atoms.map((a) => a.code));
    const own = (call: Call): boolean => codes.has(call[1]);
    const asked = new Map<string, Query & { readonly method: string }>();
    for (const { calls } of stored)
      for (const call of calls.filter(own))
        for (const query of queriesOf(parameter, call))
          if (!asked.has(query.value)) asked.set(query.value, { ...query, method: call[0] });
    const faults: string[] = [];
    const queries = [...asked.values()].map((query) => ({
      value: query.value,
      expected: stored
        .filter(({ calls }) => calls.some((call) => own(call) && call[0] === query.method && query.matches(call)))
        .map(({ id }) => id)
        .sort()
        .join(' '),
    }));
    // Once by whatever index serves, once as a filter on rows found by their ids. The trail answers as AuditEvents
    // too, and would be found among those stored here.
    const byId = `&_id=${stored.map(({ id }) => id).join(',')}`;
    const free = type === 'AuditEvent' ? byId : '';
    const last = queries.findLast(({ expected }) => expected !== '');
    if (!last) silent.push(`${type}.${parameter.code}`);
    for (const [query, more] of [
      [queries[0], free],
      [last, byId],
    ] as const) {
      if (!query) continue;
      const found = await find(type, parameter.code, query.value, more);
      if (found !== query.expected)
        faults.push(`${type}?${parameter.code}=${query.value}${more}: ${found}, not ${query.expected}`);
    }
    const never = NEVER[parameter.type];
    if (never !== undefined && parameter.atoms.length > 0) {
      const found = await find(type, parameter.code, never);
      if (found !== '' && !found.includes('is not a')) faults.push(`${type}?${parameter.code}=${never}: ${found}`);
    }
    return faults;
  }

  for (let from = 0; from < STORED_TYPES.length; from += 12) {
    const types = STORED_TYPES.slice(from, from + 12);
    it(`${types[0]} … ${types.at(-1)}`, async () => {
      const faults = await Promise.all(
        types.map(async (type) => {
          const stored = await load(type);
          const found: string[] = [];
          for (const parameter of typeParameters(type).parameters.values())
            found.push(...(await check(type, parameter, stored)));
          return found;
        }),
      );
      expect(faults.flat()).eql([]);
    });
  }

  it('had a value for every parameter', () => {
    expect(silent.filter((name) => !/\._(id|lastUpdated)$/.test(name))).eql([]);
  });
});
