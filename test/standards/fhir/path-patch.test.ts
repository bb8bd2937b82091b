/** FHIRPath Patch: https://hl7.org/fhir/R4/fhirpatch.html */
import { expect } from 'chai';
import { Decimal, formatJson, parseJson } from '../../../src/standards/fhir/json.ts';
import { FhirError } from '../../../src/standards/fhir/outcome.ts';
import { createPathPatch } from '../../../src/standards/fhir/path-patch/apply.ts';
import { testDefinitions } from '../../support/definitions.ts';

type Part = Readonly<Record<string, unknown>>;
const part = (name: string, value: Part): Part => ({ name, ...value });
const operation = (type: string, path: string, ...more: readonly Part[]): Part => ({
  name: 'operation',
  part: [part('type', { valueCode: type }), part('path', { valueString: path }), ...more],
});
const named = (name: string): Part => part('name', { valueString: name });
const count = (name: string, value: number): Part => part(name, { valueInteger: value });
const value = (content: Part): Part => part('value', content);

const PATIENT = {
  resourceType: 'Patient',
  id: 'p',
  active: true,
  name: [
    { use: 'official', family: 'Ash', given: ['Wren', 'May'], _given: [null, { id: 'second' }] },
    { use: 'nickname', text: 'W' },
  ],
  birthDate: '1970-01-01',
  _birthDate: { extension: [{ url: 'http://example.org/time', valueTime: '10:00:00' }] },
  contact: [{ name: { text: 'a' }, gender: 'male' }],
  deceasedBoolean: false,
};
const OFFICIAL = PATIENT.name[0];

/** Title, what to patch, with what, what is different then. */
const CASES: readonly (readonly [title: string, operation: Part, expected: object])[] = [
  [
    'add › a primitive',
    operation('add', 'Patient', named('gender'), value({ valueCode: 'female' })),
    { gender: 'female' },
  ],
  [
    'add › a code sent as a string',
    operation('add', 'Patient', named('gender'), value({ valueString: 'female' })),
    { gender: 'female' },
  ],
  [
    'add › a choice takes the name of its type',
    operation('add', 'Patient', named('multipleBirth'), value({ valueInteger: 2 })),
    { multipleBirthInteger: 2 },
  ],
  [
    'add › at the end of a list that is there',
    operation('add', 'Patient', named('name'), value({ valueHumanName: { text: 'third' } })),
    { name: [...PATIENT.name, { text: 'third' }] },
  ],
  [
    'add › the first of a list',
    operation('add', 'Patient', named('telecom'), value({ valueContactPoint: { value: '1' } })),
    { telecom: [{ value: '1' }] },
  ],
  [
    'add › to a list of primitives, whose companions stay in line',
    operation('add', 'Patient.name[0]', named('given'), value({ valueString: 'Third' })),
    {
      name: [{ ...OFFICIAL, given: ['Wren', 'May', 'Third'], _given: [null, { id: 'second' }, null] }, PATIENT.name[1]],
    },
  ],
  [
    'add › what is no data type comes as parts',
    operation('add', 'Patient', named('contact'), {
      name: 'value',
      part: [
        part('name', { valueHumanName: { text: 'b' } }),
        part('relationship', { valueCodeableConcept: { text: 'aunt' } }),
        part('relationship', { valueCodeableConcept: { text: 'friend' } }),
      ],
    }),
    { contact: [...PATIENT.contact, { name: { text: 'b' }, relationship: [{ text: 'aunt' }, { text: 'friend' }] }] },
  ],
  [
    'add › an extension of a primitive that has none',
    operation(
      'add',
      'Patient.active',
      named('extension'),
      value({ valueExtension: { url: 'http://example.org/x', valueCode: 'y' } }),
    ),
    { _active: { extension: [{ url: 'http://example.org/x', valueCode: 'y' }] } },
  ],
  [
    'add › an extension of one of a list of primitives',
    operation(
      'add',
      'Patient.name[0].given[0]',
      named('extension'),
      value({ valueExtension: { url: 'http://example.org/x', valueCode: 'y' } }),
    ),
    {
      name: [
        {
          ...OFFICIAL,
          _given: [{ extension: [{ url: 'http://example.org/x', valueCode: 'y' }] }, { id: 'second' }],
        },
        PATIENT.name[1],
      ],
    },
  ],
  [
    'add › a contained resource',
    operation('add', 'Patient', named('contained'), part('value', { resource: { resourceType: 'Basic', id: 'b' } })),
    { contained: [{ resourceType: 'Basic', id: 'b' }] },
  ],
  [
    'add › with a where that picks one',
    operation('add', "Patient.name.where(use = 'nickname')", named('family'), value({ valueString: 'Beech' })),
    { name: [OFFICIAL, { use: 'nickname', text: 'W', family: 'Beech' }] },
  ],
  [
    'insert › at the beginning',
    operation('insert', 'Patient.name[0].given', count('index', 0), value({ valueString: 'First' })),
    {
      name: [{ ...OFFICIAL, given: ['First', 'Wren', 'May'], _given: [null, null, { id: 'second' }] }, PATIENT.name[1]],
    },
  ],
  [
    'insert › at the end',
    operation('insert', 'Patient.contact', count('index', 1), {
      name: 'value',
      part: [part('gender', { valueCode: 'other' })],
    }),
    { contact: [...PATIENT.contact, { gender: 'other' }] },
  ],
  [
    'delete › a primitive with what stands beside it',
    operation('delete', 'Patient.birthDate'),
    { birthDate: undefined, _birthDate: undefined },
  ],
  ['delete › one of a list', operation('delete', "Patient.name.where(use = 'nickname')"), { name: [OFFICIAL] }],
  [
    'delete › the last of a list, and the list with it',
    operation('delete', 'Patient.contact[0]'),
    { contact: undefined },
  ],
  [
    'delete › one primitive of a list with its companion',
    operation('delete', 'Patient.name[0].given[1]'),
    { name: [{ use: 'official', family: 'Ash', given: ['Wren'] }, PATIENT.name[1]] },
  ],
  ['delete › a choice, by its name', operation('delete', 'Patient.deceased'), { deceasedBoolean: undefined }],
  ['delete › what is not there', operation('delete', 'Patient.gender'), {}],
  [
    'delete › an extension of a primitive',
    operation('delete', "Patient.birthDate.extension.where(url = 'http://example.org/time')"),
    { _birthDate: undefined },
  ],
  ['replace › a primitive', operation('replace', 'Patient.active', value({ valueBoolean: false })), { active: false }],
  [
    'replace › a primitive of a list',
    operation('replace', "Patient.name[0].given.where($this = 'May')", value({ valueString: 'June' })),
    { name: [{ ...OFFICIAL, given: ['Wren', 'June'], _given: undefined }, PATIENT.name[1]] },
  ],
  [
    'replace › a choice by another type',
    operation('replace', 'Patient.deceased', value({ valueDateTime: '2020-01-01' })),
    { deceasedBoolean: undefined, deceasedDateTime: '2020-01-01' },
  ],
  [
    'replace › a complex element',
    operation('replace', 'Patient.name[1]', value({ valueHumanName: { text: 'new' } })),
    { name: [OFFICIAL, { text: 'new' }] },
  ],
  [
    'replace › a value inside an extension of a primitive',
    operation('replace', 'Patient.birthDate.extension.value', value({ valueTime: '11:00:00' })),
    { _birthDate: { extension: [{ url: 'http://example.org/time', valueTime: '11:00:00' }] } },
  ],
  [
    'move › the first to the end',
    operation('move', 'Patient.name', count('source', 0), count('destination', 1)),
    { name: [PATIENT.name[1], OFFICIAL] },
  ],
  [
    'move › primitives with their companions',
    operation('move', 'Patient.name[0].given', count('source', 1), count('destination', 0)),
    { name: [{ ...OFFICIAL, given: ['May', 'Wren'], _given: [{ id: 'second' }, null] }, PATIENT.name[1]] },
  ],
];

