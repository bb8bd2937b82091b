import { expect } from 'chai';
import fc from 'fast-check';
import { choiceName, type ElementDefinition, type TypeDefinition } from '../../../../src/standards/fhir/definitions.ts';
import { Decimal, parseJson } from '../../../../src/standards/fhir/json.ts';
import type { Issue } from '../../../../src/standards/fhir/outcome.ts';
import { createValidator } from '../../../../src/standards/fhir/validation/validator.ts';
import { testDefinitions } from '../../../support/definitions.ts';
import { type GeneratedResource, generateResource } from '../../../support/generate-resource.ts';

const definitions = testDefinitions();
const validate = createValidator(definitions, { checks: 'structure' });
const told = (issues: readonly Issue[]): string[] => issues.map((i) => i.diagnostics ?? '');

describe('validation › valid resources of all 146 types', () => {
  for (const type of definitions.resourceTypes)
    it(`${type}: minimal, and full with each type of every choice`, () => {
      expect(told(validate(generateResource(definitions, type, { fill: 'minimal' }), type))).to.eql([]);
      const choices = (definitions.types[type]?.elements ?? []).map((e) => (e.choice ? e.types.length : 1));
      // Extension.value is the longest choice: seeds beyond it begin anew.
      for (let seed = 0; seed < Math.max(4, ...choices); seed++)
        expect(told(validate(generateResource(definitions, type, { seed })))).to.eql([]);
    });
});

/** One fault of each kind, put wherever a type has an element for it. */
interface Fault {
  readonly title: string;
  readonly code: string;
  readonly applies: (element: ElementDefinition) => boolean;
  readonly put: (resource: GeneratedResource, name: string, element: ElementDefinition) => void;
  /** Where the issue is said to be; the element by default. */
  readonly at?: (type: string, element: ElementDefinition) => string;
}
const only = (element: ElementDefinition): string => element.types[0]!.code;
const isPrimitive = (element: ElementDefinition): boolean => definitions.primitives[only(element)] !== undefined;
const plain = (element: ElementDefinition): boolean => !element.choice && element.name !== 'id';
const single = (code: string) => (element: ElementDefinition) =>
  plain(element) && element.max === 1 && only(element) === code;
const setAll =
  (value: unknown, item: unknown = value) =>
  (resource: GeneratedResource, name: string, e: ElementDefinition) => {
    resource[name] = e.max === 1 ? value : [item];
  };
const firstIf = (type: string, e: ElementDefinition): string => `${type}.${e.name}${e.max === 1 ? '' : '[0]'}`;

