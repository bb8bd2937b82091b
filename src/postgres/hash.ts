/**
 * SipHash-2-4 (https://www.aumasson.jp/siphash/siphash.pdf) over 32-bit lanes, keyed per database, so that nobody
 * outside can craft two values with one hash. Results are left in `hi` and `lo` (int32) to keep the hot path free of
 * BigInt: 64-bit numbers travel to Postgres as binary.
 */

export class KeyedHash {
  /** High and low lane of the last result, as int32. */
  hi = 0;
  lo = 0;
  readonly #k0h: number;
  readonly #k0l: number;
  readonly #k1h: number;
  readonly #k1l: number;

  /** `key`: 16 bytes. */
  constructor(key: Uint8Array) {
    const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
    this.#k0l = view.getInt32(0, true);
    this.#k0h = view.getInt32(4, true);
    this.#k1l = view.getInt32(8, true);
    this.#k1h = view.getInt32(12, true);
  }

  /** Hashes `text` in the domain given by two lanes (itself a hash of the domain's name, see `hashDomain`). */
  hash(domainHi: number, domainLo: number, text: string): void {
    const length = text.length;
    let wide = 0;
    for (let i = 0; i < length; i++) if (text.charCodeAt(i) > 0xff) wide = 1;
    const perBlock = wide ? 4 : 8;
    // Blocks: domain, the text (8 characters a block, 4 when any is above U+00FF; the last one padded), width and length.
    const last = Math.floor(length / perBlock) + 2;
    let low = domainLo;
    let high = domainHi;
    this.#begin();
    for (let block = 0; ; ) {
      this.#absorb(high, low);
      if (++block > last) break;
      low = 0;
      high = 0;
      if (block === last) {
        low = length;
        high = wide;
      } else {
        const from = (block - 1) * perBlock;
        if (wide) {
          low = at(text, from) | (at(text, from + 1) << 16);
          high = at(text, from + 2) | (at(text, from + 3) << 16);
        } else if (from + 8 <= length) {
          low =
            text.charCodeAt(from) |
            (text.charCodeAt(from + 1) << 8) |
            (text.charCodeAt(from + 2) << 16) |
            (text.charCodeAt(from + 3) << 24);
          high =
            text.charCodeAt(from + 4) |
            (text.charCodeAt(from + 5) << 8) |
            (text.charCodeAt(from + 6) << 16) |
            (text.charCodeAt(from + 7) << 24);
        } else {
          low = at(text, from) | (at(text, from + 1) << 8) | (at(text, from + 2) << 16) | (at(text, from + 3) << 24);
          high =
            at(text, from + 4) | (at(text, from + 5) << 8) | (at(text, from + 6) << 16) | (at(text, from + 7) << 24);
        }
      }
    }
    this.#end();
  }

  /** Hashes one 64-bit number in a domain. */
  hashLanes(domainHi: number, domainLo: number, hi: number, lo: number): void {
    this.#begin();
    this.#absorb(domainHi, domainLo);
    this.#absorb(hi, lo);
    this.#end();
  }

  /** The last result as the signed 64-bit number Postgres knows. */
  big(): bigint {
    return toBigInt(this.hi, this.lo);
  }

  /** v0 high, v0 low, v1 high … */
  readonly #v = new Int32Array(8);

  #begin(): void {
    const v = this.#v;
    v[0] = this.#k0h ^ 0x736f6d65;
    v[1] = this.#k0l ^ 0x70736575;
    v[2] = this.#k1h ^ 0x646f7261;
    v[3] = this.#k1l ^ 0x6e646f6d;
    v[4] = this.#k0h ^ 0x6c796765;
    v[5] = this.#k0l ^ 0x6e657261;
    v[6] = this.#k1h ^ 0x74656462;
    v[7] = this.#k1l ^ 0x79746573;
  }

  #absorb(hi: number, lo: number): void {
    const v = this.#v;
    v[6] = (v[6] as number) ^ hi;
    v[7] = (v[7] as number) ^ lo;
    this.#rounds(2);
    v[0] = (v[0] as number) ^ hi;
    v[1] = (v[1] as number) ^ lo;
  }

  #end(): void {
    const v = this.#v;
    v[5] = (v[5] as number) ^ 0xff;
    this.#rounds(4);
    this.hi = (v[0] as number) ^ (v[2] as number) ^ (v[4] as number) ^ (v[6] as number);
    this.lo = (v[1] as number) ^ (v[3] as number) ^ (v[5] as number) ^ (v[7] as number);
  }

  #rounds(count: number): void {
    const v = this.#v;
    let ah = v[0] as number;
    let al = v[1] as number;
    let bh = v[2] as number;
    let bl = v[3] as number;
    let ch = v[4] as number;
    let cl = v[5] as number;
    let dh = v[6] as number;
    let dl = v[7] as number;
    let t = 0;
    for (let i = 0; i < count; i++) {
      al = (al + bl) | 0; // v0 += v1
      ah = (ah + bh + (al >>> 0 < bl >>> 0 ? 1 : 0)) | 0;
      t = (bh << 13) | (bl >>> 19); // v1 <<<= 13
      bl = (bl << 13) | (bh >>> 19);
      bh = t;
      bh ^= ah;
      bl ^= al;
      t = ah; // v0 <<<= 32
      ah = al;
      al = t;
      cl = (cl + dl) | 0; // v2 += v3
      ch = (ch + dh + (cl >>> 0 < dl >>> 0 ? 1 : 0)) | 0;
      t = (dh << 16) | (dl >>> 16); // v3 <<<= 16
      dl = (dl << 16) | (dh >>> 16);
      dh = t;
      dh ^= ch;
      dl ^= cl;
      al = (al + dl) | 0; // v0 += v3
      ah = (ah + dh + (al >>> 0 < dl >>> 0 ? 1 : 0)) | 0;
      t = (dh << 21) | (dl >>> 11); // v3 <<<= 21
      dl = (dl << 21) | (dh >>> 11);
      dh = t;
      dh ^= ah;
      dl ^= al;
      cl = (cl + bl) | 0; // v2 += v1
      ch = (ch + bh + (cl >>> 0 < bl >>> 0 ? 1 : 0)) | 0;
      t = (bh << 17) | (bl >>> 15); // v1 <<<= 17
      bl = (bl << 17) | (bh >>> 15);
      bh = t;
      bh ^= ch;
      bl ^= cl;
      t = ch; // v2 <<<= 32
      ch = cl;
      cl = t;
    }
    v[0] = ah;
    v[1] = al;
    v[2] = bh;
    v[3] = bl;
    v[4] = ch;
    v[5] = cl;
    v[6] = dh;
    v[7] = dl;
  }
}

/** A character's code, 0 past the end. */
const at = (text: string, index: number): number => (index < text.length ? text.charCodeAt(index) : 0);

/** Two int32 lanes as one signed 64-bit number. */
export const toBigInt = (hi: number, lo: number): bigint => (BigInt(hi) << 32n) | BigInt(lo >>> 0);

/** The lanes of a signed 64-bit number. */
export const highLane = (value: bigint): number => Number(BigInt.asIntN(32, value >> 32n));
export const lowLane = (value: bigint): number => Number(BigInt.asIntN(32, value));

/** Hash of a domain's name, as lanes: what `hash` takes first. */
export function hashDomain(hash: KeyedHash, name: string): { readonly hi: number; readonly lo: number } {
  hash.hash(0, 0, name);
  return { hi: hash.hi, lo: hash.lo };
}
