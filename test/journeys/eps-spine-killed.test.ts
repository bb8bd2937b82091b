/** A hundred prescriptions at once, with a Spine that is killed in the middle: nothing lost, nothing done twice. MISSION M3 */
import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { createCircuitBreaker } from '../../src/gateways/circuit-breaker.ts';
import { createSpineExchange } from '../../src/gateways/eps/exchange.ts';
import { createSpineSender, type SpineSender } from '../../src/gateways/eps/submit.ts';
import { createHttpsCaller, type HttpsCaller } from '../../src/gateways/https-call.ts';
import { createEpsJobs } from '../../src/jobs/eps-jobs.ts';
import { createJobRunner, type JobRunner } from '../../src/jobs/runner.ts';
import { serviceCaller } from '../../src/policy/service-caller.ts';
import type { StoredMessage } from '../../src/ports/message-log.ts';
import {
  hashOf,
  newPrescription,
  notification,
  order,
  patientRelease,
  readSigner,
  type V3Document,
} from '../support/eps-messages.ts';
import { silentLog } from '../support/log.ts';
import { type MessageStore, openMessageStore } from '../support/message-store.ts';
import { PARTY } from '../support/spine.ts';
import { type SpineProcess, startSpineProcess } from '../support/spine-process.ts';
import { makeTempFolder } from '../support/temp-folder.ts';

const CALLER = serviceCaller('test');
const COUNT = 100;
/** Far beyond what a busy machine needs: whoever waits in vain is shown as such, and the rest goes on. */
const WAIT_MS = 240_000;
/** A part that may have been told is asked about again and again: nothing the tracker shows can decide it. */
const PART_WAIT_MS = 90_000;

describe('journeys › eps › a Spine that is killed', function () {
  this.timeout(600_000);
  let store: MessageStore;
  let https: HttpsCaller;
  let runner: JobRunner;
  let sender: SpineSender;
  let spine: SpineProcess;
  let dataDir: string;
  before(async () => {
    dataDir = join(makeTempFolder(), 'data');
    mkdirSync(dataDir);
    spine = await startSpineProcess(dataDir);
    store = await openMessageStore({ transactionConnections: 8 });
    const file = (name: string): string => readFileSync(join(dataDir, 'spine/certificates', name), 'utf8');
    const tls = { cert: file('gateway.crt'), key: file('gateway.key'), ca: file('ca.crt') };
    https = createHttpsCaller({ baseUrl: new URL(spine.url), tls: () => tls, timeoutMs: 3000 });
    const exchange = createSpineExchange({
      https,
      breaker: createCircuitBreaker({ failuresMax: 5, pauseMs: 50, pauseMaxMs: 400, now: Date.now }),
      log: silentLog,
    });
    sender = createSpineSender({ messages: store.messages, queue: store.queue, now: Date.now });
    const { handlers } = createEpsJobs({
      messages: store.messages,
      exchange,
      askAgainMs: 100,
      delayMs: 50,
      delayMaxMs: 400,
      attemptsMax: 500,
      onSettled: sender.settled,
      log: silentLog,
    });
    runner = createJobRunner({
      table: store.jobs,
      handlers,
      concurrency: 16,
      pollMs: 50,
      sweepMs: 200,
      now: Date.now,
      log: silentLog,
    });
  });
  after(async () => {
    await runner?.stop(3000);
    https?.close();
    await spine?.kill();
    await store?.stop();
  });

  const submit = (document: V3Document, waitMs = WAIT_MS): Promise<StoredMessage> =>
    sender.submit(
      CALLER,
      { v3: document.v3, ...PARTY, requestId: randomUUID(), hash: hashOf(document), at: Date.now() },
      waitMs,
    );
  const state = async (path: string): Promise<unknown> => (await fetch(`${spine.stateUrl}${path}`)).json();

  it(`${COUNT} prescriptions in parallel, sent, released and dispensed, end in the right states`, async () => {
    const at = Date.now();
    const signer = readSigner({
      certFile: join(dataDir, 'spine/certificates/prescriber.crt'),
      keyFile: join(dataDir, 'spine/certificates/prescriber.key'),
    });
    const all = Array.from({ length: COUNT }, () => newPrescription());
    let acknowledged = 0;
    const journey = async (made: (typeof all)[number], index: number): Promise<string> => {
      const sent = await submit(order(made, { at, signer }));
      if (sent.state !== 'acknowledged') return `order ${sent.state} ${sent.error}`;
      acknowledged += 1;
      if (index % 4 === 0) return 'To Be Dispensed';
      const released = await submit(patientRelease(made, at));
      if (released.state !== 'acknowledged') return `release ${released.state} ${released.error}`;
      const requestId = /<priorDownloadRequestRef [\s\S]*?root="([^"]+)"/.exec(released.answer?.toString() ?? '')?.[1];
      acknowledged += 1;
      if (index % 4 === 1) return 'With Dispenser';
      const part = index % 4 === 2;
      const supply = { at, status: part ? '0003' : '0006', items: part ? ['0001', '0004'] : ['0001', '0001'] };
      const told = await submit(notification(made, requestId ?? '', supply), part ? PART_WAIT_MS : WAIT_MS);
      acknowledged += 1;
      // Nothing the tracker shows can tell a part that was told twice from one that was told once: then a person must.
      if (told.state !== 'acknowledged' && !(part && told.state === 'unknown'))
        return `notification ${told.state} ${told.error}`;
      return part ? 'With Dispenser - Active' : 'Dispensed';
    };
    let isOver = false;
    const work = Promise.all(all.map(journey)).finally(() => {
      isOver = true;
    });
    let kills = 0;
    const { port } = new URL(spine.url);
    const statePort = new URL(spine.stateUrl).port;
    for (const after of [20, 90, 160]) {
      while (acknowledged < after && !isOver) await new Promise((done) => setTimeout(done, 10));
      await spine.kill();
      spine = await startSpineProcess(dataDir, Number(port), Number(statePort));
      kills += 1;
    }
    const expected = await work;
    expect(kills).equal(3);
    const found = await Promise.all(
      all.map(async ({ id }) => ((await state(`/prescriptions/${id}`)) as { issues: { status: string }[] }).issues[0]),
    );
    expect(found.map((issue) => issue?.status.slice(5))).eql(expected);
    expect(new Set(expected)).eql(
      new Set(['To Be Dispensed', 'With Dispenser', 'With Dispenser - Active', 'Dispensed']),
    );
  });

  it('a second Spine in the same folder does not start', async () => {
    let error: unknown;
    try {
      await startSpineProcess(dataDir);
    } catch (caught) {
      error = caught;
    }
    expect(String(error)).match(/another Spine \(process \d+\)/);
  });
});
