import { expect } from 'chai';
import { typeParameters, types } from './fixtures.ts';
import { BASE, codes, messages, one, plain, refuse, valuesOf } from './parse-fixtures.ts';

describe('search › token', () => {
  for (const [title, value, values] of [
    ['[code] matches any system', 'male', [{ code: 'male' }]],
    ['[system]|[code]', 'http://s|c', [{ system: 'http://s', code: 'c' }]],
    ['|[code] matches a code without a system', '|c', [{ system: '', code: 'c' }]],
    ['[system]| matches any code in the system', 'http://s|', [{ system: 'http://s' }]],
    ['a comma is OR', 'a,s|b', [{ code: 'a' }, { system: 's', code: 'b' }]],
    ['\\, \\| and \\\\ belong to the value', 'a\\,b,s\\|t|c\\\\', [{ code: 'a,b' }, { system: 's|t', code: 'c\\' }]],
  ] as const)
    it(title, () => expect(valuesOf('Patient', [['identifier', value]])).to.deep.equal(values));

  it(':not', () => {
    expect(plain(one('Patient', 'gender:not=male,female'))).to.deep.equal({
      kind: 'token',
      parameter: 'Patient.gender',
      modifier: 'not',
      values: [{ code: 'male' }, { code: 'female' }],
    });
  });
  it(':text', () => {
    expect(plain(one('Condition', 'code:text=head\\,ache'))).to.deep.equal({
      kind: 'token-text',
      parameter: 'Condition.code',
      values: ['head,ache'],
    });
  });
  it(':of-type is system|code|value', () => {
    expect(valuesOf('Patient', 'identifier:of-type=http://t|MR|446053')).to.deep.equal([
      { system: 'http://t', code: 'MR', value: '446053' },
    ]);
    expect(messages('Patient', 'identifier:of-type=MR|446053')[0]).to.include("must be 'system|code|value'");
    expect(codes('Patient', 'gender:of-type=a|b|c')).to.deep.equal(['not-supported']);
  });
  for (const modifier of ['in', 'not-in', 'above', 'below'])
    it(`:${modifier} is refused as not supported, under lenient handling as well`, () => {
      expect(codes('Observation', `code:${modifier}=http://v`)).to.deep.equal(['not-supported']);
      expect(refuse('Observation', `code:${modifier}=http://v`, 'lenient').status).to.equal(400);
    });
  for (const value of ['', '|', 'a|b|c', 'a,,b', 'a,'])
    it(`${JSON.stringify(value)} is refused`, () =>
      expect(codes('Patient', [['identifier', value]])).to.deep.equal(['value']));
});

describe('search › string', () => {
  for (const [query, modifier] of [
    ['name=eve', undefined],
    ['name:exact=eve', 'exact'],
    ['name:contains=eve', 'contains'],
  ] as const)
    it(query, () => {
      const found = plain(one('Patient', query)) as { modifier?: string };
      expect(found).to.deep.include({ kind: 'string', parameter: 'Patient.name', values: ['eve'] });
      expect(found.modifier).to.equal(modifier);
    });
});