const FAULTS: readonly Fault[] = [
  {
    title: 'a required element left out',
    code: 'required',
    applies: (e) => e.min > 0,
    put: (resource, name) => {
      delete resource[name];
      delete resource[`_${name}`];
    },
  },
  {
    title: 'two types of one choice',
    code: 'structure',
    applies: (e) => e.choice && e.types.length > 1,
    put: (resource, _name, e) => {
      const made = generateChoices(e);
      Object.assign(resource, made);
    },
  },
  {
    title: 'null',
    code: 'structure',
    applies: plain,
    put: (r, name) => {
      r[name] = null;
    },
  },
  {
    title: 'an empty array',
    code: 'structure',
    applies: (e) => plain(e) && e.max !== 1,
    put: (r, name) => {
      r[name] = [];
    },
  },
  {
    title: 'an array for one value',
    code: 'structure',
    applies: (e) => plain(e) && e.max === 1,
    put: (r, name) => {
      r[name] = [r[name]];
    },
  },
  {
    title: 'one value for an array',
    code: 'structure',
    applies: (e) => plain(e) && e.max !== 1,
    put: (r, name) => {
      r[name] = { x: 1 };
    },
  },
  {
    title: 'an empty object',
    code: 'structure',
    applies: (e) => plain(e) && !isPrimitive(e) && only(e) !== 'Resource',
    put: setAll({}),
    at: firstIf,
  },
  {
    title: 'a string for an object',
    code: 'structure',
    applies: (e) => plain(e) && !isPrimitive(e),
    put: setAll('text'),
    at: firstIf,
  },
  {
    title: 'an object for a primitive',
    code: 'structure',
    applies: (e) => plain(e) && isPrimitive(e),
    put: setAll({ value: 'x' }),
    at: firstIf,
  },
  {
    title: 'a number for a string',
    code: 'structure',
    applies: (e) =>
      plain(e) && ['string', 'code', 'uri', 'date', 'dateTime', 'markdown', 'canonical'].includes(only(e)),
    put: setAll(5),
    at: firstIf,
  },
  {
    title: 'a string for a number or a boolean',
    code: 'structure',
    applies: (e) => plain(e) && ['boolean', 'decimal', 'integer', 'positiveInt', 'unsignedInt'].includes(only(e)),
    put: setAll('1'),
    at: firstIf,
  },
  {
    title: 'an empty string',
    code: 'value',
    applies: (e) =>
      plain(e) && ['string', 'code', 'uri', 'date', 'dateTime', 'markdown', 'canonical'].includes(only(e)),
    put: setAll(''),
    at: firstIf,
  },
  { title: '30 February', code: 'value', applies: single('date'), put: setAll('2024-02-30') },
  { title: '30 February at noon', code: 'value', applies: single('dateTime'), put: setAll('2023-02-30T12:00:00Z') },
  {
    title: 'a code with white space at its end',
    code: 'value',
    applies: (e) => plain(e) && only(e) === 'code',
    put: setAll('final '),
    at: firstIf,
  },
  { title: 'a uri with a space', code: 'value', applies: single('uri'), put: setAll('https://example.org/a b') },
  {
    title: 'a reference to a type that is not allowed',
    code: 'value',
    applies: (e) =>
      plain(e) &&
      only(e) === 'Reference' &&
      (e.types[0]?.targets ?? []).length > 0 &&
      !e.types[0]!.targets!.includes('Binary'),
    put: setAll({ reference: 'Binary/1' }),
    at: (type, e) => `${firstIf(type, e)}.reference`,
  },
  {
    title: 'what is no reference',
    code: 'value',
    applies: (e) => plain(e) && only(e) === 'Reference',
    put: setAll({ reference: 'Jane Smith' }),
    at: (type, e) => `${firstIf(type, e)}.reference`,
  },
];

function generateChoices(element: ElementDefinition): Record<string, unknown> {
  const values: Record<string, unknown> = {
    boolean: true,
    integer: 1,
    string: 'x',
    dateTime: '2020',
    code: 'x',
    decimal: 1,
  };
  return Object.fromEntries(
    element.types
      .slice(0, 2)
      .map(({ code }) => [
        choiceName(element.name, code),
        values[code] ??
          (definitions.primitives[code] !== undefined
            ? generateResource(definitions, 'Parameters', { seed: 0 })['id']
            : { id: 'e1', extension: [{ url: 'https://example.org/x', valueBoolean: true }] }),
      ]),
  );
}

const made = new Map<string, GeneratedResource>();
function fullOf(type: string): GeneratedResource {
  const found = made.get(type) ?? generateResource(definitions, type);
  made.set(type, found);
  return found;
}