/** Each element compared with each other, again and again. */
const COSTLY = `Patient.descendants()${'.where(%resource.descendants()'.repeat(6)}${'.exists())'.repeat(6)}`;

/** Title, operation, status, what is said of it. */
const FAULTS: readonly (readonly [title: string, operation: Part, status: number, text: RegExp])[] = [
  ['another parameter', { name: 'op' }, 400, /named operation/],
  ['no type', { name: 'operation', part: [part('path', { valueString: 'Patient' })] }, 400, /needs a type/],
  ['an unknown type', operation('copy', 'Patient.name'), 400, /one of add, insert, delete, replace, move/],
  ['no path', { name: 'operation', part: [part('type', { valueCode: 'delete' })] }, 400, /needs a path/],
  ['a part too many', operation('delete', 'Patient.active', count('index', 1)), 400, /no part 'index'/],
  ['no value', operation('replace', 'Patient.active'), 400, /needs a value/],
  ['no index', operation('insert', 'Patient.name', value({ valueHumanName: { text: 'x' } })), 400, /needs index/],
  ['a path that is no FHIRPath', operation('delete', 'Patient.name['), 400, /cannot be followed/],
  ['a function that is not known', operation('delete', 'Patient.name.fetch()'), 400, /fetch is not known/],
  ['add › no such element', operation('add', 'Patient', named('gendre'), value({ valueCode: 'male' })), 422, /gender/],
  [
    'add › one that is there',
    operation('add', 'Patient', named('active'), value({ valueBoolean: true })),
    422,
    /replace/,
  ],
  [
    'add › nothing to add to',
    operation('add', 'Patient.maritalStatus', named('text'), value({ valueString: 'x' })),
    422,
    /finds nothing/,
  ],
  [
    'add › several to add to',
    operation('add', 'Patient.name', named('text'), value({ valueString: 'x' })),
    422,
    /finds 2/,
  ],
  [
    'add › of another type',
    operation('add', 'Patient', named('name'), value({ valueCoding: { code: 'x' } })),
    422,
    /HumanName/,
  ],
  [
    'add › a type that the choice has not',
    operation('add', 'Patient', named('multipleBirth'), value({ valueString: 'x' })),
    422,
    /boolean or integer/,
  ],
  [
    'add › the value of a primitive',
    operation('add', 'Patient.active', named('value'), value({ valueBoolean: true })),
    422,
    /no element 'value'/,
  ],
  [
    'insert › beyond the end',
    operation('insert', 'Patient.name', count('index', 3), value({ valueHumanName: { text: 'x' } })),
    422,
    /from 0 to 2/,
  ],
  [
    'insert › into no list',
    operation('insert', 'Patient.active', count('index', 0), value({ valueBoolean: true })),
    422,
    /no list/,
  ],
  [
    'insert › into part of a list',
    operation('insert', 'Patient.name[0]', count('index', 0), value({ valueHumanName: { text: 'x' } })),
    422,
    /1 of the 2/,
  ],
  [
    'insert › into a list that is not there',
    operation('insert', 'Patient.photo', count('index', 0), value({ valueAttachment: { title: 'x' } })),
    422,
    /finds nothing/,
  ],
  ['delete › several', operation('delete', 'Patient.name'), 422, /finds 2/],
  ['delete › the resource', operation('delete', 'Patient'), 422, /resource itself/],
  ['delete › its id', operation('delete', 'Patient.id'), 422, /id/],
  ['replace › nothing', operation('replace', 'Patient.gender', value({ valueCode: 'male' })), 422, /finds nothing/],
  [
    'replace › a value that the path makes',
    operation('replace', "'a' & 'b'", value({ valueString: 'x' })),
    422,
    /makes a value/,
  ],
  ['replace › its id', operation('replace', 'Patient.id', value({ valueId: 'other' })), 422, /may not change id/],
  [
    'move › from beyond',
    operation('move', 'Patient.name', count('source', 2), count('destination', 0)),
    422,
    /source is 2/,
  ],
  [
    'move › to beyond',
    operation('move', 'Patient.name', count('source', 0), count('destination', 2)),
    422,
    /destination is 2/,
  ],
  [
    '[IN-10] a prototype',
    operation('add', 'Patient', named('__proto__'), value({ valueString: 'x' })),
    422,
    /no element/,
  ],
  ['[IN-31] a path that takes too long', operation('delete', COSTLY), 400, /too many steps/],
];

