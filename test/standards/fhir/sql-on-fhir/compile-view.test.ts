/** Views by the sentences of https://sql-on-fhir.org/ig/2.0.0/StructureDefinition-ViewDefinition.html */
import { expect } from 'chai';
import { createModel } from '../../../../src/standards/fhir/fhirpath/model.ts';
import { parseJson } from '../../../../src/standards/fhir/json.ts';
import { FhirError } from '../../../../src/standards/fhir/outcome.ts';
import { compileView } from '../../../../src/standards/fhir/sql-on-fhir/compile-view.ts';
import { testDefinitions } from '../../../support/definitions.ts';

const PATIENT = {
  resourceType: 'Patient',
  id: 'p1',
  active: true,
  gender: 'female',
  birthDate: '1980-02-03',
  name: [
    { use: 'official', family: 'Ashley', given: ['Ann', 'Bea'] },
    { use: 'nickname', given: ['Annie'] },
  ],
  contact: [
    {
      name: { family: 'One' },
      telecom: [
        { system: 'phone', value: '1' },
        { system: 'phone', value: '2' },
      ],
    },
    { name: { family: 'Two' } },
  ],
  managingOrganization: { reference: 'Organization/o1' },
  link: [{ other: { reference: 'http://x.org/fhir/Patient/p2/_history/1' }, type: 'seealso' }],
};
const BARE = { resourceType: 'Patient', id: 'p0' };
const column = (name: string, path: string, more: object = {}) => ({ name, path, ...more });
const ID = column('id', 'id');

