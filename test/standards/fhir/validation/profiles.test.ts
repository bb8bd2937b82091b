import { expect } from 'chai';
import fc from 'fast-check';
import type { Issue } from '../../../../src/standards/fhir/outcome.ts';
import { createValidation, type Validation } from '../../../../src/standards/fhir/validation/validator.ts';
import { testDefinitions } from '../../../support/definitions.ts';

const BASE = 'https://example.org/fhir/StructureDefinition/';
const CORE = 'http://hl7.org/fhir/StructureDefinition/';
type Json = Record<string, unknown>;

let made = 0;
/** A profile of these elements; paths without the type. */
const profile = (type: string, elements: readonly (readonly [string, Json])[], rest: Json = {}): Json => ({
  resourceType: 'StructureDefinition',
  url: `${BASE}p${++made}`,
  name: `P${made}`,
  status: 'active',
  kind: 'resource',
  abstract: false,
  type,
  baseDefinition: `${CORE}${type}`,
  derivation: 'constraint',
  differential: {
    element: (elements.length === 0 ? ([['', {}]] as const) : elements).map(([id, said]) => ({
      id: id === '' ? type : `${type}.${id}`,
      path: id === '' ? type : `${type}.${id.replaceAll(/:[^.]+/g, '')}`,
      ...(/:[^.]+$/.test(id) && { sliceName: /:([^.]+)$/.exec(id)?.[1] }),
      ...said,
    })),
  },
  ...rest,
});

let validation: Validation;
const put = (...resources: readonly Json[]): string => {
  resources.forEach((one) => {
    expect(validation.validate(one).map((i) => i.diagnostics)).to.eql([]);
    expect(validation.profiles.put('package', String(one['url']), one)).to.equal(true);
  });
  return String(resources[0]?.['url']);
};
const told = (issues: readonly Issue[]): string[] => issues.map((i) => `${i.expression?.[0]}: ${i.diagnostics}`);
const claim = (url: string, resource: Json): string[] =>
  told(validation.validate({ ...resource, meta: { profile: [url] } }));

const SLICED = { min: 0, slicing: { discriminator: [{ type: 'value', path: 'system' }], rules: 'open' } };
const a = { system: 'urn:a', value: '1' };
const b = { system: 'urn:b', value: '2' };
const c = { system: 'urn:c', value: '3' };
const slices = (slicing: Json): readonly (readonly [string, Json])[] => [
  ['identifier', { slicing }],
  ['identifier:a', { min: 1, max: '1' }],
  ['identifier:a.system', { fixedUri: 'urn:a' }],
  ['identifier:b', { max: '1' }],
  ['identifier:b.system', { fixedUri: 'urn:b' }],
];
const observation = (rest: Json): Json => ({
  resourceType: 'Observation',
  status: 'final',
  code: { text: 'x' },
  ...rest,
});
const patient = (rest: Json): Json => ({ resourceType: 'Patient', ...rest });

