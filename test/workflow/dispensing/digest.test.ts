/** The digest at eight, local time: once a day across the fleet, also on days of 23 and 25 hours. MISSION M10, M13 */
import { expect } from 'chai';
import type { OpenStore } from '../../../src/postgres/store.ts';
import { createPharmacies } from '../../../src/workflow/dispensing/pharmacies.ts';
import { createPharmacyNotices } from '../../../src/workflow/dispensing/pharmacy-notices.ts';
import { withClient } from '../../support/database.ts';
import { makePharmacyWorld } from '../../support/pharmacy.ts';
import { startTestServerAndStore, type TestServer } from '../../support/server.ts';

const ZONE = 'Europe/London';
const HOUR_MS = 3_600_000;

describe('workflow › dispensing › digest', function () {
  this.timeout(120_000);
  let server: TestServer;
  let store: OpenStore;
  before(async () => {
    ({ server, store } = await startTestServerAndStore());
    const world = await makePharmacyWorld(server);
    const issuedAt = Date.parse('2026-11-22T00:00:00Z');
    for (const pharmacyId of ['pharmacy-a', 'pharmacy-b'])
      await world.prescribe({ pharmacyId, issuedAt, expiresAt: Date.parse('2027-12-31T00:00:00Z') });
  });
  after(() => server.stop());

  /** What one process of the fleet holds. */
  function open(clock: { readonly at: number }) {
    const now = (): number => clock.at;
    const pharmacies = createPharmacies({
      store,
      pharmacyCodeSystem: 'https://phb.example/pharmacy-code',
      organizationOfClient: async () => undefined,
      now,
    });
    return createPharmacyNotices({
      store,
      queue: store.dispensing.queue,
      waiting: store.dispensing.queue.counts,
      pharmacies,
      url: server.url,
      timeZone: ZONE,
      now,
    });
  }

  for (const [name, from, expected] of [
    [
      'clocks go forward on 28 March 2027',
      '2027-03-27T00:00:00Z',
      ['2027-03-27T08:00:00.000Z', '2027-03-28T07:00:00.000Z', '2027-03-29T07:00:00.000Z'],
    ],
    [
      'clocks go back on 31 October 2027',
      '2027-10-29T23:00:00Z',
      ['2027-10-30T07:00:00.000Z', '2027-10-31T08:00:00.000Z', '2027-11-01T08:00:00.000Z'],
    ],
  ] as const)
    it(`${name}: each day at eight, once, whichever of three processes is first`, async () => {
      const clock = { at: Date.parse(from) };
      const fleet = [open(clock), open(clock), open(clock)];
      const told: string[] = [];
      const end = Date.parse(expected[2]) + 3 * HOUR_MS;
      for (; clock.at < end; clock.at += HOUR_MS / 2) {
        // One of them was started a moment ago and knows nothing of what was made.
        const all = [...fleet, open(clock)];
        const made = (await Promise.all(all.map(({ digest }) => digest()))).reduce((sum, n) => sum + n, 0);
        for (let i = 0; i < made; i += 1) told.push(new Date(clock.at).toISOString());
      }
      expect(told).eql(expected.flatMap((at) => [at, at]));
      await withClient(server.database.connection('owner'), async (client) => {
        const { rows } = await client.query(
          `select content::json ->> 'sent' as sent, count(*)::int as n from fhir.communication
where content like '%"pharmacy-digest"%' and content::json ->> 'sent' = any($1) group by 1 order by 1`,
          [[...expected]],
        );
        expect(rows).eql(expected.map((sent) => ({ sent, n: 2 })));
      });
    });
});
