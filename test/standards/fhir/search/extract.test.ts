import { expect } from 'chai';
import fc from 'fast-check';
import { parseJson } from '../../../../src/standards/fhir/json.ts';
import { COMPARTMENTS } from '../../../../src/standards/fhir/search/sink.ts';
import { generateResource } from '../../../support/generate-resource.ts';
import { definitions, type Extracted, extract, extractorOf, parameters, types } from './fixtures.ts';

type Resource = Parameters<typeof extract>[0];

/** The calls for one atom, without its name. */
const callsOf = ({ calls }: Extracted, atom: string): unknown[][] =>
  calls.filter((c) => c[1] === atom).map(([method, , ...values]) => [method, ...values]);
const of = (resource: Resource, atom: string): unknown[][] => callsOf(extract(resource), atom);
const observation = (more: object): Resource => ({ resourceType: 'Observation', ...more });
const patient = (more: object): Resource => ({ resourceType: 'Patient', ...more });

describe('search › extract › token', () => {
  for (const [title, resource, atom, calls] of [
    [
      'CodeableConcept: every coding',
      observation({ code: { text: 'x', coding: [{ system: 's', code: 'a' }, { code: 'b' }, { display: 'c' }] } }),
      'code',
      [
        ['token', 's', 'a'],
        ['token', undefined, 'b'],
      ],
    ],
    ['code', observation({ status: 'final' }), 'status', [['token', undefined, 'final']]],
    ['boolean', patient({ active: false }), 'active', [['token', undefined, 'false']]],
    [
      'Identifier, with its type for :of-type',
      patient({ identifier: [{ system: 's', value: 'v', type: { coding: [{ system: 't', code: 'MR' }] } }] }),
      'identifier',
      [
        ['token', 's', 'v'],
        ['ofType', 't', 'MR', 'v'],
      ],
    ],
    [
      'ContactPoint: use and system',
      patient({ telecom: [{ system: 'phone', use: 'home', value: '555' }] }),
      'telecom',
      [
        ['token', 'home', '555'],
        ['token', 'phone', '555'],
      ],
    ],
    ['where(system = …) leaves the others out', patient({ telecom: [{ system: 'phone', value: '5' }] }), 'email', []],
  ] as const)
    it(title, () => expect(of(resource, atom)).to.deep.equal(calls));

  for (const [title, more, value, isPresent] of [
    ['absent', {}, 'false', false],
    ['false', { deceasedBoolean: false }, 'false', true],
    ['true', { deceasedBoolean: true }, 'true', true],
    ['a date', { deceasedDateTime: '2020' }, 'true', true],
  ] as const)
    it(`Patient deceased: ${title}`, () => {
      const found = extract(patient(more));
      expect(callsOf(found, 'deceased')).to.deep.equal([['token', undefined, value]]);
      expect(found.present.has('deceased')).to.equal(isPresent);
    });
});

describe('search › extract › reference', () => {
  it('is reported as it stands, with its identifier', () => {
    const subject = { reference: 'http://a/fhir/Patient/1/_history/2', identifier: { system: 's', value: 'v' } };
    expect(of(observation({ subject }), 'subject')).to.deep.equal([
      ['reference', 'http://a/fhir/Patient/1/_history/2'],
      ['referenceIdentifier', 's', 'v'],
    ]);
  });

  it('leaves a contained target out, but the parameter is present', () => {
    const found = extract(observation({ subject: { reference: '#p' } }));
    expect(callsOf(found, 'subject')).to.deep.equal([]);
    expect([...found.present])
      .to.include('subject')
      .and.not.include('patient');
  });

  for (const [reference, isPatient] of [
    ['Patient/1', true],
    ['Patient/1/_history/2', true],
    ['https://example.org/fhir/Patient/1', true],
    ['https://example.org/Patient/Group/1', false],
    ['Group/1', false],
    ['PatientX/1', false],
    ['https://example.org/fhir/XPatient/1', false],
    ['urn:uuid:1b0b6e5c-2f3e-4f3b-9a0e-2d7f3b7a9a10', false],
    ['Patient', false],
    ['', false],
    ['http://', false],
  ] as const)
    it(`resolve() is Patient: ${reference || '(empty)'} ${isPatient ? 'is' : 'is not'}`, () => {
      const found = extract(observation({ subject: { reference } }));
      expect(found.present.has('patient')).to.equal(isPatient);
      expect(found.members).to.deep.equal(isPatient ? [`Patient: ${reference}`] : []);
    });

  it('canonical, with its version', () => {
    expect(
      of({ resourceType: 'CarePlan', instantiatesCanonical: ['http://p|1'] }, 'instantiates-canonical'),
    ).to.deep.equal([['canonical', 'http://p|1']]);
  });

  it('Bundle composition and message: the first entry', () => {
    const bundle = (type: string): Resource => ({
      resourceType: 'Bundle',
      entry: [{ resource: { resourceType: type, id: '1' } }, { resource: { resourceType: 'Composition', id: '2' } }],
    });
    const document = extract(bundle('Composition'));
    expect(callsOf(document, 'composition')).to.deep.equal([['reference', 'Composition/1']]);
    expect([...document.present])
      .to.include('composition')
      .and.not.include('message');
    expect(of(bundle('Patient'), 'composition')).to.deep.equal([]);
  });
});

