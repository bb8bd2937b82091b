/** Root hooks: the same world for every test file, and nothing left running after the last. */
// Before prototypes are frozen: what these bring along sets names on objects that inherit them.
import '@simplewebauthn/server';
import 'bull';
import 'node-forge';
import 'oidc-provider';
import 'playwright-core';
import fc from 'fast-check';
import { stopTestDatabases } from './database.ts';
import { checkLogs } from './log-canaries.ts';
import { forbidOutsideNetwork } from './network.ts';
import { testSeed } from './seed.ts';
import { writeFailures, writeTotals } from './totals.ts';

const [major] = process.versions.node.split('.');
if (Number(major) < 24) {
  console.error(`The tests need Node 24 or later; this is ${process.version}. Run them with npm test after npm ci.`);
  process.exit(1);
}

// SECURITY IN-10: a prototype that a request could change fails here, not in production.
Object.freeze(Object.prototype);

forbidOutsideNetwork();
fc.configureGlobal({ seed: testSeed() });

const EXIT_MS = 30_000;

export const mochaHooks = {
  async afterAll(this: Mocha.Context): Promise<void> {
    this.timeout(60_000);
    await stopTestDatabases();
    checkLogs();
    const totalsFile = process.env['TEST_TOTALS_FILE'];
    const root = this.test?.parent;
    if (totalsFile !== undefined && root !== undefined) writeTotals(totalsFile, root);
    const failuresFile = process.env['TEST_FAILURES_FILE'];
    if (failuresFile !== undefined && root !== undefined) writeFailures(failuresFile, root);
    // What keeps the process would keep CI until its end.
    setTimeout(() => {
      console.error(`The tests are over, and something still runs: ${process.getActiveResourcesInfo().join(', ')}`);
      process.exit(1);
    }, EXIT_MS).unref();
  },
};
