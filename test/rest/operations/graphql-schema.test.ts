/** The schema of `$graphql`, as tools ask for it: by the reference implementation of GraphQL. SECURITY CP-16 */
import { expect } from 'chai';
import {
  buildClientSchema,
  getIntrospectionQuery,
  type IntrospectionQuery,
  parse,
  validate,
  validateSchema,
} from 'graphql';
import { createFhirClient, type FhirClient } from '../../support/fhir-client.ts';
import { startTestServer, type TestServer } from '../../support/server.ts';

describe('$graphql › schema', function () {
  this.timeout(120_000);
  let server: TestServer;
  let fhir: FhirClient;
  before(async () => {
    server = await startTestServer({ env: { GRAPHQL_INTROSPECTION: 'on' } });
    fhir = createFhirClient(server);
    await fhir.put('Patient/a', {
      resourceType: 'Patient',
      id: 'a',
      name: [{ use: 'official', family: 'Ash' }],
      contact: [{ name: { family: 'Oak' } }],
    });
    await fhir.put('Observation/o', {
      resourceType: 'Observation',
      id: 'o',
      status: 'final',
      code: { coding: [{ code: 'x' }] },
      subject: { reference: 'Patient/a' },
    });
  });
  after(() => server.stop());

  const ask = (query: string, variables?: object, path = '$graphql') =>
    fhir.post(path, { query, variables }, { 'content-type': 'application/json' });
  async function data<T>(query: string, variables?: object): Promise<T> {
    const reply = await ask(query, variables);
    expect(reply.status, reply.text.slice(0, 500)).equal(200);
    return reply.json<{ data: T }>().data;
  }

  it('is a valid schema, and holds the queries that are answered', async () => {
    const schema = buildClientSchema(await data<IntrospectionQuery>(getIntrospectionQuery()));
    expect(validateSchema(schema)).deep.equal([]);
    const QUERIES = [
      '{ Patient(id: "a") { id resourceType name(use: "official", _count: 1) { family given } contact { name { family } } } }',
      '{ PatientList(birthdate: "1970", _sort: "name", _count: 2) { __typename id _birthDate { id } } }',
      '{ ObservationConnection(code: "x", value_quantity: "5") { count next edges { mode resource { id valueQuantity { value } } } } }',
      '{ Observation(id: "o") { subject { reference resource(optional: true) { id ... on Patient { name { family } } } } } }',
      '{ Patient(id: "a") { ObservationList(_reference: "patient") { id ...part } } } fragment part on Observation { status }',
      '{ Patient(id: "a") { name @flatten { given @first } contact @slice(path: "$index") { ...c } } } fragment c on PatientContact { name { text } }',
    ];
    for (const query of QUERIES) {
      expect(
        validate(schema, parse(query)).map(({ message }) => message),
        query,
      ).deep.equal([]);
      expect((await ask(query)).status, query).equal(200);
    }
    const WRONG = [
      '{ Patient(id: "a") { nmae { family } } }',
      '{ PatientList(brithdate: "1970") { id } }',
      '{ Patient(id: "a") { name } }',
      '{ Patietn(id: "a") { id } }',
    ];
    for (const query of WRONG) {
      expect(validate(schema, parse(query)).length, query).above(0);
      expect((await ask(query)).status, query).equal(400);
    }
  });

  it('names every resource type and no type twice; a backbone is named as __typename names it', async () => {
    const { __schema } = await data<{ __schema: { types: { name: string; kind: string }[] } }>(
      '{ __schema { types { name kind } } }',
    );
    const names = __schema.types.map(({ name }) => name);
    expect(new Set(names).size).equal(names.length);
    for (const type of ['Patient', 'Bundle', 'Parameters', 'PatientContact', 'Quantity', 'PatientConnection'])
      expect(names).include(type);
    const found = await data(
      '{ Patient(id: "a") { contact { __typename ... on PatientContact { name { family } } } } }',
    );
    expect(found).deep.equal({
      Patient: { contact: [{ __typename: 'PatientContact', name: { family: 'Oak' } }] },
    });
  });

  it('__type, by a variable and an alias, beside data', async () => {
    const found = await data(
      'query q($t: String!) { human: __type(name: $t) { kind fields { name } } none: __type(name: "Nothing") { name } Patient(id: "a") { id } }',
      { t: 'HumanName' },
    );
    expect(found).deep.include({ none: null, Patient: { id: 'a' } });
    const { human } = found as { human: { kind: string; fields: { name: string }[] } };
    expect(human.kind).equal('OBJECT');
    expect(human.fields.map(({ name }) => name)).include.members(['family', '_family', 'given', 'period']);
  });

  it('a posted search parameter is an argument as soon as it is searched by', async () => {
    const argumentsOf = async (): Promise<string[]> => {
      const { __type } = await data<{ __type: { fields: { name: string; args: { name: string }[] }[] } }>(
        '{ __type(name: "Query") { fields { name args { name } } } }',
      );
      return __type.fields.find(({ name }) => name === 'PatientList')?.args.map(({ name }) => name) ?? [];
    };
    expect(await argumentsOf())
      .include('birthdate')
      .and.not.include('kin_name');
    await fhir.put('SearchParameter/kin', {
      resourceType: 'SearchParameter',
      id: 'kin',
      url: 'http://example.org/kin',
      name: 'kin',
      status: 'active',
      description: 'x',
      code: 'kin-name',
      base: ['Patient'],
      type: 'string',
      expression: 'Patient.contact.name',
    });
    for (let turn = 0; turn < 200 && (await fhir.get('Patient?kin-name=x')).status !== 200; turn++)
      await new Promise((go) => setTimeout(go, 25));
    expect(await argumentsOf()).include('kin_name');
    expect(await data('{ PatientList(kin_name: "oak") { id } }')).deep.equal({ PatientList: [{ id: 'a' }] });
  });

  for (const [title, query, why] of [
    [
      'lists within lists within lists',
      '{ __schema { types { fields { type { fields { name } } } } } }',
      /lists within lists/,
    ],
    [
      'the same by fragments',
      '{ __schema { types { ...t } } } fragment t on __Type { fields { type { ...u } } } fragment u on __Type { fields { name } }',
      /lists within lists/,
    ],
    [
      'very deep',
      `{ __type(name: "Patient") { ${'ofType { '.repeat(20)} name ${'} '.repeat(20)} } }`,
      /deeper than 20/,
    ],
    ['what the schema does not have', '{ __type(name: "Patient") { nmae } }', /cannot be asked this/],
    ['no name', '{ __type { name } }', /cannot be asked this/],
    ['not at the base', '{ Patient(id: "a") { __schema { types { name } } } }', /no field '__schema'/],
  ] as const)
    it(`[CP-16] bounded: ${title}`, async () => {
      const reply = await ask(query);
      expect(reply.status).equal(400);
      expect(reply.text).match(why);
    });

  it('[CP-16] of a resource, and for who may see nothing, there is no schema', async () => {
    expect((await ask('{ __schema { types { name } } }', undefined, 'Patient/a/$graphql')).status).equal(400);
    const none = await fetch(
      `${server.fhirBaseUrl}/$graphql?query=${encodeURIComponent('{ __schema { types { name } } }')}`,
    );
    expect(none.status).equal(401);
  });
});