describe('validation › one fault at a time, in every type that has an element for it', () => {
  for (const fault of FAULTS)
    it(fault.title, () => {
      let count = 0;
      for (const type of definitions.resourceTypes) {
        const definition = definitions.types[type] as TypeDefinition;
        for (const element of definition.elements) {
          if (!fault.applies(element)) continue;
          // Each choice is met by one JSON name only.
          const resource = { ...fullOf(type) };
          const name = element.choice
            ? (Object.keys(resource).find((k) => element.types.some((t) => k === choiceName(element.name, t.code))) ??
              element.name)
            : element.name;
          delete resource[`_${name}`];
          fault.put(resource, name, element);
          const issues = validate(resource);
          const expected = fault.at?.(type, element) ?? `${type}.${element.name}`;
          const found = issues.find((i) => i.expression?.[0] === expected && i.code === fault.code);
          expect(found, `${type}.${element.name}: ${told(issues).join(' | ')}`).to.not.equal(undefined);
          expect(found?.severity).to.equal('error');
          count++;
        }
      }
      expect(count).to.be.above(20);
    });

  it('an element that R4 does not have, at every level, with the nearest that it has', () => {
    for (const type of definitions.resourceTypes) {
      const resource = { ...generateResource(definitions, type, { fill: 'minimal' }), languag: 'en' };
      const [issue, ...others] = validate(resource);
      expect(others).to.eql([]);
      expect(issue?.diagnostics)
        .to.contain(`${type}.languag is not an element of ${type}`)
        .and.to.contain("'language'");
      expect(issue?.expression).to.eql([`${type}.languag`]);
    }
  });
});

const patient = (rest: object): Issue[] => validate({ resourceType: 'Patient', ...rest });

describe('validation › fuzz', () => {
  it('whatever stands in a resource, the answer is a list of issues', () => {
    const types = ['Patient', 'Observation', 'Bundle', 'Questionnaire', 'Parameters', 'Provenance'];
    fc.assert(
      fc.property(fc.constantFrom(...types), fc.nat(10_000), fc.jsonValue({ maxDepth: 3 }), (type, at, value) => {
        const resource = structuredClone(fullOf(type)) as Record<string, unknown>;
        const places: [Record<string, unknown>, string][] = [];
        const visit = (node: unknown): void => {
          if (typeof node !== 'object' || node === null) return;
          for (const key of Object.keys(node)) {
            places.push([node as Record<string, unknown>, key]);
            visit((node as Record<string, unknown>)[key]);
          }
        };
        visit(resource);
        const [parent, key] = places[at % places.length]!;
        parent[key] = value;
        for (const issue of validate(resource)) expect(issue.severity).to.equal('error');
      }),
      { numRuns: 500, seed: 7 },
    );
  });
});

describe('validation › the resource as a whole', () => {
  for (const [title, resource, text] of [
    ['null', null, 'found null'],
    ['an array', [], 'found an array'],
    ['a string', 'x', 'found a string'],
    ['a number', new Decimal('1.0'), 'found a number'],
    ['nothing', undefined, 'must be a resource'],
    ['no resourceType', { id: '1' }, 'resourceType is required'],
    ['a misspelt resourceType', { resourceType: 'Patiant' }, 'did you mean Patient?'],
    ['an abstract type', { resourceType: 'DomainResource' }, 'must be an R4 resource type'],
    ['a data type', { resourceType: 'HumanName' }, 'must be an R4 resource type'],
    ['a name of the prototype', { resourceType: 'constructor' }, 'must be an R4 resource type'],
    ['a resourceType that is no string', { resourceType: ['Patient'] }, 'must be an R4 resource type'],
  ] as const)
    it(title, () => {
      const issues = validate(resource);
      expect(issues).to.have.length(1);
      expect(issues[0]?.diagnostics).to.contain(text);
    });

  it('another type than expected', () => {
    expect(told(validate({ resourceType: 'Patient' }, 'Observation'))[0]).to.contain('where Observation is expected');
    expect(validate({ resourceType: 'Patient' }, 'Patient')).to.eql([]);
  });

  it('gathers every issue, 100 at most', () => {
    expect(patient({ birthDate: 'x', active: 'x', name: {}, gender: ' ', telecom: [] })).to.have.length(5);
    expect(patient({ name: Array.from({ length: 300 }, () => ({})) })).to.have.length(100);
    expect(patient({ birthDate: '2020-01-01' })).to.eql([]);
  });

  it('never repeats a value, nor a property that may be one', () => {
    const secret = 'Secretperson';
    const issues = patient({
      'Jane Secretperson': 1,
      birthDate: secret,
      gender: ` ${secret}`,
      active: secret,
      name: [{ family: { x: secret } }, secret],
      managingOrganization: { reference: `${secret}/1`, type: secret },
      generalPractitioner: [{ reference: secret }],
      text: { status: 'generated', div: secret },
      photo: [{ data: `${secret}!` }],
    });
    expect(issues.length).to.be.above(9);
    expect(JSON.stringify(issues)).not.to.contain('Secret');
  });
});

