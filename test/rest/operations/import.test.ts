/** Bulk import over HTTP. docs/bulk.md */
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { expect } from 'chai';
import { type BackendClient, registerBackend } from '../../support/backend-client.ts';
import { withClient } from '../../support/database.ts';
import {
  createFhirClient,
  type FhirClient,
  type Json,
  type OutcomeShape,
  type Reply,
} from '../../support/fhir-client.ts';
import { startTestServer, type TestServer } from '../../support/server.ts';

const NDJSON = { prefer: 'respond-async', 'content-type': 'application/fhir+ndjson' };
const PATIENCE_MS = 60_000;
const EVERYTHING = 'system/*.cruds';
/** Of lines that are kept and applied together. */
const PIECE_BYTES = 8 * 1024 * 1024;
const BYTES_MAX = 12 * 1024 * 1024;

interface Manifest {
  readonly transactionTime: string;
  readonly request: string;
  readonly requiresAccessToken: boolean;
  readonly lines: number;
  readonly created: number;
  readonly updated: number;
  readonly unchanged: number;
  readonly failed: number;
  readonly output: readonly { readonly type: string; readonly count: number }[];
  readonly error: readonly { readonly type: string; readonly url: string; readonly count: number }[];
}

describe('$import', function () {
  this.timeout(180_000);
  let server: TestServer;
  let root: FhirClient;
  let program: BackendClient;
  let fhir: FhirClient;
  const clientOf = ({ bearer }: BackendClient): FhirClient =>
    createFhirClient({ fhirBaseUrl: server.fhirBaseUrl, bearer });
  before(async () => {
    server = await startTestServer({
      env: { IMPORT_BYTES_MAX: String(BYTES_MAX), BODY_BYTES_MAX: String(256 * 1024) },
    });
    root = createFhirClient(server);
    program = await registerBackend(server, EVERYTHING);
    fhir = clientOf(program);
  });
  after(() => server.stop());

  const ndjson = (resources: readonly object[]): string => resources.map((one) => `${JSON.stringify(one)}\n`).join('');
  const patient = (id: string, family: string): Json => ({ resourceType: 'Patient', id, name: [{ family }] });
  const observation = (code: string, id?: string): Json => ({
    resourceType: 'Observation',
    ...(id !== undefined && { id }),
    status: 'final',
    code: { coding: [{ system: 'urn:test', code }] },
  });
  const sendLines = (body: string | Uint8Array, headers: Record<string, string> = {}, client = fhir): Promise<Reply> =>
    client.post('$import', body, { ...NDJSON, ...headers });

  async function finish(asked: Reply): Promise<{ url: string; reply: Reply }> {
    expect(asked.status, asked.text).equal(202);
    const url = asked.headers.get('content-location') ?? '';
    const deadline = Date.now() + PATIENCE_MS;
    for (;;) {
      const reply = await fhir.get(url);
      if (reply.status !== 202) return { url, reply };
      if (Date.now() > deadline) throw new Error(`it did not end: ${reply.headers.get('x-progress')}`);
      await sleep(50);
    }
  }
  async function imported(body: string | Uint8Array, headers: Record<string, string> = {}): Promise<Manifest> {
    const { reply } = await finish(await sendLines(body, headers));
    expect(reply.status, reply.text).equal(200);
    return reply.json<unknown>() as Manifest;
  }
  const counts = ({ lines, created, updated, unchanged, failed }: Manifest): readonly number[] => [
    lines,
    created,
    updated,
    unchanged,
    failed,
  ];
  async function faults({ error }: Manifest): Promise<(OutcomeShape & { readonly id: string })[]> {
    expect(error.length).equal(1);
    const reply = await fhir.get(error[0]?.url ?? '');
    expect(reply.headers.get('content-type')).equal('application/fhir+ndjson');
    const lines = reply.text.trimEnd().split('\n');
    expect(lines.length).equal(error[0]?.count);
    return lines.map((line) => JSON.parse(line) as OutcomeShape & { id: string });
  }
  async function total(query: string): Promise<number> {
    return Number((await root.get(`${query}&_total=accurate&_count=0`)).json<{ total: number }>().total);
  }
  async function rowsOf(text: string, values: readonly unknown[] = []): Promise<readonly Json[]> {
    return withClient(server.database.connection('owner'), async (client) => {
      return (await client.query<Json>(text, [...values])).rows;
    });
  }

  it('types mixed, with ids and without; again: equal content makes no version', async () => {
    const body = ndjson([patient('a', 'One'), observation('made', 'o'), observation('made'), patient('b', 'Two')]);
    const manifest = await imported(body);
    expect(counts(manifest)).deep.equal([4, 4, 0, 0, 0]);
    expect(manifest).include({ requiresAccessToken: true, request: `${server.fhirBaseUrl}/$import` });
    expect(Date.parse(manifest.transactionTime)).at.most(Date.now());
    expect(manifest.output).deep.include.members([
      { type: 'Patient', count: 2 },
      { type: 'Observation', count: 2 },
    ]);
    expect(manifest.error).deep.equal([]);
    expect((await root.get('Patient/b')).json()).deep.include({ name: [{ family: 'Two' }] });
    const again = await imported(ndjson([patient('a', 'One'), observation('made', 'o'), patient('b', 'Three')]));
    expect(counts(again)).deep.equal([3, 0, 1, 2, 0]);
    expect((await root.get('Patient/a/_history')).json<{ total: number }>().total).equal(1);
    expect((await root.get('Patient/b/_history')).json<{ total: number }>().total).equal(2);
    expect(await total('Observation?code=urn:test|made')).equal(2);
  });

  it('faults of some lines are told line by line, without values; the others are stored', async () => {
    const lines = [
      JSON.stringify(patient('good1', 'Good')),
      '{"resourceType":"Patient","birthDate":"CANARY-1"}',
      'CANARY-2 no JSON',
      '',
      '{"resourceType":"CANARY3"}',
      '[]',
      '{"resourceType":"Patient","id":"CANARY 4"}',
      JSON.stringify({ ...observation('x', 'good2'), status: undefined }),
      JSON.stringify({ resourceType: 'Patient', id: 'long', name: [{ family: 'x'.repeat(300 * 1024) }] }),
      JSON.stringify(patient('good3', 'Good')),
    ];
    const manifest = await imported(lines.join('\n'));
    expect(counts(manifest)).deep.equal([10, 2, 0, 0, 7]);
    const found = await faults(manifest);
    expect(found.map(({ id }) => id)).deep.equal([2, 3, 5, 6, 7, 8, 9].map((line) => `line-${line}`));
    for (const { issue, id, resourceType } of found) {
      expect(resourceType).equal('OperationOutcome');
      for (const { severity, diagnostics } of issue) {
        expect(severity).equal('error');
        expect(diagnostics.startsWith(`Line ${id.slice(5)}: `), diagnostics).equal(true);
      }
    }
    expect(JSON.stringify(found)).not.match(/CANARY-1|CANARY-2|CANARY 4/);
    for (const id of ['good1', 'good3']) expect((await root.get(`Patient/${id}`)).status).equal(200);
  });

  it('one resource on several lines: the last one stands, each is a version', async () => {
    const manifest = await imported(ndjson([patient('twice', '1'), patient('twice', '2'), patient('twice', '3')]));
    expect(counts(manifest)).deep.equal([3, 1, 2, 0, 0]);
    expect((await root.get('Patient/twice')).json()).deep.include({ name: [{ family: '3' }] });
  });

  it('a transaction that fails is tried line by line', async () => {
    const [event] = (await root.get('AuditEvent?_count=1')).json<{ entry: { resource: Json }[] }>().entry;
    const foreign = { ...event?.resource, meta: undefined, text: undefined };
    const manifest = await imported(ndjson([patient('beside1', 'x'), foreign, patient('beside2', 'x')]));
    expect(counts(manifest)).deep.equal([3, 2, 0, 0, 1]);
    expect((await faults(manifest)).map(({ id }) => id)).deep.equal(['line-2']);
    for (const id of ['beside1', 'beside2']) expect((await root.get(`Patient/${id}`)).status).equal(200);
  });

  it('gzip, and more than one piece, each line once', async () => {
    const lines = Array.from({ length: 3000 }, (_, i) => ({
      ...observation('many'),
      note: [{ text: createHash('sha512').update(`${i}`).digest('base64').repeat(40) }],
    }));
    expect(ndjson(lines).length).above(PIECE_BYTES);
    const body = gzipSync(ndjson(lines));
    const manifest = await imported(body, { 'content-encoding': 'gzip' });
    expect(counts(manifest)).deep.equal([3000, 3000, 0, 0, 0]);
    expect(await total('Observation?code=urn:test|many')).equal(3000);
  });

  it('refuses what it cannot do, before anything is kept [IN-01] [IN-23]', async () => {
    const before = await rowsOf('select id from mortar.async_request');
    const one = ndjson([patient('never', 'x')]);
    const bomb = gzipSync(Buffer.alloc(2.5 * 1024 * 1024, ' '));
    const large = ndjson([{ ...patient('never', 'x'), text: 'x'.repeat(BYTES_MAX) }]);
    const cases: readonly (readonly [string, string | Uint8Array, number, Record<string, string>?])[] = [
      ['no Prefer', one, 400, { prefer: 'handling=strict' }],
      ['another type', one, 415, { 'content-type': 'application/fhir+json' }],
      ['empty', '', 400],
      ['too large', large, 413],
      ['too large once inflated', gzipSync(large), 413, { 'content-encoding': 'gzip' }],
      ['inflates too far', bomb, 413, { 'content-encoding': 'gzip' }],
      ['no gzip', one, 400, { 'content-encoding': 'gzip' }],
      ['cut gzip', gzipSync(one).subarray(0, 30), 400, { 'content-encoding': 'gzip' }],
      ['unknown encoding', one, 415, { 'content-encoding': 'zstd' }],
    ];
    for (const [name, body, status, headers = {}] of cases) {
      const reply = await sendLines(body, headers);
      expect(reply.status, `${name}: ${reply.text}`).equal(status);
    }
    expect((await fhir.post('$import?inputSource=http://127.0.0.1/', one, NDJSON)).status).equal(400);
    const kept = await rowsOf(`select id from mortar.async_request where state <> 'cancelled'`);
    expect(kept.filter(({ id }) => !before.some((row) => row['id'] === id))).deep.equal([]);
    expect((await root.get('Patient/never')).status).equal(404);
  });

  it('is no entry of a bundle', async () => {
    const entry = [{ resource: patient('never', 'x'), request: { method: 'POST', url: '$import' } }];
    const reply = await fhir.post('', { resourceType: 'Bundle', type: 'batch', entry });
    expect(reply.text).not.include('"status":"202');
  });

  it('[AZ-01] administrators alone; of another program there is nothing', async () => {
    const one = ndjson([patient('never', 'x')]);
    for (const scope of ['system/*.rs', 'system/Patient.cruds', 'system/*.crud']) {
      const narrow = clientOf(await registerBackend(server, scope));
      expect((await sendLines(one, {}, narrow)).status, scope).equal(403);
    }
    const anonymous = await fetch(`${server.fhirBaseUrl}/$import`, { method: 'POST', body: one, headers: NDJSON });
    expect(anonymous.status).equal(401);
    const manifest = await finish(await sendLines('no JSON'));
    const file = (manifest.reply.json<unknown>() as Manifest).error[0]?.url ?? '';
    const other = clientOf(await registerBackend(server, EVERYTHING));
    const never = `${server.fhirBaseUrl}/$import-status/00000000-0000-4000-8000-000000000000`;
    for (const target of [manifest.url, file]) {
      const [theirs, absent] = [await other.get(target), await other.get(never)];
      expect([theirs.status, theirs.text]).deep.equal([404, absent.text]);
    }
    expect((await other.delete(manifest.url)).status).equal(404);
    expect((await fetch(file)).status).equal(401);
    expect((await fhir.get(manifest.url.replace('$import-status', '$export-status'))).status).equal(404);
    expect((await root.get('Patient/never')).status).equal(404);
  });

  it('is ended by DELETE, and what is left of it with it', async () => {
    const { url, reply } = await finish(await sendLines('no JSON'));
    const file = (reply.json<unknown>() as Manifest).error[0]?.url ?? '';
    expect((await fhir.delete(url)).status).equal(202);
    expect((await fhir.get(url)).status).equal(404);
    expect((await fhir.get(file)).status).equal(404);
    const sent = await sendLines(ndjson(Array.from({ length: 3000 }, () => observation('ended'))));
    const later = sent.headers.get('content-location') ?? '';
    expect((await fhir.delete(later)).status).equal(202);
    for (const gone of [url, later])
      expect(
        await rowsOf('select 1 from mortar.async_piece where request_id = $1', [gone.split('/').at(-1)]),
      ).deep.equal([]);
  });

  it('[KS-07] the lines are gone once they are applied', async () => {
    const { url } = await finish(await sendLines(ndjson([patient('sealed', 'Canaryname')])));
    const id = url.split('/').at(-1);
    expect(await rowsOf('select 1 from mortar.async_piece where request_id = $1', [id])).deep.equal([]);
  });

  it('[AU-01] who imported what is in the trail', async () => {
    await imported(ndjson([patient('trail', 'x')]));
    const trail = await fetch(`${server.url}/api/v2/audit/events?kind=operation`, { headers: server.bearer });
    const text = await trail.text();
    expect(trail.status, text).equal(200);
    for (const word of ['import', 'begun', 'done', program.clientId]) expect(text).include(word);
    const writes = await fetch(`${server.url}/api/v2/audit/events?kind=create`, { headers: server.bearer });
    expect(await writes.text()).include('trail');
  });
});
