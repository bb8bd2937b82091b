/**
 * kill -9 of the server between the dispensing and the notification, with a Spine that goes on: what was dispensed is told
 * to the Spine, and told once; what was cancelled is cancelled, or can be cancelled again. MISSION M9, M10; SECURITY RX-04, RL-11
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import {
  type Approved,
  addDispenser,
  approveForEps,
  askSpine,
  completeForEps,
  dispenseAs,
  type Shown,
  until,
} from '../support/eps-practice.ts';
import { openPractice, type Practice } from '../support/prescribing.ts';
import { createServerProcess, type RunningServer, type ServerProcess } from '../support/server-process.ts';
import { type SpineProcess, startSpineProcess } from '../support/spine-process.ts';

const KILLS: Record<string, number> = { quick: 2, ci: 4, long: 25 };
const kills = KILLS[process.env['TEST_SIZE'] ?? 'quick'] ?? 2;
/** Of each kill, half of them dispensed and half cancelled. */
const COUNT = 8;

describe('journey › dispensed, and the Spine knows › kill -9 [RX-04]', function () {
  this.timeout(240_000 + kills * 120_000);
  let database: TestDatabase;
  let server: ServerProcess;
  let spine: SpineProcess;
  let practice: Practice<RunningServer>;
  before(async () => {
    database = await createDatabase();
    server = createServerProcess(database, { SPINE_PORT: '0', RATE_LIMITS: 'write=off,read=off,search=off' });
    // Of the same folder, so that the server takes it for its own; and not killed with it.
    spine = await startSpineProcess(server.dataDir);
    practice = await openPractice(await server.start());
    await completeForEps(practice);
    await addDispenser(practice);
  });
  after(async () => {
    await server?.stop();
    await spine?.kill();
    await database.drop();
  });

  const dispense = ({ tokens }: Approved) => dispenseAs(practice, 'petra', tokens[0] as Shown);
  const cancel = ({ id }: Approved) =>
    practice.call('gp', 'PATCH', `/api/v2/prescriptions/${id}`, { status: 'cancelled' });
  /** The status; undefined where the answer did not come. */
  const quietly = (asking: ReturnType<typeof dispense>): Promise<number | undefined> =>
    asking.then(
      ({ status }) => status,
      () => undefined,
    );
  const spineOf = ({ number }: Approved) => askSpine(spine.stateUrl, `/prescriptions/${number}`);
  const taskOf = async ({ orderIds: [orderId] }: Approved) =>
    (await practice.fhir('GET', `Task?focus=MedicationRequest/${orderId}`)).body.entry[0].resource;

  for (let round = 0; round < kills; round += 1)
    it(`round ${round + 1}: each is told once, and cancelled whole or not at all`, async () => {
      const made: Approved[] = [];
      for (let i = 0; i < COUNT; i += 1) made.push(await approveForEps(practice));
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
      await server.kill();
      const told = await Promise.all(asking);
      // Where it was: tokens are for one address.
      await server.start({ PORT: new URL(practice.server.url).port });
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
        expect((await practice.fhir('GET', `MedicationRequest/${one.orderIds[0]}`)).body.status).equal('cancelled');
        expect((await spineOf(one)).issues[0].status).equal('0005 Cancelled');
      }
    });
});
