import { expect } from 'chai';
import { createReaches } from '../../src/postgres/access.ts';

describe('what callers reach, kept', () => {
  it('for who is alike in all their rights, within the second', () => {
    let now = 1_000_000;
    const reachOf = createReaches(() => now);
    const first = reachOf('a doctor');
    now += 999;
    expect(reachOf('a doctor')).equal(first);
    expect(reachOf('the same doctor, with another scope')).not.equal(first);
    now += 1;
    expect(reachOf('a doctor')).not.equal(first);
  });

  it('for so many at once, and no more', () => {
    const reachOf = createReaches(() => 0);
    const first = reachOf('caller 0');
    for (let i = 1; i < 1000; i++) reachOf(`caller ${i}`);
    expect(reachOf('caller 0')).equal(first);
    reachOf('one too many');
    expect(reachOf('caller 0')).not.equal(first);
  });
});
