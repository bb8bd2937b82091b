/** $viewdefinition-run over HTTP. https://sql-on-fhir.org/ig/2.0.0/operations.html */
import { expect } from 'chai';
import { registerBackend } from '../../support/backend-client.ts';
import { privacyConsent } from '../../support/consents.ts';
import { withClient } from '../../support/database.ts';
import { createFhirClient, type FhirClient } from '../../support/fhir-client.ts';
import { startTestServer, type TestServer } from '../../support/server.ts';

const VIEW = {
  resourceType: 'ViewDefinition',
  resource: 'Patient',
  status: 'active',
  select: [
    { column: [{ name: 'id', path: 'getResourceKey()' }] },
    { forEach: 'name', column: [{ name: 'family', path: 'family' }] },
  ],
};

describe('$viewdefinition-run', function () {
  this.timeout(120_000);
  let server: TestServer;
  let root: FhirClient;
  before(async () => {
    server = await startTestServer();
    root = createFhirClient(server);
    for (const [id, family] of [
      ['a', 'Ash'],
      ['b', '=1+1'],
      ['c', 'x,"y"'],
      ['denied', 'Secret'],
    ])
      expect((await root.put(`Patient/${id}`, { resourceType: 'Patient', id, name: [{ family }] })).status).equal(201);
    expect((await root.put('Consent/c', privacyConsent('denied', { type: 'deny' }))).status).equal(201);
  });
  after(() => server.stop());

  const run = (query: string, body: unknown = VIEW, client = root) =>
    client.post(`$viewdefinition-run${query}`, JSON.stringify(body));

  it('as ndjson, JSON and CSV, where no formula is left', async () => {
    const lines = (await run('?patient=Patient/a')).text;
    expect(lines).equal('{"id":"a","family":"Ash"}\n');
    const json = await run('?_format=json');
    expect(json.headers.get('content-type')).equal('application/json');
    expect((json.json<unknown>() as { id: string }[]).map(({ id }) => id).sort()).deep.equal(['a', 'b', 'c', 'denied']);
    const csv = await run('?_format=csv');
    expect(csv.headers.get('content-type')).equal('text/csv; charset=utf-8');
    const [head, ...rows] = csv.text.trimEnd().split('\r\n');
    expect(head).equal('id,family');
    expect(rows.sort()).deep.equal(['a,Ash', "b,'=1+1", 'c,"x,""y"""', 'denied,Secret']);
  });

  it('[DP-05] patients whose data may only be stored are in no table', async () => {
    const sql = (text: string): Promise<unknown> =>
      withClient(server.database.connection('owner'), (client) => client.query(text));
    await sql(`insert into protection.restriction (id, patient_id, reason, placed_by, placed_at)
values (gen_random_uuid(), 'c', '', 'test', now())`);
    expect((await run('')).text)
      .contain('Ash')
      .and.not.contain('"c"');
    expect((await run('?patient=Patient/c')).text).equal('');
    await sql('delete from protection.restriction');
    expect((await run('?patient=Patient/c')).text).contain('"c"');
  });

  it('by Parameters: _limit, header, _since', async () => {
    const parameters = (more: object[]) => ({
      resourceType: 'Parameters',
      parameter: [{ name: 'viewResource', resource: VIEW }, ...more],
    });
    const two = await run('', parameters([{ name: '_limit', valueInteger: 2 }]));
    expect(two.text.trimEnd().split('\n').length).equal(2);
    const bare = await run(
      '',
      parameters([
        { name: '_format', valueCode: 'csv' },
        { name: 'header', valueBoolean: false },
      ]),
    );
    expect(bare.text).not.include('family');
    expect((await run('?_since=2100-01-01')).text).equal('');
  });

  it('[CP-02] [CP-03] under the filter of the caller', async () => {
    const program = await registerBackend(server, 'system/Patient.rs');
    const theirs = createFhirClient({ fhirBaseUrl: server.fhirBaseUrl, bearer: program.bearer });
    const { text, status } = await run('', VIEW, theirs);
    expect(status).equal(200);
    expect(text).include('"a"').not.include('Secret').not.include('denied');
    expect((await run('', { ...VIEW, resource: 'Observation' }, theirs)).status).equal(403);
    expect((await run('?patient=Patient/denied', VIEW, theirs)).text).equal('');
    const narrow = await registerBackend(server, 'system/Patient.rs?_id=b');
    const few = createFhirClient({ fhirBaseUrl: server.fhirBaseUrl, bearer: narrow.bearer });
    const narrowed = await run('', VIEW, few);
    if (narrowed.status === 200) expect(narrowed.text).not.include('"a"');
  });

  it('says what is wrong with a view, and with a request', async () => {
    for (const [query, body, status, words] of [
      ['', { ...VIEW, select: [{ column: [{ name: 'x', path: 'nonsense(' }] }] }, 422, 'cannot be used'],
      ['', { ...VIEW, resource: 'Nonsense' }, 400, 'no type'],
      ['', { resourceType: 'Patient' }, 400, 'ViewDefinition'],
      ['?_format=parquet', VIEW, 400, '_format'],
      ['?_limit=0', VIEW, 400, '_limit'],
      ['?colour=x', VIEW, 400, 'no parameter'],
      ['', null, 400, 'Send a ViewDefinition'],
      ['', [VIEW], 400, 'Send a ViewDefinition'],
      ['', { resourceType: 'Parameters', parameter: {} }, 400, 'Parameters.parameter'],
      ['', { resourceType: 'Parameters', parameter: [null] }, 400, 'Parameters.parameter[0]'],
      ['', { ...VIEW, where: [null] }, 422, 'where[0]'],
    ] as const) {
      const reply = await run(query, body);
      expect(reply.status, reply.text).equal(status);
      expect(reply.text).include(words);
    }
  });
});
