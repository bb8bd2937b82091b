/**
 * `rid = f(id)`: the 64-bit key of a resource, computed from its FHIR id without asking the database.
 *
 * Ids that Mortar assigns are UUIDv8 (RFC 9562 section 5.8) that embed a positive 63-bit rid (41 bits of ms since 2020,
 * 10 bits worker, 12 bits sequence) and 59 keyed check bits; any other id is hashed with the sign bit set.
 */
import { hashDomain, type KeyedHash, toBigInt } from './hash.ts';

const EPOCH_MS = Date.UTC(2020, 0, 1);
const SEQUENCE_MAX = 4095;

const hex = (value: number, digits: number): string => (value >>> 0).toString(16).padStart(digits, '0');

const DASHES = [8, 13, 18, 23] as const;

/** Lower-case hex digits as an unsigned number; -1 when any is not one. */
function parseHex(text: string, from: number, to: number): number {
  let value = 0;
  for (let i = from; i < to; i++) {
    const c = text.charCodeAt(i);
    if (c >= 0x30 && c <= 0x39) value = value * 16 + (c - 0x30);
    else if (c >= 0x61 && c <= 0x66) value = value * 16 + (c - 0x57);
    else return -1;
  }
  return value;
}

export interface RidCodec {
  /** Lanes of the rid of any valid FHIR id, left in `hi` and `lo`. */
  lanes(id: string): void;
  hi: number;
  lo: number;
  /** The rid of any valid FHIR id. */
  rid(id: string): bigint;
  /** The id that Mortar assigns to a positive rid. */
  id(hi: number, lo: number): string;
}

/** Makes the codec of one database (`hash` is keyed by it). */
export function createRidCodec(hash: KeyedHash): RidCodec {
  const check = hashDomain(hash, 'rid-check');
  const client = hashDomain(hash, 'rid-client-id');
  const codec: RidCodec = {
    hi: 0,
    lo: 0,
    lanes(id) {
      if (decode(id)) return;
      hash.hash(client.hi, client.lo, id);
      codec.hi = hash.hi | 0x80000000;
      codec.lo = hash.lo;
    },
    rid(id) {
      codec.lanes(id);
      return toBigInt(codec.hi, codec.lo);
    },
    id(hi, lo) {
      hash.hashLanes(check.hi, check.lo, hi, lo);
      const c = 0x8000 | ((lo & 7) << 11) | ((hash.hi >>> 16) & 0x7ff);
      const tail = hex(hash.hi & 0xffff, 4) + hex(hash.lo, 8);
      return `${hex((hi << 1) | (lo >>> 31), 8)}-${hex((lo >>> 15) & 0xffff, 4)}-8${hex((lo >>> 3) & 0xfff, 3)}-${hex(c, 4)}-${tail}`;
    },
  };

  /** Only an id whose check bits fit decodes; a foreign UUID stays a client id. */
  function decode(id: string): boolean {
    if (id.length !== 36 || id.charCodeAt(14) !== 0x38) return false;
    for (const dash of DASHES) if (id.charCodeAt(dash) !== 0x2d) return false;
    const top = parseHex(id, 0, 8);
    const middle = parseHex(id, 9, 13);
    const b = parseHex(id, 15, 18);
    const c = parseHex(id, 19, 23);
    const tailHigh = parseHex(id, 24, 28);
    const tailLow = parseHex(id, 28, 36);
    if (top < 0 || middle < 0 || b < 0 || c < 0x8000 || tailHigh < 0 || tailLow < 0) return false;
    const hi = top >>> 1;
    const lo = ((top & 1) << 31) | (middle << 15) | (b << 3) | ((c >>> 11) & 7);
    hash.hashLanes(check.hi, check.lo, hi, lo);
    if (c >>> 14 !== 2 || (c & 0x7ff) !== ((hash.hi >>> 16) & 0x7ff)) return false;
    if (tailHigh !== (hash.hi & 0xffff) || tailLow !== hash.lo >>> 0) return false;
    codec.hi = hi;
    codec.lo = lo;
    return true;
  }
  return codec;
}

export interface RidSource {
  /** A new rid, larger than every earlier one of this worker; left in `hi` and `lo`. */
  next(): void;
  readonly hi: number;
  readonly lo: number;
  /** The last ms given out, to be kept with the worker's lease. */
  readonly lastMs: number;
}

/**
 * Numbers of one worker. A clock that steps back is not followed: the source goes on from its last instant.
 * `notBeforeMs` is the last instant an earlier holder of the same worker number gave out.
 */
export function createRidSource(worker: number, now: () => number, notBeforeMs = 0): RidSource {
  let ms = Math.max(notBeforeMs + 1, EPOCH_MS);
  let sequence = -1;
  const source = {
    hi: 0,
    lo: 0,
    get lastMs() {
      return ms;
    },
    next() {
      const at = now();
      if (at > ms) {
        ms = at;
        sequence = 0;
      } else if (++sequence > SEQUENCE_MAX) {
        ms++;
        sequence = 0;
      }
      const since = ms - EPOCH_MS; // 41 bits: hi takes the upper 31, lo the lower 10 above worker and sequence
      source.hi = Math.floor(since / 1024) | 0;
      source.lo = ((since % 1024) << 22) | (worker << 12) | sequence;
    },
  };
  return source;
}
