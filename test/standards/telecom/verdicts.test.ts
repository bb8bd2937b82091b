import { expect } from 'chai';
import { isError } from '../../../src/standards/fhir/outcome.ts';
import { checkTelecom } from '../../../src/standards/telecom/check.ts';
import { findSegment, findValue, type TelecomMessage, valuesOf } from '../../../src/standards/telecom/message.ts';
import { readOutcomes } from '../../../src/standards/telecom/outcome.ts';
import { parseTelecom, unwrapTelecom } from '../../../src/standards/telecom/parse.ts';
import { centsOf, formatCents } from '../../../src/standards/telecom/pricing.ts';
import { asLenientTelecom, rejectCodeOf, telecomRuleOf } from '../../../src/standards/telecom/rule-issue.ts';
import { formatTelecom } from '../../../src/standards/telecom/write.ts';
import { fixtureFiles, publishedTelecom, SAMPLES_NEEDED, type TelecomSample, telecomFixtures } from './samples.ts';

/** The samples are of January 2026. */
const TODAY = '20260201';

function verdictOf(raw: Buffer) {
  const { message, issues } = parseTelecom(raw);
  const strict = message ? [...issues, ...checkTelecom(message, { today: TODAY })] : issues;
  return {
    message,
    strict,
    lenient: asLenientTelecom(strict),
    verdict: strict.some(isError) ? 'invalid' : 'valid',
    rules: [...new Set(strict.filter(isError).map((one) => `${telecomRuleOf(one)} ${rejectCodeOf(one)}`))],
  };
}

/** Rule and reject code by which each invalid message is refused; `lenient` where a payer's answer is read all the same. */
const REASONS: Readonly<Record<string, readonly [rule: string, lenient?: 'lenient']>> = {
  'bad-header-short': ['framing R8'],
  'bad-version-51': ['version 02'],
  'bad-version-f6': ['version 02'],
  'bad-transaction-code': ['transaction 03'],
  'bad-count-mismatch': ['count A9'],
  'bad-no-claim-segment': ['segment-required R8'],
  'bad-no-cardholder': ['required 07'],
  'bad-overpunch': ['format 23'],
  'bad-money-decimal-point': ['format 23'],
  'bad-gross-amount': ['gross-amount R9'],
  'bad-quantity': ['format E7'],
  'bad-dob': ['date 09'],
  'bad-npi': ['npi 05'],
  'bad-ndc-length': ['ndc 21'],
  'bad-cob-count': ['rows P4', 'lenient'],
  'bad-occ8-without-cob': ['other-coverage 13'],
  'bad-compound-count': ['rows P3', 'lenient'],
  'bad-dos-future': ['service-date 82'],
  'bad-five-transactions': ['count A9'],
  'bad-no-separators': ['framing R8'],
  'bad-response-paid-with-reject': ['paid-with-reject R8'],
  'bad-response-total': ['total-paid R9', 'lenient'],
  'bad-fs-in-data': ['characters CB', 'lenient'],
};

function checkSample(sample: TelecomSample): void {
  const { verdict, rules, strict, lenient } = verdictOf(sample.raw);
  expect(verdict, JSON.stringify(strict)).equal(sample.structural);
  const [rule, lenience] = REASONS[sample.id] ?? [];
  if (rule === undefined) return;
  expect(rules).include(rule);
  expect(lenient.some(isError)).equal(lenience === undefined);
}

describe('telecom › verdicts', () => {
  for (const sample of telecomFixtures)
    it(`${sample.id}: ${sample.structural}, ${sample.expected}`, () => {
      checkSample(sample);
    });

  it('every fixture is in the index, and every invalid one has its reason in the table', () => {
    expect(telecomFixtures.map(({ file }) => file).toSorted()).deep.equal([...fixtureFiles()].toSorted());
    const invalid = telecomFixtures.filter(({ structural }) => structural === 'invalid').map(({ id }) => id);
    expect(Object.keys(REASONS).toSorted()).deep.equal(invalid.toSorted());
  });

  it('the published samples have the verdicts of their index', function () {
    const samples = publishedTelecom();
    if (!samples) {
      console.log(`      ${SAMPLES_NEEDED}`);
      return this.skip();
    }
    const rows = samples.map((sample) => ({ sample, ...verdictOf(sample.raw) }));
    console.log(
      rows
        .map(({ sample, verdict, rules }) => `      ${sample.id.padEnd(36)} ${verdict.padEnd(8)} ${rules.join(', ')}`)
        .join('\n'),
    );
    const agree = rows.filter(({ sample, verdict }) => sample.structural === verdict).length;
    console.log(`      ${agree} of ${samples.length} verdicts are those of the index`);
    expect(agree).equal(samples.length);
    expect(samples.length).greaterThan(60);
  });

  it('the published answer without a date and without lead-in is refused, and read by a lenient reader', function () {
    const sample = publishedTelecom()?.find(({ id }) => id === 'cosyte-pbm-reject-unknown');
    if (!sample) return this.skip();
    const { message, strict, lenient } = verdictOf(sample.raw);
    expect(strict.filter(isError).map(telecomRuleOf)).include.members(['header-length', 'lead-in']);
    expect(lenient.filter(isError).map(telecomRuleOf)).deep.equal(['npi']); // 1234567890 is none
    expect(message && readOutcomes(message)).deep.equal([{ kind: 'rejected', codes: ['99'], message: '' }]);
  });
});

