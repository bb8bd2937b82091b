/** Every parameter of every type finds in generated resources what a FHIRPath engine finds. */
import { expect } from 'chai';
import { LEAF_TYPES } from '../../../../src/standards/fhir/search/leaves.ts';
import type { SearchParameter } from '../../../../src/standards/fhir/search/parameter.ts';
import { type GeneratedResource, generateResource } from '../../../support/generate-resource.ts';
import { type Call, definitions, extract, typeParameters, types } from './fixtures.ts';
import { evaluate, expectedCalls, expectedCombinations, loadEngine, showOpenEnds, without } from './oracle.ts';

const SEEDS_MIN = 8;
/** Choices deep below and references to one of many types take more resources until each was met. */
const SEEDS_MAX = 60;
/** Codes that `where(…)` looks for, which made-up ones would never be. */
const CODES = new Map([
  ['http://hl7.org/fhir/ValueSet/contact-point-system', ['phone', 'email']],
  [
    'http://hl7.org/fhir/ValueSet/related-artifact-type',
    ['depends-on', 'composed-of', 'derived-from', 'predecessor', 'successor'],
  ],
  ['http://hl7.org/fhir/ValueSet/quantity-comparator', ['<', '>=']],
]);

const CODED = { coding: [{ system: 'https://example.org/system', code: 'a' }] };
const UDI = [{ detail: [{ subDetail: [{ udi: [{ reference: 'Device/1' }] }] }] }];
/** Elements that generated resources do not reach down to. */
const DEEP: readonly GeneratedResource[] = [
  { resourceType: 'CapabilityStatement', rest: [{ security: { service: [CODED] } }] },
  { resourceType: 'CarePlan', activity: [{ detail: { code: CODED } }] },
  { resourceType: 'Claim', item: UDI },
  {
    resourceType: 'ConceptMap',
    group: [{ element: [{ target: [{ dependsOn: [{ property: 'urn:a' }], product: [{ property: 'urn:b' }] }] }] }],
  },
  { resourceType: 'ExplanationOfBenefit', item: UDI },
  { resourceType: 'MedicinalProduct', name: [{ countryLanguage: [{ language: CODED }] }] },
  { resourceType: 'MedicinalProductPharmaceutical', routeOfAdministration: [{ targetSpecies: [{ code: CODED }] }] },
  { resourceType: 'SpecimenDefinition', typeTested: [{ container: { type: CODED } }] },
];

function generate(type: string, seed: number): GeneratedResource {
  const resource = generateResource(definitions, type, {
    seed,
    codesOf: (valueSet) => CODES.get(valueSet.split('|')[0] ?? ''),
  });
  if (type === 'Bundle' && seed % 2 === 0) {
    const first = generateResource(definitions, seed % 4 === 0 ? 'Composition' : 'MessageHeader', { seed });
    const [entry, ...rest] = resource['entry'] as object[];
    return { ...resource, entry: [{ ...entry, resource: first }, ...rest] };
  }
  return resource;
}

const written = (calls: readonly Call[]): string[] =>
  calls.map(([method, , ...values]) => JSON.stringify([method, ...values], showOpenEnds));

/** What was reported for a parameter: its atoms' calls, of which a restricted one may take only its targets. */
function reported(parameter: SearchParameter, calls: readonly Call[]): string[] {
  const atoms = new Set(parameter.atoms.map((a) => a.code));
  const own = calls.filter(([, atom]) => atoms.has(atom));
  const { onlyTargets } = parameter;
  return written(
    onlyTargets.length === 0
      ? own
      : own.filter(([method, , target]) => method === 'reference' && onlyTargets.includes(typeOf(String(target)))),
  );
}

const typeOf = (reference: string): string => /([A-Za-z]+)\/[^/]+(?:\/_history\/[^/]+)?$/.exec(reference)?.[1] ?? '';

const RESOLVES = /\.where\(resolve\(\) is (\w+)\)/g;
const definitionOf = new Map(definitions.searchParameters.map((p) => [p.url, p]));
const unique = (values: readonly string[]): string[] => [...new Set(values)].sort();

/** Compares every parameter; returns the codes of those that have values. */
function compare(resource: GeneratedResource, name: string): string[] {
  const type = resource.resourceType;
  const { calls, present } = extract(resource);
  const found: string[] = [];
  for (const parameter of typeParameters(type).parameters.values()) {
    const official = definitionOf.get(parameter.url);
    if (official === undefined || parameter.atoms.length === 0) continue;
    const where = `${type}.${parameter.code} ${name}`;
    const { onlyTargets } = parameter;
    // The engine's resolve() makes a resource of the reference's type; here the type is compared instead.
    const free = { ...official, expression: official.expression?.replace(RESOLVES, '') ?? '' };
    const all = official.type === 'composite' ? expectedCombinations(free, resource) : expectedCalls(free, resource);
    const expected = onlyTargets.length === 0 ? all : all.filter((c) => isReferenceTo(c, onlyTargets));
    expect(unique(reported(parameter, calls)), where).to.deep.equal(unique(expected));
    if (expected.length > 0) found.push(parameter.code);
    if (official.type === 'composite' || parameter.code === 'deceased') continue;
    const elements = evaluate(free, resource).filter((v) => LEAF_TYPES[official.type].has(v.type));
    // A reference without a URL is of the type it says.
    const said = elements.some(({ value }) => value.reference === undefined && onlyTargets.includes(value.type));
    const wanted = onlyTargets.length === 0 ? elements.length > 0 : expected.length > 0 || said;
    expect(present.has(parameter.code), `presence of ${where}`).to.equal(wanted);
  }
  return found;
}

const isReferenceTo = (call: string, types: readonly string[]): boolean => {
  const [method, target] = JSON.parse(call) as unknown[];
  return method === 'reference' && types.includes(typeOf(String(target)));
};

describe('search › extract › as a FHIRPath engine', () => {
  before(function () {
    this.timeout(180_000);
    loadEngine();
  });

  const found = new Set<string>();
  const missing = (type: string): string[] =>
    [...typeParameters(type).parameters.values()]
      .filter((p) => p.atoms.length > 0 && !found.has(`${type}.${p.code}`))
      .map((p) => `${type}.${p.code}`);
  for (const type of types)
    it(`${type}`, function () {
      this.timeout(180_000);
      for (let seed = 0; seed < SEEDS_MIN || (seed < SEEDS_MAX && missing(type).length > 0); seed++)
        for (const code of compare(generate(type, seed), `seed ${seed}`)) found.add(`${type}.${code}`);
    });

  for (const resource of DEEP)
    it(`${resource.resourceType}, far below`, () => {
      for (const code of compare(resource, 'by hand')) found.add(`${resource.resourceType}.${code}`);
    });

  it('leaves out only the types that a search type has no meaning for', () => {
    expect([...without].sort()).to.deep.equal([
      'composite token Quantity', // Group characteristic-value, which is by codes and booleans
      'composite token Range',
      'composite token Reference',
      'date Age', // Procedure performed
      'date Range',
      'date string',
      'reference Attachment', // Consent source
      'reference Patient', // Bundle composition and message of other bundles
    ]);
  });

  it('found values for every parameter', () => {
    expect(types.flatMap(missing)).to.deep.equal([]);
  });
});
