/** Root hooks: the same world for every test file, and nothing left running after the last. */
import nock from 'nock';
import { stopTestDatabases } from './database.ts';

const [major] = process.versions.node.split('.');
if (Number(major) < 24) {
  console.error(`The tests need Node 24 or later; this is ${process.version}. Run them with npm test after npm ci.`);
  process.exit(1);
}

// SECURITY IN-10: a prototype that a request could change fails here, not in production.
Object.freeze(Object.prototype);

export const mochaHooks = {
  beforeAll(): void {
    // Tests talk to this machine only; third parties are played by nock.
    nock.disableNetConnect();
    nock.enableNetConnect(/^(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/);
  },
  async afterAll(this: Mocha.Context): Promise<void> {
    this.timeout(60_000);
    await stopTestDatabases();
  },
};
