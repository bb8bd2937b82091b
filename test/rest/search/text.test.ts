/** `_text` and `_content` over HTTP and Postgres. https://hl7.org/fhir/R4/search.html#content */
import { expect } from 'chai';
import { withClient } from '../../support/database.ts';
import { bundleOf, createFhirClient, type FhirClient, linkOf, matchIds, outcomeOf } from '../../support/fhir-client.ts';
import { startTestServer, type TestServer } from '../../support/server.ts';
import { stopChecked } from '../../support/store-state.ts';

const narrative = (text: string) => ({
  status: 'generated',
  div: `<div xmlns="http://www.w3.org/1999/xhtml">${text}</div>`,
});
const condition = (id: string, text: string, more: object = {}) => ({
  resourceType: 'Condition',
  id,
  subject: { reference: 'Patient/p' },
  text: narrative(text),
  ...more,
});

async function fill(fhir: FhirClient): Promise<void> {
  const resources = [
    { resourceType: 'Patient', id: 'p', text: narrative('<p>Anna Müller</p>'), name: [{ family: 'Müller' }] },
    condition('bone', 'Bone <b>metastases</b> of the spine', { code: { text: 'Secondary malignancy' } }),
    condition('liver', '<p>Liver</p><p>with metastases</p>'),
    condition('both', 'Bone, and liver: no metastasis'),
    condition('plain', 'Nothing here', { note: [{ text: 'metastases were suspected' }] }),
    { resourceType: 'Condition', id: 'silent', subject: { reference: 'Patient/p' }, code: { text: 'Bone' } },
    condition('changed', 'bone metastases'),
    condition('gone', 'bone metastases'),
    {
      resourceType: 'Observation',
      id: 'o',
      status: 'final',
      code: { text: 'Serum potassium' },
      subject: { reference: 'Patient/p' },
      text: narrative('potassium 4.5'),
    },
  ];
  for (const resource of resources) {
    const reply = await fhir.put(`${resource.resourceType}/${resource.id}`, resource);
    expect(reply.status, reply.text).equal(201);
  }
  expect((await fhir.put('Condition/changed', condition('changed', 'fine again'))).status).equal(200);
  expect((await fhir.delete('Condition/gone')).status).equal(204);
  const bundle = {
    resourceType: 'Bundle',
    type: 'transaction',
    entry: ['m1', 'm2'].map((id) => ({
      resource: condition(id, `several ${id}`),
      request: { method: 'PUT', url: `Condition/${id}` },
    })),
  };
  expect((await fhir.post('', bundle)).status).equal(200);
  const again = JSON.parse(JSON.stringify(bundle).replaceAll('several', 'many'));
  expect((await fhir.post('', again)).status).equal(200);
}

const idsOf = async (fhir: FhirClient, query: string): Promise<string> => {
  const reply = await fhir.get(query);
  expect(reply.status, reply.text).equal(200);
  return matchIds(bundleOf(reply)).sort().join(' ');
};

