import { expect } from 'chai';
import { createModel } from '../../../../src/standards/fhir/fhirpath/model.ts';
import type { Issue } from '../../../../src/standards/fhir/outcome.ts';
import {
  CHECKED_ELSEWHERE,
  CORRECTED,
  compileInvariants,
  LEFT_OUT,
} from '../../../../src/standards/fhir/validation/invariants.ts';
import { createValidation } from '../../../../src/standards/fhir/validation/validator.ts';
import { testDefinitions } from '../../../support/definitions.ts';
import { generateResource, generateValid } from '../../../support/generate-resource.ts';

const definitions = testDefinitions();
const { validate, examine } = createValidation(definitions);
const model = createModel(definitions);
const keyOf = (issue: Issue): string => issue.details?.coding[0]?.code ?? issue.code;

/** Every constraint of R4 as `path|key`. */
const ALL = Object.values(definitions.types).flatMap((type) => [
  ...(type.constraints ?? []).map((constraint) => ({ path: type.name, constraint })),
  ...type.elements.flatMap((e) =>
    (e.constraints ?? []).map((constraint) => ({ path: `${type.name}.${e.name}`, constraint })),
  ),
]);

describe('validation › invariants of R4', () => {
  it('each key is evaluated, part of another check, or left out for a reason', () => {
    const counts = { evaluated: 0, elsewhere: 0, leftOut: 0 };
    for (const { path, constraint } of ALL) {
      const compiled = compileInvariants(path, [constraint], model).length;
      if (CHECKED_ELSEWHERE.has(constraint.key)) counts.elsewhere++;
      else if (LEFT_OUT.has(constraint.key)) counts.leftOut++;
      else counts.evaluated += compiled;
      const told = compiled + Number(CHECKED_ELSEWHERE.has(constraint.key)) + Number(LEFT_OUT.has(constraint.key));
      expect(told, `${path} ${constraint.key}`).to.equal(1);
    }
    expect(new Set(ALL.map(({ constraint }) => constraint.key)).size).to.be.above(230);
    expect(counts.evaluated).to.be.above(370);
    expect(counts.leftOut).to.equal(1);
  });

  it('corrections are of rules that there are', () => {
    const known = new Set(ALL.map(({ path, constraint }) => `${path}|${constraint.key}`));
    for (const name of CORRECTED.keys()) expect([...known]).to.include(name);
  });

  for (const type of definitions.resourceTypes)
    it(`${type}: what keeps the rules is valid, and is not refused for others`, () => {
      for (const seed of [0, 1]) {
        const resource = generateValid(definitions, type, validate, { seed });
        expect(validate(resource).map((i) => i.diagnostics)).to.eql([]);
      }
    });
});

const period = (start: string, end: string) => ({
  resourceType: 'Patient',
  name: [{ family: 'X', period: { start, end } }],
});
const timing = (repeat: object) => ({
  resourceType: 'ServiceRequest',
  status: 'active',
  intent: 'order',
  subject: { reference: 'Patient/p' },
  occurrenceTiming: { repeat },
});
const item = (rest: object) => ({
  resourceType: 'Questionnaire',
  status: 'draft',
  item: [{ linkId: '1', type: 'string', ...rest }],
});
const task = (rest: object) => ({ resourceType: 'Task', status: 'requested', intent: 'order', ...rest });
const observation = (rest: object) => ({
  resourceType: 'Observation',
  status: 'final',
  code: { coding: [{ system: 'http://loinc.org', code: '1-8' }] },
  ...rest,
});
const contained = { resourceType: 'Organization', id: 'o', name: 'O' };

