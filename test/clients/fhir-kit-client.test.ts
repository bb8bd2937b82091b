/** fhir-kit-client, as its users write it. https://github.com/Vermonster/fhir-kit-client */
import { expect } from 'chai';
import { Client } from 'fhir-kit-client';
import { startTestServer, type TestServer } from '../support/server.ts';

type Resource = Awaited<ReturnType<Client['read']>>;
interface Bundle {
  readonly total?: number;
  readonly link?: { relation: string; url: string }[];
  readonly entry?: { readonly resource?: { id: string }; readonly response?: { readonly status: string } }[];
}

describe('clients › fhir-kit-client', () => {
  let server: TestServer;
  let client: Client;
  before(async () => {
    server = await startTestServer();
    client = new Client({ baseUrl: server.fhirBaseUrl, bearerToken: server.token });
  });
  after(() => server.stop());

  const bundle = (resource: unknown): Bundle => resource as Bundle;
  const create = (family: string): Promise<Resource> =>
    client.create({ resourceType: 'Patient', body: { resourceType: 'Patient', name: [{ family }] } });
  const idOf = (resource: Resource): string => (resource as unknown as { id: string }).id;

  it('reads the capability statement', async () => {
    expect(await client.capabilityStatement()).include({ resourceType: 'CapabilityStatement', fhirVersion: '4.0.1' });
  });

  it('create, read, update, patch, vread, history, delete', async () => {
    const id = idOf(await create('Kit'));
    expect(await client.read({ resourceType: 'Patient', id })).deep.include({ id, name: [{ family: 'Kit' }] });
    const body = { resourceType: 'Patient', id, name: [{ family: 'Kit' }], active: true };
    expect(await client.update({ resourceType: 'Patient', id, body })).include({ active: true });
    const jsonPatch = [{ op: 'replace' as const, path: '/active', value: false }];
    expect(await client.patch({ resourceType: 'Patient', id, jsonPatch })).include({ active: false });
    expect(await client.vread({ resourceType: 'Patient', id, version: '2' })).include({ active: true });
    expect(bundle(await client.history({ resourceType: 'Patient', id })).total).equal(3);
    await client.delete({ resourceType: 'Patient', id });
    const gone = await client.read({ resourceType: 'Patient', id }).then(
      () => undefined,
      (error: { response?: { status?: number } }) => error.response?.status,
    );
    expect(gone).equal(410);
  });

  it('a search parameter of its own, a type’s subscriptions, and $reindex', async () => {
    const id = idOf(await create('Kit'));
    const body = { resourceType: 'Patient', id, contact: [{ name: { family: 'Oakley' } }] };
    await client.update({ resourceType: 'Patient', id, body });
    await client.create({
      resourceType: 'SearchParameter',
      body: {
        resourceType: 'SearchParameter',
        url: 'http://example.org/kin',
        name: 'kin',
        status: 'active',
        description: 'A test',
        code: 'kin',
        base: ['Patient'],
        type: 'string',
        expression: 'Patient.contact.name',
      } as never,
    });
    const search = () => client.search({ resourceType: 'Patient', searchParams: { kin: 'oak' } });
    let found: unknown;
    for (let turn = 0; turn < 400 && found === undefined; turn++) {
      found = await search().catch((error: { response: { status: number } }) => {
        expect(error.response.status).equal(400);
        return undefined;
      });
      if (found === undefined) await new Promise((go) => setTimeout(go, 25));
    }
    expect(bundle(found).entry?.map((one) => one.resource?.id)).deep.equal([id]);
    const statuses = await client.operation({ name: '$status', resourceType: 'Subscription', method: 'GET' });
    expect(bundle(statuses).total).equal(0);
    const options = { headers: { Prefer: 'respond-async' } };
    const asked = await client.operation({ name: '$reindex', resourceType: 'Patient', method: 'POST', options });
    expect(asked).include({ resourceType: 'OperationOutcome' });
  });

  it('search, its pages, and by POST', async () => {
    const ids = [];
    for (let i = 0; i < 3; i++) ids.push(idOf(await create('Pager')));
    const first = await client.search({ resourceType: 'Patient', searchParams: { family: 'Pager', _count: 2 } });
    const second = await client.nextPage({ bundle: first as never });
    const found = [first, second].flatMap((page) => bundle(page).entry?.map((e) => e.resource?.id) ?? []);
    expect(found).to.have.members(ids);
    const posted = await client.search({
      resourceType: 'Patient',
      searchParams: { family: 'Pager' },
      options: { postSearch: true } as never,
    });
    expect(bundle(posted).entry).to.have.length(3);
  });

  it('compartment search', async () => {
    const id = idOf(await create('Compartment'));
    const code = { text: 'x' };
    await client.create({
      resourceType: 'Observation',
      body: { resourceType: 'Observation', status: 'final', code, subject: { reference: `Patient/${id}` } },
    });
    const found = await client.search({ resourceType: 'Observation', compartment: { resourceType: 'Patient', id } });
    expect(bundle(found).entry).to.have.length(1);
  });

  it('transaction and batch', async () => {
    const entry = [
      { resource: { resourceType: 'Patient', active: true }, request: { method: 'POST', url: 'Patient' } },
      { request: { method: 'GET', url: 'Patient?family=pager' } },
    ];
    for (const type of ['transaction', 'batch'] as const) {
      const answer = await client[type]({ body: { resourceType: 'Bundle', type, entry } });
      expect(bundle(answer).entry?.map((e) => e.response?.status)).eql(['201 Created', '200 OK']);
    }
  });
});
