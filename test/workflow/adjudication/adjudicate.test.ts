import { expect } from 'chai';
import fc from 'fast-check';
import { createTelecomExchange, EXCHANGE_LIMITS } from '../../../src/gateways/telecom/exchange.ts';
import { FAULT_MODES, type Fault, type FaultMode } from '../../../src/peers/payer/faults.ts';
import { type RunningPayer, startPayer } from '../../../src/peers/payer/start.ts';
import type { ClaimExchange } from '../../../src/ports/claim-exchange.ts';
import type { TelecomMessage } from '../../../src/standards/telecom/message.ts';
import { readOutcomes } from '../../../src/standards/telecom/outcome.ts';
import { parseTelecom } from '../../../src/standards/telecom/parse.ts';
import { formatTelecom } from '../../../src/standards/telecom/write.ts';
import {
  type Adjudicated,
  type AdjudicationAsked,
  createAdjudication,
} from '../../../src/workflow/adjudication/adjudicate.ts';
import {
  isAnswerTo,
  programmeClaim,
  reversalOf,
  type SettledPrimary,
} from '../../../src/workflow/adjudication/messages.ts';
import type { CopayProgramme } from '../../../src/workflow/adjudication/programmes.ts';
import { telecomFixture } from '../../standards/telecom/samples.ts';
import { Crash, createTestJournal, type TestJournal } from '../../support/claim-journal.ts';

const read = (raw: Buffer): TelecomMessage => {
  const { message } = parseTelecom(raw);
  if (!message) throw new Error('it is not read');
  return message;
};
const fixture = (id: string): TelecomMessage => read(telecomFixture(id));
const changed = (id: string, ...changes: readonly (readonly [string, string])[]): TelecomMessage =>
  read(
    Buffer.from(
      changes.reduce((text, [from, to]) => text.replaceAll(from, to), telecomFixture(id).toString('latin1')),
      'latin1',
    ),
  );

const LOYALTY: CopayProgramme = {
  name: 'Loyalty',
  bin: '610524',
  pcn: 'LOYALTY',
  groupId: '50776011',
  memberId: 'ADA55501234',
  ndcs: ['00074055402', '00093111301'],
  method: 'patient-responsibility',
  coversRejected: true,
};

/** Text of a part of a message, from one segment to the next. */
const segment = (message: TelecomMessage | undefined, id: string): string | undefined =>
  message &&
  formatTelecom(message)
    .toString('latin1')
    .split('\u001E\u001CAM')
    .find((text) => text.startsWith(id));

describe('adjudication › messages', () => {
  const outcomeOf = (id: string): SettledPrimary => readOutcomes(fixture(id))[0] as SettledPrimary; // paid or rejected

  it('the claim to the programme after a paid primary is the sample, byte for byte', () => {
    const { value } = programmeClaim(fixture('b1-primary'), outcomeOf('b1-primary-response-paid'), LOYALTY);
    expect(value && formatTelecom(value).toString('latin1')).equal(
      telecomFixture('b1-secondary-copay-occ8').toString('latin1'),
    );
  });

  it('a programme that works on what was paid gets 02 with the total paid', () => {
    const programme: CopayProgramme = { ...LOYALTY, method: 'amount-paid' };
    const { value } = programmeClaim(fixture('b1-primary'), outcomeOf('b1-primary-response-paid'), programme);
    expect(segment(value, '05')).equal(segment(fixture('b1-secondary-occ2-amount-paid'), '05'));
    expect(segment(value, '07')).include('C802');
  });

  it('after a rejection it gets 03 with the codes, and no amounts', () => {
    const rejected = { kind: 'rejected', codes: ['70'], message: '' } as const;
    const { value } = programmeClaim(fixture('b1-primary'), rejected, LOYALTY);
    expect(segment(value, '05')).equal(segment(fixture('b1-secondary-occ3-primary-rejected'), '05'));
    expect(segment(value, '07')).include('C803');
  });

  it('where the primary paid nothing it gets 04 with a zero', () => {
    const paid = { ...outcomeOf('b1-primary-response-paid'), totalPaid: 0n } as SettledPrimary;
    const { value } = programmeClaim(fixture('b1-primary'), paid, LOYALTY);
    expect(segment(value, '07')).include('C804');
    expect(segment(value, '05')).include('HC07').and.include('DV{');
  });

  it('reversals of the primary and of the secondary are the samples, byte for byte', () => {
    for (const [claim, reversal] of [
      ['b1-primary', 'b2-primary'],
      ['b1-secondary-copay-occ8', 'b2-secondary'],
    ] as const) {
      const { value } = reversalOf(fixture(claim));
      expect(value && formatTelecom(value).toString('latin1')).equal(telecomFixture(reversal).toString('latin1'));
    }
  });

  it('an answer is one to its request: provider, day, transaction code and prescription', () => {
    const asked = fixture('b1-primary');
    expect(isAnswerTo(asked, fixture('b1-primary-response-paid'))).equal(true);
    expect(isAnswerTo(asked, fixture('b1-response-header-reject'))).equal(true);
    for (const other of [
      fixture('b2-response-approved'),
      fixture('b1-two-transactions-response'),
      changed('b1-primary-response-paid', ['20260116\u001E', '20260117\u001E']),
      changed('b1-primary-response-paid', ['1629384755', '1043218761']),
      changed('b1-primary-response-paid', ['D2000001000231', 'D2000001000232']),
      asked,
    ])
      expect(isAnswerTo(asked, other)).equal(false);
  });
});

