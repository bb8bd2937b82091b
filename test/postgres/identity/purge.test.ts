import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { createIdentity, purge } from '../../../src/postgres/identity/people.ts';
import { type IdentityStore, openIdentityStore } from '../../support/identity-store.ts';

const MINUTE = 60_000;

describe('postgres › identity › what is over', () => {
  let store: IdentityStore;
  before(async () => {
    store = await openIdentityStore();
  });
  after(() => store.stop());

  it('goes in rounds until nothing is left, and what is not over stays', async () => {
    const { clock, pools } = store;
    const options = { ...pools, now: clock.now };
    const { rates, challenges } = createIdentity(options);
    const add = async (count: number, ms: number): Promise<void> => {
      for (let i = 0; i < count; i += 1) {
        await rates.upsert(`key ${ms} ${i}`, 1, ms, false);
        await challenges.add({ kind: 'setup', hash: randomBytes(32), expiresAt: clock.now() + ms });
      }
    };
    await add(23, MINUTE);
    await add(2, 10 * MINUTE);
    clock.pass(5 * MINUTE);
    expect(await purge(options, 5)).equal(46);
    expect(await purge(options, 5)).equal(0);
    clock.pass(6 * MINUTE);
    expect(await purge(options, 5)).equal(4);
  });
});