describe('search › _text', () => {
  let server: TestServer;
  let fhir: FhirClient;
  before(async () => {
    server = await startTestServer();
    fhir = createFhirClient(server);
    await fill(fhir);
  });
  after(() => stopChecked(server));

  const CASES: readonly (readonly [query: string, ids: string])[] = [
    ['Condition?_text=metastases', 'bone liver'],
    ['Condition?_text=METASTASES', 'bone liver'],
    ['Condition?_text=(bone OR liver) and metastases', 'bone liver'],
    ['Condition?_text=bone liver', 'both'],
    ['Condition?_text=bone,liver', 'bone both liver'],
    ['Condition?_text=bone&_text=liver', 'both'],
    ['Condition?_text=metas*', 'bone both liver'],
    ['Condition?_text="bone metastases"', 'bone'],
    ['Condition?_text="liver with"', 'liver'],
    ['Condition?_text="metastases bone"', ''],
    ['Condition?_text=bone -liver', 'bone'],
    ['Condition?_text=metastasis', 'both'],
    ['Condition?_text=the', 'bone'],
    ['Condition?_text=secondary', ''],
    ['Condition?_text=suspected', ''],
    ['Condition?_text=again', 'changed'],
    ['Condition?_text=several', ''],
    ['Condition?_text=many', 'm1 m2'],
    ['Condition?_text=bone&_id=bone,liver', 'bone'],
    ['Condition?_text=bone&subject=Patient/p&_sort=_lastUpdated', 'bone both'],
    ['Condition?subject:Patient._text=muller', 'bone both changed liver m1 m2 plain silent'],
    ['Condition?subject._text=muller&_text=spine', 'bone'],
    ['Patient?_text=MÜLLER', 'p'],
    ['Patient?_has:Condition:patient:_text=spine', 'p'],
    ['Patient?_has:Condition:patient:_text=nowhere', ''],
    ['Observation?_text=4.5', 'o'],
    ['Observation?_text=5.4', ''],
    ['?_type=Observation,Patient&_text=potassium', 'o'],
    ['?_text=potassium or anna', 'o p'],
    ['Patient/p/Condition?_text=spine', 'bone'],
  ];
  for (const [query, ids] of CASES)
    it(query, async () => expect(await idsOf(fhir, query.replaceAll('"', '%22'))).equal(ids));

  it('pages go on, with totals', async () => {
    const first = bundleOf(await fhir.get('Condition?_text=metas*&_count=2&_total=accurate'));
    expect(first).include({ total: 3 });
    const second = bundleOf(await fhir.get(linkOf(first, 'next') ?? ''));
    expect([...matchIds(first), ...matchIds(second)].sort()).deep.equal(['bone', 'both', 'liver']);
  });

  it('a conditional delete finds by it, and an old version is judged by its own words', async () => {
    const made = await fhir.put('Condition/fleeting', condition('fleeting', 'unicorn'));
    expect(made.status).equal(201);
    expect((await fhir.delete('Condition?_text=unicorn')).status).equal(204);
    expect(await idsOf(fhir, 'Condition?_text=unicorn')).equal('');
  });

  for (const [query, text] of [
    ['Condition?_text=', /no word/],
    ['Condition?_text=-bone', /must be there/],
    ['Condition?_text="bone', /quotation/],
    ['Condition?_text:exact=bone', /no modifier/],
    ['Condition?_content=bone', /FULL_TEXT/],
    ['Bundle?_text=bone', /no narrative/],
    ['Condition?_sort=_text', /not supported/],
  ] as const)
    it(`${query} is refused`, async () => {
      const reply = await fhir.get(query.replaceAll('"', '%22'));
      expect(reply.status, reply.text).equal(400);
      expect(outcomeOf(reply).diagnostics).match(text);
    });

  it('lenient handling leaves _content out and says so', async () => {
    const reply = await fhir.get('Condition?_content=bone&_id=bone', { prefer: 'handling=lenient' });
    expect(reply.text).contains('_content was ignored');
  });

  it('an index serves it, and rows without narrative are not in it', async () => {
    await withClient(server.database.connection('owner'), async (client) => {
      await client.query('set enable_seqscan = off');
      const { rows } = await client.query<{ 'QUERY PLAN': string }>(
        `explain select rid from fhir.condition where txt @@ '''bone'':A'::tsquery`,
      );
      expect(rows.map((row) => row['QUERY PLAN']).join('\n')).contains('condition_txt');
      const none = await client.query('select 1 from fhir.condition where id = $1 and txt is null', ['silent']);
      expect(none.rowCount).equal(1);
    });
  });

  it('the capability statement says which types', async () => {
    const { rest } = (await fhir.get('metadata')).json<{
      rest: [{ searchParam: { name: string }[]; resource: { type: string; searchParam: { name: string }[] }[] }];
    }>();
    const declares = (type: string): boolean =>
      rest[0].resource.find((r) => r.type === type)?.searchParam.some((p) => p.name === '_text') === true;
    expect([declares('Condition'), declares('Bundle'), declares('Binary')]).deep.equal([true, false, false]);
    expect(rest[0].searchParam.map((p) => p.name)).not.include('_content');
  });
});

describe('search › _content (FULL_TEXT=all)', () => {
  let server: TestServer;
  let fhir: FhirClient;
  before(async () => {
    server = await startTestServer({ env: { FULL_TEXT: 'all' } });
    fhir = createFhirClient(server);
    await fill(fhir);
  });
  after(() => stopChecked(server));

  const CASES: readonly (readonly [query: string, ids: string])[] = [
    ['Condition?_content=metastases', 'bone liver plain'],
    ['Condition?_text=metastases', 'bone liver'],
    ['Condition?_content=secondary', 'bone'],
    ['Condition?_text=secondary', ''],
    ['Condition?_content=bone', 'bone both silent'],
    ['Condition?_content="spine secondary"', ''],
    ['Condition?_content=patient', ''],
    ['Observation?_content=serum potassium', 'o'],
    ['?_content=muller', 'p'],
  ];
  for (const [query, ids] of CASES)
    it(query, async () => expect(await idsOf(fhir, query.replaceAll('"', '%22'))).equal(ids));

  it('is declared', async () => {
    const { rest } = (await fhir.get('metadata')).json<{ rest: [{ searchParam: { name: string }[] }] }>();
    expect(rest[0].searchParam.map((p) => p.name)).include('_content');
  });
});