describe('search › extract › date', () => {
  const high2020 = Date.UTC(2021, 0) - 1;
  for (const [title, more, calls] of [
    ['dateTime: its precision', { effectiveDateTime: '2020' }, [['date', Date.UTC(2020, 0), high2020]]],
    ['Period: both ends', { effectivePeriod: { start: '2020', end: '2020' } }, [['date', Date.UTC(2020, 0), high2020]]],
    ['Period without end', { effectivePeriod: { start: '2020' } }, [['date', Date.UTC(2020, 0), Infinity]]],
    ['Period without start', { effectivePeriod: { end: '2020' } }, [['date', -Infinity, high2020]]],
    ['Period without both', { effectivePeriod: {} }, []],
    [
      'Timing: the outer limits',
      { effectiveTiming: { event: ['2020-06', '2020-02-03'], repeat: { boundsPeriod: { end: '2020' } } } },
      [['date', -Infinity, high2020]],
    ],
    [
      'Timing: events alone',
      { effectiveTiming: { event: ['2020-06', '2020-12'] } },
      [['date', Date.UTC(2020, 5), high2020]],
    ],
    ['no date', { effectiveDateTime: 'soon' }, []],
  ] as const)
    it(title, () => expect(of(observation(more), 'date')).to.deep.equal(calls));
});

describe('search › extract › string', () => {
  it('HumanName: family, given, prefix, suffix, text', () => {
    const name = [{ family: 'F', given: ['G', 'H'], prefix: ['P'], suffix: ['S'], text: 'T', use: 'official' }];
    expect(of(patient({ name }), 'name').map((c) => c[1])).to.deep.equal(['F', 'G', 'H', 'P', 'S', 'T']);
  });
  it('Address: line, city, district, state, postalCode, country, text', () => {
    const address = [
      { line: ['L'], city: 'C', district: 'D', state: 'S', postalCode: 'P', country: 'U', text: 'T', use: 'home' },
    ];
    expect(of(patient({ address }), 'address').map((c) => c[1])).to.deep.equal(['L', 'C', 'D', 'S', 'P', 'U', 'T']);
  });
});

describe('search › extract › number and quantity', () => {
  const q = (valueQuantity: object) => of(observation({ valueQuantity }), 'value-quantity');
  it('Quantity: value, system, code, unit', () => {
    expect(q({ value: 5, system: 's', code: 'c', unit: 'u' })).to.deep.equal([['quantity', 5, 5, 's', 'c', 'u']]);
  });
  it('a number that kept its digits', () => {
    const [value] = parseJson('[1.50]') as unknown[];
    expect(value).to.be.an('object');
    expect(q({ value })).to.deep.equal([['quantity', 1.5, 1.5, undefined, undefined, undefined]]);
  });
  it('a comparator makes it an open range', () => {
    expect(q({ value: 5, comparator: '<' })[0]?.slice(0, 3)).to.deep.equal(['quantity', -Infinity, 5]);
    expect(q({ value: 5, comparator: '>=' })[0]?.slice(0, 3)).to.deep.equal(['quantity', 5, Infinity]);
  });
  it('Range: an absent end is open', () => {
    const found = of({ resourceType: 'Condition', onsetRange: { low: { value: 1, code: 'a' } } }, 'onset-age');
    expect(found).to.deep.equal([['quantity', 1, Infinity, undefined, 'a', undefined]]);
  });
  it('Money: the currency is the code', () => {
    const found = of({ resourceType: 'Invoice', totalNet: { value: 2, currency: 'GBP' } }, 'totalnet');
    expect(found).to.deep.equal([['quantity', 2, 2, 'urn:iso:std:iso:4217', 'GBP', undefined]]);
  });
  it('SampledData: from the lowest to the highest sample', () => {
    const valueSampledData = { origin: { value: 10, unit: 'u' }, factor: 2, lowerLimit: -9, data: '1 E -2 L 3 U' };
    expect(of(observation({ valueSampledData }), 'value-quantity')).to.deep.equal([
      ['quantity', -8, 16, undefined, undefined, 'u'],
    ]);
  });
  it('Range in a number search: both ends', () => {
    const prediction = [{ probabilityRange: { low: { value: 0.1 }, high: { value: 0.2 } } }];
    expect(of({ resourceType: 'RiskAssessment', prediction }, 'probability')).to.deep.equal([
      ['number', 0.1],
      ['number', 0.2],
    ]);
  });
});