describe('search › date', () => {
  for (const [value, prefix, low, high] of [
    ['2013-01-14', 'eq', '2013-01-14T00:00:00.000Z', '2013-01-14T23:59:59.999Z'],
    ['eq2013-01-14', 'eq', '2013-01-14T00:00:00.000Z', '2013-01-14T23:59:59.999Z'],
    ['ne2013-01-14', 'ne', '2013-01-14T00:00:00.000Z', '2013-01-14T23:59:59.999Z'],
    ['lt2013-01-14T10:00', 'lt', '2013-01-14T10:00:00.000Z', '2013-01-14T10:00:59.999Z'],
    ['gt2013-01-14T10:00', 'gt', '2013-01-14T10:00:00.000Z', '2013-01-14T10:00:59.999Z'],
    ['ge2013-03-14', 'ge', '2013-03-14T00:00:00.000Z', '2013-03-14T23:59:59.999Z'],
    ['le2013-03', 'le', '2013-03-01T00:00:00.000Z', '2013-03-31T23:59:59.999Z'],
    ['sa2013-03-14', 'sa', '2013-03-14T00:00:00.000Z', '2013-03-14T23:59:59.999Z'],
    ['eb2013', 'eb', '2013-01-01T00:00:00.000Z', '2013-12-31T23:59:59.999Z'],
    ['ap2013-03-14', 'ap', '2013-03-14T00:00:00.000Z', '2013-03-14T23:59:59.999Z'],
  ] as const)
    it(value, () => {
      expect(valuesOf('Patient', [['birthdate', value]])).to.deep.equal([
        { prefix, low: Date.parse(low), high: Date.parse(high) },
      ]);
    });
  it("an offset's + that arrived as a space", () => {
    expect(valuesOf('Observation', 'date=2013-01-14T10:00:00+01:00')).to.deep.equal(
      valuesOf('Observation', 'date=2013-01-14T10:00:00%2B01:00'),
    );
  });
  for (const value of ['', 'yesterday', 'xx2013', 'ge', '2013-02-30', 'gege2013'])
    it(`${JSON.stringify(value)} is refused`, () =>
      expect(codes('Patient', [['birthdate', value]])).to.deep.equal(['value']));
  it('_lastUpdated', () => {
    expect(plain(one('Patient', '_lastUpdated=gt2010-10-01'))).to.deep.equal({
      kind: 'last-updated',
      values: [{ prefix: 'gt', low: Date.UTC(2010, 9), high: Date.UTC(2010, 9, 2) - 1 }],
    });
  });
});

describe('search › number and quantity', () => {
  for (const [type, query, value] of [
    ['RiskAssessment', 'probability=gt0.8', { prefix: 'gt', value: 0.8, low: 0.75, high: 0.85 }],
    ['RiskAssessment', 'probability=100', { prefix: 'eq', value: 100, low: 99.5, high: 100.5 }],
    ['Observation', 'value-quantity=5.4', { prefix: 'eq', value: 5.4, low: 5.35, high: 5.45 }],
    [
      'Observation',
      'value-quantity=5.40e-3|http://unitsofmeasure.org|g',
      { prefix: 'eq', value: 0.0054, low: 0.005395, high: 0.005405, system: 'http://unitsofmeasure.org', code: 'g' },
    ],
    ['Observation', 'value-quantity=5.4||mg', { prefix: 'eq', value: 5.4, low: 5.35, high: 5.45, code: 'mg' }],
    ['Observation', 'value-quantity=le5.4||mg', { prefix: 'le', value: 5.4, low: 5.35, high: 5.45, code: 'mg' }],
  ] as const)
    it(query, () => expect(valuesOf(type, query)).to.deep.equal([value]));
  for (const value of ['', 'many', '5|mg', '5|a|b|c', '|s|c', 'ap'])
    it(`value-quantity=${value} is refused`, () =>
      expect(codes('Observation', [['value-quantity', value]])).to.deep.equal(['value']));
});