describe('validation › primitives and their companions', () => {
  const E = { extension: [{ url: 'https://example.org/x', valueCode: 'unknown' }] };
  const given = (value: unknown, beside?: unknown) =>
    patient({ name: [{ given: value, ...(beside !== undefined && { _given: beside }) }] });

  it('an extension stands for a required value', () => {
    const observation = { resourceType: 'Observation', code: { text: 'x' } };
    expect(validate({ ...observation, _status: E })).to.eql([]);
    expect(told(validate({ ...observation, _status: { id: 'a' } }))).to.eql(['Observation.status is required']);
  });

  it('nulls pair up', () => {
    expect(given(['a', null], [null, E])).to.eql([]);
    expect(given([null, 'b'], [E, null])).to.eql([]);
    expect(given(undefined, [E])).to.eql([]);
    expect(given(['a'], [E])).to.eql([]);
  });
  for (const [title, value, beside, at] of [
    ['null without companion', [null], undefined, 'Patient.name[0].given[0]'],
    ['null on both sides', ['a', null], [E, null], 'Patient.name[0].given[1]'],
    ['null in a companion that stands alone', undefined, [null, E], 'Patient.name[0].given[0]'],
    ['a companion that is shorter', ['a', 'b'], [E], 'Patient.name[0].given'],
    ['a companion that is longer', ['a'], [null, E], 'Patient.name[0].given'],
    ['an empty companion', ['a'], [], 'Patient.name[0].given'],
    ['a companion that is no array', ['a'], E, 'Patient.name[0].given'],
    ['a companion of strings', ['a'], ['x'], 'Patient.name[0].given[0]'],
    ['an empty object in a companion', ['a'], [{}], 'Patient.name[0].given[0]'],
    ['an unknown property in a companion', ['a'], [{ value: 'x' }], 'Patient.name[0].given[0].value'],
  ] as const)
    it(title, () => {
      expect(given(value, beside).map((i) => i.expression?.[0])).to.include(at);
    });

  it('a companion of a complex element, of an id or of a narrative is no element', () => {
    expect(told(patient({ _maritalStatus: E }))[0]).to.contain('only primitive elements have one with an underscore');
    expect(patient({ _id: E })).to.have.length(1);
    expect(patient({ text: { status: 'generated', div: '<div>x</div>', _div: E } })).to.have.length(1);
    expect(patient({ extension: [{ url: 'x', _url: E, valueBoolean: true }] })).to.have.length(1);
  });

  it('a choice with its own companion is one value; with another it is two', () => {
    expect(patient({ deceasedBoolean: true, _deceasedBoolean: E })).to.eql([]);
    expect(told(patient({ deceasedBoolean: true, _deceasedDateTime: E }))[0]).to.contain('one type only');
    expect(told(patient({ deceased: true }))[0]).to.contain('deceasedBoolean, deceasedDateTime');
    expect(told(patient({ deceasedString: 'x' }))[0]).to.contain('deceased[x] is one of');
  });

  it('takes numbers that kept their digits wherever a number is', () => {
    const text = '{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueQuantity":{"value":1.00}}';
    expect(validate(parseJson(text))).to.eql([]);
    expect(validate(parseJson(text.replace('1.00', '12345678901234567.10')))).to.eql([]);
    expect(patient({ multipleBirthInteger: new Decimal('1.0') })).to.have.length(1);
    expect(patient({ multipleBirthInteger: new Decimal('-0') })).to.eql([]);
  });
});