/** Rule, a resource that keeps it, one that breaks it, and what the answer says to mend it. */
const CASES: readonly (readonly [string, object, object, string])[] = [
  [
    'pat-1',
    { resourceType: 'Patient', contact: [{ name: { family: 'X' } }] },
    { resourceType: 'Patient', contact: [{ gender: 'male' }] },
    'add name, telecom, address or organization',
  ],
  ['per-1', period('2020-01-01', '2020-01-01'), period('2021-01-01', '2020-12-31'), 'SHALL have a lower value'],
  [
    'per-1',
    period('2012-02-03T22:30:00-05:00', '2012-02-03'),
    period('2012-02-05T10:00:00Z', '2012-02-03'),
    'SHALL have a lower value',
  ],
  [
    'cpt-2',
    { resourceType: 'Patient', telecom: [{ system: 'phone', value: '1' }] },
    { resourceType: 'Patient', telecom: [{ value: '1' }] },
    'add system, or leave value out',
  ],
  ['org-1', { resourceType: 'Organization', name: 'X' }, { resourceType: 'Organization', active: true }, 'identifier'],
  [
    'org-2',
    { resourceType: 'Organization', name: 'X', address: [{ use: 'work', city: 'L' }] },
    { resourceType: 'Organization', name: 'X', address: [{ use: 'home', city: 'L' }] },
    'home',
  ],
  ['tim-2', timing({ period: 1, periodUnit: 'd' }), timing({ period: 1 }), 'add periodUnit, or leave period out'],
  ['tim-5', timing({ period: 0, periodUnit: 'd' }), timing({ period: -1, periodUnit: 'd' }), 'non-negative'],
  ['tim-9', timing({ offset: 5, when: ['AC'] }), timing({ offset: 5, when: ['C'] }), 'offset'],
  [
    'qty-3',
    observation({ valueQuantity: { value: 1, code: 'mg', system: 'http://unitsofmeasure.org' } }),
    observation({ valueQuantity: { value: 1, code: 'mg' } }),
    'add system, or leave code out',
  ],
  [
    'obs-6',
    observation({ valueInteger: 1 }),
    observation({ valueInteger: 1, dataAbsentReason: { text: 'x' } }),
    'leave dataAbsentReason or value out',
  ],
  [
    'obs-7',
    observation({ valueInteger: 1, component: [{ code: { coding: [{ system: 'http://loinc.org', code: '2-6' }] } }] }),
    observation({ valueInteger: 1, component: [{ code: { coding: [{ system: 'http://loinc.org', code: '1-8' }] } }] }),
    'component',
  ],
  [
    'sqty-1',
    observation({ referenceRange: [{ low: { value: 1 } }] }),
    observation({ referenceRange: [{ low: { value: 1, comparator: '<' } }] }),
    'comparator',
  ],
  [
    'que-2',
    item({ item: [{ linkId: '2', type: 'string' }] }),
    item({ item: [{ linkId: '1', type: 'string' }] }),
    'unique',
  ],
  [
    'que-7',
    item({ enableWhen: [{ question: '0', operator: 'exists', answerBoolean: true }] }),
    item({ enableWhen: [{ question: '0', operator: 'exists', answerString: 'x' }] }),
    'boolean',
  ],
  [
    'inv-1',
    task({ authoredOn: '2026-01-01', lastModified: '2026-01-01T10:00:00Z' }),
    task({ authoredOn: '2026-01-02', lastModified: '2026-01-01' }),
    'lastModified',
  ],
  [
    'app-2',
    { resourceType: 'Appointment', status: 'proposed', participant: [{ status: 'accepted', actor: { display: 'X' } }] },
    {
      resourceType: 'Appointment',
      status: 'proposed',
      start: '2026-01-01T10:00:00Z',
      participant: [{ status: 'accepted', actor: { display: 'X' } }],
    },
    'send start and end together',
  ],
  [
    'bdl-7',
    {
      resourceType: 'Bundle',
      type: 'collection',
      entry: [{ fullUrl: 'urn:uuid:c757873d-ec9a-4326-a141-556f43239520', resource: { resourceType: 'Patient' } }],
    },
    {
      resourceType: 'Bundle',
      type: 'collection',
      entry: [1, 2].map(() => ({
        fullUrl: 'urn:uuid:c757873d-ec9a-4326-a141-556f43239520',
        resource: { resourceType: 'Patient' },
      })),
    },
    'unique',
  ],
  [
    'bdl-12',
    {
      resourceType: 'Bundle',
      type: 'message',
      entry: [{ resource: { resourceType: 'MessageHeader', eventUri: 'urn:x', source: { endpoint: 'urn:x' } } }],
    },
    { resourceType: 'Bundle', type: 'message' },
    'MessageHeader',
  ],
  [
    'att-1',
    { resourceType: 'Patient', photo: [{ contentType: 'image/png', data: 'AAAA' }] },
    { resourceType: 'Patient', photo: [{ data: 'AAAA' }] },
    'add contentType',
  ],
  [
    'con-4',
    {
      resourceType: 'Condition',
      subject: { reference: 'Patient/p' },
      abatementString: 'x',
      clinicalStatus: {
        coding: [{ system: 'http://terminology.hl7.org/CodeSystem/condition-clinical', code: 'resolved' }],
      },
    },
    {
      resourceType: 'Condition',
      subject: { reference: 'Patient/p' },
      abatementString: 'x',
      clinicalStatus: {
        coding: [{ system: 'http://terminology.hl7.org/CodeSystem/condition-clinical', code: 'active' }],
      },
    },
    'abate',
  ],
];

