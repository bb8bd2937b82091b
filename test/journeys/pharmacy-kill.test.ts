/** kill -9 of the server while pharmacies dispense: who was told "dispensed" finds it so, once, and nothing is half done. SECURITY RX-04, RL-11 */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { createDatabase, type TestDatabase, withClient } from '../support/database.ts';
import { codeOf, makePharmacyWorld, type PharmacyWorld, type Prescribed } from '../support/pharmacy.ts';
import { jpegOf } from '../support/photos.ts';
import { createServerProcess, type ServerProcess } from '../support/server-process.ts';

const KILLS: Record<string, number> = { quick: 2, ci: 4, long: 40 };
const kills = KILLS[process.env['TEST_SIZE'] ?? 'quick'] ?? 2;
const COUNT = 60;

interface Way {
  readonly what: string;
  readonly env: Readonly<Record<string, string>>;
  /** Of each request to dispense. */
  readonly body: object;
  /** As if each patient had said their code a moment ago. */
  readonly hasCodes: boolean;
  /** More that is counted at the end, once a prescription. */
  readonly counted: string;
}

const WAYS: readonly Way[] = [
  { what: 'without codes [RX-04]', env: {}, body: {}, hasCodes: false, counted: '' },
  {
    what: 'with codes and photos [RX-04]',
    env: { COLLECTION_CODE_FOR: 'all', DISPENSING_PHOTO: 'required' },
    body: { photo: { content_type: 'image/jpeg', data: jpegOf([]).toString('base64') } },
    hasCodes: true,
    counted: `,
  (select count(*)::int from mortar.collection_code where used_at is not null) as used,
  (select count(*)::int from fhir.media) as photos,
  (select count(*)::int from fhir.binary) as contents`,
  },
];

for (const { what, env, body, hasCodes, counted } of WAYS)
  describe(`pharmacy › kill -9, ${what}`, function () {
    this.timeout(240_000 + kills * 60_000);
    let database: TestDatabase;
    let server: ServerProcess;
    before(async () => {
      database = await createDatabase();
      server = createServerProcess(database, { RATE_LIMITS: 'write=off,read=off', ...env });
    });
    after(async () => {
      await server.stop();
      await database.drop();
    });

    const start = async (): Promise<PharmacyWorld> => makePharmacyWorld(await server.start());

    /** The status that was told; undefined where the answer did not come. */
    async function dispense(world: PharmacyWorld, headers: Record<string, string>, { token }: Prescribed) {
      try {
        const { status } = await world.call('POST', '/api/prescriptions/dispense', headers, {
          prescription_id: token.tokenId,
          nonce: token.nonce,
          pharmacy_code: codeOf('pharmacy-a'),
          pharmacist_name: 'Piotr Zielinski',
          ...body,
        });
        return status;
      } catch {
        return undefined;
      }
    }

    it('told success is dispensed once; what was not told is dispensed, or can be', async () => {
      let world = await start();
      const made = await world.prescribeMany(COUNT * kills, () => ({}));
      if (hasCodes)
        await withClient(database.connection('owner'), (client) =>
          client.query(
            `insert into mortar.collection_code (token, pharmacy, patient, digest, sent_at, expires_at, sendings, confirmed_until)
select t, 'pharmacy-a', 'x', '', now(), now(), '{}', now() + interval '1 hour' from unnest($1::text[]) t`,
            [made.map(({ token }) => token.tokenId)],
          ),
        );
      const told = new Set<string>();
      for (let round = 0; round < kills; round += 1) {
        const headers = await world.pharmacist('pharmacy-a');
        const batch = made.slice(round * COUNT, (round + 1) * COUNT);
        const asking = batch.map(async (one, i) => {
          await sleep(i * 5);
          if ((await dispense(world, headers, one)) === 200) told.add(one.taskId);
        });
        // In the midst of it: when some have been told, and others have not.
        while (told.size < round * COUNT + 10) await sleep(1);
        await server.kill();
        await Promise.all(asking);
        world = await start();
        const again = await world.pharmacist('pharmacy-a');
        for (const one of batch) {
          const status = await dispense(world, again, one);
          expect(status, told.has(one.taskId) ? 'told before' : 'not told').oneOf(
            told.has(one.taskId) ? [409] : [200, 409],
          );
          told.add(one.taskId);
        }
      }
      await withClient(database.connection('owner'), async (client) => {
        const { rows } = await client.query(`select
  (select count(*)::int from fhir.medicationdispense) as dispensed,
  (select count(distinct content::json #>> '{authorizingPrescription,0,reference}')::int from fhir.medicationdispense) as orders,
  (select count(*)::int from mortar.dispense_task where state = 1) as done,
  (select count(*)::int from fhir.medicationrequest where content::json ->> 'status' = 'completed') as completed,
  (select count(*)::int from mortar.prescription_attempt where kind = 'dispense' and success) as logged,
  (select sum(n)::int from mortar.dispense_count where state = 1) as counted${counted}`);
        expect(rows[0]).eql(Object.fromEntries(Object.keys(rows[0]).map((name) => [name, made.length])));
      });
    });
  });
