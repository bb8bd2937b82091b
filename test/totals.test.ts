import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import Mocha from 'mocha';
import { countTests, failuresOf, writeFailures, writeTotals } from './support/totals.ts';

/** What mocha leaves of a suite when its run is over. */
function endedSuite(): Mocha.Suite {
  const root = new Mocha.Suite('');
  root.root = true;
  const suite = Mocha.Suite.create(root, 'orders');
  suite.file = 'test/orders.test.ts';
  const ended = (title: string, state: 'passed' | 'failed' | undefined, message?: string) => {
    const test = Object.assign(new Mocha.Test(title, () => {}), { state, file: suite.file });
    suite.addTest(test);
    if (message !== undefined) Object.assign(test, { err: new Error(message) });
  };
  ended('are read', 'passed');
  ended('are\twritten', 'failed', 'expected 1\nto equal 2');
  ended('are counted', 'failed');
  ended('are left', undefined);
  return root;
}

describe('totals of a run', () => {
  it('counts what passed and what failed', () => {
    expect(countTests(endedSuite())).to.deep.equal({ passed: 1, failed: 2 });
  });

  it('names the file, the title and the first line of the error of what failed', () => {
    expect(failuresOf(endedSuite())).to.deep.equal([
      { file: 'test/orders.test.ts', title: 'orders › are\twritten', message: 'expected 1' },
      { file: 'test/orders.test.ts', title: 'orders › are counted', message: 'no error is known' },
    ]);
  });

  it('writes both, a line each', () => {
    const folder = mkdtempSync(join(tmpdir(), 'totals-'));
    try {
      writeTotals(join(folder, 'totals'), endedSuite());
      writeFailures(join(folder, 'failures'), endedSuite());
      expect(readFileSync(join(folder, 'totals'), 'utf8')).to.equal('1 2\n');
      expect(readFileSync(join(folder, 'failures'), 'utf8').split('\n')).to.deep.equal([
        'test/orders.test.ts\torders › are written\texpected 1',
        'test/orders.test.ts\torders › are counted\tno error is known',
        '',
      ]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
