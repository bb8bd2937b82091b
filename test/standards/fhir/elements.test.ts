import { expect } from 'chai';
import { createSubsetter } from '../../../src/standards/fhir/elements.ts';
import { formatJson, parseJson } from '../../../src/standards/fhir/json.ts';
import { createValidator } from '../../../src/standards/fhir/validation/validator.ts';
import { testDefinitions } from '../../support/definitions.ts';
import { generateResource } from '../../support/generate-resource.ts';

const definitions = testDefinitions();
const subset = createSubsetter(definitions);
const TAG = { system: 'http://terminology.hl7.org/CodeSystem/v3-ObservationValue', code: 'SUBSETTED' };

const PATIENT = {
  resourceType: 'Patient',
  id: 'p1',
  meta: { versionId: '1', tag: [{ code: 'mine' }] },
  implicitRules: 'https://example.org/rules',
  text: { status: 'generated', div: '<div xmlns="http://www.w3.org/1999/xhtml">A</div>' },
  contained: [{ resourceType: 'Organization', id: 'c1' }],
  extension: [{ url: 'https://example.org/e', valueBoolean: true }],
  modifierExtension: [{ url: 'https://example.org/m', valueBoolean: true }],
  active: true,
  name: [{ id: 'n1', use: 'old', family: 'Ash', given: ['Ann', null], _given: [null, { id: 'g' }] }],
  birthDate: '1970-01-01',
  _birthDate: { extension: [{ url: 'https://example.org/time', valueTime: '10:00:00' }] },
  deceasedBoolean: false,
  maritalStatus: { text: 'single' },
  contact: [{ gender: 'male' }],
  communication: [{ language: { text: 'English' } }],
};
const withTag = (part: object) => ({ ...part, meta: { versionId: '1', tag: [{ code: 'mine' }, TAG] } });

describe('elements › _summary', () => {
  it('false, count and nothing leave the resource as it is', () => {
    expect(subset(PATIENT, { summary: 'false' })).to.equal(PATIENT);
    expect(subset(PATIENT, { summary: 'count' })).to.equal(PATIENT);
    expect(subset(PATIENT, {})).to.equal(PATIENT);
    expect(subset(PATIENT, { elements: [] })).to.equal(PATIENT);
  });

  it('true: summary, mandatory and modifier elements, at each level', () => {
    const {
      text: _1,
      contained: _2,
      extension: _3,
      maritalStatus: _4,
      contact: _5,
      communication: _6,
      ...rest
    } = PATIENT;
    const [{ id: _7, ...name }] = rest.name as [(typeof rest.name)[0]];
    expect(subset(PATIENT, { summary: 'true' })).to.eql(withTag({ ...rest, name: [name] }));
  });

  it('true: mandatory elements that are not in the summary stay', () => {
    const questionnaire = {
      resourceType: 'CarePlan',
      status: 'active',
      intent: 'plan',
      subject: { reference: 'Patient/1' },
      activity: [{ detail: { status: 'scheduled' } }],
    };
    expect(subset(questionnaire, { summary: 'true' })).to.have.all.keys(
      'resourceType',
      'meta',
      'status',
      'intent',
      'subject',
    );
  });

  it('text: id, meta, text and what is mandatory', () => {
    expect(subset(PATIENT, { summary: 'text' })).to.eql(
      withTag({ resourceType: 'Patient', id: 'p1', text: PATIENT.text }),
    );
    const observation = {
      resourceType: 'Observation',
      status: 'final',
      code: { text: 'x' },
      issued: '2020-01-01T00:00:00Z',
    };
    expect(subset(observation, { summary: 'text' })).to.eql({
      resourceType: 'Observation',
      status: 'final',
      code: { text: 'x' },
      meta: { tag: [TAG] },
    });
  });

  it('data: everything but the text', () => {
    const { text: _, ...rest } = PATIENT;
    expect(subset(PATIENT, { summary: 'data' })).to.eql(withTag(rest));
  });

  it('true: resources in a Bundle by their own type', () => {
    const bundle = {
      resourceType: 'Bundle',
      type: 'collection',
      entry: [{ resource: PATIENT }, { resource: { resourceType: 'X' } }],
    };
    const summary = subset(bundle, { summary: 'true' }) as unknown as { entry: { resource: object }[] };
    expect(summary.entry[0]?.resource).to.have.property('active').and.to.equal(true);
    expect(summary.entry[0]?.resource).not.to.have.property('text');
    expect(summary.entry[1]?.resource).to.eql({ resourceType: 'X' });
  });
});

describe('elements › _elements', () => {
  const keys = (elements: string[], resource: object = PATIENT) => Object.keys(subset(resource, { elements }));
  const always = ['resourceType', 'id', 'meta', 'implicitRules', 'modifierExtension', 'active', 'deceasedBoolean'];

  it('takes what is named, with id, meta, mandatory and modifier elements', () => {
    expect(keys(['birthDate'])).to.have.members([...always, 'birthDate', '_birthDate']);
    expect(keys(['Patient.birthDate', 'Observation.code', ' contact '])).to.have.members([
      ...always,
      'birthDate',
      '_birthDate',
      'contact',
    ]);
    expect(keys(['nothing', '__proto__', 'constructor', ''])).to.have.members(always);
  });

  it('takes a choice by its base name, by [x] and by its JSON name', () => {
    const observation = {
      resourceType: 'Observation',
      status: 'final',
      code: {},
      valueQuantity: { value: 1 },
      note: [],
    };
    for (const name of ['value', 'value[x]', 'valueQuantity'])
      expect(keys([name], observation)).to.eql(['resourceType', 'status', 'code', 'valueQuantity', 'meta']);
  });

  it('takes part of an element, with what is mandatory and modifying in it', () => {
    const part = subset(PATIENT, { elements: ['name.family', 'communication.preferred'] });
    expect(part.name).to.eql([{ use: 'old', family: 'Ash' }]);
    expect(part.communication).to.eql([{ language: { text: 'English' } }]);
    expect(subset(PATIENT, { elements: ['name.family', 'name'] }).name).to.eql(PATIENT.name);
  });

  it('comes before _summary, and tags once', () => {
    const once = subset(PATIENT, { elements: ['gender'], summary: 'data' });
    expect(once).not.to.have.property('birthDate');
    expect(subset(once, { summary: 'data' }).meta.tag).to.have.length(2);
  });

  it('keeps every digit', () => {
    const observation = parseJson('{"resourceType":"Observation","valueQuantity":{"value":1.00}}') as object;
    expect(formatJson(subset(observation, { elements: ['value'] }))).to.contain('1.00');
    expect(formatJson(subset(observation, { summary: 'true' }))).to.contain('1.00');
  });
});

describe('elements › all 146 types', () => {
  const validate = createValidator(definitions, { checks: 'structure' });
  it('every subset of a valid resource is valid', () => {
    for (const type of definitions.resourceTypes) {
      const { contained: _1, extension: _2, ...resource } = generateResource(definitions, type);
      for (const options of [
        { summary: 'true' },
        { summary: 'text' },
        { summary: 'data' },
        { elements: ['status'] },
      ] as const)
        expect(
          validate(subset(resource, options)).map((i) => i.diagnostics),
          `${type} ${JSON.stringify(options)}`,
        ).to.eql([]);
    }
  });
});
