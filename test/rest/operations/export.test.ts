/** Bulk data export over HTTP. https://hl7.org/fhir/uv/bulkdata/STU2/export.html, docs/bulk.md */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { type BackendClient, registerBackend } from '../../support/backend-client.ts';
import { privacyConsent } from '../../support/consents.ts';
import { withClient } from '../../support/database.ts';
import { createFhirClient, type FhirClient, type Json, type Reply } from '../../support/fhir-client.ts';
import { startTestServer, type TestServer } from '../../support/server.ts';

const ASYNC = { prefer: 'respond-async' };
const PATIENCE_MS = 60_000;
const SCOPE = 'system/Patient.rs system/Observation.rs system/Group.rs system/Organization.rs';

interface Manifest {
  readonly transactionTime: string;
  readonly request: string;
  readonly requiresAccessToken: boolean;
  readonly output: readonly { readonly type: string; readonly url: string; readonly count: number }[];
  readonly error: readonly unknown[];
}

describe('$export', function () {
  this.timeout(180_000);
  let server: TestServer;
  let root: FhirClient;
  let program: BackendClient;
  let fhir: FhirClient;
  const clientOf = ({ bearer }: BackendClient): FhirClient =>
    createFhirClient({ fhirBaseUrl: server.fhirBaseUrl, bearer });
  before(async () => {
    server = await startTestServer();
    root = createFhirClient(server);
    program = await registerBackend(server, SCOPE);
    fhir = clientOf(program);
    for (const id of ['a', 'b', 'c', 'denied']) await put({ resourceType: 'Patient', id, name: [{ family: id }] });
    await put({ resourceType: 'Organization', id: 'o', name: 'One' });
    await put(privacyConsent('denied', { type: 'deny' }));
    for (const patient of ['a', 'b', 'denied'])
      for (let i = 0; i < 3; i++) await put({ ...observation(patient, i === 0 ? 'hb' : 'na'), id: `${patient}${i}` });
    await put({ ...observation('a', 'hb'), id: 'nobody', subject: undefined });
    await put({
      resourceType: 'Group',
      id: 'g',
      type: 'person',
      actual: true,
      member: [
        { entity: { reference: 'Patient/a' } },
        { entity: { reference: 'Patient/c' } },
        { entity: { reference: 'Patient/b' }, inactive: true },
        { entity: { reference: 'https://elsewhere.example/fhir/Patient/b' } },
      ],
    });
  });
  after(() => server.stop());

  const observation = (patient: string, code: string): Json => ({
    resourceType: 'Observation',
    status: 'final',
    code: { coding: [{ system: 'urn:test', code }] },
    valueQuantity: { value: 1.5 },
    subject: { reference: `Patient/${patient}` },
  });
  async function put(resource: Json): Promise<void> {
    const reply = await root.put(`${String(resource['resourceType'])}/${String(resource['id'])}`, resource);
    expect(reply.status, reply.text).below(300);
  }

  async function finish(asked: Reply, client = fhir): Promise<{ url: string; reply: Reply }> {
    expect(asked.status, asked.text).equal(202);
    const url = asked.headers.get('content-location') ?? '';
    const deadline = Date.now() + PATIENCE_MS;
    for (;;) {
      const reply = await client.get(url);
      if (reply.status !== 202) return { url, reply };
      expect(reply.headers.get('retry-after')).match(/^\d+$/);
      if (Date.now() > deadline) throw new Error(`it did not end: ${reply.headers.get('x-progress')}`);
      await sleep(50);
    }
  }
  async function read(manifest: Manifest, client = fhir): Promise<Json[]> {
    const found: Json[] = [];
    for (const { url, count, type } of manifest.output) {
      const { text, headers, status } = await client.get(url);
      expect(status).equal(200);
      expect(headers.get('content-type')).equal('application/fhir+ndjson');
      expect(text.endsWith('\n')).equal(true);
      const lines = text.trimEnd().split('\n');
      expect(lines.length).equal(count);
      for (const line of lines) {
        const resource = JSON.parse(line) as Json;
        expect(resource['resourceType']).equal(type);
        found.push(resource);
      }
    }
    return found;
  }
  const names = (resources: readonly Json[]): string[] =>
    resources.map((one) => `${String(one['resourceType'])}/${String(one['id'])}`).sort();
  async function exported(path: string, client = fhir): Promise<Json[]> {
    const { reply } = await finish(await client.get(path, ASYNC), client);
    expect(reply.status, reply.text).equal(200);
    return read(reply.json<unknown>() as Manifest, client);
  }

  it('[CP-14] the system: exactly the types that the scopes cover, and not what Consents keep back', async () => {
    const { reply } = await finish(await fhir.get('$export', ASYNC));
    const manifest = reply.json<unknown>() as Manifest;
    expect(manifest).include({ requiresAccessToken: true, request: `${server.fhirBaseUrl}/$export` });
    expect(Date.parse(manifest.transactionTime)).at.most(Date.now());
    expect(reply.headers.get('expires')).not.equal(null);
    expect(names(await read(manifest))).deep.equal([
      'Group/g',
      ...['a0', 'a1', 'a2', 'b0', 'b1', 'b2', 'nobody'].map((id) => `Observation/${id}`),
      'Organization/o',
      ...['a', 'b', 'c'].map((id) => `Patient/${id}`),
    ]);
  });

  it('texts are those that are stored, every digit', async () => {
    const { content } = await withClient(server.database.connection('owner'), async (client) => {
      const { rows } = await client.query<{ content: string }>(`select content from fhir.observation where id = 'a0'`);
      return rows[0] as { content: string };
    });
    const { reply } = await finish(await fhir.get('$export?_type=Observation', ASYNC));
    const [file] = (reply.json<unknown>() as Manifest).output;
    expect((await fhir.get(file?.url ?? '')).text.split('\n')).include(content);
  });

  it('all patients, and a group as it is at that moment, without inactive and hidden members', async () => {
    expect(names(await exported('Patient/$export?_type=Patient,Observation'))).deep.equal([
      ...['a0', 'a1', 'a2', 'b0', 'b1', 'b2'].map((id) => `Observation/${id}`),
      ...['a', 'b', 'c'].map((id) => `Patient/${id}`),
    ]);
    expect(names(await exported('Group/g/$export?_type=Patient,Observation'))).deep.equal([
      ...['a0', 'a1', 'a2'].map((id) => `Observation/${id}`),
      'Patient/a',
      'Patient/c',
    ]);
    const hidden = { resourceType: 'Group', id: 'h', type: 'person', actual: true };
    await put({ ...hidden, member: [{ entity: { reference: 'Patient/denied' } }] });
    expect((await fhir.get('Group/h/$export', ASYNC)).status).equal(404);
  });

  it('a group of more than a thousand patients, as any other', async () => {
    const member = ['a', 'c', ...Array.from({ length: 1500 }, (_, i) => `absent-${i}`)].map((id) => ({
      entity: { reference: `Patient/${id}` },
    }));
    await put({ resourceType: 'Group', id: 'large', type: 'person', actual: true, member });
    expect(names(await exported('Group/large/$export?_type=Patient,Observation'))).deep.equal([
      ...['a0', 'a1', 'a2'].map((id) => `Observation/${id}`),
      'Patient/a',
      'Patient/c',
    ]);
    await root.delete('Group/large');
  });

  describe('includeAssociatedData', () => {
    const provenance = (id: string, recorded: string, ...targets: string[]): Json => ({
      resourceType: 'Provenance',
      id,
      target: targets.map((reference) => ({ reference })),
      recorded,
      agent: [{ who: { display: 'somebody' } }],
    });
    let auditor: FhirClient;
    before(async () => {
      auditor = clientOf(await registerBackend(server, `${SCOPE} system/Provenance.rs`));
      for (const one of [
        provenance('older', '2026-01-01T00:00:00Z', 'Patient/a'),
        provenance('both', '2026-01-02T00:00:00Z', 'Patient/a', 'Observation/a0'),
        provenance('zoned', '2026-01-02T00:30:00+02:00', 'Patient/a'),
        provenance('versioned', '2026-01-03T00:00:00Z', 'Patient/c/_history/1'),
        provenance('other', '2026-01-04T00:00:00Z', 'Organization/o'),
        provenance('hidden', '2026-01-05T00:00:00Z', 'Patient/denied'),
        provenance('nothing', '2026-01-06T00:00:00Z', 'Patient/absent'),
      ])
        await put(one);
    });
    const about = async (path: string): Promise<readonly string[]> =>
      (await exported(path, auditor))
        .filter(({ resourceType }) => resourceType === 'Provenance')
        .map(({ id }) => String(id))
        .sort();

    it('all Provenances of what is exported, or the newest of each', async () => {
      const cases: readonly (readonly [string, readonly string[]])[] = [
        [
          '$export?_type=Patient&includeAssociatedData=RelevantProvenanceResources',
          ['both', 'older', 'versioned', 'zoned'],
        ],
        ['$export?_type=Patient&includeAssociatedData=LatestProvenanceResources', ['both', 'versioned']],
        ['$export?_type=Observation&includeAssociatedData=RelevantProvenanceResources', ['both']],
        ['$export?_type=Organization,Provenance&includeAssociatedData=LatestProvenanceResources', ['other']],
        ['$export?includeAssociatedData=LatestProvenanceResources', ['both', 'other', 'versioned']],
        ['Group/g/$export?includeAssociatedData=RelevantProvenanceResources', ['both', 'older', 'versioned', 'zoned']],
        [
          '$export?_type=Patient&_typeFilter=Patient?_id=c&includeAssociatedData=RelevantProvenanceResources',
          ['versioned'],
        ],
        ['$export?_type=Patient', []],
      ];
      for (const [path, expected] of cases) expect(await about(path), path).deep.equal(expected);
    });

    it('[CP-14] needs the right to Provenance, and a kind that there is', async () => {
      const cases: readonly (readonly [FhirClient, string, number])[] = [
        [fhir, '$export?_type=Patient&includeAssociatedData=LatestProvenanceResources', 403],
        [auditor, '$export?_type=Patient&includeAssociatedData=_mine', 400],
        [auditor, '$export?_type=Provenance&includeAssociatedData=LatestProvenanceResources', 400],
      ];
      for (const [client, path, status] of cases) {
        const reply = await client.get(path, ASYNC);
        expect(reply.status, `${path}: ${reply.text}`).equal(status);
      }
    });
  });

  it('_typeFilter, _elements, _since; by POST as by GET', async () => {
    const filter = encodeURIComponent('Observation?code=urn:test|hb&patient=Patient/a,Observation?code=none');
    expect(names(await exported(`$export?_type=Observation&_typeFilter=${filter}`))).deep.equal(['Observation/a0']);
    const few = await exported('$export?_type=Patient&_elements=id');
    for (const one of few) expect(one).not.include.keys('name');
    const since = new Date().toISOString();
    await put({ resourceType: 'Patient', id: 'c', name: [{ family: 'changed' }] });
    const posted = await fhir.post(
      '$export',
      {
        resourceType: 'Parameters',
        parameter: [
          { name: '_since', valueInstant: since },
          { name: '_type', valueString: 'Patient,Organization' },
        ],
      },
      ASYNC,
    );
    const { reply } = await finish(posted);
    expect(names(await read(reply.json<unknown>() as Manifest))).deep.equal(['Patient/c']);
  });

  it('patients that are named, of all and of a group', async () => {
    const other = clientOf(await registerBackend(server, SCOPE));
    const parameters = (...ids: readonly string[]): Json => ({
      resourceType: 'Parameters',
      parameter: [
        { name: '_type', valueString: 'Patient,Observation' },
        ...ids.map((id) => ({ name: 'patient', valueReference: { reference: id } })),
      ],
    });
    const of = async (path: string, ...ids: readonly string[]): Promise<string[]> => {
      const { reply } = await finish(await other.post(path, parameters(...ids), ASYNC), other);
      return names(await read(reply.json<unknown>() as Manifest, other));
    };
    const OF_A = ['Observation/a0', 'Observation/a1', 'Observation/a2', 'Patient/a'];
    expect(await of('Patient/$export', 'Patient/a')).deep.equal(OF_A);
    expect(await of('Patient/$export', 'Patient/a', `${server.fhirBaseUrl}/Patient/c`, 'Patient/a')).deep.equal([
      ...OF_A,
      'Patient/c',
    ]);
    expect(await of('Group/g/$export', 'Patient/c')).deep.equal(['Patient/c']);
    for (const [path, id, said] of [
      ['Patient/$export', 'Patient/nowhere', 'Patient/nowhere is not here'],
      ['Patient/$export', 'Patient/denied', 'Patient/denied is not here'],
      ['Patient/$export', 'Group/g', 'such as Patient/123'],
      ['Patient/$export', 'https://elsewhere.example/fhir/Patient/a', 'such as Patient/123'],
      ['Group/g/$export', 'Patient/b', 'no active member of the group'],
      ['$export', 'Patient/a', "no parameter 'patient' here"],
    ] as const) {
      const reply = await other.post(path, parameters(id), ASYNC);
      expect(reply.status, reply.text).equal(400);
      expect(reply.text, path).contain(said);
    }
    // As many as may be, with ids as long as may be.
    const long = (i: number): string => `l${String(i).padStart(63, '0')}`;
    const many = Array.from({ length: 500 }, (_, i) => long(i));
    const entry = many.map((id) => ({
      request: { method: 'PUT', url: `Patient/${id}` },
      resource: { resourceType: 'Patient', id },
    }));
    expect((await root.post('', { resourceType: 'Bundle', type: 'transaction', entry })).status).equal(200);
    const references = many.map((id) => `Patient/${id}`);
    expect(await of('Patient/$export', ...references)).deep.equal(references);
    const tooMany = await other.post('Patient/$export', parameters(...references, 'Patient/a'), ASYNC);
    expect([tooMany.status, tooMany.text.includes('At most 500')]).deep.equal([400, true]);
    for (const id of many) expect((await root.delete(`Patient/${id}`)).status).equal(204);
    expect((await other.get('Patient/$export?patient=Patient/a', ASYNC)).text).contain('sent by POST');
  });

  it('refuses what it cannot do, before anything is kept', async () => {
    const cases: readonly (readonly [string, number, Record<string, string>?])[] = [
      ['$export', 400, {}],
      ['$export?_type=Nonsense', 400],
      ['$export?_type=Condition', 403],
      ['Patient/$export?_type=Organization', 400],
      ['$export?_since=yesterday', 400],
      ['$export?_outputFormat=text/csv', 400],
      ['$export?_typeFilter=Condition?code=x', 400],
      ['$export?_type=Observation&_typeFilter=Observation?colour=x', 400],
      ['$export?_type=Observation&_typeFilter=Observation?_sort=date', 400],
      ['$export?_colour=x', 400],
      ['Group/absent/$export', 404],
    ];
    for (const [path, status, headers = ASYNC] of cases) {
      const reply = await fhir.get(path, headers);
      expect(reply.status, `${path}: ${reply.text}`).equal(status);
    }
  });

  it('[CP-14] only programs with system scopes that are not narrowed; of another program there is nothing', async () => {
    const { url, reply } = await finish(await fhir.get('$export?_type=Patient', ASYNC));
    const file = (reply.json<unknown>() as Manifest).output[0]?.url ?? '';
    const other = clientOf(await registerBackend(server, SCOPE));
    const never = `${server.fhirBaseUrl}/$export-status/00000000-0000-4000-8000-000000000000`;
    for (const target of [url, file]) {
      const [theirs, absent] = [await other.get(target), await other.get(never)];
      expect([theirs.status, theirs.text]).deep.equal([404, absent.text]);
    }
    expect((await other.delete(url)).status).equal(404);
    expect((await fetch(file)).status, 'without a token').equal(401);
    const narrow = clientOf(await registerBackend(server, 'system/Patient.rs?active=true system/Observation.r'));
    for (const path of ['$export', '$export?_type=Patient', '$export?_type=Observation', 'Patient/$export'])
      expect((await narrow.get(path, ASYNC)).status, path).equal(403);
    const ungrouped = clientOf(await registerBackend(server, 'system/Group.rs system/Observation.rs'));
    expect((await ungrouped.get('Group/g/$export', ASYNC)).status).equal(403);
  });

  it('is ended by DELETE, and its files with it', async () => {
    const { url, reply } = await finish(await fhir.get('$export?_type=Patient', ASYNC));
    const file = (reply.json<unknown>() as Manifest).output[0]?.url ?? '';
    expect((await fhir.delete(url)).status).equal(202);
    expect((await fhir.get(url)).status).equal(404);
    expect((await fhir.get(file)).status).equal(404);
    const { rows } = await withClient(server.database.connection('owner'), (client) =>
      client.query('select 1 from mortar.async_piece p where p.request_id = $1', [url.split('/').at(-1)]),
    );
    expect(rows).deep.equal([]);
  });

  it('[CP-15] a client that is disabled is given nothing more', async () => {
    const doomed = await registerBackend(server, SCOPE);
    const theirs = clientOf(doomed);
    const { reply } = await finish(await theirs.get('$export?_type=Patient', ASYNC), theirs);
    const file = (reply.json<unknown>() as Manifest).output[0]?.url ?? '';
    await fetch(`${server.url}/api/v2/admin/clients/${doomed.clientId}/disable`, {
      method: 'POST',
      headers: server.bearer,
    });
    expect((await theirs.get(file)).status).equal(401);
  });

  it('[AU-01] what was exported, by whom and who fetched it is in the trail', async () => {
    await exported('$export?_type=Organization');
    const { rows } = await withClient(server.database.connection('owner'), (client) =>
      client.query('select 1 from mortar.async_request where kind = $1', ['export']),
    );
    expect(rows.length).at.least(1);
    const trail = await fetch(`${server.url}/api/v2/audit/events?kind=export`, { headers: server.bearer });
    const text = await trail.text();
    expect(trail.status, text).equal(200);
    for (const word of ['begun', 'done', 'read', program.clientId]) expect(text).include(word);
  });
});
