import { expect } from 'chai';
import fc from 'fast-check';
import { KeyedHash } from '../../src/postgres/hash.ts';
import { createRidCodec, createRidSource } from '../../src/postgres/rid.ts';

const codec = createRidCodec(new KeyedHash(Uint8Array.from({ length: 16 }, (_, i) => 7 * i)));
const START = Date.UTC(2026, 5, 1);

describe('rid', () => {
  it('ids given out here decode to rids that are positive and rise', () => {
    let at = START;
    const source = createRidSource(5, () => at);
    let last = 0n;
    for (let i = 0; i < 20_000; i++) {
      if (i % 3000 === 0) at += 1;
      source.next();
      const id = codec.id(source.hi, source.lo);
      expect(id).to.match(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      const rid = codec.rid(id);
      expect(rid > last, `${rid} after ${last}`).to.equal(true);
      last = rid;
    }
  });

  it('ids that clients choose hash into the negative range', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Za-z0-9.-]{1,64}$/), (id) => {
        expect(codec.rid(id) < 0n).to.equal(true);
      }),
    );
  });

  it('an id crafted to look like ours is a client id: every changed digit is noticed', () => {
    const source = createRidSource(0, () => START);
    source.next();
    const id = codec.id(source.hi, source.lo);
    const mine = codec.rid(id);
    for (let i = 0; i < id.length; i++) {
      if (id[i] === '-') continue;
      for (const digit of '0123456789abcdefABF') {
        if (digit === id[i]) continue;
        const crafted = id.slice(0, i) + digit + id.slice(i + 1);
        expect(codec.rid(crafted) < 0n, crafted).to.equal(true);
      }
    }
    expect(mine > 0n).to.equal(true);
  });

  it('[RL-80] a clock that steps back is not followed', () => {
    let at = START;
    const source = createRidSource(1, () => at);
    source.next();
    const before = codec.rid(codec.id(source.hi, source.lo));
    at -= 600_000;
    source.next();
    expect(codec.rid(codec.id(source.hi, source.lo)) > before).to.equal(true);
  });

  it('a worker number goes on after the last instant of its earlier holder', () => {
    const first = createRidSource(9, () => START);
    first.next();
    const second = createRidSource(9, () => START - 5000, first.lastMs);
    second.next();
    expect(codec.rid(codec.id(second.hi, second.lo)) > codec.rid(codec.id(first.hi, first.lo))).to.equal(true);
  });

  it('workers never give out the same rid', () => {
    const seen = new Set<bigint>();
    for (let worker = 0; worker < 1024; worker += 31) {
      const source = createRidSource(worker, () => START);
      for (let i = 0; i < 50; i++) {
        source.next();
        seen.add(codec.rid(codec.id(source.hi, source.lo)));
      }
    }
    expect(seen.size).to.equal(34 * 50);
  });
});