describe('validation › references and contained resources', () => {
  const observation = (rest: object) =>
    validate({ resourceType: 'Observation', status: 'final', code: { text: 'x' }, ...rest });
  const C = { resourceType: 'Patient', id: 'c1' };

  for (const [title, subject] of [
    ['relative', { reference: 'Patient/1' }],
    ['of a version', { reference: 'Patient/1/_history/2' }],
    ['absolute', { reference: 'https://example.org/fhir/Group/1' }],
    ['absolute, not of a REST server', { reference: 'https://example.org/patients?id=1' }],
    ['a path that only looks like one', { reference: 'https://example.org/Some/thing' }],
    ['urn:uuid', { reference: 'urn:uuid:53fefa32-fcbb-4ff8-8a92-55ee120877b7' }],
    ['urn:oid', { reference: 'urn:oid:1.2.3' }],
    ['by identifier', { type: 'Patient', identifier: { value: '1' } }],
    ['a display alone', { display: 'someone' }],
    ['with its type', { reference: 'Patient/1', type: 'Patient' }],
    ['with the URL of its type', { reference: 'Patient/1', type: 'http://hl7.org/fhir/StructureDefinition/Patient' }],
    ['to a logical model', { identifier: { value: '1' }, type: 'https://example.org/StructureDefinition/Thing' }],
  ] as const)
    it(`allowed: ${title}`, () => expect(told(observation({ subject }))).to.eql([]));

  for (const [title, subject, text] of [
    ['a type that R4 does not have', { reference: 'Patiant/1' }, 'did you mean Patient?'],
    ['a target that is not allowed', { reference: 'Practitioner/1' }, 'allowed here: Patient, Group, Device, Location'],
    ['an absolute target that is not allowed', { reference: 'https://example.org/Practitioner/1' }, 'allowed here'],
    ['a search', { reference: 'Patient?identifier=1' }, 'only in a transaction'],
    ['words', { reference: 'the patient' }, 'must be a reference'],
    ['an id that is none', { reference: 'Patient/a_b' }, 'must be a reference'],
    ['a fragment without contained resource', { reference: '#c1' }, 'not in contained'],
    [
      'a type that says otherwise',
      { reference: 'Patient/1', type: 'Group' },
      'says Group, but the reference points to Patient',
    ],
    ['a type that is not allowed', { identifier: { value: '1' }, type: 'Practitioner' }, 'allowed here'],
    ['a type that R4 does not have', { identifier: { value: '1' }, type: 'Person1' }, 'must be an R4 resource type'],
  ] as const)
    it(`refused: ${title}`, () => {
      const issues = observation({ subject });
      expect(issues).to.have.length(1);
      expect(issues[0]?.diagnostics).to.contain(text);
      expect(issues[0]?.expression?.[0]).to.match(/^Observation\.subject\.(reference|type)$/);
    });

  it('contained resources are found by id, and their type is looked at', () => {
    expect(observation({ contained: [C], subject: { reference: '#c1' } })).to.eql([]);
    expect(
      told(observation({ contained: [{ resourceType: 'Practitioner', id: 'c1' }], subject: { reference: '#c1' } }))[0],
    ).to.contain('allowed here');
    // A contained resource sees its siblings and, as #, its container.
    const link = {
      resourceType: 'Provenance',
      id: 'p',
      target: [{ reference: '#' }, { reference: '#c1' }],
      recorded: '2020-01-01T00:00:00Z',
      agent: [{ who: { reference: '#c1' } }],
    };
    expect(told(observation({ contained: [C, link] }))).to.eql([]);
  });
  it('canonicals that are fragments must resolve', () => {
    const valid = {
      resourceType: 'Questionnaire',
      status: 'draft',
      item: [{ linkId: '1', type: 'choice', answerValueSet: '#vs' }],
    };
    expect(told(validate(valid))[0]).to.contain('not in contained');
    expect(validate({ ...valid, contained: [{ resourceType: 'ValueSet', id: 'vs', status: 'draft' }] })).to.eql([]);
  });
  for (const [title, contained, at] of [
    ['without id', [{ resourceType: 'Patient' }], 'id'],
    ['with contained resources (dom-2)', [{ ...C, contained: [{ resourceType: 'Patient', id: 'x' }] }], 'contained'],
    ['with meta.versionId (dom-4)', [{ ...C, meta: { versionId: '1' } }], 'meta.versionId'],
    ['with meta.lastUpdated (dom-4)', [{ ...C, meta: { lastUpdated: '2020-01-01T00:00:00Z' } }], 'meta.lastUpdated'],
    ['with meta.security (dom-5)', [{ ...C, meta: { security: [{ code: 'R' }] } }], 'meta.security'],
    ['of an unknown type', [{ resourceType: 'Foo', id: 'x' }], 'resourceType'],
    ['with faults of its own', [{ ...C, birthDate: 'x' }], 'birthDate'],
  ] as const)
    it(`refused: contained resource ${title}`, () => {
      const issues = observation({ contained });
      expect(issues.map((i) => i.expression?.[0])).to.eql([`Observation.contained[0].${at}`]);
    });
  it('refused: two contained resources with one id, and what is no resource', () => {
    expect(observation({ contained: [C, C] }).map((i) => i.expression?.[0])).to.eql(['Observation.contained[1].id']);
    expect(observation({ contained: [null, 'x'] })).to.have.length(2);
  });

  it('resources in Bundles and Parameters are checked by their own type, and see their own contained ones', () => {
    const inner = {
      resourceType: 'Observation',
      status: 'final',
      code: { text: 'x' },
      contained: [C],
      subject: { reference: '#c1' },
    };
    const bundle = (resource: unknown) =>
      validate({ resourceType: 'Bundle', type: 'transaction', entry: [{ resource }] });
    expect(bundle(inner)).to.eql([]);
    expect(bundle({ ...inner, status: 5 }).map((i) => i.expression?.[0])).to.eql(['Bundle.entry[0].resource.status']);
    expect(bundle({ ...inner, contained: undefined })).to.have.length(1);
    expect(bundle({ ...inner, contained: undefined, subject: { reference: 'Patient?identifier=x' } })).to.eql([]);
    expect(bundle({}).map((i) => i.expression?.[0])).to.eql(['Bundle.entry[0].resource.resourceType']);
    expect(bundle(5)).to.have.length(1);
    const parameters = {
      resourceType: 'Parameters',
      parameter: [{ name: 'x', part: [{ name: 'y', resource: { ...inner, status: 5 } }] }],
    };
    expect(validate(parameters).map((i) => i.expression?.[0])).to.eql([
      'Parameters.parameter[0].part[0].resource.status',
    ]);
  });
});

describe('validation › extensions (ext-1)', () => {
  const extension = (rest: object) => told(patient({ extension: [rest] }));
  const U = { url: 'https://example.org/x' };
  it('has a url, and a value or extensions', () => {
    expect(extension({ ...U, valueString: 'x' })).to.eql([]);
    expect(extension({ ...U, _valueString: { extension: [{ ...U, valueBoolean: true }] } })).to.eql([]);
    expect(extension({ ...U, extension: [{ ...U, valueBoolean: true }] })).to.eql([]);
    expect(extension({ valueString: 'x' })[0]).to.contain('extension[0].url is required');
    expect(extension(U)[0]).to.contain('must have a value');
    expect(extension({ ...U, valueString: 'x', extension: [{ ...U, valueBoolean: true }] })[0]).to.contain('not both');
    expect(extension({ ...U, valueString: 'x', valueCode: 'y' })[0]).to.contain('one type only');
    expect(extension({ ...U, valueFoo: 'x' })[0]).to.contain('value[x] is one of');
  });
});