describe('search › reference', () => {
  for (const [value, expected] of [
    ['23', { id: '23' }],
    ['Patient/23', { type: 'Patient', id: '23' }],
    ['Patient/23/_history/4', { type: 'Patient', id: '23' }],
    [`${BASE}/Patient/23`, { type: 'Patient', id: '23' }],
    ['http://acme.org/fhir/Patient/23', { url: 'http://acme.org/fhir/Patient/23' }],
    ['urn:uuid:1b0b6e5c-2f3e-4f3b-9a0e-2d7f3b7a9a10', { url: 'urn:uuid:1b0b6e5c-2f3e-4f3b-9a0e-2d7f3b7a9a10' }],
  ] as const)
    it(value, () => expect(valuesOf('Observation', [['subject', value]])).to.deep.equal([expected]));
  it(':[type]', () => {
    expect(valuesOf('Observation', 'subject:Patient=23')).to.deep.equal([{ type: 'Patient', id: '23' }]);
    expect(valuesOf('Observation', 'subject:Patient=Patient/23')).to.deep.equal([{ type: 'Patient', id: '23' }]);
    expect(codes('Observation', 'subject:Patient=Group/23')).to.deep.equal(['value']);
    expect(messages('Observation', 'subject:Encounter=1')[0]).to.include(
      'its targets are Device, Group, Location, Patient',
    );
  });
  it(':identifier', () => {
    expect(plain(one('Observation', 'subject:identifier=http://acme.org/fhir/identifier/mrn|123456'))).to.deep.equal({
      kind: 'reference-identifier',
      parameter: 'Observation.subject',
      values: [{ system: 'http://acme.org/fhir/identifier/mrn', code: '123456' }],
    });
  });
  it('canonical, with and without version', () => {
    const canonical = (value: string) => valuesOf('CarePlan', [['instantiates-canonical', value]]);
    expect(canonical('http://p')).to.deep.equal([{ url: 'http://p' }]);
    expect(canonical('http://p|2')).to.deep.equal([{ url: 'http://p', version: '2' }]);
  });
  for (const value of ['', 'Nothing/1', 'Patient/', 'Patient/a b', '/', 'a b', 'Patient?x=1', '#p'])
    it(`${JSON.stringify(value)} is refused`, () =>
      expect(codes('Observation', [['subject', value]])).to.deep.equal(['value']));
});

describe('search › uri', () => {
  for (const [query, modifier] of [
    ['url=http://acme.org/fhir/ValueSet/123', undefined],
    ['url:below=http://acme.org/fhir/', 'below'],
    ['url:above=http://acme.org/fhir/ValueSet/123/_history/5', 'above'],
  ] as const)
    it(query, () => {
      const found = plain(one('ValueSet', query)) as { modifier?: string };
      expect(found).to.deep.include({ kind: 'uri', values: [query.slice(query.indexOf('=') + 1)] });
      expect(found.modifier).to.equal(modifier);
    });
});

describe('search › composite', () => {
  it('code-value-quantity=loinc|12907-2$ge150||mmol', () => {
    expect(valuesOf('Observation', 'code-value-quantity=http://loinc.org|12907-2$ge150||mmol,x$1')).to.deep.equal([
      [
        { type: 'token', value: { system: 'http://loinc.org', code: '12907-2' } },
        { type: 'quantity', value: { prefix: 'ge', value: 150, low: 149.5, high: 150.5, code: 'mmol' } },
      ],
      [
        { type: 'token', value: { code: 'x' } },
        { type: 'quantity', value: { prefix: 'eq', value: 1, low: 0.5, high: 1.5 } },
      ],
    ]);
  });
  it('an escaped $ belongs to the value', () => {
    expect(valuesOf('Observation', 'code-value-string=a\\$b$c')).to.deep.equal([
      [
        { type: 'token', value: { code: 'a$b' } },
        { type: 'string', value: 'c' },
      ],
    ]);
  });
  it('relationship=DocumentReference/1$replaces', () => {
    expect(valuesOf('DocumentReference', 'relationship=DocumentReference/1$replaces')).to.deep.equal([
      [
        { type: 'reference', value: { type: 'DocumentReference', id: '1' } },
        { type: 'token', value: { code: 'replaces' } },
      ],
    ]);
  });
  it('names its parts when they are not all there', () => {
    expect(messages('Observation', 'code-value-quantity=x')[0]).to.include('must be');
    expect(messages('Observation', 'code-value-quantity=x$y')[0]).to.include("in its part 'value-quantity'");
  });
});

describe('search › :missing', () => {
  it('on every parameter of every type', () => {
    for (const type of types)
      for (const code of typeParameters(type).parameters.keys())
        expect(plain(one(type, [[`${code}:missing`, 'true']]))).to.deep.equal({
          kind: 'missing',
          parameter: `${type}.${code}`,
          missing: true,
        });
  });
  it('is true or false', () => expect(codes('Patient', 'gender:missing=yes')).to.deep.equal(['value']));
});