/** Elements of a profile, the type, what keeps to it, what does not, and where and how that is told. */
const CASES: readonly (readonly [
  title: string,
  type: string,
  elements: readonly (readonly [string, Json])[],
  good: readonly Json[],
  bad: readonly (readonly [Json, string])[],
])[] = [
  [
    'min and max',
    'Patient',
    [
      ['name', { min: 1, max: '2' }],
      ['photo', { max: '0' }],
    ],
    [patient({ name: [{ text: 'x' }] })],
    [
      [patient({}), 'Patient.name: Patient.name is required by the profile'],
      [
        patient({ name: [1, 2, 3].map((n) => ({ text: `${n}` })) }),
        'Patient.name: Patient.name must be there at most 2 times',
      ],
      [patient({ name: [{ text: 'x' }], photo: [{ title: 'x' }] }), 'Patient.photo: Patient.photo is not allowed'],
    ],
  ],
  [
    'what is required below an element that is not there is not asked for',
    'Patient',
    [['contact.name', { min: 1 }]],
    [patient({})],
    [[patient({ contact: [{ telecom: [{ system: 'phone', value: '1' }] }] }), 'Patient.contact[0].name']],
  ],
  [
    'fixed[x]',
    'Patient',
    [
      ['active', { fixedBoolean: true }],
      ['maritalStatus', { fixedCodeableConcept: { text: 'x' } }],
    ],
    [patient({ active: true, maritalStatus: { text: 'x' } })],
    [
      [patient({ active: false }), 'must be exactly true'],
      [patient({ maritalStatus: { text: 'x', coding: [{ code: 'y' }] } }), 'must be exactly'],
    ],
  ],
  [
    'pattern[x]',
    'Patient',
    [['maritalStatus', { patternCodeableConcept: { coding: [{ system: 'urn:s', code: 'a' }] } }]],
    [
      patient({
        maritalStatus: { text: 'more', coding: [{ code: 'z' }, { system: 'urn:s', code: 'a', display: 'A' }] },
      }),
    ],
    [[patient({ maritalStatus: { coding: [{ system: 'urn:s', code: 'b' }] } }), 'must have']],
  ],
  [
    'a type of a choice',
    'Observation',
    [['value[x]', { type: [{ code: 'Quantity' }, { code: 'string' }] }]],
    [observation({ valueString: 'x' }), observation({})],
    [[observation({ valueInteger: 1 }), 'must be of type Quantity or string']],
  ],
  [
    'a choice by its short name',
    'Observation',
    [
      ['valueQuantity', { min: 1 }],
      ['valueQuantity.code', { min: 1 }],
    ],
    [observation({ valueQuantity: { value: 1, code: 'mg', system: 'urn:u' } })],
    [
      [observation({ valueQuantity: { value: 1 } }), 'Observation.value.code'],
      [observation({ valueString: 'x' }), 'one in slice valueQuantity'],
    ],
  ],
  [
    'targets of a reference',
    'Observation',
    [['subject', { type: [{ code: 'Reference', targetProfile: [`${CORE}Patient`] }] }]],
    [
      observation({ subject: { reference: 'Patient/1' } }),
      observation({ subject: { reference: 'urn:uuid:c757873d-ec9a-4326-a141-556f43239520' } }),
    ],
    [[observation({ subject: { reference: 'Group/1' } }), 'must point to Patient']],
  ],
  [
    'a value set of a profile',
    'Patient',
    [['maritalStatus', { binding: { strength: 'required', valueSet: 'http://hl7.org/fhir/ValueSet/marital-status' } }]],
    [
      patient({
        maritalStatus: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v3-MaritalStatus', code: 'M' }] },
      }),
    ],
    [[patient({ maritalStatus: { coding: [{ system: 'urn:own', code: 'M' }] } }), 'has no coding from']],
  ],
  [
    'lowest and highest values, longest text',
    'Observation',
    [
      ['value[x]', { type: [{ code: 'integer' }], minValueInteger: 1, maxValueInteger: 9 }],
      ['note.text', { maxLength: 3 }],
    ],
    [observation({ valueInteger: 5, note: [{ text: 'abc' }] })],
    [
      [observation({ valueInteger: 0 }), 'must not be below 1'],
      [observation({ valueInteger: 10 }), 'must not be above 9'],
      [observation({ note: [{ text: 'abcd' }] }), 'at most 3 characters'],
    ],
  ],
  [
    'constraints of its own',
    'Patient',
    [
      [
        '',
        {
          constraint: [
            {
              key: 'x-1',
              severity: 'error',
              human: 'Name or identifier',
              expression: 'name.exists() or identifier.exists()',
            },
          ],
        },
      ],
    ],
    [patient({ name: [{ text: 'x' }] })],
    [[patient({}), 'breaks x-1: Name or identifier; add name or identifier']],
  ],
  [
    'slices by value, open',
    'Patient',
    slices(SLICED.slicing),
    [patient({ identifier: [c, b, a] })],
    [
      [patient({ identifier: [b] }), 'one in slice a by the profile, found 0; send one with system "urn:a"'],
      [patient({ identifier: [a, a] }), 'at most 1 in slice a'],
    ],
  ],
  [
    'slices, closed',
    'Patient',
    slices({ ...SLICED.slicing, rules: 'closed' }),
    [patient({ identifier: [b, a] })],
    [[patient({ identifier: [a, c] }), 'Patient.identifier[1]: Patient.identifier[1] is in none of the slices']],
  ],
  [
    'slices, open at the end',
    'Patient',
    slices({ ...SLICED.slicing, rules: 'openAtEnd' }),
    [patient({ identifier: [a, c] })],
    [[patient({ identifier: [c, a] }), 'must come before']],
  ],
  [
    'slices in order',
    'Patient',
    slices({ ...SLICED.slicing, ordered: true }),
    [patient({ identifier: [a, b] })],
    [[patient({ identifier: [b, a] }), 'out of order']],
  ],
  [
    'slices by pattern',
    'Observation',
    [
      ['category', { slicing: { discriminator: [{ type: 'pattern', path: '$this' }], rules: 'open' } }],
      ['category:lab', { min: 1, patternCodeableConcept: { coding: [{ code: 'lab', system: 'urn:c' }] } }],
      ['category:lab.text', { min: 1 }],
    ],
    [observation({ category: [{ coding: [{ code: 'lab', system: 'urn:c' }], text: 'x' }] })],
    [
      [observation({ category: [{ text: 'x' }] }), 'one in slice lab'],
      [observation({ category: [{ coding: [{ code: 'lab', system: 'urn:c' }] }] }), 'Observation.category[0].text'],
    ],
  ],
  [
    'slices by type',
    'Observation',
    [
      ['value[x]', { slicing: { discriminator: [{ type: 'type', path: '$this' }], rules: 'closed' } }],
      ['value[x]:valueQuantity', { type: [{ code: 'Quantity' }] }],
      ['value[x]:valueQuantity.unit', { min: 1 }],
    ],
    [observation({ valueQuantity: { value: 1, unit: 'mg' } })],
    [
      [observation({ valueQuantity: { value: 1 } }), 'Observation.value.unit'],
      [observation({ valueString: 'x' }), 'none of the slices'],
    ],
  ],
  [
    'slices by what exists',
    'Patient',
    [
      ['telecom', { slicing: { discriminator: [{ type: 'exists', path: 'period' }], rules: 'open' } }],
      ['telecom:dated', { max: '1' }],
      ['telecom:dated.period', { min: 1 }],
    ],
    [
      patient({
        telecom: [
          { system: 'phone', value: '1', period: { start: '2020' } },
          { system: 'phone', value: '2' },
        ],
      }),
    ],
    [
      [
        patient({ telecom: [1, 2].map((n) => ({ system: 'phone', value: `${n}`, period: { start: '2020' } })) }),
        'at most 1 in slice dated',
      ],
    ],
  ],
  [
    'slices by the type of what a reference leads to',
    'Observation',
    [
      ['performer', { slicing: { discriminator: [{ type: 'type', path: 'resolve()' }], rules: 'open' } }],
      ['performer:people', { max: '1', type: [{ code: 'Reference', targetProfile: [`${CORE}Practitioner`] }] }],
    ],
    [
      observation({
        performer: [{ reference: 'Practitioner/1' }, { reference: 'Organization/1' }, { reference: 'Organization/2' }],
      }),
    ],
    [
      [
        observation({ performer: [{ reference: 'Practitioner/1' }, { reference: 'Practitioner/2' }] }),
        'at most 1 in slice people',
      ],
    ],
  ],
  [
    'slices of slices',
    'Patient',
    [
      ['identifier', { slicing: SLICED.slicing }],
      ['identifier:a', {}],
      ['identifier:a.system', { fixedUri: 'urn:a' }],
      ['identifier:a/one', { max: '1' }],
      ['identifier:a/one.system', { fixedUri: 'urn:a' }],
    ],
    [patient({ identifier: [a, b, b] })],
    [[patient({ identifier: [a, { ...a, value: '9' }] }), 'at most 1 in slice one']],
  ],
];