describe('FHIRPath Patch', () => {
  const apply = createPathPatch(testDefinitions());
  const patch = (resource: object, ...operations: readonly Part[]) =>
    apply(resource, { resourceType: 'Parameters', parameter: operations });
  const faultOf = (work: () => unknown): FhirError => {
    try {
      work();
    } catch (error) {
      if (error instanceof FhirError) return error;
      throw error;
    }
    throw new Error('nothing was thrown');
  };

  for (const [title, one, expected] of CASES)
    it(title, () => {
      const before = JSON.stringify(PATIENT);
      const result = patch(PATIENT, one);
      expect(JSON.parse(JSON.stringify(result))).eql(JSON.parse(JSON.stringify({ ...PATIENT, ...expected })));
      expect(JSON.stringify(PATIENT), 'the one given').equal(before);
    });

  for (const [title, one, status, text] of FAULTS)
    it(`${title}: ${status}`, () => {
      const fault = faultOf(() => patch(PATIENT, one));
      expect(fault.issues[0]?.diagnostics).match(text);
      expect(fault.status).equal(status);
      expect(({} as Record<string, unknown>)['x']).equal(undefined);
    });

  it('operations run in order, each on what the last has made', () => {
    const result = patch(
      PATIENT,
      operation('delete', 'Patient.name[0]'),
      operation('replace', 'Patient.name.text', value({ valueString: 'X' })),
      operation('add', 'Patient.name', named('family'), value({ valueString: 'Y' })),
    );
    expect(result).deep.include({ name: [{ use: 'nickname', text: 'X', family: 'Y' }] });
  });

  it('the digits of decimals stay', () => {
    const observation = parseJson(
      '{"resourceType":"Observation","valueQuantity":{"value":1.00,"unit":"mg"}}',
    ) as object;
    const unit = patch(observation, operation('replace', 'Observation.value.unit', value({ valueString: 'g' })));
    expect(formatJson(unit)).contain('"value":1.00');
    const number = operation('replace', 'Observation.value.value', value({ valueDecimal: new Decimal('2.50') }));
    expect(formatJson(patch(observation, number))).contain('"value":2.50');
  });

  it('200 operations, and no more', () => {
    const one = operation('replace', 'Patient.active', value({ valueBoolean: false }));
    patch(PATIENT, ...Array.from({ length: 200 }, () => one));
    expect(faultOf(() => patch(PATIENT, ...Array.from({ length: 201 }, () => one)))).property('status', 400);
    expect(faultOf(() => patch(PATIENT))).property('status', 400);
  });

  it('many operations on a large resource: 400', () => {
    const large = { ...PATIENT, name: Array.from({ length: 20_000 }, () => ({ family: 'a', given: ['b'] })) };
    const one = operation('replace', 'Patient.active', value({ valueBoolean: false }));
    expect(faultOf(() => patch(large, ...Array.from({ length: 200 }, () => one))).issues[0]?.code).equal('too-costly');
  });
});
