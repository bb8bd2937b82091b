/** Finding pharmacies and nominating one, over the running server. MISSION M9; seed 000 */
import { expect } from 'chai';
import { type Answer, makePharmacyWorld, type PharmacyWorld } from '../../support/pharmacy.ts';
import { startTestServer, type TestServer } from '../../support/server.ts';

describe('pharmacies', function () {
  this.timeout(240_000);
  let server: TestServer;
  let world: PharmacyWorld;
  let nell: Record<string, string>;
  before(async () => {
    server = await startTestServer();
    world = await makePharmacyWorld(server);
    nell = await world.patient('patient-nell');
    const hours = (id: string, open: boolean, more: object = {}) =>
      world.put({
        resourceType: 'HealthcareService',
        id: `service-${id}`,
        active: true,
        providedBy: { reference: `Organization/pharmacy-${id}` },
        characteristic: [{ coding: [{ code: 'eps-enabled' }] }],
        availableTime: [{ daysOfWeek: ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'], allDay: open }],
        ...(!open && { notAvailable: [{ description: 'Closed', during: { start: '2020-01-01', end: '2099-01-01' } }] }),
        ...more,
      });
    const place = (id: string, latitude: number, longitude: number) =>
      world.put({
        resourceType: 'Location',
        id: `place-${id}`,
        status: 'active',
        managingOrganization: { reference: `Organization/pharmacy-${id}` },
        position: { latitude, longitude },
      });
    await hours('a', true);
    await hours('b', false);
    await hours('c', true, { characteristic: [{ text: 'by appointment' }] });
    await hours('d', true, { active: false });
    await place('a', 51.5, -0.12);
    await place('b', 51.51, -0.12);
    await place('e', 53.48, -2.24);
  });
  after(() => server.stop());

  const get = (path: string, headers = nell): Promise<Answer> => world.call('GET', path, headers);
  const idsOf = async (query: string): Promise<string> =>
    (await get(`/api/pharmacies/search?${query}`)).json.pharmacies
      .map((one: { id: string }) => one.id.slice(-1))
      .join('');

  for (const [query, ids] of [
    ['name=pharmacy%20A', 'a'],
    ['ods_code=fb001', 'b'],
    ['postcode=zz991ab&limit=3', 'abc'],
    ['postcode=zz991ab&limit=3&offset=3', 'efg'],
    ['postcode=XX1', ''],
    ['open_now=true', 'ac'],
    ['lat=51.5&lng=-0.12', 'abe'],
    ['lat=51.51&lng=-0.12&within_km=5', 'ba'],
    ['lat=51.51&lng=-0.12&within_km=5&open_now=true', 'a'],
  ] as const)
    it(`search ${query}: ${ids || 'none'}`, async () => {
      expect(await idsOf(query)).equal(ids);
    });

  it('shows a pharmacy with its hours, contact and distance', async () => {
    const [found] = (await get('/api/pharmacies/search/?lat=51.5&lng=-0.1&name=pharmacy%20a')).json.pharmacies;
    expect(found).include({
      id: 'pharmacy-a',
      ods_code: 'FA001',
      postcode: 'ZZ99 1AB',
      is_open: true,
      distance_km: 1.4,
    });
    expect(found.opening_hours[0]).include({ all_day: true });
    expect((await get('/api/pharmacies/pharmacy-a')).json.name).equal('Pharmacy a');
    expect((await get('/api/pharmacies/gp')).status).equal(404);
  });

  for (const query of ['lat=51', 'lat=91&lng=0', 'limit=0', 'nmae=x'])
    it(`refuses ${query}`, async () => {
      expect((await get(`/api/pharmacies/search?${query}`)).status).equal(400);
    });

  const nominate = (id: string, method = 'POST', headers = nell): Promise<Answer> =>
    world.call(method, `/api/pharmacies/${id}/nominate`, headers);
  const patient = async (): Promise<Answer['json']> =>
    (await world.call('GET', '/fhir/R4/Patient/patient-nell', server.bearer)).json;

  it('nominates, again without change, changes with history, withdraws', async () => {
    expect((await get('/api/pharmacies/nominated')).json).eql({ nominated: null, history: [] });
    const first = await nominate('pharmacy-a');
    expect(first.status).equal(200);
    expect(first.json.nominated).deep.include({ is_current: true });
    const { versionId } = (await patient()).meta;
    expect((await nominate('pharmacy-a')).json).eql(first.json);
    expect((await patient()).meta.versionId, 'a repeated nomination changes nothing').equal(versionId);
    const second = await nominate('pharmacy-e');
    expect(second.json.nominated.pharmacy.id).equal('pharmacy-e');
    expect(second.json.history[0].pharmacy.id).equal('pharmacy-a');
    expect(second.json.history[0].nomination_date).equal(first.json.nominated.nomination_date);
    const urls = (await patient()).extension.map(({ url }: { url: string }) => url.split('/').at(-1));
    expect(urls).eql(['Extension-UKCore-NominatedPharmacy', 'earlier-nomination']);
    expect((await nominate('pharmacy-a', 'DELETE')).json.nominated, 'not the current one').not.equal(null);
    const gone = await nominate('pharmacy-e', 'DELETE');
    expect(gone.json.nominated).equal(null);
    expect(gone.json.history).length(2);
  });

  for (const [id, status, code] of [
    ['pharmacy-z', 404, 'not-found'],
    ['pharmacy-c', 422, 'pharmacy-not-eps'],
    ['pharmacy-d', 422, 'pharmacy-closed'],
  ] as const)
    it(`refuses to nominate ${id}: ${code}`, async () => {
      const answer = await nominate(id);
      expect([answer.status, answer.json.code]).eql([status, code]);
    });

  it('[CP-10] somebody else has no nomination to change, and the record of nobody else changes', async () => {
    const before = (await patient()).meta.versionId;
    expect((await nominate('pharmacy-a', 'POST', await world.pharmacist('pharmacy-a'))).status).equal(403);
    expect((await nominate('pharmacy-a', 'POST', {})).status).equal(401);
    expect((await nominate('pharmacy-a', 'POST', await world.patient('patient-tobe'))).status).equal(200);
    expect((await patient()).meta.versionId).equal(before);
  });

  it('of 20 nominations at once one is current, and each before it ended when the next began', async () => {
    await Promise.all(Array.from({ length: 20 }, (_, i) => nominate(i % 2 === 0 ? 'pharmacy-a' : 'pharmacy-e')));
    const extensions = (await patient()).extension.filter(({ url }: { url: string }) =>
      url.includes('NominatedPharmacy'),
    );
    expect(extensions).length(1);
  });
});