describe('search › extract › composite', () => {
  const code = { coding: [{ system: 's', code: 'a' }, { code: 'b' }] };
  it('is every combination in one element', () => {
    const found = of(observation({ code, valueQuantity: { value: 1, code: 'mg' } }), 'code-value-quantity');
    expect(found).to.deep.equal([
      ['tokenQuantity', 's', 'a', 1, 1, undefined, 'mg', undefined],
      ['tokenQuantity', undefined, 'b', 1, 1, undefined, 'mg', undefined],
    ]);
  });
  it('keeps the components of different elements apart', () => {
    const component = [
      { code: { coding: [{ code: 'a' }] }, valueQuantity: { value: 1 } },
      { code: { coding: [{ code: 'b' }] }, valueQuantity: { value: 2 } },
    ];
    const found = of(observation({ component }), 'component-code-value-quantity');
    expect(found.map((c) => [c[2], c[3]])).to.deep.equal([
      ['a', 1],
      ['b', 2],
    ]);
  });
  it('%resource is the resource', () => {
    const found = extract({
      resourceType: 'MolecularSequence',
      referenceSeq: { chromosome: { coding: [{ code: 'X' }] } },
      variant: [{ start: 1, end: 2 }],
    });
    expect(callsOf(found, 'chromosome-variant-coordinate')).to.deep.equal([
      ['tokenNumberNumber', undefined, 'X', 1, 2],
    ]);
    expect(found.present.has('chromosome-variant-coordinate')).to.equal(true);
  });
  it('DocumentReference relationship: the target with the code', () => {
    const relatesTo = [{ code: 'replaces', target: { reference: 'DocumentReference/1' } }];
    expect(of({ resourceType: 'DocumentReference', relatesTo }, 'relationship')).to.deep.equal([
      ['referenceToken', 'DocumentReference/1', undefined, 'replaces'],
    ]);
  });
});

describe('search › extract › compartments', () => {
  it('by every parameter of the compartment, the reference of its type', () => {
    const found = extract(
      observation({
        subject: { reference: 'Patient/1' },
        performer: [{ reference: 'Patient/2' }, { reference: 'Practitioner/3' }, { reference: 'Organization/4' }],
        encounter: { reference: 'Encounter/5' },
        device: { reference: 'Device/6' },
        focus: [{ reference: 'Patient/7' }],
      }),
    );
    expect(found.members).to.have.members([
      'Patient: Patient/1',
      'Patient: Patient/2',
      'Practitioner: Practitioner/3',
      'Encounter: Encounter/5',
      'Device: Device/6',
    ]);
  });

  it('every parameter the definitions name is a reference that is extracted', () => {
    const unknown = COMPARTMENTS.flatMap((kind) =>
      Object.entries(definitions.compartments[kind]).flatMap(([type, codes]) =>
        codes
          .filter((code) => code !== '{def}' && parameters.get(type)?.parameters.get(code)?.type !== 'reference')
          .map((code) => `${kind}: ${type}.${code}`),
      ),
    );
    expect(unknown).to.deep.equal([]);
  });
});

describe('search › extract › common parameters', () => {
  it('_tag, _security, _profile, _source of every type', () => {
    const meta = {
      tag: [{ system: 's', code: 't' }],
      security: [{ code: 'R' }],
      profile: ['http://p|1'],
      source: 'urn:x',
    };
    for (const resourceType of types) {
      const found = extract({ resourceType, meta });
      expect(callsOf(found, '_tag'), resourceType).to.deep.equal([['token', 's', 't']]);
      expect(callsOf(found, '_security')).to.deep.equal([['token', undefined, 'R']]);
      expect(callsOf(found, '_profile').map((c) => c[1])).to.deep.equal(['http://p|1', 'http://p']);
      expect(callsOf(found, '_source').map((c) => c[1])).to.deep.equal(['urn:x']);
      expect([...found.present]).to.include.members([
        '_id',
        '_lastUpdated',
        '_tag',
        '_security',
        '_profile',
        '_source',
      ]);
    }
  });
});

describe('search › extract › hostile shapes', () => {
  const WRONG: readonly unknown[] = [
    null,
    0,
    -1,
    '',
    'x',
    true,
    [],
    {},
    [null],
    [[{}]],
    ['x'],
    { value: {} },
    { coding: [null] },
  ];

  /** Copies a value, with some of its parts replaced by something of another shape. */
  function spoil(value: unknown, random: () => number): unknown {
    if (random() < 0.15) return WRONG[Math.floor(random() * WRONG.length)];
    if (Array.isArray(value)) return value.map((v) => spoil(v, random));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, spoil(v, random)]));
  }

  it('never throw, whatever stands where', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...types),
        fc.nat(20),
        fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })),
        (type, seed, stream) => {
          const random = (): number => Number(stream.next().value);
          const spoilt = spoil(generateResource(definitions, type, { seed }), random);
          if (typeof spoilt !== 'object' || spoilt === null) return;
          extract({ ...spoilt, resourceType: type });
        },
      ),
      { numRuns: 400 },
    );
  });

  it('an unknown type is our error', () => {
    expect(() => extractorOf('Parameters')).to.throw('no search parameters for Parameters');
    expect(() => extractorOf('__proto__')).to.throw('no search parameters');
  });
});