describe('validation › profiles', () => {
  beforeEach(() => {
    validation = createValidation(testDefinitions());
  });

  for (const [title, type, elements, good, bad] of CASES)
    it(title, () => {
      const url = put(profile(type, elements));
      expect(validation.profiles.faultOf(url)).to.equal(undefined);
      for (const resource of good) expect(claim(url, resource)).to.eql([]);
      for (const [resource, text] of bad) {
        const issues = claim(url, resource);
        expect(issues, JSON.stringify(issues)).to.have.length(1);
        expect(issues[0]).to.contain(text);
      }
    });

  it('a profile of a profile: both count, and slices go on', () => {
    const first = profile('Patient', slices(SLICED.slicing));
    const second = {
      ...profile('Patient', [
        ['identifier:a.value', { min: 1 }],
        ['gender', { min: 1 }],
      ]),
      baseDefinition: first['url'],
    };
    const url = put(second, first);
    expect(claim(url, patient({ identifier: [a], gender: 'male' }))).to.eql([]);
    expect(claim(url, patient({ identifier: [{ system: 'urn:a', assigner: { display: 'x' } }] }))).to.have.length(2);
    expect(claim(url, patient({ gender: 'male' }))[0]).to.contain('slice a');
  });

  it('a snapshot alone, with elements that have no ids', () => {
    const { differential, ...rest } = profile('Patient', [['name', { min: 1 }]]) as {
      differential: { element: Json[] };
    } & Json;
    const full = differential.element.map(({ id, ...one }) => ({
      id,
      definition: 'x',
      min: 0,
      max: '*',
      base: { path: 'x', min: 0, max: '*' },
      ...one,
    }));
    const root = {
      id: 'Patient',
      path: 'Patient',
      definition: 'x',
      min: 0,
      max: '*',
      base: { path: 'Patient', min: 0, max: '*' },
    };
    const url = put({ ...rest, url: `${BASE}snapshot`, snapshot: { element: [root, ...full] } });
    expect(claim(url, patient({}))[0]).to.contain('Patient.name');
  });

  it('extensions by their own definitions, wherever they are', () => {
    const definition = profile(
      'Extension',
      [
        ['url', { fixedUri: `${BASE}eye` }],
        [
          'value[x]',
          {
            min: 1,
            type: [{ code: 'code' }],
            binding: { strength: 'required', valueSet: 'http://hl7.org/fhir/ValueSet/administrative-gender' },
          },
        ],
        ['extension', { max: '0' }],
      ],
      {
        url: `${BASE}eye`,
        kind: 'complex-type',
        context: [{ type: 'element', expression: 'Patient' }],
      },
    );
    put(definition);
    const bad = told(
      validation.validate(patient({ name: [{ text: 'x', extension: [{ url: `${BASE}eye`, valueString: 'x' }] }] })),
    );
    expect(bad[0]).to.contain('Patient.name[0].extension[0].value').and.to.contain('must be of type code');
    expect(told(validation.validate(patient({ extension: [{ url: `${BASE}eye`, valueCode: 'other' }] })))).to.eql([]);
    expect(
      told(validation.validate(patient({ extension: [{ url: `${BASE}eye`, valueCode: 'green' }] })))[0],
    ).to.contain('must be a code of');
    // A profile asks for it by its definition.
    const url = put(
      profile('Patient', [['extension:eye', { min: 1, type: [{ code: 'Extension', profile: [`${BASE}eye`] }] }]]),
    );
    expect(claim(url, patient({}))[0]).to.contain(`send one with url ${BASE}eye`);
    expect(claim(url, patient({ extension: [{ url: `${BASE}eye`, valueCode: 'male' }] }))).to.eql([]);
  });

  it('value sets that were posted, by expansion', () => {
    put({
      resourceType: 'CodeSystem',
      url: 'urn:colours',
      status: 'active',
      content: 'complete',
      concept: [{ code: 'red', concept: [{ code: 'crimson' }] }, { code: 'blue' }],
    });
    put({
      resourceType: 'ValueSet',
      url: 'urn:reds',
      status: 'active',
      compose: { include: [{ system: 'urn:colours', filter: [{ property: 'concept', op: 'is-a', value: 'red' }] }] },
    });
    const url = put(
      profile('Patient', [['maritalStatus', { binding: { strength: 'required', valueSet: 'urn:reds' } }]]),
    );
    const given = (code: string) =>
      claim(url, patient({ maritalStatus: { coding: [{ system: 'urn:colours', code }] } }));
    expect(given('crimson')).to.eql([]);
    expect(given('blue')[0]).to.contain('has no coding from urn:reds (red, crimson)');
  });

  it('a profile that is not known, and one of another type', () => {
    const claims = patient({
      meta: { profile: ['urn:nobody'] },
      text: { status: 'generated', div: '<div xmlns="http://www.w3.org/1999/xhtml">x</div>' },
    });
    expect(validation.validate(claims)).to.eql([]);
    expect(told(validation.examine(claims))).to.eql([
      'Patient.meta.profile[0]: Patient.meta.profile[0] names a profile that is not known here: the resource was not checked by it',
    ]);
    const url = put(profile('Observation', []));
    expect(claim(url, patient({}))[0]).to.contain('claims a profile of Observation');
  });

  it('in bundles and contained resources each claims for itself', () => {
    const url = put(profile('Patient', [['name', { min: 1 }]]));
    const bundle = {
      resourceType: 'Bundle',
      type: 'collection',
      entry: [{ resource: patient({ meta: { profile: [url] } }) }],
    };
    expect(told(validation.validate(bundle))[0]).to.contain('Bundle.entry[0].resource.name');
  });

  it('what is put, changed and taken away counts from the next check', () => {
    const one = profile('Patient', [['name', { min: 1 }]]);
    const url = put(one);
    expect(claim(url, patient({}))).to.have.length(1);
    validation.profiles.put('package', url, {
      ...one,
      differential: { element: [{ id: 'Patient', path: 'Patient' }] },
    });
    expect(claim(url, patient({}))).to.eql([]);
    validation.profiles.put('package', url, one);
    validation.profiles.remove('package', url);
    expect(claim(url, patient({}))).to.eql([]);
  });

  it('what the operator installed is not changed by posting another', () => {
    const url = put(profile('Patient', [['name', { min: 1 }]]));
    validation.profiles.put('store', 'StructureDefinition/x', { ...profile('Patient', []), url });
    expect(claim(url, patient({}))).to.have.length(1);
  });

  it('a profile that is wrong is told of, and refuses nobody', () => {
    const broken = [
      profile('Patient', [
        ['', { constraint: [{ key: 'x-1', severity: 'error', human: 'X', expression: 'name.where(' }] }],
      ]),
      { ...profile('Patient', []), baseDefinition: 'urn:nobody' },
    ];
    for (const one of broken) {
      validation.profiles.put('store', String(one['url']), one);
      expect(validation.profiles.faultOf(String(one['url']))).to.be.a('string');
      expect(claim(String(one['url']), patient({}))).to.eql([]);
    }
    const [x, y] = [profile('Patient', []), profile('Patient', [])];
    validation.profiles.put('store', 'x', { ...x, baseDefinition: y['url'] });
    validation.profiles.put('store', 'y', { ...y, baseDefinition: x['url'] });
    expect(validation.profiles.faultOf(String(x['url']))).to.contain('loop');
  });

  it('[IN-30] [IN-31] rules of a posted profile end, however they are meant', () => {
    const rule = (expression: string) =>
      put(profile('Patient', [['', { constraint: [{ key: 'x-1', severity: 'error', human: 'X', expression }] }]]));
    const many = patient({
      name: Array.from({ length: 5000 }, (_, i) => ({ given: [`${i}`] })),
      gender: 'male',
      birthDate: '2020',
    });
    const issues = validation.validate({
      ...many,
      meta: { profile: [rule('name.all(%context.name.where(given.exists()).select(given).count() > 0)')] },
    });
    expect(issues[0]?.code).to.equal('too-costly');
    expect(claim(rule("id.matches('^(a+)+$')"), patient({ id: 'a'.repeat(60) }))).to.eql([]);
  });

  it('a profile that leads to itself ends', () => {
    const url = `${BASE}self`;
    put({
      ...profile('Extension', [['extension:again', { type: [{ code: 'Extension', profile: [url] }] }]]),
      url,
      kind: 'complex-type',
      context: [{ type: 'element', expression: 'Patient' }],
    });
    expect(told(validation.validate(patient({ extension: [{ url, extension: [{ url, valueString: 'x' }] }] })))).to.eql(
      [],
    );
  });

  it('whatever a StructureDefinition says, compiling and checking by it are total', () => {
    const id = fc.constantFrom(
      'Patient',
      'Patient.name',
      'Patient.name:x',
      'Patient.name:x.given',
      'Patient.x',
      'Patient.deceasedBoolean',
      'Patient.identifier:a/b',
      'Observation.value[x]',
      '.',
      '',
    );
    const said = fc.record(
      {
        min: fc.nat(3),
        max: fc.constantFrom('0', '1', '*', 'x'),
        fixedString: fc.jsonValue(),
        patternCoding: fc.jsonValue(),
        minValueDecimal: fc.jsonValue(),
        slicing: fc.record(
          {
            discriminator: fc.array(
              fc.record({
                type: fc.constantFrom('value', 'type', 'profile', 'exists', 'pattern'),
                path: fc.constantFrom('$this', 'url', 'given', 'resolve().x', "extension('x').value", 'ofType(x)', ''),
              }),
            ),
            rules: fc.constantFrom('open', 'closed', 'openAtEnd'),
          },
          { requiredKeys: [] },
        ),
        type: fc.array(
          fc.record(
            { code: fc.constantFrom('string', 'Reference', 'HumanName'), profile: fc.constant([`${BASE}fuzz`]) },
            { requiredKeys: [] },
          ),
        ),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(id, said), { maxLength: 6 }), (elements) => {
        const element = elements.map(([path, rest]) => ({ ...rest, id: path, path: path.replaceAll(/:[^.]+/g, '') }));
        validation.profiles.put('store', 'fuzz', {
          ...profile('Patient', []),
          url: `${BASE}fuzz`,
          differential: { element },
        });
        const issues = validation.validate(
          patient({
            meta: { profile: [`${BASE}fuzz`] },
            name: [{ text: 'x', given: ['a'] }, { family: 'y' }],
            deceasedBoolean: true,
            identifier: [a, b],
          }),
        );
        for (const issue of issues) expect(issue.severity).to.equal('error');
      }),
      { numRuns: 400, seed: 17 },
    );
  });
});
