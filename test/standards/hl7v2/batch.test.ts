import { expect } from 'chai';
import { BATCH_MESSAGES_MAX, isBatch, splitBatch } from '../../../src/standards/hl7v2/batch.ts';
import { header } from './samples.ts';

const one = (id: string, end = '\r'): string => `${header('ADT^A08').replace('MSG-1', id)}${end}PID|1||7${end}`;
const split = (text: string) => {
  const { value, issues } = splitBatch(Buffer.from(text));
  return {
    ids: value?.messages.map((m) => m.toString().split('|')[9]),
    issues: issues.map((i) => `${i.severity}: ${i.diagnostics}`),
    value,
  };
};

describe('hl7v2 › batch', () => {
  it('is told by its envelope or by a second MSH', () => {
    expect(isBatch(Buffer.from(one('a')))).equal(false);
    expect(isBatch(Buffer.from(one('a') + one('b')))).equal(true);
    expect(isBatch(Buffer.from(`\uFEFF\r\nBHS|^~\\&\r${one('a')}`))).equal(true);
    expect(isBatch(Buffer.from(`${header('ADT^A08')}\rNTE|1||see MSH|x`))).equal(false);
    expect(isBatch(Buffer.from(''))).equal(false);
  });

  it('gives each message with the bytes it came in', () => {
    const { ids, issues, value } = split(`FHS|^~\\&|f\rBHS|^~\\&|b\r${one('a')}${one('b', '\n')}BTS|2\rFTS|1\r`);
    expect(ids).eql(['a', 'b']);
    expect(issues).eql([]);
    expect(value?.messages[0]?.toString()).equal(one('a'));
    expect(value?.messages[1]?.toString()).equal(one('b', '\n'));
    expect(value?.fileHeader).equal('FHS|^~\\&|f');
    expect(value?.batchHeader).equal('BHS|^~\\&|b');
  });

  it('several batches in one file', () =>
    expect(split(`BHS|^~\\&\r${one('a')}BTS|1\rBHS|^~\\&\r${one('b')}BTS|1\r`)).deep.include({
      ids: ['a', 'b'],
      issues: [],
    }));

  it('no envelope', () => expect(split(one('a') + one('b'))).deep.include({ ids: ['a', 'b'], issues: [] }));

  it('a wrong count is a warning', () =>
    expect(split(`BHS|^~\\&\r${one('a')}BTS|7\r`)).deep.include({
      ids: ['a'],
      issues: ['warning: The batch count is not right'],
    }));

  it('an envelope in another, and segments outside messages, are errors', () => {
    expect(split(`BHS|^~\\&\rBHS|^~\\&\r${one('a')}`).issues).eql([
      'error: BHS stands inside a batch that has not ended',
    ]);
    expect(split(`BHS|^~\\&\rEVN|A08\r${one('a')}`).issues).eql(['error: A segment stands outside any message']);
  });

  it('has a limit', () => {
    expect(split('MSH|\r'.repeat(BATCH_MESSAGES_MAX)).ids?.length).equal(BATCH_MESSAGES_MAX);
    expect(split('MSH|\r'.repeat(BATCH_MESSAGES_MAX + 1)).value).equal(undefined);
  });
});