const at = (message: TelecomMessage, segment: string, id: string, transaction = 0) =>
  findValue(findSegment([...message.transmission, ...(message.transactions[transaction] ?? [])], segment), id);
const money = (message: TelecomMessage, segment: string, id: string) => {
  const cents = centsOf(findSegment(message.transactions[0], segment), id);
  return cents === undefined ? undefined : formatCents(cents);
};

/** What the index of the samples expects of each name. */
const READERS: Readonly<Record<string, (message: TelecomMessage) => unknown>> = {
  bin: ({ header }) => header['A1'],
  pcn: ({ header }) => header['A4'],
  ndc: (m) => at(m, '07', 'D7'),
  daysSupply: (m) => at(m, '07', 'D5'),
  fillNumber: (m) => at(m, '07', 'D3'),
  fill: (m) => at(m, '07', 'D3'),
  rx: (m) => at(m, '07', 'D2'),
  paType: (m) => at(m, '07', 'EU'),
  paNumber: (m) => at(m, '07', 'EV'),
  dispensingStatus: (m) => at(m, '07', 'HD'),
  otherCoverageCode: (m) => at(m, '07', 'C8'),
  submissionClarification: (m) => valuesOf(findSegment(m.transactions[0], '07'), 'DK'),
  diagnosis: (m) => valuesOf(findSegment(m.transactions[0], '13'), 'DO'),
  ingredients: (m) => valuesOf(findSegment(m.transactions[0], '10'), 'TE').length,
  cobCount: (m) => valuesOf(findSegment(m.transactions[0], '05'), '5C').length,
  otherAmount: (m) => money(m, '11', 'H9'),
  ingredientCost: (m) => money(m, '11', 'D9'),
  grossAmountDue: (m) => money(m, '11', 'DU'),
  ingredientSum: (m) => money(m, '11', 'D9'),
  patientPay: (m) => money(m, '23', 'F5'),
  ingredientCostPaid: (m) => money(m, '23', 'F6'),
  dispensingFeePaid: (m) => money(m, '23', 'F7'),
  totalAmountPaid: (m) => money(m, '23', 'F9'),
  coinsurance: (m) => money(m, '23', '4U'),
  status: (m) => at(m, '21', 'AN'),
  headerStatus: ({ header }) => header['F1'],
  transaction: ({ header }) => header['A3'],
  transactions: ({ transactions }) => transactions.length,
  statuses: (m) => m.transactions.map((_, index) => at(m, '21', 'AN', index)),
  rejects: (m) => readOutcomes(m).flatMap((one) => (one.kind === 'rejected' ? one.codes : [])),
  message: (m) => readOutcomes(m).map((one) => (one.kind === 'rejected' ? one.message : ''))[0],
};

describe('telecom › values', () => {
  for (const { id, raw, expectFields = {} } of telecomFixtures) {
    const names = Object.keys(expectFields).filter((name) => READERS[name]);
    if (names.length === 0) continue;
    it(`${id}: ${names.join(', ')}`, () => {
      const { message } = parseTelecom(raw);
      if (!message) throw new Error('it is not read');
      for (const name of names) expect(READERS[name]?.(message), name).deep.equal(expectFields[name]);
    });
  }

  it('parse and write give the same bytes, those of the carrier aside', () => {
    for (const { id, raw } of telecomFixtures) {
      const { message } = parseTelecom(raw);
      if (message) expect(formatTelecom(message).toString('latin1'), id).equal(unwrapTelecom(raw.toString('latin1')));
    }
  });

  it('a private segment and field are kept, with one warning', () => {
    const found = telecomFixtures.find(({ id }) => id === 'b1-unknown-segment');
    const { strict, message } = verdictOf(found?.raw ?? Buffer.alloc(0));
    expect(strict.map(telecomRuleOf)).deep.equal(['unknown-segment']);
    expect(findSegment(message?.transactions[0], 'XX')?.fields.map(({ id, value }) => [id, value])).deep.equal([
      ['A1', 'PRIVATE'],
    ]);
  });
});
