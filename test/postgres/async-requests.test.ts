/** Requests that are answered later: https://hl7.org/fhir/R4/async.html */
import { randomBytes, randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { createAsyncJobs } from '../../src/jobs/async-jobs.ts';
import { createCipher } from '../../src/pki/key-file.ts';
import type { AsyncStep, AsyncWork, NewAsyncRequest } from '../../src/ports/async-requests.ts';
import { createAsyncRequests } from '../../src/postgres/async-requests.ts';
import { badValue, FhirError } from '../../src/standards/fhir/outcome.ts';
import { silentLog } from '../support/log.ts';
import { type MessageStore, openMessageStore } from '../support/message-store.ts';

const START = Date.parse('2026-03-01T10:00:00Z');
const HOUR_MS = 3_600_000;
const TIMES = { endedAt: START, expiresAt: START + HOUR_MS };
const LIMIT = { ownerMax: 3, max: 10 };
const cipher = createCipher([{ number: 1, key: randomBytes(32) }]);
const NOTHING = new AbortController().signal;

describe('requests that are answered later', () => {
  let store: MessageStore;
  before(async () => {
    store = await openMessageStore();
  });
  afterEach(() => store.pools.writes.query({ text: 'delete from mortar.async_request', values: [] }));
  after(() => store.stop());

  const open = (resultBytesMax?: number) =>
    createAsyncRequests({
      ...store.pools,
      cipher,
      cipherOf: (key) => createCipher([{ number: 1, key }]),
      ...(resultBytesMax !== undefined && { resultBytesMax }),
    });
  const request = (some: Partial<NewAsyncRequest> = {}): NewAsyncRequest => ({
    id: randomUUID(),
    kind: 'count',
    owner: 'client-1',
    payload: { secret: 'Hatherley' },
    askedAt: START,
    ...some,
  });
  const piece = (file: string, text: string) => ({ file, bytes: Buffer.from(text), count: 1 });
  const textOf = async (id: string, file: string): Promise<string> =>
    Buffer.concat(await Array.fromAsync(open().readFile(id, file))).toString();
  const pieces = async (): Promise<number> =>
    Number(
      (await store.pools.writes.query({ text: 'select count(*)::int from mortar.async_piece', values: [] }))[0]?.[0],
    );

  it('step by step to its end: the files in order, the result, when it ended', async () => {
    const book = open();
    const asked = request();
    expect(await book.ask(asked, LIMIT)).equal(true);
    expect(await book.find(asked.id)).eql({ ...asked, state: 'waiting' });
    expect(await book.begin(asked.id)).eql({ ...asked, step: 0, isInterrupted: false });
    const first: AsyncStep = {
      pieces: [piece('a', 'one,'), piece('b', 'x'), piece('a', 'two,')],
      checkpoint: { at: 2 },
      progress: 'half',
    };
    expect(await book.append(asked.id, 0, first, TIMES)).equal(true);
    expect(await book.find(asked.id)).deep.include({ state: 'running', progress: 'half' });
    expect(await book.begin(asked.id)).deep.include({ step: 1, isInterrupted: false, checkpoint: { at: 2 } });
    const last: AsyncStep = { pieces: [piece('a', 'three')], result: { status: 200 } };
    expect(await book.append(asked.id, 1, last, TIMES)).equal(true);
    expect(await book.find(asked.id)).deep.include({ state: 'done', result: { status: 200 }, ...TIMES });
    expect(await book.files(asked.id)).eql([
      { name: 'a', length: 13, count: 3 },
      { name: 'b', length: 1, count: 1 },
    ]);
    expect(await textOf(asked.id, 'a')).equal('one,two,three');
    expect(await book.begin(asked.id), 'nothing more to do').equal(undefined);
  });

  it('large pieces are packed: less is kept, and what is read and counted is what was given', async () => {
    const book = open();
    const asked = request();
    await book.ask(asked, LIMIT);
    await book.begin(asked.id);
    const text = '{"resourceType":"Patient","name":[{"family":"Hatherley"}]}\n'.repeat(5000);
    const large = await book.pack(piece('a', text));
    expect(large.bytes.length).below(text.length / 10);
    const small = await book.pack(piece('b', 'few'));
    expect(small.packedFrom, 'not worth it').equal(undefined);
    await book.append(asked.id, 0, { pieces: [large, small, piece('a', 'end')] }, TIMES);
    expect((await book.readStep(asked.id, 'a', 0))?.toString()).equal(`${text}end`);
    await book.append(asked.id, 1, { pieces: [], result: {} }, TIMES);
    expect(await textOf(asked.id, 'a')).equal(`${text}end`);
    expect(await textOf(asked.id, 'b')).equal('few');
    expect(await book.files(asked.id)).eql([
      { name: 'a', length: text.length + 3, count: 2 },
      { name: 'b', length: 3, count: 1 },
    ]);
    const limited = open(text.length);
    const second = request();
    await limited.ask(second, LIMIT);
    await limited.begin(second.id);
    const twice = { pieces: [large, await book.pack(piece('b', text))] };
    const failed = await limited.append(second.id, 0, twice, TIMES).catch((error: unknown) => error);
    expect(failed, 'a result is as long as it is when it is read').instanceOf(FhirError);
  });

  it('a step that was interrupted is told, and of two who make one the first is kept', async () => {
    const book = open();
    const asked = request();
    await book.ask(asked, LIMIT);
    await book.begin(asked.id);
    expect(await book.begin(asked.id)).deep.include({ step: 0, isInterrupted: true });
    expect(await book.append(asked.id, 0, { pieces: [piece('a', '1')] }, TIMES)).equal(true);
    expect(await book.append(asked.id, 0, { pieces: [piece('a', '2')] }, TIMES)).equal(false);
    expect(await book.files(asked.id)).eql([{ name: 'a', length: 1, count: 1 }]);
  });

  it('what is cancelled ends, with all there is of it', async () => {
    const book = open();
    const asked = request();
    await book.ask(asked, LIMIT);
    await book.begin(asked.id);
    await book.append(asked.id, 0, { pieces: [piece('a', '1')] }, TIMES);
    expect(await book.cancel(asked.id)).equal(true);
    expect(await book.cancel(asked.id)).equal(false);
    expect(await book.append(asked.id, 1, { pieces: [piece('a', '2')] }, TIMES)).equal(false);
    expect(await book.find(asked.id)).deep.include({ state: 'cancelled', payload: {} });
    expect(await pieces()).equal(0);
  });

  it('[KS-07] nothing of it lies in clear, and its key goes with its time', async () => {
    const book = open();
    const asked = request();
    await book.ask(asked, LIMIT);
    await book.begin(asked.id);
    await book.append(asked.id, 0, { pieces: [piece('a', 'Hatherley')], result: { name: 'Hatherley' } }, TIMES);
    const rows = await store.pools.writes.query({
      text: `select r::text || p::text, encode(payload, 'escape') || encode(outcome, 'escape') || encode(p.bytes, 'escape')
from mortar.async_request r join mortar.async_piece p on p.request_id = r.id`,
      values: [],
    });
    expect(rows).length(1);
    expect(JSON.stringify(rows)).not.contain('Hatherley');
    expect(await book.expire(TIMES.expiresAt - 1, 10)).eql([]);
    expect(await book.expire(TIMES.expiresAt, 10)).eql([{ id: asked.id, kind: 'count', owner: 'client-1' }]);
    expect(await book.find(asked.id)).deep.include({ state: 'gone', payload: {} });
    expect(await pieces()).equal(0);
    await book.expire(TIMES.expiresAt + 25 * HOUR_MS, 10);
    expect(await book.find(asked.id)).equal(undefined);
  });

  it('an owner has so many, everybody together so many, a result so many bytes', async () => {
    const book = open(5);
    const [first, second] = [request(), request({ owner: 'client-2' })];
    expect(await book.ask(first, { ownerMax: 1, max: 10 })).equal(true);
    expect(await book.ask(request(), { ownerMax: 1, max: 10 }), 'of its owner').equal(false);
    expect(await book.ask(request({ owner: 'client-3' }), { ownerMax: 1, max: 1 }), 'of all').equal(false);
    expect(await book.ask(second, { ownerMax: 1, max: 10 })).equal(true);
    await book.begin(first.id);
    expect(await book.append(first.id, 0, { pieces: [piece('a', '12345')] }, TIMES)).equal(true);
    const error = await book.append(first.id, 1, { pieces: [piece('a', '6')] }, TIMES).catch((e: unknown) => e);
    expect(error).instanceOf(FhirError).property('status', 400);
  });

  describe('the job', () => {
    const run = async (step: (work: AsyncWork) => Promise<AsyncStep>, id: string): Promise<void> => {
      const book = open();
      const jobs = createAsyncJobs({
        book,
        jobs: store.jobs,
        workers: [{ kind: 'count', keptMs: HOUR_MS, step }],
        concurrency: 1,
        now: () => START,
        log: silentLog,
      });
      const job = { id: '1', kind: 'async-request', payload: { request: id }, attempt: 1, fence: 1 };
      await jobs.handlers.find(({ kind }) => kind === job.kind)?.run(job, NOTHING);
    };

    it('makes steps until there is a result, and goes on after a fault where it stopped', async () => {
      const asked = request();
      await open().ask(asked, LIMIT);
      const seen: (readonly [number, boolean])[] = [];
      const step = async ({ step, isInterrupted, checkpoint }: AsyncWork): Promise<AsyncStep> => {
        seen.push([step, isInterrupted]);
        const at = Number(checkpoint?.['at'] ?? 0);
        if (seen.length === 2) throw new Error('the power went');
        if (at === 2) return { pieces: [piece('a', 'end')], result: { at } };
        return { pieces: [piece('a', `${at},`)], checkpoint: { at: at + 1 } };
      };
      const fault = await run(step, asked.id).catch((error: Error) => error.message);
      expect(fault).equal('the power went');
      await run(step, asked.id);
      expect(seen).eql([
        [0, false],
        [1, false],
        [1, true],
        [2, false],
      ]);
      expect(await textOf(asked.id, 'a')).equal('0,1,end');
      expect(await open().find(asked.id)).deep.include({ state: 'done', expiresAt: START + HOUR_MS });
    });

    it("a fault of the request's own ends it, and is told", async () => {
      const asked = request();
      await open().ask(asked, LIMIT);
      await run(async () => Promise.reject(badValue('no such thing', 'x')), asked.id);
      expect(await open().find(asked.id)).deep.include({
        state: 'failed',
        failure: {
          status: 400,
          issues: [{ severity: 'error', code: 'value', diagnostics: 'no such thing', expression: ['x'] }],
        },
      });
    });
  });
});
