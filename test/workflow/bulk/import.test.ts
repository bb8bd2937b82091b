/** The worker of $import between its steps: what is interrupted, done again, or done by two at once. SECURITY AZ-01, CP-15, KS-07 */
import { randomBytes, randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { createCipher } from '../../../src/pki/key-file.ts';
import type { AsyncRequests, AsyncWorker } from '../../../src/ports/async-requests.ts';
import type { Caller } from '../../../src/ports/caller.ts';
import type { Resource, ResourceStore } from '../../../src/ports/resource-store.ts';
import { createAsyncRequests } from '../../../src/postgres/async-requests.ts';
import { createPools, type Pools } from '../../../src/postgres/pools.ts';
import { conflict, FhirError } from '../../../src/standards/fhir/outcome.ts';
import { beginApplying, createImportWorker, ERRORS, IMPORT, INPUT } from '../../../src/workflow/bulk/import.ts';
import { linesOf } from '../../../src/workflow/bulk/lines.ts';
import { client } from '../../support/callers.ts';
import { silentLog } from '../../support/log.ts';
import { openPolicyStore, type PolicyStore, parameters } from '../../support/policy-store.ts';

const SIGNAL = new AbortController().signal;
const LIMIT = { ownerMax: 5, max: 5 };
const BATCH = 5;
const MINUTE_MS = 60_000;

/** A process that ends. */
class Killed extends Error {}

describe('$import › between its steps', function () {
  this.timeout(60_000);
  let world: PolicyStore;
  let pools: Pools;
  let book: AsyncRequests;
  let caller: Caller | undefined;
  let worker: AsyncWorker;
  /** Called around each transaction. */
  let before: () => void;
  let after: () => void;
  beforeEach(async () => {
    world = await openPolicyStore();
    pools = createPools({
      connection: world.database.connection('app'),
      readConnections: 1,
      writeConnections: 1,
      transactionConnections: 1,
      log: silentLog,
    });
    book = createAsyncRequests({
      ...pools,
      cipher: createCipher([{ number: 1, key: randomBytes(32) }]),
      cipherOf: (key) => createCipher([{ number: 1, key }]),
    });
    caller = client('system/*.cruds');
    before = () => {};
    after = () => {};
    const transaction: ResourceStore['transaction'] = async (who, work) => {
      before();
      const result = await world.store.transaction(who, (tx) =>
        work({
          ...tx,
          write(writes, ...rest) {
            const isPoison = writes.some((one) => one.kind === 'make' && JSON.stringify(one.make()).includes('poison'));
            return isPoison ? Promise.reject(conflict('this one cannot be stored')) : tx.write(writes, ...rest);
          },
        }),
      );
      after();
      return result;
    };
    worker = createImportWorker({
      store: { newId: () => world.store.newId(), transaction },
      book,
      findCaller: async () => caller,
      validate: world.services.validate,
      isType: (type) => parameters.get(type) !== undefined,
      lineBytesMax: 10_000,
      audit: { record: async () => {} },
      now: world.clock.now,
      batchSize: BATCH,
    });
  });
  afterEach(async () => {
    await pools.end();
    await world.stop();
  });

  const observation = (text: string): Resource => ({ resourceType: 'Observation', status: 'final', code: { text } });
  const named = (text: string): Resource => ({ ...observation(text), id: 'named' });
  const many = (n: number): string[] => Array.from({ length: n }, (_, i) => JSON.stringify(observation(`${i}`)));
  const TIMES = { endedAt: 0, expiresAt: 0 };

  /** An import whose lines have come, in pieces. */
  async function upload(pieces: readonly (readonly string[])[]): Promise<string> {
    const id = randomUUID();
    await book.ask({ id, kind: IMPORT, owner: 'c', payload: { owner: {}, request: 'x' }, askedAt: 0 }, LIMIT);
    await book.begin(id);
    for (const [step, lines] of pieces.entries()) {
      const piece = { file: INPUT, bytes: Buffer.from(lines.map((line) => `${line}\n`).join('')), count: lines.length };
      const checkpoint = { stage: 'upload', at: world.clock.now() };
      expect(await book.append(id, step, { pieces: [piece], checkpoint }, TIMES)).equal(true);
    }
    const checkpoint = { ...beginApplying(pieces.length, pieces.flat().length) };
    expect(await book.append(id, pieces.length, { pieces: [], checkpoint }, TIMES)).equal(true);
    return id;
  }
  /** Begins again after each end of the process, as the job does. */
  async function run(id: string): Promise<Readonly<Record<string, unknown>>> {
    for (let kills = 0; ; ) {
      const work = await book.begin(id);
      if (!work) throw new Error('there is nothing to do');
      try {
        const step = await worker.step(work, SIGNAL);
        const times = { endedAt: world.clock.now(), expiresAt: world.clock.now() + MINUTE_MS };
        expect(await book.append(id, work.step, step, times)).equal(true);
        if (step.result) return step.result;
      } catch (error) {
        if (!(error instanceof Killed) || ++kills > 50) throw error;
      }
    }
  }
  const stored = async (): Promise<number> =>
    (await world.ids(client('system/*.cruds'), 'Observation?_count=100')).length;
  async function faults(id: string): Promise<string[]> {
    const bytes = Buffer.concat(await Array.fromAsync(book.readFile(id, ERRORS)));
    return linesOf(bytes).map((line) => (JSON.parse(line.toString()) as { id: string }).id);
  }

  const lines = many(12);
  const pieces = [[...lines.slice(0, 6), 'no JSON', ...lines.slice(6)], many(3)];
  for (const where of ['before', 'after'] as const)
    it(`killed ${where} the commit of any transaction: each line once, each fault once`, async () => {
      for (let at = 1; at <= 4; at++) {
        const found = await stored();
        let calls = 0;
        const kill = (): void => {
          if (++calls === at) throw new Killed();
        };
        if (where === 'before') before = kill;
        else after = kill;
        const id = await upload(pieces);
        expect(await run(id)).include({ lines: 16, created: 15, updated: 0, unchanged: 0, failed: 1 });
        expect(calls, 'it was killed').above(at);
        expect((await stored()) - found, `at ${at}`).equal(15);
        expect(await faults(id)).deep.equal(['line-7']);
      }
    });

  it('killed at every transaction while lines go one by one: each line once', async () => {
    const poisoned = [...many(3), JSON.stringify(observation('poison')), ...many(7)];
    // Each life sees one transaction more than the one before it.
    let [life, calls, kills] = [1, 0, 0];
    after = () => {
      if (++calls < life || life > 12) return;
      life += 1;
      calls = 0;
      kills += 1;
      throw new Killed();
    };
    const id = await upload([poisoned]);
    const result = await run(id);
    expect(kills).above(5);
    expect(result).include({ created: 10, failed: 1 });
    expect(await stored()).equal(10);
    expect(await faults(id)).deep.equal(['line-4']);
  });

  it('one resource in transactions that could go at once: in the order of the lines', async () => {
    const texts = many(14);
    for (const at of [0, 3, 5, 9, 10]) texts.splice(at, 1, JSON.stringify(named(`line ${at + 1}`)));
    expect(await run(await upload([texts]))).include({ created: 10, updated: 4, failed: 0 });
    const { content, versionId } = await world.store.read(client('system/*.cruds'), 'Observation', 'named');
    expect(content).include('line 11');
    expect(versionId).equal(5);
  });

  it('two who do the same step at once do it once', async () => {
    const id = await upload([many(17)]);
    const work = await book.begin(id);
    if (!work) throw new Error('there is nothing to do');
    const steps = await Promise.all([worker.step(work, SIGNAL), worker.step(work, SIGNAL)]);
    expect(steps[1]?.checkpoint).deep.equal(steps[0]?.checkpoint);
    expect(await stored()).equal(17);
  });

  it('what others changed after a line was applied is not undone by applying it again', async () => {
    let isKilled = false;
    after = () => {
      if (isKilled) return;
      isKilled = true;
      throw new Killed();
    };
    const id = await upload([[JSON.stringify(named('imported')), ...many(9)]]);
    const work = await book.begin(id);
    if (!work) throw new Error('there is nothing to do');
    expect(await worker.step(work, SIGNAL).catch((error: unknown) => error)).instanceOf(Killed);
    await world.put(named('changed'));
    expect(await run(id)).include({ created: 10 });
    const { content } = await world.store.read(client('system/*.cruds'), 'Observation', 'named');
    expect(content).include('changed');
  });

  it('[AZ-01] [CP-15] a client whose rights end or shrink imports nothing more', async () => {
    for (const left of [undefined, client('system/*.rs'), client('system/*.cruds?_id=a')]) {
      caller = client('system/*.cruds');
      const found = await stored();
      const id = await upload([many(3), many(3)]);
      const first = await book.begin(id);
      if (!first) throw new Error('there is nothing to do');
      await book.append(id, first.step, await worker.step(first, SIGNAL), TIMES);
      caller = left;
      const error = await run(id).catch((thrown: unknown) => thrown);
      expect(error).instanceOf(FhirError);
      expect((error as FhirError).status).equal(403);
      expect((await stored()) - found).equal(3);
      await book.cancel(id);
    }
  });

  it('waits while the lines come; where they stop coming it ends', async () => {
    const id = randomUUID();
    await book.ask(
      { id, kind: IMPORT, owner: 'c', payload: { owner: {}, request: 'x' }, askedAt: world.clock.now() },
      LIMIT,
    );
    for (const step of [0, 1]) {
      const work = await book.begin(id);
      if (!work) throw new Error('there is nothing to do');
      expect(worker.isReady?.(work)).equal(false);
      const checkpoint = { stage: 'upload', at: world.clock.now() };
      const piece = { file: INPUT, bytes: Buffer.from(many(1)[0] ?? ''), count: 1 };
      expect(await book.append(id, step, { pieces: [piece], checkpoint }, TIMES)).equal(true);
      world.clock.pass(4 * MINUTE_MS);
    }
    world.clock.pass(2 * MINUTE_MS);
    const work = await book.begin(id);
    if (!work) throw new Error('there is nothing to do');
    expect(worker.isReady?.(work)).equal(true);
    const error = await worker.step(work, SIGNAL).catch((thrown: unknown) => thrown);
    expect((error as FhirError).status).equal(408);
    expect(await stored()).equal(0);
  });

  it('[KS-07] lines lie sealed while they wait, and are gone with the last step', async () => {
    const id = await upload([[JSON.stringify(observation('Canaryname'))]]);
    const kept = async (): Promise<Buffer[]> =>
      (await pools.reads.query({ text: 'select bytes from mortar.async_piece', values: [] })).map(([b]) => b as Buffer);
    const waiting = await kept();
    expect(waiting.length).equal(1);
    expect(waiting[0]?.includes('Canaryname')).equal(false);
    await run(id);
    expect(await kept()).deep.equal([]);
  });
});