describe('SQL on FHIR › views', () => {
  const model = createModel(testDefinitions());
  const rowsOf = (view: object, resource: object = PATIENT) =>
    compileView({ resourceType: 'ViewDefinition', resource: 'Patient', ...view }, model).rows(
      resource as Record<string, unknown>,
    );
  const select = (...parts: object[]) => ({ select: parts });

  const CASES: readonly (readonly [string, object, readonly object[], object?])[] = [
    ['columns', select({ column: [ID, column('g', 'gender')] }), [{ id: 'p1', g: 'female' }]],
    ['what is not there is null', select({ column: [ID, column('g', 'gender')] }), [{ id: 'p0', g: null }], BARE],
    ['getResourceKey', select({ column: [column('key', 'getResourceKey()')] }), [{ key: 'p1' }]],
    [
      'getReferenceKey, of any type, of this type, of another',
      select({
        column: [
          column('a', 'managingOrganization.getReferenceKey()'),
          column('b', 'managingOrganization.getReferenceKey(Organization)'),
          column('c', 'managingOrganization.getReferenceKey(Patient)'),
        ],
      }),
      [{ a: 'o1', b: 'o1', c: null }],
    ],
    [
      'collection',
      select({ column: [column('given', 'name.given', { collection: true })] }),
      [{ given: ['Ann', 'Bea', 'Annie'] }],
    ],
    ['collection of nothing', select({ column: [column('g', 'name.given', { collection: true })] }), [{ g: [] }], BARE],
    [
      'forEach: a row for each element',
      select({ column: [ID] }, { forEach: 'name', column: [column('use', 'use')] }),
      [
        { id: 'p1', use: 'official' },
        { id: 'p1', use: 'nickname' },
      ],
    ],
    [
      'forEach of nothing: no row',
      select({ column: [ID] }, { forEach: 'name', column: [column('u', 'use')] }),
      [],
      BARE,
    ],
    [
      'forEachOrNull of nothing: a row of nulls',
      select({ column: [ID] }, { forEachOrNull: 'name', column: [column('u', 'use')] }),
      [{ id: 'p0', u: null }],
      BARE,
    ],
    [
      'nested: the inner one looks at the outer element',
      select({
        forEach: 'contact',
        column: [column('family', 'name.family')],
        select: [{ forEachOrNull: 'telecom', column: [column('tel', 'value')] }],
      }),
      [
        { family: 'One', tel: '1' },
        { family: 'One', tel: '2' },
        { family: 'Two', tel: null },
      ],
    ],
    [
      'selects beside one another: each row with each',
      select(
        { forEach: 'name', column: [column('use', 'use')] },
        { forEach: 'contact', column: [column('c', 'name.family')] },
      ),
      [
        { use: 'official', c: 'One' },
        { use: 'official', c: 'Two' },
        { use: 'nickname', c: 'One' },
        { use: 'nickname', c: 'Two' },
      ],
    ],
    [
      'unionAll: one after the other',
      select({
        column: [ID],
        unionAll: [
          { forEach: 'name', column: [column('n', 'given.first()')] },
          { forEach: 'contact', column: [column('n', 'name.family')] },
        ],
      }),
      ['Ann', 'Annie', 'One', 'Two'].map((n) => ({ id: 'p1', n })),
    ],
    ['where that holds', { ...select({ column: [ID] }), where: [{ path: "gender = 'female'" }] }, [{ id: 'p1' }]],
    ['where that does not', { ...select({ column: [ID] }), where: [{ path: "gender = 'male'" }] }, []],
    ['where of nothing does not hold', { ...select({ column: [ID] }), where: [{ path: 'active' }] }, [], BARE],
    ['all of where', { ...select({ column: [ID] }), where: [{ path: 'active' }, { path: 'name.count() = 3' }] }, []],
    [
      'constants of each kind',
      {
        constant: [
          { name: 'use', valueCode: 'official' },
          { name: 'quote', valueString: "it's %use" },
          { name: 'n', valueInteger: 2 },
          { name: 'day', valueDate: '1980-02-03' },
          { name: 'yes', valueBoolean: true },
        ],
        ...select({
          column: [
            column('family', 'name.where(use = %use).family'),
            column('quote', '%quote'),
            column('n', 'name.count() = %n'),
            column('day', 'birthDate = %day'),
            column('yes', 'active = %yes'),
            column('text', "'%use'"),
          ],
        }),
      },
      [{ family: 'Ashley', quote: "it's %use", n: true, day: true, yes: true, text: '%use' }],
    ],
  ];
  for (const [title, view, expected, resource] of CASES)
    it(title, () => expect(rowsOf(view, resource)).deep.equal(expected));

  it('decimals keep their digits', () => {
    const view = { resource: 'Observation', select: [{ column: [column('v', 'value.ofType(Quantity).value')] }] };
    const resource = parseJson('{"resourceType":"Observation","valueQuantity":{"value":1.50}}') as Record<
      string,
      unknown
    >;
    expect(String(compileView(view, model).rows(resource)[0]?.['v'])).equal('1.50');
  });

  const FAULTS: readonly (readonly [object, string])[] = [
    [{}, 'a select has'],
    [select({ column: [column('1x', 'id')] }), 'a column has a name'],
    [select({ column: [column('a', 'id'), column('a', 'gender')] }), 'two columns'],
    [select({ column: [column('a', 'name.(')] }), 'cannot be used'],
    [select({ column: [column('a', '%nothing')] }), 'no constant'],
    [select({ column: [column('a', 'nonsense()')] }), 'cannot be used'],
    [select({ forEach: 'name', forEachOrNull: 'name', column: [ID] }), 'exclude'],
    [select({ unionAll: [{ column: [ID] }, { column: [column('b', 'id')] }] }), 'the same columns'],
    [select({ repeat: ['item'], column: [ID] }), 'repeat is not supported'],
    [{ resource: 'patient', ...select({ column: [ID] }) }, 'names a type'],
    [{ select: {} }, 'a list of objects'],
    [{ select: [null] }, 'an object stands here'],
    [select({ column: [null] }), 'an object stands here'],
    [select({ select: [5], column: [ID] }), 'an object stands here'],
    [select({ unionAll: [null], column: [ID] }), 'an object stands here'],
    [{ where: {}, ...select({ column: [ID] }) }, 'a list of objects'],
    [{ constant: [null], ...select({ column: [ID] }) }, 'an object stands here'],
  ];
  for (const [view, words] of FAULTS)
    it(`refused: ${words}, ${JSON.stringify(view)}`, () => {
      expect(() => rowsOf(view)).throw(FhirError, words);
    });
  it('refused: several values in a column that is no collection; more rows than can be', () => {
    expect(() => rowsOf(select({ column: [column('g', 'name.given')] }))).throw(FhirError, 'several values');
    const many = { ...PATIENT, name: Array.from({ length: 200 }, (_, i) => ({ family: String(i) })) };
    const cross = ['a', 'b', 'c'].map((name) => ({ forEach: 'name', column: [column(name, 'family')] }));
    expect(() => rowsOf(select(...cross), many)).throw(FhirError, 'more than');
  });
});
