import { expect } from 'chai';
import {
  type BundleShape,
  bundleOf,
  createFhirClient,
  type FhirClient,
  idOf,
  linkOf,
  outcomeOf,
} from '../../support/fhir-client.ts';
import { startTestServer, type TestServer } from '../../support/server.ts';
import { stopChecked } from '../../support/store-state.ts';

const versions = (bundle: BundleShape): string[] =>
  (bundle.entry ?? []).map(
    (e) => `${e.request?.method} ${/[^/]+\/[^/]+\/_history\/\d+$/.exec(e.response?.location ?? '')?.[0]}`,
  );

describe('history', () => {
  let server: TestServer;
  let fhir: FhirClient;
  /** Moves on by a second for each request that asks. */
  let now = Date.UTC(2026, 0, 31, 9, 0, 0);
  const tick = (): number => {
    now += 1000;
    return now;
  };
  let id: string;
  let other: string;
  let observation: string;
  const times: string[] = [];

  before(async () => {
    server = await startTestServer({ now: () => now });
    fhir = createFhirClient(server);
    const step = async <T>(work: () => Promise<T>): Promise<T> => {
      times.push(new Date(tick()).toISOString());
      return work();
    };
    id = idOf(await step(() => fhir.post('Patient', { resourceType: 'Patient', active: true })));
    await step(() => fhir.put(`Patient/${id}`, { resourceType: 'Patient', id, active: false }));
    other = idOf(await step(() => fhir.post('Patient', { resourceType: 'Patient' })));
    await step(() => fhir.patch(`Patient/${id}`, [{ op: 'replace', path: '/active', value: true }]));
    await step(() => fhir.delete(`Patient/${id}`));
    observation = idOf(
      await step(() =>
        fhir.post('Observation', { resourceType: 'Observation', status: 'final', code: { text: 'pulse' } }),
      ),
    );
    await step(() => fhir.put(`Patient/${id}`, { resourceType: 'Patient', id, gender: 'other' }));
    tick();
  });
  after(() => stopChecked(server));

  const pages = async (path: string): Promise<BundleShape[]> => {
    const all: BundleShape[] = [];
    for (let next: string | undefined = path; next !== undefined; ) {
      const reply = await fhir.get(next);
      expect(reply.status, reply.text).equal(200);
      const bundle = bundleOf(reply);
      all.push(bundle);
      next = linkOf(bundle, 'next');
      if (all.length > 50) throw new Error('the pages do not end');
    }
    return all;
  };

  it('of an instance: every version, newest first, with what was done', async () => {
    const reply = await fhir.get(`Patient/${id}/_history`);
    expect(reply.status).equal(200);
    const bundle = bundleOf(reply);
    expect(bundle).include({ type: 'history', total: 5 });
    expect(versions(bundle)).eql([
      `PUT Patient/${id}/_history/5`,
      `DELETE Patient/${id}/_history/4`,
      `PATCH Patient/${id}/_history/3`,
      `PUT Patient/${id}/_history/2`,
      `POST Patient/${id}/_history/1`,
    ]);
    const entries = bundle.entry ?? [];
    expect(entries.slice(1).map((e) => e.response?.status.slice(0, 3))).eql(['204', '200', '200', '201']);
    expect(entries.map((e) => e.response?.etag)).eql(['W/"5"', 'W/"4"', 'W/"3"', 'W/"2"', 'W/"1"']);
    expect(entries.map((e) => e.response?.lastModified)).eql([times[6], times[4], times[3], times[1], times[0]]);
    expect(entries.map((e) => e.request?.url)).eql([
      `Patient/${id}`,
      `Patient/${id}`,
      `Patient/${id}`,
      `Patient/${id}`,
      'Patient',
    ]);
    expect(entries[1]).not.have.property('resource');
    expect(entries.map((e) => e.resource?.['active'])).eql([undefined, undefined, true, false, true]);
    for (const entry of entries) expect(entry.fullUrl).equal(`${fhir.base}/Patient/${id}`);
  });

  it('of a type: the type alone', async () => {
    const all = bundleOf(await fhir.get('Patient/_history'));
    expect(versions(all)).eql([
      `PUT Patient/${id}/_history/5`,
      `DELETE Patient/${id}/_history/4`,
      `PATCH Patient/${id}/_history/3`,
      `POST Patient/${other}/_history/1`,
      `PUT Patient/${id}/_history/2`,
      `POST Patient/${id}/_history/1`,
    ]);
    expect(versions(bundleOf(await fhir.get('Observation/_history')))).eql([
      `POST Observation/${observation}/_history/1`,
    ]);
    expect(versions(bundleOf(await fhir.get('Slot/_history')))).eql([]);
  });

  it('of the system: everything', async () => {
    const all = bundleOf(await fhir.get('_history'));
    expect(versions(all)).length(7);
    expect(versions(all)[1]).equal(`POST Observation/${observation}/_history/1`);
  });

  for (const [path, count, expected] of [
    ['Patient/ID/_history', 2, [2, 2, 1]],
    ['Patient/_history', 2, [2, 2, 2]],
    ['_history', 3, [3, 3, 1]],
    ['_history', 100, [7]],
  ] as const)
    it(`pages: ${path}?_count=${count}`, async () => {
      const where = path.replace('ID', id);
      const found = await pages(`${where}?_count=${count}`);
      expect(found.map((b) => b.entry?.length ?? 0)).eql([...expected]);
      expect(found.flatMap(versions)).eql(versions(bundleOf(await fhir.get(where))));
      for (const page of found) expect(linkOf(page, 'self')).match(new RegExp(`${where}\\?_count=${count}`));
    });

  it('pages stay what they were while others write', async () => {
    const [first, ...rest] = await pages('Patient/_history?_count=4');
    const next = linkOf(first as BundleShape, 'next') as string;
    tick();
    await fhir.put('Patient/newcomer', { resourceType: 'Patient', id: 'newcomer' });
    expect(versions(bundleOf(await fhir.get(next)))).eql(rest.flatMap(versions));
    await fhir.delete('Patient/newcomer');
  });

  it('_since: from that instant on, at each level', async () => {
    const since = `_since=${times[4]}`;
    expect(versions(bundleOf(await fhir.get(`Patient/${id}/_history?${since}`)))).length(2);
    expect(versions(bundleOf(await fhir.get(`Patient/_history?${since}`))).filter((v) => v.includes(id))).length(2);
    const system = await pages(`_history?_count=2&${since}`);
    expect(system.flatMap(versions).filter((v) => !v.includes('newcomer'))).length(3);
    expect(versions(bundleOf(await fhir.get(`Patient/${id}/_history?_since=2099`)))).eql([]);
  });

  it('_at: the versions that were current then', async () => {
    const at = async (text: string): Promise<string[]> =>
      versions(bundleOf(await fhir.get(`Patient/${id}/_history?_at=${text}`))).map((v) => v.slice(-1));
    expect(await at(times[0] as string)).eql(['1']);
    expect(await at(times[2] as string)).eql(['2']);
    expect(await at(times[3] as string)).eql(['3']);
    expect(await at(times[6] as string)).eql(['5']);
    expect(await at('2025-12')).eql([]);
    expect(await at('2026-01-31')).eql(['5', '4', '3', '2', '1']);
    expect(await at('2027')).eql(['5']);
  });

  for (const level of ['Patient/_history', '_history'])
    it(`_at: the versions that were current then, at ${level}`, async () => {
      const at = async (text: string): Promise<string[]> =>
        (await pages(`${level}?_count=2&_at=${text}`))
          .flatMap(versions)
          .filter((v) => v.includes(id))
          .map((v) => v.slice(-1));
      expect(await at(times[0] as string)).eql(['1']);
      expect(await at(times[3] as string)).eql(['3']);
      expect(await at('2025-12')).eql([]);
      expect(await at('2026-01-31')).eql(['5', '4', '3', '2', '1']);
      expect(await at('2027')).eql(['5']);
    });

  it('404 for what never was, also with _since', async () => {
    expect((await fhir.get('Patient/nowhere/_history')).status).equal(404);
    expect((await fhir.get('Patient/nowhere/_history?_since=2020')).status).equal(404);
    expect((await fhir.get('Nonsense/_history')).status).equal(404);
  });

  for (const query of [
    '_count=0',
    '_count=-1',
    '_count=x',
    '_since=yesterday',
    '_since=2026-13-01',
    '_at=never',
    '_sort=_lastUpdated',
    'name=x',
    '_cursor=x',
    '_cursor=e30.AAAAAAAAAAAAAAAAAAAAAA',
  ])
    it(`400 for ${query}`, async () => {
      for (const path of [`Patient/${id}/_history`, 'Patient/_history', '_history']) {
        const reply = await fhir.get(`${path}?${query}`);
        expect(reply.status, path).equal(400);
        expect(outcomeOf(reply).severity).equal('error');
      }
    });

  it('a page link of another query is refused', async () => {
    const next = linkOf(bundleOf(await fhir.get(`Patient/${id}/_history?_count=2`)), 'next') as string;
    for (const other of [
      next.replace('_count=2', '_count=3'),
      next.replace(`Patient/${id}`, 'Patient'),
      next.replace(/.$/, (c) => (c === 'A' ? 'B' : 'A')),
      `${next.slice(0, next.indexOf('_cursor='))}_cursor=${next.slice(next.indexOf('_cursor=') + 9)}`,
    ])
      expect((await fhir.get(other)).status, other).equal(400);
  });

  it('_pretty and HEAD', async () => {
    expect((await fhir.get(`Patient/${id}/_history?_pretty=true`)).text).contains('\n');
    const head = await fhir.request('HEAD', `Patient/${id}/_history`);
    expect(head.status).equal(200);
    expect(head.text).equal('');
  });
});
