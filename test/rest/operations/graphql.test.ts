/** https://hl7.org/fhir/R4/graphql.html; SECURITY CP-16 */
import { expect } from 'chai';
import { createFhirClient, type FhirClient, type Json } from '../../support/fhir-client.ts';
import { startTestServer, type TestServer } from '../../support/server.ts';
import { stopChecked } from '../../support/store-state.ts';

describe('$graphql', () => {
  let server: TestServer;
  let fhir: FhirClient;
  before(async () => {
    server = await startTestServer();
    fhir = createFhirClient(server);
    const put = async (resource: Json & { resourceType: string; id: string }): Promise<void> => {
      const reply = await fhir.put(`${resource.resourceType}/${resource.id}`, resource);
      expect(reply.status, reply.text).equal(201);
    };
    await put({ resourceType: 'Practitioner', id: 'd', name: [{ family: 'Oduya' }] });
    await put({
      resourceType: 'Patient',
      id: 'a',
      birthDate: '1984-05-17',
      name: [
        { use: 'official', family: 'Ash', given: ['Wren', 'May'] },
        { use: 'nickname', given: ['W'] },
      ],
      generalPractitioner: [{ reference: 'Practitioner/d' }, { reference: 'Practitioner/absent' }],
      managingOrganization: { reference: '#b' },
      contained: [{ resourceType: 'Organization', id: 'b', name: 'inside' }],
    });
    for (const [id, value] of [
      ['o1', 1],
      ['o2', 2],
    ] as const)
      await fhir.request(
        'PUT',
        `Observation/${id}`,
        `{"resourceType":"Observation","id":"${id}","status":"final","code":{"coding":[{"system":"urn:c","code":"${id}"}]},
"subject":{"reference":"Patient/a"},"valueQuantity":{"value":${value}.00,"unit":"mg"}}`,
        { 'content-type': 'application/fhir+json' },
      );
  });
  after(() => stopChecked(server));

  const ask = (query: string, variables?: object, path = '$graphql') =>
    fhir.post(path, { query, variables }, { 'content-type': 'application/json' });
  async function data(query: string, path?: string): Promise<unknown> {
    const reply = await ask(query, undefined, path);
    expect(reply.status, reply.text).equal(200);
    expect(reply.headers.get('content-type')).contain('application/json');
    return reply.json<{ data: unknown }>().data;
  }

  /** Of `Patient/a`. */
  for (const [title, query, expected] of [
    [
      'elements',
      '{ id birthDate name { family given } }',
      {
        id: 'a',
        birthDate: '1984-05-17',
        name: [
          { family: 'Ash', given: ['Wren', 'May'] },
          { family: null, given: ['W'] },
        ],
      },
    ],
    [
      'an alias, a type name, what is not there',
      '{ born: birthDate __typename resourceType gender photo { url } }',
      { born: '1984-05-17', __typename: 'Patient', resourceType: 'Patient', gender: null, photo: null },
    ],
    ['arguments choose of a list', '{ name(use: official) { family } }', { name: [{ family: 'Ash' }] }],
    ['_offset and _count', '{ name(_offset: 1, _count: 1) { use } }', { name: [{ use: 'nickname' }] }],
    ['fhirpath', `{ name(fhirpath: "family.exists()") { use } }`, { name: [{ use: 'official' }] }],
    [
      'a reference',
      '{ generalPractitioner(_count: 1) { resource { ... on Practitioner { name { family } } } } }',
      { generalPractitioner: [{ resource: { name: [{ family: 'Oduya' }] } }] },
    ],
    [
      'one that may be missing',
      '{ generalPractitioner { reference resource(optional: true) { id } } }',
      {
        generalPractitioner: [
          { reference: 'Practitioner/d', resource: { id: 'd' } },
          { reference: 'Practitioner/absent', resource: null },
        ],
      },
    ],
    [
      'by type',
      '{ generalPractitioner(_count: 1) { resource(type: Organization) { id } } }',
      { generalPractitioner: [{ resource: null }] },
    ],
    [
      'what refers here',
      '{ ObservationList(_reference: patient, code: "urn:c|o2") { id subject { resource { id } } } }',
      { ObservationList: [{ id: 'o2', subject: { resource: { id: 'a' } } }] },
    ],
    [
      'a fragment by name',
      '{ ...f contained { id ... on Organization { name } ... on Patient { birthDate } } managingOrganization { resource { id } } } fragment f on Patient { id }',
      { id: 'a', contained: [{ id: 'b', name: 'inside' }], managingOrganization: { resource: { id: 'b' } } },
    ],
    ['@first', '{ name @first { given } }', { name: { given: ['Wren', 'May'] } }],
    ['@flatten', '{ name @flatten { given family } }', { given: ['Wren', 'May', 'W'], family: ['Ash'] }],
    [
      '@flatten and @singleton',
      '{ name @flatten { given family @singleton } }',
      { given: ['Wren', 'May', 'W'], family: 'Ash' },
    ],
    [
      '@slice',
      '{ name @slice(path: "use") @singleton { given } }',
      { 'name.official': { given: ['Wren', 'May'] }, 'name.nickname': { given: ['W'] } },
    ],
    [
      '@slice by $index',
      '{ name @slice(path: "$index") @singleton { use } }',
      { 'name.0': { use: 'official' }, 'name.1': { use: 'nickname' } },
    ],
    ['@skip and @include', '{ id @skip(if: true) birthDate @include(if: false) gender }', { gender: null }],
  ] as const)
    it(`of a resource › ${title}`, async () => {
      expect(await data(query, 'Patient/a/$graphql')).eql(expected);
    });

  for (const [title, query, expected] of [
    ['a resource', '{ Patient(id: "a") { birthDate } }', { Patient: { birthDate: '1984-05-17' } }],
    ['a list', '{ PatientList(birthdate: "1984-05-17") { id } }', { PatientList: [{ id: 'a' }] }],
    [
      'arguments with hyphens, and values that are ORed',
      '{ ObservationList(value_quantity: "1", code: ["o1", "o2"]) { id } }',
      { ObservationList: [{ id: 'o1' }] },
    ],
    ['an empty list', '{ PatientList(birthdate: "1900-01-01") { id } }', { PatientList: null }],
    [
      'two under aliases',
      '{ x: Patient(id: "a") { id } y: PractitionerList { id } }',
      { x: { id: 'a' }, y: [{ id: 'd' }] },
    ],
    [
      'a connection',
      '{ PatientConnection(_count: 5) { count pagesize next edges { mode resource { id } } } }',
      { PatientConnection: { count: 1, pagesize: 5, next: null, edges: [{ mode: 'match', resource: { id: 'a' } }] } },
    ],
  ] as const)
    it(`of the base › ${title}`, async () => {
      expect(await data(query)).eql(expected);
    });

  it('a connection is walked by its cursors', async () => {
    const page = async (cursor?: string) =>
      (await data(
        `{ ObservationConnection(_count: 1${cursor === undefined ? '' : `, _cursor: "${cursor}"`}) { next edges { resource { id } } } }`,
      )) as { ObservationConnection: { next: string | null; edges: { resource: { id: string } }[] } };
    const { ObservationConnection: first } = await page();
    const { ObservationConnection: second } = await page(first.next ?? '');
    expect([first, second].map(({ edges }) => edges[0]?.resource.id).toSorted()).eql(['o1', 'o2']);
    expect(second.next).equal(null);
  });

  it('digits of decimals stay', async () => {
    const reply = await ask('{ Observation(id: "o1") { valueQuantity { value } } }');
    expect(reply.text).contain('"value":1.00');
  });

  it('variables, by GET, as application/graphql', async () => {
    const query = 'query q($id: ID!, $more: Boolean = false) { Patient(id: $id) { id birthDate @include(if: $more) } }';
    const expected = { data: { Patient: { id: 'a' } } };
    expect((await ask(query, { id: 'a' })).json()).eql(expected);
    const url = `$graphql?query=${encodeURIComponent(query)}&variables=${encodeURIComponent('{"id":"a"}')}`;
    expect((await fhir.get(url)).json()).eql(expected);
    const raw = await fhir.post('Patient/a/$graphql', '{ id }', { 'content-type': 'application/graphql' });
    expect(raw.json()).eql({ data: { id: 'a' } });
    expect((await ask(query, {})).status).equal(400);
  });

  const nested = (depth: number): string =>
    `${'{ ObservationList { subject { resource '.repeat(depth)}{ id }${' } } }'.repeat(depth)}`;
  for (const [title, query, status, text] of [
    ['no GraphQL', '{ Patient(', 400, /cannot be read/],
    ['nothing', '', 400, /no query/],
    ['a mutation', 'mutation { PatientCreate { id } }', 400, /Only queries/],
    ['introspection', '{ __schema { types { name } } }', 400, /schema is not shown/],
    ['an unknown type', '{ PatiantList { id } }', 400, /PatientList/],
    ['an unknown field', '{ Patient(id: "a") { birthdate } }', 400, /birthDate/],
    ['an unknown argument', '{ PatientList(birthdat: "1") { id } }', 400, /birthdate/],
    ['an unknown directive', '{ Patient(id: "a") @x { id } }', 400, /not known/],
    ['fields of a simple value', '{ Patient(id: "a") { birthDate { x } } }', 400, /simple value/],
    ['no fields of a complex one', '{ Patient(id: "a") { name } }', 400, /needs fields/],
    ['an unknown element to choose by', '{ Patient(id: "a") { name(usage: x) { family } } }', 400, /use/],
    [
      'a path that cannot be read',
      '{ Patient(id: "a") { name(fhirpath: "(") { family } } }',
      400,
      /cannot be followed/,
    ],
    [
      'a path that is too long',
      `{ Patient(id: "a") { name(fhirpath: "use.exists() ${'or true '.repeat(150)}") { family } } }`,
      400,
      /at most 1000 characters/,
    ],
    ['a list without _reference', '{ Patient(id: "a") { ObservationList { id } } }', 400, /_reference/],
    ['a resource that is not there', '{ Patient(id: "nowhere") { id } }', 404, /not found/],
    [
      'a reference to what is not there',
      '{ Patient(id: "a") { generalPractitioner { resource { id } } } }',
      404,
      /not found/,
    ],
    ['[CP-16] more than eight levels', nested(3), 400, /deeper than 8/],
    [
      '[CP-16] more than twenty aliases',
      `{ ${Array.from({ length: 21 }, (_, i) => `a${i}: PatientList { id }`).join(' ')} }`,
      400,
      /20 aliases/,
    ],
    [
      '[CP-16] a fragment that uses itself',
      '{ Patient(id: "a") { ...f } } fragment f on Patient { ...f }',
      400,
      /uses itself|2000 fields/,
    ],
    [
      '[CP-16] fragments that multiply',
      `{ Patient(id: "a") { ...f0 } } ${Array.from({ length: 20 }, (_, i) => `fragment f${i} on Patient { ${i < 19 ? `...f${i + 1} ...f${i + 1}` : 'id'} }`).join(' ')}`,
      400,
      /2000 fields/,
    ],
    ['[CP-16] very many tokens', `{ Patient(id: "a") { ${'id '.repeat(6000)} } }`, 400, /cannot be read/],
  ] as const)
    it(`${title}: ${status}`, async () => {
      const reply = await ask(query);
      expect(reply.status, reply.text).equal(status);
      expect(reply.text).match(text);
    });
});
