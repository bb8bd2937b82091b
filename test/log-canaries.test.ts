import { expect } from 'chai';
import { readCanaries } from './support/log-canaries.ts';

describe('logs of the whole run', () => {
  it('[DP-06] are looked through for names, numbers and addresses of the fixtures', () => {
    const canaries = readCanaries();
    expect(canaries.size).greaterThan(20);
    for (const kind of [/^999\d{7}$/, /^[A-Z][a-z]+$/])
      expect([...canaries].some((value) => kind.test(value))).equal(true);
  });
});
