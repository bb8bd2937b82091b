/** Jobs that send data of a patient whose processing is restricted wait, are not lost, and go on when it is lifted. SECURITY DP-05 */
import { randomBytes, randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { createRestrictionJobs } from '../../src/jobs/restriction-jobs.ts';
import { createJobRunner, type JobHandler, type JobRunner } from '../../src/jobs/runner.ts';
import { createCipher } from '../../src/pki/key-file.ts';
import type { RestrictionBook } from '../../src/ports/subject-rights.ts';
import { createRestrictions } from '../../src/postgres/subject-access/restrictions.ts';
import { silentLog } from '../support/log.ts';
import { type MessageStore, openMessageStore } from '../support/message-store.ts';

describe('jobs › restricted processing', () => {
  let store: MessageStore;
  let book: RestrictionBook;
  let runner: JobRunner;
  const sent: string[] = [];

  before(async () => {
    store = await openMessageStore();
    book = createRestrictions(store.pools, createCipher([{ number: 1, key: randomBytes(32) }]));
    const feed: JobHandler = {
      kind: 'feed',
      attemptsMax: 3,
      delayMs: 1,
      delayMaxMs: 1,
      patientsOf: async ({ payload }) => String(payload['patients']).split(' '),
      run: async ({ payload }) => void sent.push(String(payload['name'])),
    };
    runner = createJobRunner({
      table: store.jobs,
      handlers: [feed, ...createRestrictionJobs(store.jobs, book).handlers],
      stop: book,
      concurrency: 2,
      pollMs: 20,
      now: Date.now,
      log: silentLog,
    });
  });
  after(async () => {
    await runner.stop(1000);
    await store.stop();
  });

  const send = (name: string, patients: string): Promise<void> =>
    store.jobs.add([{ kind: 'feed', key: 'hospital', payload: { name, patients } }]);
  const place = (patientId: string) =>
    book.place({ id: randomUUID(), patientId, reason: 'asked for', placedBy: 'one', placedAt: Date.now() });
  async function lift(patientId: string): Promise<void> {
    expect(await book.askLift(patientId, { by: 'one', at: Date.now(), reason: 'settled' })).equal(true);
    expect(await book.lift(patientId, 'one', Date.now()), 'not by who asked').equal(false);
    expect(await book.lift(patientId, 'two', Date.now())).equal(true);
  }
  async function until(done: () => boolean | Promise<boolean>): Promise<void> {
    for (let tries = 0; tries < 200; tries += 1) {
      if (await done()) return;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    throw new Error('it did not come to that');
  }
  const held = async (): Promise<number> => (await store.jobs.list('held', 50)).length;

  it('[DP-05] a message about the patient is held, and does not hold up those about others', async () => {
    await place('p1');
    await send('first', 'p1');
    await send('second', 'p2');
    await send('third', 'p2 p1');
    await until(async () => sent.includes('second') && (await held()) === 2);
    expect(sent).deep.equal(['second']);
  });

  it('[DP-05] once lifted it goes, in its order, uncounted', async () => {
    await lift('p1');
    expect(await store.jobs.resume('p1')).equal(2);
    await until(() => sent.length === 3);
    expect(sent).deep.equal(['second', 'first', 'third']);
    expect(await held()).equal(0);
  });

  it('[DP-05] one of two restrictions ends: it waits for the other', async () => {
    await place('p3');
    await place('p4');
    await send('both', 'p3 p4');
    await until(async () => (await held()) === 1);
    const [first = ''] = await store.jobs.heldFor(5);
    await lift(first);
    await store.jobs.resume(first);
    await until(async () => (await held()) === 1);
    const [second = ''] = await store.jobs.heldFor(5);
    expect(second).not.equal(first);
    await lift(second);
  });

  it('[DP-05] a crash between lifting and letting go: the sweep finds it', async () => {
    expect(sent).not.include('both');
    await store.jobs.add([{ kind: 'held-sweep', payload: {} }]);
    await until(() => sent.includes('both'));
  });

  it('[DP-05] what sends data of patients does not run where nobody can say whose may be sent', async () => {
    const other = await store.openAnother();
    const ran: string[] = [];
    const careless = createJobRunner({
      table: other.jobs,
      handlers: [
        {
          kind: 'careless',
          attemptsMax: 1,
          delayMs: 1,
          delayMaxMs: 1,
          patientsOf: async () => ['p9'],
          run: async () => void ran.push('ran'),
        },
      ],
      concurrency: 1,
      pollMs: 20,
      now: Date.now,
      log: silentLog,
    });
    await other.jobs.add([{ kind: 'careless', payload: {} }]);
    await until(async () => (await store.jobs.list('dead', 5)).length === 1);
    expect(ran).deep.equal([]);
    await careless.stop(1000);
    await other.end();
  });
});
