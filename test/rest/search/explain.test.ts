/** `_explain=true`: how a search was answered, for administrators. */
import { expect } from 'chai';
import { person } from '../../support/callers.ts';
import { bundleOf, createFhirClient, type FhirClient, matchIds } from '../../support/fhir-client.ts';
import { openPolicyStore, type PolicyStore, parseQuery, ROOT } from '../../support/policy-store.ts';
import { operatorToken, startTestServer, type TestServer } from '../../support/server.ts';
import { stopChecked } from '../../support/store-state.ts';

describe('search › _explain', () => {
  let server: TestServer;
  let fhir: FhirClient;
  before(async () => {
    server = await startTestServer();
    fhir = createFhirClient(server);
    const patient = {
      resourceType: 'Patient',
      id: 'p',
      identifier: [{ system: 'https://fhir.nhs.uk/Id/nhs-number', value: '9990000018' }],
      name: [{ family: 'Zzyzx' }],
      birthDate: '1912-06-23',
      text: { status: 'generated', div: '<div xmlns="http://www.w3.org/1999/xhtml">Quokka</div>' },
    };
    expect((await fhir.put('Patient/p', patient)).status).equal(201);
  });
  after(() => stopChecked(server));

  const diagnosticsOf = async (query: string): Promise<readonly string[]> => {
    const reply = await fhir.get(query);
    expect(reply.status, reply.text).equal(200);
    const { entry = [] } = bundleOf(reply) as unknown as {
      readonly entry?: readonly {
        readonly resource: { readonly issue?: readonly { readonly diagnostics: string }[] };
        readonly search: { readonly mode: string };
      }[];
    };
    return entry
      .filter(({ search }) => search.mode === 'outcome')
      .flatMap(({ resource }) => (resource.issue ?? []).map(({ diagnostics }) => diagnostics));
  };

  it('tells statements, plans and indexes, and still answers', async () => {
    const query = 'Patient?identifier=9990000018&_explain=true';
    expect(matchIds(bundleOf(await fhir.get(query)))).deep.equal(['p']);
    const [first = ''] = await diagnosticsOf(query);
    expect(first).contains('from (select * from fhir.patient where tok @> $1::bigint[]');
    expect(first).match(/Scan on patient/);
    expect(first).match(/indexes: /);
    expect(await diagnosticsOf('Patient?_text=quokka&_explain=true')).to.have.length(1);
  });

  it('a chain has a statement for each step; a search over types one for each', async () => {
    expect(await diagnosticsOf('Observation?subject:Patient.family=zzyzx&_explain=true')).to.have.length(3);
    expect((await diagnosticsOf('?_type=Patient,Observation&_explain=true')).length).within(2, 4);
    expect((await diagnosticsOf('?_explain=true')).length).equal(20);
  });

  it('without it, or with false, nothing is told', async () => {
    expect(await diagnosticsOf('Patient?_id=p')).deep.equal([]);
    expect(await diagnosticsOf('Patient?_id=p&_explain=false')).deep.equal([]);
    expect((await fhir.get('Patient?_explain=yes')).status).equal(400);
  });

  it('[CP-19] holds nothing of what was asked for, whatever the parameter', async () => {
    for (const query of [
      'identifier=9990000018',
      'identifier=https://fhir.nhs.uk/Id/nhs-number|9990000018',
      'family=zzyzx',
      'family:exact=Zzyzx',
      'family:contains=zyz',
      'birthdate=1912-06-23',
      '_text=quokka',
      '_id=p',
      '_sort=family&family:contains=zyz&_total=accurate',
    ]) {
      const told = (await diagnosticsOf(`Patient?${query}&_explain=true`)).join('\n');
      expect(told, query).match(/select/);
      expect(told, query).not.match(/9990000018|nhs-number|zzyzx|zyz|1912|quokka|-18\d{11}|'p'/i);
    }
  });

  it('the trail names the question', async () => {
    const token = await operatorToken(server);
    expect(token).not.equal('');
    const events = bundleOf(await fhir.get('AuditEvent?action=E&_count=100')).entry ?? [];
    expect(JSON.stringify(events)).contains(
      Buffer.from('Patient?identifier=9990000018&_explain=true').toString('base64').slice(0, 40),
    );
  });
});

describe('search › _explain, who may ask', () => {
  let world: PolicyStore;
  before(async () => {
    world = await openPolicyStore();
    await world.put({ resourceType: 'Organization', id: 'o', name: 'Surgery' });
    await world.put({ resourceType: 'Patient', id: 'p', managingOrganization: { reference: 'Organization/o' } });
  });
  after(() => world.stop());

  it('[CP-02] administrators; for others it is forbidden, as a search over types is', async () => {
    const page = await world.store.search(ROOT, parseQuery('Patient', '_explain=true'));
    expect(page.explained?.length).equal(1);
    for (const role of ['DOCTOR', 'RECEPTIONIST', 'PHARMACIST'] as const) {
      const caller = person(role, { organizations: ['o'] });
      expect((await world.store.search(caller, parseQuery('Organization', ''))).matches).to.have.length(1);
      const status = await world.store.search(caller, parseQuery('Organization', '_explain=true')).then(
        () => 200,
        (error: { readonly status?: number }) => error.status,
      );
      expect(status, role).equal(403);
    }
  });
});
