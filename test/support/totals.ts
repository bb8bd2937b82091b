import { appendFileSync } from 'node:fs';

export interface Totals {
  passed: number;
  failed: number;
}

/** Counts the tests of a suite and of those within it by how they ended. A hook that failed counts as a test. */
export function countTests(suite: Mocha.Suite, totals: Totals = { passed: 0, failed: 0 }): Totals {
  for (const test of suite.tests) {
    if (test.state === 'passed') totals.passed += 1;
    if (test.state === 'failed') totals.failed += 1;
  }
  totals.failed += hooksOf(suite).filter((hook) => hook.state === 'failed').length;
  for (const inner of suite.suites) countTests(inner, totals);
  return totals;
}

/** Mocha keeps hooks in four private lists; a release that renames them makes this count none. */
function hooksOf(suite: Mocha.Suite): readonly Mocha.Hook[] {
  const lists = suite as unknown as Record<string, Mocha.Hook[] | undefined>;
  return ['_beforeAll', '_beforeEach', '_afterEach', '_afterAll'].flatMap((name) => lists[name] ?? []);
}

/** Adds a line `passed failed` to the file that `.ci/run` sums up. */
export function writeTotals(file: string, root: Mocha.Suite): void {
  const { passed, failed } = countTests(root);
  appendFileSync(file, `${passed} ${failed}\n`);
}
