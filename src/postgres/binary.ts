/** Postgres binary array parameters: node-postgres sends a Buffer as binary, so hashes never become decimal text. */

const INT8_OID = 20;
const FLOAT8_OID = 701;
const TEXT_OID = 25;
const BYTEA_OID = 17;
const UUID_OID = 2950;

function header(elements: number, bytesEach: number, oid: number, hasNull: boolean): Buffer {
  const buffer = Buffer.allocUnsafe(elements === 0 ? 12 : 20 + elements * bytesEach);
  buffer.writeInt32BE(elements === 0 ? 0 : 1, 0);
  buffer.writeInt32BE(hasNull ? 1 : 0, 4);
  buffer.writeInt32BE(oid, 8);
  if (elements > 0) {
    buffer.writeInt32BE(elements, 12);
    buffer.writeInt32BE(1, 16);
  }
  return buffer;
}

/** `bigint[]` of lanes (high, low, high, low …), `count` numbers from the start. */
export function int8Array(lanes: ArrayLike<number>, count: number): Buffer {
  const buffer = header(count, 12, INT8_OID, false);
  let at = 20;
  for (let i = 0; i < count; i++) {
    buffer.writeInt32BE(8, at);
    buffer.writeInt32BE(lanes[2 * i] as number, at + 4);
    buffer.writeInt32BE(lanes[2 * i + 1] as number, at + 8);
    at += 12;
  }
  return buffer;
}

/** One `bigint`. */
export function int8(hi: number, lo: number): Buffer {
  const buffer = Buffer.allocUnsafe(8);
  buffer.writeInt32BE(hi, 0);
  buffer.writeInt32BE(lo, 4);
  return buffer;
}

/** `float8[]`; NaN stands for null. Infinities are kept. */
export function float8Array(values: ArrayLike<number>, count: number): Buffer {
  let nulls = 0;
  for (let i = 0; i < count; i++) if (Number.isNaN(values[i])) nulls++;
  const full = header(count, 12, FLOAT8_OID, nulls > 0);
  let at = 20;
  for (let i = 0; i < count; i++) {
    const value = values[i] as number;
    if (Number.isNaN(value)) {
      full.writeInt32BE(-1, at);
      at += 4;
    } else {
      full.writeInt32BE(8, at);
      full.writeDoubleBE(value, at + 4);
      at += 12;
    }
  }
  return count === 0 ? full : full.subarray(0, at);
}

/** `bigint[]` of optional lanes: undefined is null. */
export function int8NullableArray(
  values: readonly ({ readonly hi: number; readonly lo: number } | undefined)[],
): Buffer {
  const buffer = header(values.length, 12, INT8_OID, true);
  let at = 20;
  for (const value of values) {
    buffer.writeInt32BE(value ? 8 : -1, at);
    if (value) {
      buffer.writeInt32BE(value.hi, at + 4);
      buffer.writeInt32BE(value.lo, at + 8);
    }
    at += value ? 12 : 4;
  }
  return values.length === 0 ? buffer : buffer.subarray(0, at);
}

/** `text[]`, no nulls. */
export function textArray(values: readonly string[]): Buffer {
  let bytes = 0;
  for (const value of values) bytes += Buffer.byteLength(value);
  const buffer = Buffer.allocUnsafe(20 + 4 * values.length + bytes);
  buffer.writeInt32BE(values.length === 0 ? 0 : 1, 0);
  buffer.writeInt32BE(0, 4);
  buffer.writeInt32BE(TEXT_OID, 8);
  if (values.length === 0) return buffer.subarray(0, 12);
  buffer.writeInt32BE(values.length, 12);
  buffer.writeInt32BE(1, 16);
  let at = 20;
  for (const value of values) {
    const length = buffer.write(value, at + 4, 'utf8');
    buffer.writeInt32BE(length, at);
    at += 4 + length;
  }
  return buffer.subarray(0, at);
}

/** `text[]`; undefined is null. */
export const textNullableArray = (values: readonly (string | undefined)[]): Buffer =>
  nullableArray(
    values.map((value) => (value === undefined ? undefined : Buffer.from(value))),
    TEXT_OID,
  );

/** `bytea[]`; undefined is null. */
export const byteaNullableArray = (values: readonly (Buffer | undefined)[]): Buffer => nullableArray(values, BYTEA_OID);

/** `uuid[]` of 16 bytes each. */
export const uuidArray = (values: readonly Buffer[]): Buffer => nullableArray(values, UUID_OID);

/** A binary array of values that are bytes already; undefined is null. */
function nullableArray(values: readonly (Buffer | undefined)[], oid: number): Buffer {
  let bytes = 0;
  for (const value of values) bytes += 4 + (value?.length ?? 0);
  const buffer = Buffer.allocUnsafe(20 + bytes);
  buffer.writeInt32BE(values.length === 0 ? 0 : 1, 0);
  buffer.writeInt32BE(1, 4);
  buffer.writeInt32BE(oid, 8);
  if (values.length === 0) return buffer.subarray(0, 12);
  buffer.writeInt32BE(values.length, 12);
  buffer.writeInt32BE(1, 16);
  let at = 20;
  for (const value of values) {
    buffer.writeInt32BE(value ? value.length : -1, at);
    at += 4;
    if (value) at += value.copy(buffer, at);
  }
  return buffer;
}
