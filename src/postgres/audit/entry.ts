/** One row of the audit trail, and the bytes that its MAC and the chain are made over. DESIGN 6a; SECURITY AU-08 */
import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto';
import type { Lanes } from '../keys.ts';

/** One chain a database; several are for databases that are distributed over nodes. */
export const SHARD = 0;

export interface EntryFields {
  readonly shard: number;
  /** ms UTC, by the process's clock. */
  readonly at: number;
  readonly id: Lanes;
  readonly kind: number;
  readonly outcome: number;
  /** Which row of `audit.agent` says who it was: 16 bytes. */
  readonly agent: Buffer;
  /** Number of the resource type. */
  readonly type: number | undefined;
  readonly rid: Lanes | undefined;
  readonly ver: number | undefined;
  /** The id of a resource whose rid does not tell it: one that a client chose. */
  readonly ref: string | undefined;
  readonly pat: Lanes | undefined;
  /** The patients of an event that touched several. */
  readonly pats: readonly Lanes[] | undefined;
  readonly purpose: string | undefined;
  readonly rule: string | undefined;
  readonly operation: string | undefined;
  readonly correlation: string | undefined;
  readonly address: string | undefined;
  readonly token: string | undefined;
  /** Sealed. */
  readonly detail: Buffer | undefined;
}

export interface EntryRow extends EntryFields {
  readonly mac: Buffer;
}

const FORM = 1;
const NONE = 0xffffffff;
const TEXTS = ['ref', 'purpose', 'rule', 'operation', 'correlation', 'address', 'token'] as const;
/** Form, shard, at, id, kind, outcome, agent, type, ver, then rid and pat with a flag each. */
const FIXED_BYTES = 1 + 2 + 8 + 8 + 2 + 2 + 16 + 4 + 4 + 9 + 9;

/** Every column of the row but the database's own `xid` and the MAC, in one order and without two ways to write one row. */
function canonicalBytes(row: EntryFields): Buffer {
  let size = FIXED_BYTES + 4 + 4;
  for (const name of TEXTS) size += 4 + 3 * (row[name]?.length ?? 0);
  size += (row.detail?.length ?? 0) + 8 * (row.pats?.length ?? 0);
  const out = Buffer.allocUnsafe(size);
  out[0] = FORM;
  out.writeInt16BE(row.shard, 1);
  out.writeUInt32BE(Math.floor(row.at / 2 ** 32), 3);
  out.writeUInt32BE(row.at % 2 ** 32, 7);
  out.writeInt32BE(row.id.hi | 0, 11);
  out.writeInt32BE(row.id.lo | 0, 15);
  out.writeInt16BE(row.kind, 19);
  out.writeInt16BE(row.outcome, 21);
  row.agent.copy(out, 23, 0, 16);
  out.writeInt32BE(row.type ?? -1, 39);
  out.writeInt32BE(row.ver ?? -1, 43);
  let at = writeLanes(out, row.rid, 47);
  at = writeLanes(out, row.pat, at);
  for (const name of TEXTS) {
    const text = row[name];
    const length = text === undefined ? NONE : out.write(text, at + 4, 'utf8');
    out.writeUInt32BE(length, at);
    at += 4 + (text === undefined ? 0 : length);
  }
  out.writeUInt32BE(row.detail ? row.detail.length : NONE, at);
  at += 4;
  if (row.detail) at += row.detail.copy(out, at);
  out.writeUInt32BE(row.pats ? row.pats.length : NONE, at);
  at += 4;
  for (const { hi, lo } of row.pats ?? []) {
    out.writeInt32BE(hi | 0, at);
    out.writeInt32BE(lo | 0, at + 4);
    at += 8;
  }
  return out.subarray(0, at);
}

function writeLanes(out: Buffer, lanes: Lanes | undefined, at: number): number {
  out[at] = lanes ? 1 : 0;
  out.writeInt32BE(lanes ? lanes.hi | 0 : 0, at + 1);
  out.writeInt32BE(lanes ? lanes.lo | 0 : 0, at + 5);
  return at + 9;
}

export const macOf = (key: KeyObject, canonical: Buffer): Buffer =>
  createHmac('sha256', key).update(canonical).digest();

export const signEntry = (key: KeyObject, fields: EntryFields): EntryRow => ({
  ...fields,
  mac: macOf(key, canonicalBytes(fields)),
});

/** Whether one of the keys made the row's MAC. */
export function isGenuine(keys: readonly KeyObject[], row: EntryRow, canonical = canonicalBytes(row)): boolean {
  return keys.some((key) => row.mac.length === 32 && timingSafeEqual(macOf(key, canonical), row.mac));
}
