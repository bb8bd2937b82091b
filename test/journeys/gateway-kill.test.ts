/**
 * kill -9 of the server while senders send: whoever was told "applied" finds it in the store, once. Senders do what real
 * ones do: they send a message again until it is acknowledged, and only then the next. SECURITY RL-11
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { createDatabase, type TestDatabase, withClient } from '../support/database.ts';
import { fixture } from '../support/fixtures.ts';
import { fieldOf, openMllpSender } from '../support/mllp.ts';
import { createServerProcess, type RunningServer, type ServerProcess } from '../support/server-process.ts';

const KILLS: Record<string, number> = { quick: 2, ci: 6, long: 100 };
const kills = KILLS[process.env['TEST_SIZE'] ?? 'quick'] ?? 2;

describe('gateway › kill -9 [RL-11]', function () {
  this.timeout(180_000 + kills * 30_000);
  let database: TestDatabase;
  let server: ServerProcess;
  let running: RunningServer | undefined;
  let stopping = false;

  before(async () => {
    database = await createDatabase();
    server = createServerProcess(database, { UNKNOWN_PARTNERS: 'accept' });
  });
  after(async () => {
    await server.stop();
    await database.drop();
  });

  const text = (message: Buffer, ...changes: readonly (readonly [string | RegExp, string])[]): Buffer =>
    Buffer.from(changes.reduce((all, [from, to]) => all.replace(from, to), message.toString()));

  const ENOUGH = 5;

  /** Sends message 0, 1, 2 … until told to stop; resolves to how many were acknowledged. */
  async function feed(
    make: (n: number) => Buffer,
    send: (to: RunningServer, message: Buffer) => Promise<boolean>,
  ): Promise<number> {
    let acknowledged = 0;
    // However slow the machine is, each has its share.
    while (!stopping || acknowledged <= ENOUGH) {
      const to = running;
      const done = to !== undefined && (await send(to, make(acknowledged)).catch(() => false));
      if (done) acknowledged += 1;
      else await sleep(20);
    }
    return acknowledged;
  }

  const mllp = async (to: RunningServer, message: Buffer): Promise<boolean> => {
    const sender = await openMllpSender(to.mllp);
    try {
      const answer = await Promise.race([sender.send(message), sleep(5000).then(() => undefined)]);
      const code = answer && fieldOf(answer, 'MSA-1');
      if (code === 'AE') throw new Error(answer?.toString());
      return code === 'AA';
    } finally {
      sender.close();
    }
  };
  const post = async (to: RunningServer, path: string, type: string, message: Buffer): Promise<string> => {
    const reply = await fetch(to.url + path, {
      method: 'POST',
      headers: { ...to.bearer, 'Content-Type': type },
      body: new Uint8Array(message),
      signal: AbortSignal.timeout(5000),
    });
    return reply.text();
  };

  it('every acknowledged message is in the store once, none half', async () => {
    running = await server.start();
    const feeds = [
      ...['F1', 'F2'].map((name) =>
        feed(
          (n) =>
            text(
              fixture('hl7v2/own-rde-o11-taper.hl7'),
              ['OWN-RDE-1', `${name}-${n}`],
              ['EPMA|RXX', `${name}|RXX`],
              [/RX-5003/g, `${name}-${n}`],
              [/RXF-9003/g, `${name}-F${n}`],
              ['RXX1000001', `${name}-M${n % 7}`],
              [/9990000018\^\^\^NHS\^NH~/, ''],
              ['V2026030201', `${name}-V${n % 7}`],
            ),
          mllp,
        ),
      ),
      feed(
        (n) =>
          text(
            fixture('script/newrx-basic.xml'),
            ['OWN0001A7F3C9D1', `S1-${n}`],
            ['RX-2026-000101', `S1-${n}`],
            ['MRN-100234', `S1-M${n % 7}`],
          ),
        async (to, message) =>
          (await post(to, '/ncpdp/script', 'application/xml', message)).includes('<Status><Code>010<'),
      ),
    ];
    for (let round = 0; round < kills; round++) {
      await sleep(300 + Math.random() * 1200);
      running = undefined;
      await server.kill();
      running = await server.start();
    }
    await sleep(1500);
    stopping = true;
    const [f1 = 0, f2 = 0, s1 = 0] = await Promise.all(feeds);
    expect(Math.min(f1, f2, s1), `acknowledged: ${f1}, ${f2}, ${s1}`).greaterThan(ENOUGH);

    const { rows, log } = await withClient(database.connection('owner'), async (client) => ({
      rows: (
        await client.query<{ value: string; count: number; ver: number }>(
          `select i->>'value' as value, count(*)::int as count, max(ver)::int as ver
from fhir.medicationrequest, jsonb_array_elements(content::jsonb->'identifier') i where i->>'value' ~ '^(F1|F2|S1)-[0-9]+$'
group by 1`,
        )
      ).rows,
      log: (
        await client.query<{ control_id: string; state: string; count: number }>(
          'select control_id, max(state) as state, count(*)::int as count from mortar.message group by 1',
        )
      ).rows,
    }));
    const stored = new Map(rows.map((row) => [row.value, row]));
    const logged = new Map(log.map((row) => [row.control_id, row]));
    for (const [name, count] of [
      ['F1', f1],
      ['F2', f2],
      ['S1', s1],
    ] as const)
      for (let n = 0; n < count; n++) {
        expect(stored.get(`${name}-${n}`), `${name}-${n}`).deep.include({ count: 1, ver: 1 });
        expect(logged.get(`${name}-${n}`), `${name}-${n}`).deep.include({ state: 'applied', count: 1 });
      }
    // At most the message under way of each sender is there without an acknowledgement.
    expect(stored.size).within(f1 + f2 + s1, f1 + f2 + s1 + 3);
    for (const [id, { state }] of logged) if (state === 'applied') expect(stored.has(id), id).equal(true);
  });
});
