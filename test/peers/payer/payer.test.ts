import { connect } from 'node:net';
import { expect } from 'chai';
import { createTelecomExchange, EXCHANGE_LIMITS } from '../../../src/gateways/telecom/exchange.ts';
import { readFault } from '../../../src/peers/payer/faults.ts';
import { type RunningPayer, startPayer } from '../../../src/peers/payer/start.ts';
import type { ClaimExchange } from '../../../src/ports/claim-exchange.ts';
import { isError } from '../../../src/standards/fhir/outcome.ts';
import { checkTelecom } from '../../../src/standards/telecom/check.ts';
import { readOutcomes } from '../../../src/standards/telecom/outcome.ts';
import { parseTelecom } from '../../../src/standards/telecom/parse.ts';
import { publishedTelecom, telecomFixture, telecomFixtures } from '../../standards/telecom/samples.ts';

const log = { warn: () => undefined };

describe('local payer › over TCP', () => {
  let payer: RunningPayer;
  let exchange: ClaimExchange & { stop(): void };
  beforeEach(async () => {
    payer = await startPayer({ port: 0 });
    const url = new URL(`tcp://127.0.0.1:${payer.port}`);
    exchange = createTelecomExchange({ ...EXCHANGE_LIMITS, url, timeoutMs: 300, log });
  });
  afterEach(async () => {
    exchange.stop();
    await payer.stop();
  });

  async function answerTo(body: Buffer) {
    const outcome = await exchange.send(body);
    if (outcome.kind !== 'answered') throw new Error(`${outcome.kind}: ${outcome.cause}`);
    const { message, issues } = parseTelecom(outcome.body);
    if (!message) throw new Error(JSON.stringify(issues));
    return { message, text: outcome.body.toString('latin1') };
  }
  const statusOf = async (body: Buffer): Promise<unknown> => {
    const [outcome] = readOutcomes((await answerTo(body)).message);
    return outcome?.kind === 'rejected' ? outcome.codes : outcome?.kind;
  };
  const change = (id: string, from: string, to: string): Buffer =>
    Buffer.from(telecomFixture(id).toString('latin1').replace(from, to), 'latin1');

  it('pays the primary claim by its plan: 6200.00 allowed, 500.00 coinsurance, as the sample has it', async () => {
    const { message } = await answerTo(telecomFixture('b1-primary'));
    expect(checkTelecom(message).filter(isError)).deep.equal([]);
    const [outcome] = readOutcomes(message);
    expect(outcome).include({ kind: 'paid', isRepeated: false, patientPay: 50_000n, totalPaid: 570_150n });
  });

  it('pays the programme claim: the patient has 5.00 left, as the sample has it', async () => {
    const [outcome] = readOutcomes((await answerTo(telecomFixture('b1-secondary-copay-occ8'))).message);
    expect(outcome).include({ kind: 'paid', patientPay: 500n, totalPaid: 49_500n });
  });

  it('the same claim again is a duplicate with the first money; a reversal twice is approved twice', async () => {
    await answerTo(telecomFixture('b1-primary'));
    const [again] = readOutcomes((await answerTo(telecomFixture('b1-primary'))).message);
    expect(again).include({ kind: 'paid', isRepeated: true, patientPay: 50_000n });
    const [first] = readOutcomes((await answerTo(telecomFixture('b2-primary'))).message);
    const [second] = readOutcomes((await answerTo(telecomFixture('b2-primary'))).message);
    expect([first, second].map((one) => one?.kind === 'approved' && one.isRepeated)).deep.equal([false, true]);
    expect(payer.claims().map(({ status }) => status)).deep.equal(['reversed']);
  });

  for (const [what, body, codes] of [
    ['a reversal of what was never paid', () => telecomFixture('b2-primary'), ['84']],
    ['a drug that needs prior authorization', () => change('b1-primary', '00074055402', '00093720201'), ['75']],
    ['a drug the plan excludes', () => change('b1-primary', '00074055402', '00093111301'), ['70']],
    ['a supply over the limit', () => change('b1-primary', 'D528', 'D560'), ['76']],
    ['a cardholder nobody knows', () => change('b1-primary', 'W123456789', 'W000000000'), ['52']],
    ['a BIN nobody has', () => change('b1-primary', '004336', '999999'), ['01']],
    ['a price that does not add up', () => telecomFixture('bad-gross-amount'), ['R9']],
    ['another programme group', () => change('b1-secondary-copay-occ8', '50776011', '50776012'), ['51']],
    ['a programme after a government plan', () => change('b1-secondary-copay-occ8', '7C004336', '7C012345'), ['65']],
    ['an eligibility nobody has', () => telecomFixture('e1-request'), ['01']],
  ] as const)
    it(`rejects ${what}: ${codes.join(' ')}`, async () => expect(await statusOf(body())).deep.equal(codes));

  it('with an authorization number the drug is paid, two claims of one transmission each get their answer', async () => {
    const authorised = change('b1-pa-number', '00074055402', '00093720201');
    expect(await statusOf(authorised)).equal('paid');
    const { message } = await answerTo(telecomFixture('b1-two-transactions'));
    expect(readOutcomes(message).map(({ kind }) => kind)).deep.equal(['rejected', 'paid']);
  });

  it('E1 finds a member', async () => {
    const e1 = Buffer.from(
      telecomFixture('e1-request').toString('latin1').replace('011727D0E12222222222', '004336D0E1ADV       '),
      'latin1',
    );
    const { message } = await answerTo(e1);
    expect(readOutcomes(message)[0]).include({ kind: 'approved' });
    expect(checkTelecom(message).filter(isError)).deep.equal([]);
  });

  it('every answer of the payer to every sample holds to the rules of the gateway', async () => {
    for (const { id, raw } of [...telecomFixtures, ...(publishedTelecom() ?? [])]) {
      const { message } = await answerTo(raw.subarray(raw[0] === 2 ? 1 : 0, raw.at(-1) === 3 ? -1 : undefined));
      const faults = checkTelecom(message).filter(isError);
      // Of a request without a readable provider or date the header says so too.
      if (message.header['F1'] === 'A')
        expect(
          faults.map(({ diagnostics }) => diagnostics),
          id,
        ).deep.equal(
          faults
            .filter(({ diagnostics }) => /201-B1|401-D1/.test(diagnostics ?? ''))
            .map(({ diagnostics }) => diagnostics),
        );
    }
  });

  for (const [mode, kind] of [
    ['time-out', 'unknown'],
    ['time-out-before', 'unknown'],
    ['cut', 'unknown'],
    ['cut-before', 'unknown'],
    ['cut-middle', 'unknown'],
    ['endless', 'unknown'],
    ['late', 'unknown'],
  ] as const)
    it(`${mode}: the exchange says ${kind}, and the next one is answered`, async () => {
      payer.setFaults([{ mode, ms: 60_000 }]);
      expect((await exchange.send(telecomFixture('b1-primary'))).kind).equal(kind);
      expect(await statusOf(telecomFixture('b1-primary'))).equal('paid');
    });

  it('no payer there: nothing was sent', async () => {
    await payer.stop();
    expect((await exchange.send(telecomFixture('b1-primary'))).kind).equal('not-sent');
    payer = await startPayer({ port: 0 });
  });

  it('no more at once than the limit', async () => {
    payer.setFaults([{ mode: 'time-out', count: 3 }]);
    const url = new URL(`tcp://127.0.0.1:${payer.port}`);
    const narrow = createTelecomExchange({ ...EXCHANGE_LIMITS, url, timeoutMs: 300, connectionsMax: 2, log });
    const sent = await Promise.all([1, 2, 3].map(() => narrow.send(telecomFixture('b1-primary'))));
    expect(sent.map(({ kind }) => kind).toSorted()).deep.equal(['not-sent', 'unknown', 'unknown']);
  });

  it('a request byte by byte, and two in one write', async () => {
    const body = Buffer.concat([Buffer.of(2), telecomFixture('b1-primary'), Buffer.of(3)]);
    const answers = await new Promise<number>((done, failed) => {
      const socket = connect(payer.port, '127.0.0.1');
      let count = 0;
      socket.on('data', (chunk: Buffer) => {
        count += chunk.filter((byte) => byte === 3).length;
        if (count === 3) socket.end(() => done(count));
      });
      socket.on('error', failed);
      for (const byte of body) socket.write(Buffer.of(byte));
      socket.write(Buffer.concat([body, body]));
    });
    expect(answers).equal(3);
  });

  it('a fault on the command line is read, or refused in words', () => {
    expect(readFault('late:2:700')).deep.equal({ mode: 'late', count: 2, ms: 700 });
    for (const bad of ['', 'none', 'late:x', 'late:1:2:3', 'constructor']) expect(() => readFault(bad)).throw(/fault/);
  });
});
