/**
 * kill -9 of the server between the dispensing and the notification, with a Spine that goes on: what was dispensed is told
 * to the Spine, and told once; what was cancelled is cancelled, or can be cancelled again. MISSION M9, M10; SECURITY RX-04, RL-11
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { addDispenser, completeForEps, until } from '../support/eps-practice.ts';
import { AMOXICILLIN, openPractice, type Practice } from '../support/prescribing.ts';
import { databaseUrl, operatorToken, type TestServer } from '../support/server.ts';
import { type SpineProcess, startSpineProcess } from '../support/spine-process.ts';
import { makeTempFolder } from '../support/temp-folder.ts';

const KILLS: Record<string, number> = { quick: 2, ci: 4, long: 25 };
const kills = KILLS[process.env['TEST_SIZE'] ?? 'quick'] ?? 2;
/** Of each kill, half of them dispensed and half cancelled. */
const COUNT = 8;
const MAIN = join(import.meta.dirname, '../../src/main.ts');
const MEDICATION = { quantity: 21, dosage_instructions: 'Take one capsule', frequency: 'three times a day' };

interface Approved {
  readonly id: string;
  readonly orderId: string;
  readonly number: string;
  readonly payload: { readonly id: string; readonly nonce: string };
}

describe('journey › dispensed, and the Spine knows › kill -9 [RX-04]', function () {
  this.timeout(240_000 + kills * 120_000);
  let database: TestDatabase;
  let folder: string;
  let dataDir: string;
  let spine: SpineProcess;
  let child: ChildProcess | undefined;
  let port = '0';
  let practice: Practice;
  before(async () => {
    database = await createDatabase();
    folder = makeTempFolder();
    dataDir = join(folder, 'data');
    mkdirSync(dataDir);
    // Of the same folder, so that the server takes it for its own; and not killed with it.
    spine = await startSpineProcess(dataDir);
    const { url } = await start();
    port = new URL(url).port;
    const bearer = { authorization: `Bearer ${await operatorToken({ dataDir })}` };
    practice = await openPractice({ url, dataDir, bearer } as TestServer);
    await completeForEps(practice);
    await addDispenser(practice);
  });
  after(async () => {
    child?.kill('SIGTERM');
    if (child && child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    await spine?.kill();
    await database.drop();
  });

  async function start(): Promise<{ readonly url: string }> {
    const running = spawn(process.execPath, [MAIN], {
      cwd: folder,
      env: {
        PATH: process.env['PATH'] ?? '',
        PORT: port,
        MLLP_PORT: '0',
        PAYER_PORT: 'off',
        DATA_DIR: dataDir,
        DATABASE_URL: databaseUrl(database),
        UNSAFE_DATABASE: 'allow',
        RATE_LIMITS: 'write=off,read=off,search=off',
        LOG_LEVEL: 'error',
      },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    child = running;
    for (let tries = 0; tries < 2400; tries += 1) {
      const found = readPorts();
      if (found && found.pid === running.pid) return found;
      await sleep(50);
    }
    throw new Error('the server does not start');
  }

  function readPorts(): { pid: number; url: string } | undefined {
    try {
      return JSON.parse(readFileSync(join(dataDir, 'ports.json'), 'utf8'));
    } catch {
      return undefined; // not yet
    }
  }

  async function approve(): Promise<Approved> {
    const { id, items } = await practice.ask([AMOXICILLIN]);
    const { body } = await practice.call('gp', 'POST', `/api/provider/prescriptions/${id}/approve`, {
      medications: [{ item_id: items[0].id, ...MEDICATION }],
    });
    expect(body.eps?.status, JSON.stringify(body)).equal('queued');
    const [orderId] = body.prescription_ids;
    const { body: order } = await practice.fhir('GET', `MedicationRequest/${orderId}`);
    const { body: seen } = await practice.call('pat', 'GET', `/api/prescriptions/${id}`);
    return { id, orderId, number: order.groupIdentifier.value, payload: seen.tokens[0].payload };
  }

  const dispense = ({ payload }: Approved) =>
    practice.call('petra', 'POST', '/api/prescriptions/dispense', {
      prescription_id: payload.id,
      nonce: payload.nonce,
      pharmacy_code: 'Z99902',
      pharmacist_name: 'Petra Lindqvist',
    });
  const cancel = ({ id }: Approved) =>
    practice.call('gp', 'PATCH', `/api/v2/prescriptions/${id}`, { status: 'cancelled' });
  /** The status; undefined where the answer did not come. */
  const quietly = (asking: ReturnType<typeof dispense>): Promise<number | undefined> =>
    asking.then(
      ({ status }) => status,
      () => undefined,
    );
  // biome-ignore lint/suspicious/noExplicitAny: answers are looked at, not trusted
  const spineOf = async ({ number }: Approved): Promise<any> => {
    const answer = await fetch(`${spine.stateUrl}/prescriptions/${number}`);
    return answer.status === 200 ? answer.json() : undefined;
  };
  const taskOf = async ({ orderId }: Approved) =>
    (await practice.fhir('GET', `Task?focus=MedicationRequest/${orderId}`)).body.entry[0].resource;

  for (let round = 0; round < kills; round += 1)
    it(`round ${round + 1}: each is told once, and cancelled whole or not at all`, async () => {
      const made: Approved[] = [];
      for (let i = 0; i < COUNT; i += 1) made.push(await approve());
      for (const one of made) await until(() => spineOf(one));
      const [toDispense, toCancel] = [made.slice(0, COUNT / 2), made.slice(COUNT / 2)];
      let answered = 0;
      const asking = [...toDispense.map((one) => dispense(one)), ...toCancel.map((one) => cancel(one))].map((one) =>
        quietly(one).then((status) => {
          if (status !== undefined) answered += 1;
          return status;
        }),
      );
      // Later in each round: between the dispensing and the release, between that and the notification, after it.
      while (answered < 1 + (round % COUNT)) await sleep(1);
      await sleep((round * 37) % 300);
      child?.kill('SIGKILL');
      if (child?.exitCode === null && child.signalCode === null) await once(child, 'exit');
      const told = await Promise.all(asking);
      await start();
      for (const [n, one] of toDispense.entries()) {
        const { status } = await dispense(one);
        expect(status, `dispensed again, told ${told[n]}`).oneOf(told[n] === 200 ? [409] : [200, 409]);
        await until(async () =>
          (await taskOf(one)).businessStatus?.coding[0]?.code === 'notified' ? true : undefined,
        );
        const held = await spineOf(one);
        expect(held.issues[0].status).equal('0006 Dispensed');
        expect(held.issues[0].notifications, 'told once').length(1);
      }
      for (const [n, one] of toCancel.entries()) {
        const { status } = await cancel(one);
        expect(status, `cancelled again, told ${told[COUNT / 2 + n]}`).oneOf([202, 409]);
        const task = await until(async () => {
          const { body } = await practice.fhir('GET', `Task/${one.id}`);
          return body.status === 'cancelled' ? body : undefined;
        });
        expect(task.status).equal('cancelled');
        expect((await taskOf(one)).status).equal('cancelled');
        expect((await practice.fhir('GET', `MedicationRequest/${one.orderId}`)).body.status).equal('cancelled');
        expect((await spineOf(one)).issues[0].status).equal('0005 Cancelled');
      }
    });
});
