/**
 * kill -9 of the server while one partner sends and another is told: what was acknowledged is in the store once, and of
 * every version in the store the other partner has heard, in order, each under one control id. SECURITY RL-11, RL-17
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { createDatabase, type TestDatabase, withClient } from '../support/database.ts';
import { createFhirClient } from '../support/fhir-client.ts';
import { fieldOf, openMllpSender } from '../support/mllp.ts';
import { createServerProcess, type RunningServer, type ServerProcess } from '../support/server-process.ts';
import { answer, controlIdOf, startV2Peer, type V2Peer } from '../support/v2-peer.ts';

const KILLS: Record<string, number> = { quick: 2, ci: 20, long: 40 };
const kills = KILLS[process.env['TEST_SIZE'] ?? 'quick'] ?? 2;
const FEEDS = ['K1', 'K2'];
const PATIENTS = 5;
/** How long a job stays with a server that is gone. */
const LEASE_MS = 30_000;

describe('HL7 v2 › kill -9 with messages in and out [RL-11] [RL-17]', function () {
  this.timeout(300_000 + kills * 60_000);
  let database: TestDatabase;
  let peer: V2Peer;
  let server: ServerProcess;
  let running: RunningServer | undefined;
  let stopping = false;

  before(async () => {
    database = await createDatabase();
    peer = await startV2Peer();
    // Now and then its answer is lost, or it is not in the mood.
    peer.act = (text, n) => (n % 31 === 3 ? 'close' : [answer(text, n % 37 === 5 ? 'AR' : 'AA')]);
    server = createServerProcess(database, {
      UNKNOWN_PARTNERS: 'accept',
      HL7V2_FEED_TARGETS: `mllp://127.0.0.1:${peer.port}`,
      HL7V2_ANSWER_TIMEOUT_MS: '500',
    });
  });
  after(async () => {
    await server.stop();
    await peer.stop();
    await database.drop();
  });

  async function makeFeed(to: RunningServer): Promise<void> {
    const client = createFhirClient(to);
    const made = await client.post('Endpoint', {
      resourceType: 'Endpoint',
      status: 'active',
      connectionType: { system: 'http://terminology.hl7.org/CodeSystem/endpoint-connection-type', code: 'hl7v2-mllp' },
      identifier: [{ system: 'https://mortar-fhir.org/NamingSystem/hl7v2-receiver', value: 'GPSYS|A83008' }],
      payloadType: [{ coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v2-0076', code: 'ADT' }] }],
      address: `mllp://127.0.0.1:${peer.port}`,
    });
    expect(made.status, made.text).equal(201);
    await sleep(1600); // until it is known
  }

  /** The n-th message changes the name of one of a few patients. */
  const message = (name: string, n: number): string =>
    `MSH|^~\\&|${name}|RXX|MORTAR|HERE|20260302101500||ADT^A31|${name}-${n}|P|2.5.1\rEVN||20260302\r` +
    `PID|1||${name}-P${n % PATIENTS}^^^MRN^MR||V${n}^Ann||19840517|F\r`;

  async function send(to: RunningServer, text: string): Promise<boolean> {
    const sender = await openMllpSender(to.mllp);
    try {
      const reply = await Promise.race([sender.send(text), sleep(5000).then(() => undefined)]);
      return reply !== undefined && fieldOf(reply, 'MSA-1') === 'AA';
    } finally {
      sender.close();
    }
  }

  const ENOUGH = 10;

  /** As senders do: each message again until it is acknowledged, and only then the next. */
  async function feed(name: string): Promise<number> {
    let acknowledged = 0;
    // However slow the machine is, each has its share.
    while (!stopping || acknowledged <= ENOUGH) {
      const to = running;
      const done = to !== undefined && (await send(to, message(name, acknowledged)).catch(() => false));
      if (done) acknowledged += 1;
      else await sleep(20);
    }
    return acknowledged;
  }

  it('nothing acknowledged is lost, nothing is told twice under two ids, order stays', async () => {
    running = await server.start();
    await makeFeed(running);
    const feeds = FEEDS.map(feed);
    for (let round = 0; round < kills; round++) {
      await sleep(500 + Math.random() * 1000);
      running = undefined;
      await server.kill();
      running = await server.start();
    }
    await sleep(800);
    stopping = true;
    const counts = await Promise.all(feeds);
    expect(Math.min(...counts), counts.join(', ')).greaterThan(ENOUGH);

    const versions = await withClient(database.connection('owner'), async (client) => {
      const { rows } = await client.query<{ number: string; ver: number; family: string }>(
        `select i->>'value' as number, v.ver, v.content::jsonb->'name'->0->>'family' as family
from (select ver, content from fhir.patient union all select ver, content from fhir.patient_h) v,
  jsonb_array_elements(v.content::jsonb->'identifier') i
where i->>'value' like 'K_-P_' order by 1, 2`,
      );
      return rows;
    });
    const inStore = new Map<string, string[]>();
    for (const { number, family } of versions) inStore.set(number, [...(inStore.get(number) ?? []), family]);
    // In: each once, in the order of its sender; at most the one under way is there without an acknowledgement.
    for (const [i, name] of FEEDS.entries())
      for (let p = 0; p < PATIENTS; p++) {
        const sent = Array.from({ length: (counts[i] ?? 0) + 1 }, (_, n) => n).filter((n) => n % PATIENTS === p);
        const families = inStore.get(`${name}-P${p}`) ?? [];
        expect(families, `${name}-P${p}`).eql(sent.slice(0, families.length).map((n) => `V${n}`));
        expect(families.length).least(sent.filter((n) => n < (counts[i] ?? 0)).length);
      }

    // Out: every version, in order, under one control id, always with the same bytes.
    const told = (): Map<string, string> => new Map(peer.received.map((text) => [controlIdOf(text), text]));
    // What a killed server had under way is taken again within seconds, at the latest when its lease runs out; as long as
    // it goes on, all is well.
    for (let size = -1, still = 0; size < versions.length && still < LEASE_MS * 3; ) {
      await sleep(100);
      still = told().size > size ? 0 : still + 100;
      size = told().size;
    }
    const byId = told();
    expect(byId.size).equal(versions.length);
    for (const text of peer.received) expect(text).equal(byId.get(controlIdOf(text)));
    const heard = new Map<string, string[]>();
    for (const text of byId.values()) {
      const number = fieldOf(Buffer.from(text), 'PID-3').split('^')[0] ?? '';
      const family = fieldOf(Buffer.from(text), 'PID-5').split('^')[0] ?? '';
      heard.set(number, [...(heard.get(number) ?? []), family]);
    }
    for (const [number, families] of inStore) expect(heard.get(number), number).eql(families);
  });
});
