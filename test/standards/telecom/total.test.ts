import { expect } from 'chai';
import fc from 'fast-check';
import { checkTelecom } from '../../../src/standards/telecom/check.ts';
import { findSegmentModel, SEGMENTS } from '../../../src/standards/telecom/model.ts';
import { readOutcomes } from '../../../src/standards/telecom/outcome.ts';
import { parseTelecom, TELECOM_LIMITS, unwrapTelecom } from '../../../src/standards/telecom/parse.ts';
import { fieldsOf, readRows } from '../../../src/standards/telecom/rows.ts';
import { telecomRuleOf } from '../../../src/standards/telecom/rule-issue.ts';
import { formatTelecom } from '../../../src/standards/telecom/write.ts';
import { heapInUse } from '../../support/heap.ts';
import { MUTATIONS, mutate, telecomFixture, telecomFixtures } from './samples.ts';

/** Each says which part of them it was. */
const PARTS = 10;
const GROWTH_MAX = 64 * 1024 * 1024;

/** Reads, checks and judges; whatever was read is written as it came, and read again the same. */
function exercise(raw: Buffer): void {
  const { message, issues } = parseTelecom(raw);
  if (!message) return void expect(issues).not.empty;
  checkTelecom(message, { today: '20260201' });
  readOutcomes(message);
  if (issues.length > 0) return;
  const bodyOf = (text: string): string => text.slice(message.side === 'request' ? 56 : 31);
  const body = bodyOf(unwrapTelecom(raw.toString('latin1')));
  expect(bodyOf(formatTelecom(message).toString('latin1'))).equal(body);
}

describe('telecom › total on any bytes', () => {
  for (let part = 0; part < PARTS; part += 1)
    it(`${MUTATIONS / PARTS} mutated messages, part ${part + 1}: no crash, no hang, and memory stays`, function () {
      this.timeout(600_000);
      const before = heapInUse();
      for (let seed = (part * MUTATIONS) / PARTS; seed < ((part + 1) * MUTATIONS) / PARTS; seed++)
        exercise(mutate(telecomFixtures[seed % telecomFixtures.length]?.raw ?? Buffer.alloc(0), seed));
      expect(heapInUse() - before).lessThan(GROWTH_MAX);
    });

  it('bytes that are nothing', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => exercise(Buffer.from(bytes))));
    for (const text of ['', 'D0', '\u001C', '\u001D'.repeat(300), '\u0002\u0003', '\r\n']) exercise(Buffer.from(text));
  });

  it('each message broken off after each of its bytes', () => {
    for (const { raw } of telecomFixtures) for (let end = 0; end < raw.length; end++) exercise(raw.subarray(0, end));
  });

  it('has bounds: bytes, segments, transactions and fields', () => {
    const b1 = telecomFixture('b1-primary');
    for (const more of [
      Buffer.alloc(TELECOM_LIMITS.bytes, 'A'),
      Buffer.from('\u001E\u001CAM07'.repeat(300)),
      Buffer.from('\u001D'.repeat(300)),
      Buffer.from('\u001CD21'.repeat(6_000)),
    ]) {
      const { message, issues } = parseTelecom(Buffer.concat([b1, more]));
      expect(message).equal(undefined);
      expect(issues.map(telecomRuleOf)).deep.equal(['size']);
    }
  });

  it('no issue shows a value of the message', () => {
    for (let seed = 0; seed < 2_000; seed++) {
      const raw = mutate(telecomFixture('b1-tertiary-two-payers'), seed, 2);
      const { message, issues } = parseTelecom(raw);
      const text = JSON.stringify([...issues, ...(message ? checkTelecom(message) : [])]);
      for (const secret of ['OKAFOR', 'IMANI', 'JUNIPER', 'MCD0001', '19870314', '1043218761', '6025550142'])
        expect(text.includes(secret), text).equal(false);
    }
  });
});

describe('telecom › model', () => {
  it('has every segment of the reference, each field once', () => {
    expect(
      SEGMENTS.map(({ id }) => id)
        .toSorted()
        .join(' '),
    ).equal('01 02 03 04 05 06 07 08 09 10 11 12 13 14 15 16 20 21 22 23 24 25 26 27 28 29');
    for (const { fields, rowsOf } of SEGMENTS)
      expect([...rowsOf.keys()].toSorted()).deep.equal([...fields.keys()].toSorted());
  });

  it('rows within rows, in the order of the table', () => {
    const { message } = parseTelecom(telecomFixture('b1-tertiary-two-payers'));
    const cob = message?.transactions[0]?.find(({ id }) => id === '05');
    const model = findSegmentModel('05');
    if (!cob || !model) throw new Error('no AM05');
    const tree = readRows(cob, model);
    const payers = tree.rows.get('5C') ?? [];
    expect(payers.map((row) => row.fields.get('7C')?.value)).deep.equal(['004336', '610524']);
    expect(payers.map((row) => row.rows.get('HC')?.map((paid) => paid.fields.get('DV')?.value))).deep.equal([
      ['57015{'],
      ['4950{'],
    ]);
    expect(payers[0]?.rows.get('NP')?.length).equal(1);
    expect(payers[1]?.rows.get('NP')).equal(undefined);
    expect(fieldsOf(tree, model.items)).deep.equal(cob.fields);
  });
});
