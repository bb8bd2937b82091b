/** Composites that are posted: made of the same words as those of R4, they find what those find; and what is refused. */
import { expect } from 'chai';
import type { FindOwn } from '../../../../src/standards/fhir/search/custom-definition.ts';
import { createCustomCompiler } from '../../../../src/standards/fhir/search/custom-parameter.ts';
import { createCustomExtractor } from '../../../../src/standards/fhir/search/extract-custom.ts';
import type { Extractor, SearchSink } from '../../../../src/standards/fhir/search/sink.ts';
import { generateResource } from '../../../support/generate-resource.ts';
import { definitions, extractorOf, parameters, typeParameters } from './fixtures.ts';

const { read } = createCustomCompiler({ definitions, official: parameters, isSealed: () => false });

const SEEDS = 30;
const RELATIONSHIP = 'http://hl7.org/fhir/SearchParameter/DocumentReference-relationship';
const official = definitions.searchParameters.filter(
  ({ type, component = [] }) =>
    type === 'composite' && !component.some(({ expression }) => /%resource/.test(expression)),
);

/** The calls of an extractor for some atoms, once each. */
function calls(extractor: Extractor, resource: Readonly<Record<string, unknown>>, atoms: readonly number[]): string[] {
  const found = new Set<string>();
  const sink = new Proxy({} as SearchSink, {
    get:
      (_, method) =>
      (atom: number, ...values: unknown[]) => {
        const isValue = !['present', 'presentAtom', 'member'].includes(String(method)) && atoms.includes(atom);
        if (isValue) found.add(`${String(method)} ${values.map(String).join(' ')}`);
      },
  });
  extractor(resource, sink);
  return [...found].sort();
}

describe('search › custom composites', () => {
  const met = new Set<string>();
  for (const one of official) {
    const { url, code, component = [], base } = one;
    it(`${code} of ${base.slice(0, 3).join()}: as R4's own`, function () {
      this.timeout(60_000);
      const expressions = component.map(({ expression }) => expression.replace('DateTime', 'dateTime'));
      if (url === RELATIONSHIP) expressions.reverse(); // R4 gives each the other's
      const { value, issues } = read({
        ...one,
        status: 'active',
        url: `http://example.org/${code}`,
        code: `own-${code}`,
        component: component.map(({ definition }, i) => ({ definition, expression: expressions[i] })),
      });
      expect(issues).deep.equal([]);
      for (const [type, own] of value?.of ?? []) {
        const theirs =
          typeParameters(type)
            .parameters.get(code)
            ?.atoms.map(({ index }) => index) ?? [];
        const mine = createCustomExtractor({ ...own, atoms: own.atoms.map((atom) => ({ ...atom, index: 900 })) });
        for (let seed = 0; seed < SEEDS; seed++) {
          const resource = generateResource(definitions, type, { seed });
          const expected = calls(extractorOf(type), resource, theirs);
          expect(calls(mine, resource, [900]), `${type} ${seed}`).deep.equal(expected);
          if (expected.length > 0) met.add(code);
        }
      }
    });
  }

  it('all kinds of combinations were met', () => {
    expect([...met]).include.members(['code-value-quantity', 'code-value-date', 'code-value-string', 'relationship']);
    expect([...met]).include.members(['code-value-concept', 'context-type-value']);
  });

  const OWN: FindOwn = (url) =>
    url === 'http://example.org/kind'
      ? { url, code: 'kind', type: 'token' }
      : url === 'http://example.org/label'
        ? { url, code: 'label', type: 'string' }
        : undefined;
  const composite = (more: object) => ({
    status: 'active',
    url: 'http://example.org/composite',
    code: 'kind-label',
    type: 'composite',
    base: ['Patient'],
    expression: 'Patient.contact',
    component: [
      { definition: 'http://example.org/kind', expression: 'relationship' },
      { definition: 'http://example.org/label', expression: 'name.family' },
    ],
    ...more,
  });
  const component = (...all: readonly (readonly [string, string])[]) => ({
    component: all.map(([definition, expression]) => ({ definition, expression })),
  });
  const KIND = ['http://example.org/kind', 'relationship'] as const;

  it('components that were posted, in any order', () => {
    for (const more of [{}, component(['http://example.org/label|2', 'name.family'], KIND)]) {
      const { value, issues } = read(composite(more), OWN);
      expect(issues).deep.equal([]);
      const own = value?.of.get('Patient');
      if (!own) throw new Error('none');
      const contact = (code: string, family: string) => ({
        relationship: [{ coding: [{ system: 'urn:s', code }] }],
        name: { family },
      });
      const extractor = createCustomExtractor({ ...own, atoms: own.atoms.map((atom) => ({ ...atom, index: 0 })) });
      const resource = { resourceType: 'Patient', contact: [contact('a', 'Ash'), contact('b', 'Birch')] };
      expect(calls(extractor, resource, [0])).deep.equal(['tokenString urn:s a Ash', 'tokenString urn:s b Birch']);
    }
  });

  it('a hostile resource makes no more than 2,000 values', () => {
    const own = read(composite({}), OWN).value?.of.get('Patient');
    if (!own) throw new Error('none');
    const coding = Array.from({ length: 3000 }, (_, n) => ({ code: String(n) }));
    const extractor = createCustomExtractor({ ...own, atoms: own.atoms.map((atom) => ({ ...atom, index: 0 })) });
    const resource = { resourceType: 'Patient', contact: [{ relationship: [{ coding }], name: { family: 'x' } }] };
    expect(calls(extractor, resource, [0])).length(2000);
  });

  const UNIT = 'docs/fhir.md#custom-search-parameters';
  const REFUSED: readonly (readonly [string, object, string, string])[] = [
    ['no components', { component: undefined }, 'component', 'A composite has 2 to 3 components'],
    ['one component', component(KIND), 'component', 'A composite has 2 to 3 components'],
    [
      'an unknown component',
      component(KIND, ['http://example.org/none', 'name']),
      'component[1].definition',
      'http://example.org/none is neither a search parameter of R4 nor an active one of this server: store that first',
    ],
    [
      'a composite of composites',
      component(KIND, ['http://hl7.org/fhir/SearchParameter/Observation-code-value-date', 'name']),
      'component',
      `Components of type token, composite are not combined here, but a token with a token, a quantity, a date, a string, a reference or two numbers: ${UNIT}`,
    ],
    [
      'a component that is no path',
      component(KIND, ['http://example.org/label', 'name.matches()']),
      'component[1].expression',
      'The expression is not understood at character 6, "matches()": the function matches() is not supported.',
    ],
    [
      'what lies outside of the element',
      component(KIND, ['http://example.org/label', '%resource.name.family']),
      'component[1].expression',
      'In a composite, %resource, resolve() and exists() are not supported',
    ],
    [
      'an element that is not below',
      component(KIND, ['http://example.org/label', 'name.famly']),
      'expression',
      "The expression cannot be searched by as composite of Patient: HumanName has no element 'famly'; near: family",
    ],
    [
      'values of another type',
      component(KIND, ['http://example.org/label', 'name.period']),
      'expression',
      'The expression cannot be searched by as composite of Patient: its component label finds no string below Patient.contact',
    ],
    [
      'values that a composite does not take',
      component(KIND, ['http://example.org/label', 'name']),
      'expression',
      'The expression cannot be searched by as composite of Patient: its component 2 finds HumanName, by which a string is not searched here',
    ],
    [
      'special',
      { type: 'special', component: undefined },
      'type',
      'A special parameter is searched by in a way of its own, which data cannot say: use another type',
    ],
  ];
  for (const [title, more, element, message] of REFUSED)
    it(`[IN-35] refuses ${title}`, () => {
      const [first] = read(composite(more), OWN).issues;
      expect(first?.expression).deep.equal([`SearchParameter.${element}`]);
      expect(first?.diagnostics?.startsWith(message), first?.diagnostics).equal(true);
    });
});

