import { appendFileSync } from 'node:fs';
import { relative } from 'node:path';

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

export interface Failure {
  /** The file of the test, from the folder of the project. */
  readonly file: string;
  readonly title: string;
  /** The first line of the error. */
  readonly message: string;
}

/** The tests and hooks of a suite, and of those within it, that failed, in their order. */
export function failuresOf(suite: Mocha.Suite): Failure[] {
  const failed = [...suite.tests, ...hooksOf(suite)].filter((test) => test.state === 'failed');
  return [...failed.map(failureOf), ...suite.suites.flatMap(failuresOf)];
}

/** The reporter leaves the error with the test. */
function failureOf(test: Mocha.Runnable & { err?: Error | undefined }): Failure {
  const [message = ''] = String(test.err?.message ?? 'no error is known').split('\n');
  return { file: relative('.', test.file ?? test.parent?.file ?? ''), title: test.titlePath().join(' › '), message };
}

/** Adds a line `passed failed` to the file that `.ci/run` sums up. */
export function writeTotals(file: string, root: Mocha.Suite): void {
  const { passed, failed } = countTests(root);
  appendFileSync(file, `${passed} ${failed}\n`);
}

/** Adds a line of each failure, `file, title, message` with tabs between, to the file that `.ci/run` reads out. */
export function writeFailures(file: string, root: Mocha.Suite): void {
  const lines = failuresOf(root).map(({ file, title, message }) => [file, title, message].map(inOneLine).join('\t'));
  appendFileSync(file, lines.map((line) => `${line}\n`).join(''));
}

function inOneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ');
}
