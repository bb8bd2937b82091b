import { expect } from 'chai';
import fc from 'fast-check';
import { hashDomain, highLane, KeyedHash, lowLane, toBigInt } from '../../src/postgres/hash.ts';

const KEY = Uint8Array.from({ length: 16 }, (_, i) => i);
const MASK = (1n << 64n) - 1n;

/** SipHash-2-4 over whole 64-bit blocks, written plainly after the paper; the last block is given by the caller. */
function sipHash(key: Uint8Array, blocks: readonly bigint[]): bigint {
  const view = new DataView(key.buffer);
  const k0 = view.getBigUint64(0, true);
  const k1 = view.getBigUint64(8, true);
  let [v0, v1, v2, v3] = [
    k0 ^ 0x736f6d6570736575n,
    k1 ^ 0x646f72616e646f6dn,
    k0 ^ 0x6c7967656e657261n,
    k1 ^ 0x7465646279746573n,
  ];
  const rotate = (x: bigint, n: bigint): bigint => ((x << n) | (x >> (64n - n))) & MASK;
  const round = (): void => {
    v0 = (v0 + v1) & MASK;
    v1 = rotate(v1, 13n) ^ v0;
    v0 = rotate(v0, 32n);
    v2 = (v2 + v3) & MASK;
    v3 = rotate(v3, 16n) ^ v2;
    v0 = (v0 + v3) & MASK;
    v3 = rotate(v3, 21n) ^ v0;
    v2 = (v2 + v1) & MASK;
    v1 = rotate(v1, 17n) ^ v2;
    v2 = rotate(v2, 32n);
  };
  for (const block of blocks) {
    v3 ^= block;
    round();
    round();
    v0 ^= block;
  }
  v2 ^= 0xffn;
  for (let i = 0; i < 4; i++) round();
  return BigInt.asIntN(64, v0 ^ v1 ^ v2 ^ v3);
}

/** The blocks of a text: the domain, the characters, width and length. */
function blocksOf(domain: bigint, text: string): bigint[] {
  const wide = [...Array(text.length).keys()].some((i) => text.charCodeAt(i) > 0xff);
  const [perBlock, bits] = wide ? [4, 16n] : [8, 8n];
  const blocks = [domain];
  for (let from = 0; from <= text.length; from += perBlock) {
    let block = 0n;
    for (let i = 0; i < perBlock && from + i < text.length; i++)
      block |= BigInt(text.charCodeAt(from + i)) << (BigInt(i) * bits);
    blocks.push(block);
  }
  blocks.push((BigInt(wide ? 1 : 0) << 32n) | BigInt(text.length));
  return blocks;
}

describe('KeyedHash', () => {
  it('is SipHash-2-4 with the reference vector of the paper for whole blocks', () => {
    // Appendix A: key 00…0f, message 00…0e; its last block carries the length, 15.
    expect(BigInt.asUintN(64, sipHash(KEY, [0x0706050403020100n, 0x0f0e0d0c0b0a0908n]))).to.equal(0xa129ca6149be45e5n);
    const hash = new KeyedHash(KEY);
    hash.hashLanes(0x07060504, 0x03020100, 0x0f0e0d0c, 0x0b0a0908);
    expect(BigInt.asUintN(64, hash.big())).to.equal(0xa129ca6149be45e5n);
  });

  it('agrees with a plain implementation on any text', () => {
    const hash = new KeyedHash(KEY);
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), fc.bigInt(0n, MASK), (text, domain) => {
        const signed = BigInt.asIntN(64, domain);
        hash.hash(highLane(signed), lowLane(signed), text);
        expect(hash.big()).to.equal(sipHash(KEY, blocksOf(domain, text)));
      }),
    );
  });

  it('another key or another domain gives another hash', () => {
    const [one, other] = [new KeyedHash(KEY), new KeyedHash(KEY.map((b) => b ^ 1))];
    one.hash(0, 0, 'Patient');
    other.hash(0, 0, 'Patient');
    expect(one.big()).not.to.equal(other.big());
    const domain = hashDomain(one, 'Observation.code');
    one.hash(domain.hi, domain.lo, 'Patient');
    expect(one.big()).not.to.equal(other.big());
  });

  it('lanes and numbers are the same thing', () => {
    fc.assert(
      fc.property(fc.bigInt(-(1n << 63n), (1n << 63n) - 1n), (value) => {
        expect(toBigInt(highLane(value), lowLane(value))).to.equal(value);
      }),
    );
  });
});