describe('search › custom parameters of every type', () => {
  const parameter = (base: string, expression: string, type = 'token') =>
    read({ url: 'http://example.org/x', status: 'active', code: 'own-x', type, base: [base], expression });

  it('of Resource: all that are stored but the audit trail; of DomainResource: those with a narrative', () => {
    const all = parameter('Resource', 'Resource.meta.tag').value?.of;
    expect(all?.size).equal(144);
    expect(all?.has('Binary') && all.has('Bundle')).equal(true);
    expect(all?.has('AuditEvent') || all?.has('Parameters')).equal(false);
    const narrated = parameter('DomainResource', "DomainResource.extension('http://example.org/a').value").value?.of;
    expect([...(all?.keys() ?? [])].filter((type) => !narrated?.has(type))).deep.equal(['Binary', 'Bundle']);
  });

  it('[IN-35] an element that not all of them have is told of, by type and not without end', () => {
    const { issues } = parameter('Resource', "Resource.extension('http://example.org/a').value");
    expect(issues.map(({ diagnostics }) => diagnostics)).deep.equal([
      "The expression cannot be searched by as token of Binary: Binary has no element 'extension'",
      "The expression cannot be searched by as token of Bundle: Bundle has no element 'extension'",
    ]);
    expect(parameter('Resource', 'Patient.active').issues).length(20);
  });

  it('[IN-35] a code that one of them has in R4 is refused', () => {
    const { issues } = read({
      url: 'http://example.org/x',
      status: 'active',
      code: 'birthdate',
      type: 'token',
      base: ['Resource'],
      expression: 'Resource.meta.tag',
    });
    expect(issues.map(({ diagnostics }) => diagnostics)).deep.equal([
      "'birthdate' is a parameter of Patient in R4: choose another code",
    ]);
  });
});
