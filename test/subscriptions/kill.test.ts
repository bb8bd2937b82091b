/** kill -9 of the server while a subscriber is told: every resource that was taken is told of, in order. SECURITY RL-11, RL-17 */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { createFhirClient, type FhirClient } from '../support/fhir-client.ts';
import { type NotifiedServer, startNotified } from '../support/notified.ts';
import { createServerProcess, type ServerProcess } from '../support/server-process.ts';

const KILLS: Record<string, number> = { quick: 2, ci: 4, long: 20 };
const kills = KILLS[process.env['TEST_SIZE'] ?? 'quick'] ?? 2;
const ENOUGH = 20;

describe('subscriptions › kill -9 [RL-11] [RL-17]', function () {
  this.timeout(300_000 + kills * 60_000);
  let database: TestDatabase;
  let endpoint: NotifiedServer;
  let server: ServerProcess;
  before(async () => {
    database = await createDatabase();
    endpoint = await startNotified();
    server = createServerProcess(database, { SUBSCRIPTION_TARGETS: endpoint.host });
    let n = 0;
    endpoint.answer = () => (n++ % 29 === 3 ? 503 : 200);
  });
  after(async () => {
    await server.stop();
    await endpoint.stop();
    await database.drop();
  });

  const start = async (): Promise<FhirClient> => createFhirClient(await server.start());

  it('nothing is lost, and the order stays', async () => {
    let fhir = await start();
    const made = await fhir.post('Subscription', {
      resourceType: 'Subscription',
      status: 'requested',
      reason: 'test',
      criteria: 'Observation?code=urn:test|told',
      channel: { type: 'rest-hook', endpoint: `${endpoint.url}/k`, payload: 'application/fhir+json' },
    });
    expect(made.status, made.text).equal(201);
    const taken: string[] = [];
    let stopping = false;
    const writing = (async () => {
      for (let n = 0; !stopping || taken.length < ENOUGH; n++) {
        const id = `o${n}`;
        const reply = await fhir
          .put(`Observation/${id}`, {
            resourceType: 'Observation',
            id,
            status: 'final',
            code: { coding: [{ system: 'urn:test', code: 'told' }] },
          })
          .catch(() => undefined);
        if (reply?.status === 201) taken.push(id);
        // Each is told of by itself, and what is refused waits: no more than can be told of while this runs.
        await sleep(50);
      }
    })();
    for (let round = 0; round < kills; round++) {
      await sleep(1000 + Math.random() * 1000);
      await server.kill();
      fhir = await start();
    }
    await sleep(500);
    stopping = true;
    await writing;
    const idOf = (path: string): string => path.split('/').at(-1) ?? '';
    const told = (): string[] => [
      ...new Set(
        endpoint.received.filter((one) => one.method === 'PUT' && one.status === 200).map(({ path }) => idOf(path)),
      ),
    ];
    // What a killed server had under way is taken again at the latest when its lease runs out.
    for (let still = 0, size = -1; !taken.every((id) => told().includes(id)) && still < 120_000; still += 100) {
      await sleep(100);
      if (told().length > size) still = 0;
      size = told().length;
    }
    const heard = told();
    expect(taken.length).at.least(ENOUGH);
    expect(taken.filter((id) => !heard.includes(id))).deep.equal([]);
    const inOrder = heard.map((id) => Number(id.slice(1)));
    expect(inOrder).deep.equal(inOrder.toSorted((a, b) => a - b));
  });
});