describe('validation › a rule kept and broken', () => {
  for (const [key, good, bad, mend] of CASES)
    it(key, () => {
      expect(validate(good).map((i) => i.diagnostics)).to.eql([]);
      const issues = validate(bad);
      expect(issues.map(keyOf)).to.eql([key]);
      expect(issues[0]?.code).to.equal('invariant');
      expect(issues[0]?.diagnostics).to.contain(mend);
      expect(issues[0]?.expression?.[0]).to.match(/^[A-Z]\w+/);
    });

  it('dom-3: a contained resource is referred to, or refers to its container', () => {
    const p = (rest: object) => validate({ resourceType: 'Patient', contained: [contained], ...rest });
    expect(p({ managingOrganization: { reference: '#o' } })).to.eql([]);
    expect(p({}).map((i) => i.diagnostics)[0]).to.contain('(dom-3)');
    expect(p({ extension: [{ url: 'urn:x', valueUri: '#o' }] })).to.eql([]);
    const back = { ...contained, partOf: { reference: '#' } };
    expect(validate({ resourceType: 'Organization', name: 'X', contained: [back] })).to.eql([]);
  });

  it('ele-1: an id alone is no content', () => {
    expect(validate({ resourceType: 'Patient', name: [{ id: 'a' }] })[0]?.diagnostics).to.contain('(ele-1)');
    expect(validate({ resourceType: 'Patient', _birthDate: { id: 'a' } })[0]?.diagnostics).to.contain('(ele-1)');
    expect(validate({ resourceType: 'Patient', birthDate: '2020', _birthDate: { id: 'a' } })).to.eql([]);
  });

  it('txt-2: a narrative says something', () => {
    const div = (inner: string) =>
      validate({
        resourceType: 'Patient',
        text: { status: 'generated', div: `<div xmlns="http://www.w3.org/1999/xhtml">${inner}</div>` },
      });
    expect(div('<p> </p>')[0]?.diagnostics).to.contain('(txt-2)');
    expect(div('<p>x</p>')).to.eql([]);
    expect(div('<img src="#i" alt="x"/>')).to.eql([]);
  });

  it('best practice is a warning, and only where it is asked for', () => {
    const patient = { resourceType: 'Patient', active: true };
    expect(validate(patient)).to.eql([]);
    expect(examine(patient).map((i) => `${i.severity} ${keyOf(i)}`)).to.eql(['warning dom-6']);
  });

  it('what is not well formed is not asked about more', () => {
    expect(validate({ resourceType: 'Patient', contact: [{ gender: 5 }] }).map((i) => i.code)).to.eql(['structure']);
  });

  it('[IN-31] the work of a hostile resource is bounded and grows no faster than it', () => {
    const items = Array.from({ length: 30_000 }, (_, i) => ({ linkId: `${i}`, type: 'string' }));
    expect(validate({ resourceType: 'Questionnaire', status: 'draft', item: items })).to.eql([]);
    const groups = Array.from({ length: 20_000 }, (_, i) => ({ id: `g${i}`, name: 'g' }));
    const resource = groups.map(({ id }) => ({ reference: { reference: 'Patient/p' }, groupingId: id }));
    const guide = {
      resourceType: 'ImplementationGuide',
      url: 'urn:x',
      name: 'X',
      status: 'draft',
      packageId: 'x.y',
      fhirVersion: ['4.0.1'],
      definition: { grouping: groups, resource },
    };
    expect(validate(guide)).to.eql([]);
  });

  it('never repeats a value', () => {
    const secret = 'Secretperson';
    const issues = [
      ...examine({
        resourceType: 'Patient',
        contact: [{ gender: 'male' }],
        gender: secret,
        telecom: [{ value: secret }],
      }),
      ...examine({ ...generateResource(definitions, 'Observation', { fill: 'minimal' }), status: secret }),
    ];
    expect(issues.length).to.be.above(3);
    expect(JSON.stringify(issues)).not.to.contain(secret);
  });
});