describe('adjudication › two steps over real sockets', function () {
  this.timeout(300_000);
  let payer: RunningPayer;
  let exchange: ClaimExchange & { stop(): void };
  let journal: TestJournal;
  const start = async (timeoutMs = 500): Promise<void> => {
    payer = await startPayer({ port: 0 });
    const url = new URL(`tcp://127.0.0.1:${payer.port}`);
    exchange = createTelecomExchange({ ...EXCHANGE_LIMITS, url, timeoutMs, log: { warn: () => undefined } });
    journal = createTestJournal();
  };
  const stop = async (): Promise<void> => {
    exchange.stop();
    await payer.stop();
  };
  beforeEach(() => start());
  afterEach(stop);

  const ASKED: AdjudicationAsked = {
    caseId: 'case-1',
    claim: fixture('b1-primary'),
    programmes: [LOYALTY],
    isGovernment: false,
  };
  /** A new process each time. */
  const adjudication = (attemptsMax = 3) =>
    createAdjudication({ exchange, journal, wait: () => Promise.resolve(), attemptsMax, delayMs: 1 });
  const run = (asked: Partial<AdjudicationAsked> = {}, attemptsMax = 3): Promise<Adjudicated> =>
    adjudication(attemptsMax).adjudicate({ ...ASKED, ...asked });
  const booked = (): readonly string[] => payer.claims().map(({ key, status }) => `${key.slice(0, 6)} ${status}`);
  const fault = (mode: FaultMode, code: string, bin: string, count = 1): Fault => ({
    mode,
    code,
    bin,
    count,
    ms: 60_000,
  });

  const PAID = {
    kind: 'paid',
    patientPay: '5.00',
    primaryPays: '5701.50',
    programmePays: '495.00',
    saved: '495.00',
    notes: [],
  };

  it('primary, then programme: the patient pays 5.00 of 6201.50', async () => {
    expect(await run()).deep.equal(PAID);
    expect(payer.received).deep.equal(['B1 004336', 'B1 610524']);
  });

  it('asked again, nothing is sent again', async () => {
    await run();
    expect(await run()).deep.equal(PAID);
    expect(payer.received.length).equal(2);
  });

  it('two callers at once: one claim', async () => {
    const both = adjudication();
    expect(await Promise.all([both.adjudicate(ASKED), both.adjudicate(ASKED)])).deep.equal([PAID, PAID]);
    expect(payer.received.length).equal(2);
  });

  it('without a programme, and for a federal plan, the primary stands alone', async () => {
    expect(await run({ programmes: [] })).include({ kind: 'paid', patientPay: '500.00', programmePays: '0.00' });
    const federal = await run({ caseId: 'case-2', isGovernment: true });
    expect(federal).include({ kind: 'paid', patientPay: '500.00' });
    expect(federal.kind === 'paid' && federal.notes).deep.equal(['V-AKS-1: no programme for members of federal plans']);
    expect(payer.received).deep.equal(['B1 004336', 'B1 004336']);
  });

  it('a drug the plan excludes goes to the programme with 03', async () => {
    const result = await run({ claim: changed('b1-primary', ['00074055402', '00093111301']) });
    expect(result).include({ kind: 'paid', primaryPays: '0.00', programmePays: '200.00', patientPay: '6301.50' });
  });

  it('prior authorization required: no programme is asked, and the action is named', async () => {
    const claim = changed('b1-primary', ['00074055402', '00093720201']);
    const result = await run({ claim, programmes: [{ ...LOYALTY, ndcs: ['00093720201'] }] });
    expect(result).deep.include({ kind: 'rejected', codes: ['75'], actions: ['prior-authorization'] });
    expect(payer.received).deep.equal(['B1 004336']);
  });

  it('the programme rejects: the primary stays paid, and the reason is shown', async () => {
    const result = await run({ programmes: [{ ...LOYALTY, groupId: '1' }] });
    expect(result).include({ kind: 'paid', patientPay: '500.00', programmePays: '0.00' });
    expect(result.kind === 'paid' && result.notes).deep.equal(['the programme does not pay: 51 Non-Matched Group ID']);
    expect(booked()).deep.equal(['004336 paid']);
  });

  it('no sale without the programme: the primary is taken back', async () => {
    const result = await run({ programmes: [{ ...LOYALTY, groupId: '1' }], whenProgrammeFails: 'reverse' });
    expect(result.kind).equal('reversed');
    expect(payer.received).deep.equal(['B1 004336', 'B1 610524', 'B2 004336']);
    expect(booked()).deep.equal(['004336 reversed']);
  });

  it('taken back as asked: the programme first, then the primary; twice is once', async () => {
    await run();
    expect((await adjudication().reverse('case-1')).kind).equal('reversed');
    expect((await adjudication().reverse('case-1')).kind).equal('reversed');
    expect(payer.received.slice(2)).deep.equal(['B2 610524', 'B2 004336']);
    expect(booked()).deep.equal(['004336 reversed', '610524 reversed']);
    expect((await run()).kind).equal('reversed');
    expect(booked()).deep.equal(['004336 reversed', '610524 reversed']);
  });

  for (const mode of Object.keys(FAULT_MODES) as FaultMode[]) {
    it(`${mode} once, at either payer: asked again, paid once`, async () => {
      payer.setFaults([fault(mode, 'B1', '004336'), fault(mode, 'B1', '610524')]);
      expect(await run()).deep.equal(PAID);
      expect(booked()).deep.equal(['004336 paid', '610524 paid']);
      expect(payer.received.length).least(4);
    });

    it(`${mode} at the programme without end: it is taken back, the primary stands`, async () => {
      payer.setFaults([fault(mode, 'B1', '610524', 99)]);
      const result = await run({}, 2);
      expect(result).include({ kind: 'paid', patientPay: '500.00', programmePays: '0.00' });
      expect(booked()).not.include('610524 paid');
      expect(payer.received.filter((one) => one.startsWith('B2'))).not.include('B2 004336');
    });

    it(`${mode} at the programme without end, and no sale without it: programme, then primary, are taken back`, async () => {
      payer.setFaults([fault(mode, 'B1', '610524', 99)]);
      expect((await run({ whenProgrammeFails: 'reverse' }, 2)).kind).equal('reversed');
      expect(booked().filter((one) => one.endsWith('paid'))).deep.equal([]);
      const reversals = payer.received.filter((one) => one.startsWith('B2'));
      expect(reversals.lastIndexOf('B2 610524')).lessThan(reversals.indexOf('B2 004336'));
    });
  }

  it('the reversal of the programme is not answered: the primary is left until it is', async () => {
    await run();
    payer.setFaults([fault('time-out-before', 'B2', '610524', 3)]);
    expect(await adjudication().reverse('case-1')).include({ kind: 'open', role: 'programme' });
    expect(booked()).deep.equal(['004336 paid', '610524 paid']);
    expect((await adjudication().reverse('case-1')).kind).equal('reversed');
    expect(booked()).deep.equal(['004336 reversed', '610524 reversed']);
  });

  it('taken back by another process while the programme is asked: nothing stays billed', async () => {
    for (let held = 3; held <= 10; held++) {
      await stop();
      await start(5_000);
      let steps = 0;
      let reversed: Promise<Adjudicated> | undefined;
      // Once the claim is written down, at some step of the one the other begins, with the same journal and none of its memory.
      const watched = new Proxy(journal, {
        get: (target, name) => {
          const member: unknown = Reflect.get(target, name);
          if (typeof member !== 'function') return member;
          return (...given: unknown[]) => {
            steps += 1;
            if (steps === held) reversed = adjudication().reverse('case-1');
            return Reflect.apply(member, target, given) as unknown;
          };
        },
      });
      const services = { exchange, journal: watched, wait: () => Promise.resolve(), attemptsMax: 3, delayMs: 1 };
      await createAdjudication(services).adjudicate(ASKED);
      await reversed;
      expect(
        booked().filter((one) => one.endsWith('paid')),
        String(held),
      ).deep.equal([]);
    }
  });

  it('no payer there: open, nothing is billed, and it is taken up later', async () => {
    const { port } = payer;
    await payer.stop();
    expect(await run()).include({ kind: 'open', role: 'primary' });
    payer = await startPayer({ port });
    expect(await run()).deep.equal(PAID);
  });

  it('the process ends at any step: the next one ends the case, and each payer has paid once', async () => {
    for (let steps = 0.5; steps < 12; steps += 0.5) {
      await stop();
      await start();
      journal.crashAfter(steps);
      await run().catch((error: unknown) => {
        if (!(error instanceof Crash)) throw error;
      });
      journal.crashAfter(Number.POSITIVE_INFINITY);
      expect(await run(), String(steps)).deep.equal(PAID);
      expect(booked(), String(steps)).deep.equal(['004336 paid', '610524 paid']);
    }
  });

  const RUNS = { quick: 15, ci: 60, long: 1_000 }[process.env['TEST_SIZE'] ?? 'quick'] ?? 15;
  it(`${RUNS} runs of any faults and crashes: what is said in the end is what the payers hold`, async () => {
    const faults = fc.array(
      fc.record({
        mode: fc.constantFrom(...(Object.keys(FAULT_MODES) as FaultMode[])),
        code: fc.constantFrom('B1', 'B2'),
        bin: fc.constantFrom('004336', '610524'),
        count: fc.integer({ min: 1, max: 4 }),
        ms: fc.constant(60_000),
      }),
      { maxLength: 4 },
    );
    const property = fc.asyncProperty(
      faults,
      fc.array(fc.integer({ min: 1, max: 24 }), { maxLength: 3 }),
      fc.boolean(),
      fc.boolean(),
      async (planned, crashes, isReversed, sale) => {
        await stop();
        await start(40);
        payer.setFaults(planned);
        const asked = { whenProgrammeFails: sale ? 'keep' : 'reverse' } as const;
        for (const steps of crashes) {
          journal.crashAfter(steps / 2);
          await run(asked, 2).catch((error: unknown) => {
            if (!(error instanceof Crash)) throw error;
          });
          journal.crashAfter(Number.POSITIVE_INFINITY);
        }
        payer.setFaults([]);
        await stopFaults();
        let result = isReversed ? await adjudication(3).reverse('case-1') : await run(asked, 3);
        for (let i = 0; i < 20 && result.kind === 'open'; i++)
          result = isReversed ? await adjudication(3).reverse('case-1') : await run(asked, 3);
        const paid = booked().filter((one) => one.endsWith('paid'));
        if (result.kind === 'reversed') expect(paid).deep.equal([]);
        else if (result.kind === 'paid')
          expect(paid).deep.equal(result.programmePays === '0.00' ? ['004336 paid'] : ['004336 paid', '610524 paid']);
        else expect.fail(`${result.kind}`);
      },
    );
    await fc.assert(property, { numRuns: RUNS, endOnFailure: true });
  });

  /** On a slow machine every answer may be late: from here on there is time. */
  function stopFaults(): Promise<void> {
    exchange.stop();
    const url = new URL(`tcp://127.0.0.1:${payer.port}`);
    exchange = createTelecomExchange({ ...EXCHANGE_LIMITS, url, log: { warn: () => undefined } });
    return Promise.resolve();
  }
});