describe('validation › bindings', () => {
  const told = (resource: object): string[] => validate(resource).map((i) => `${i.code}: ${i.diagnostics}`);
  const allergy = (clinicalStatus: object) => ({
    resourceType: 'AllergyIntolerance',
    patient: { reference: 'Patient/p' },
    clinicalStatus,
  });
  const system = 'http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical';

  it('a code is one of its required value set; the nearest is named', () => {
    expect(told({ resourceType: 'Patient', gender: 'femal' })).to.eql([
      "code-invalid: Patient.gender must be a code of http://hl7.org/fhir/ValueSet/administrative-gender (male, female, other, unknown); did you mean 'female'?",
    ]);
    expect(told({ resourceType: 'Patient', gender: 'female' })).to.eql([]);
    expect(told({ resourceType: 'Patient', _gender: { extension: [{ url: 'urn:x', valueCode: 'x' }] } })).to.eql([]);
  });

  it('a concept has one coding of its required value set, with the system', () => {
    expect(
      told(
        allergy({
          coding: [
            { system: 'urn:own', code: 'a' },
            { system, code: 'active' },
          ],
        }),
      ),
    ).to.eql([]);
    expect(told(allergy({ coding: [{ code: 'active' }] }))[0]).to.contain('add its system');
    expect(told(allergy({ coding: [{ system, code: 'activ' }] }))[0]).to.contain("did you mean 'active'?");
    expect(told(allergy({ text: 'active' }))[0]).to.contain('needs a coding from');
  });

  it('media types by their grammar', () => {
    const photo = (contentType: string) =>
      told({ resourceType: 'Patient', photo: [{ contentType, url: 'https://example.org/x' }] });
    expect(photo('application/fhir+json; fhirVersion=4.0')).to.eql([]);
    expect(photo('picture')[0]).to.contain('code-invalid');
  });

  it('extensible and preferred ones are told only where it is asked for', () => {
    const resource = {
      resourceType: 'Patient',
      maritalStatus: { coding: [{ system: 'urn:own', code: 'x' }] },
      text: { status: 'generated', div: '<div xmlns="http://www.w3.org/1999/xhtml">x</div>' },
    };
    expect(validate(resource)).to.eql([]);
    expect(examine(resource).map((i) => i.severity)).to.eql(['warning']);
    const language = { ...resource, maritalStatus: undefined, language: 'xx-unknown' };
    expect(examine(language).map((i) => i.severity)).to.eql(['information']);
  });

  it('the code lists are compact', () => {
    expect(Object.keys(definitions.valueSets).length).to.be.above(330);
    expect(JSON.stringify(definitions.valueSets).length).to.be.below(400_000);
    for (const { elements } of Object.values(definitions.types))
      for (const { name, binding } of elements)
        if (binding?.strength === 'required' && !binding.valueSet.includes('LL379-9'))
          expect(definitions.valueSets[binding.valueSet.split('|')[0]!], name).to.not.equal(undefined);
  });
});
