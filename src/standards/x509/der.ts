/**
 * DER, strictly (X.690 sections 8 and 10): definite and shortest lengths, one form of each value, nothing left over.
 * What is signed is read by this reader alone; what another reader would take in another way is refused.
 */

/** The bytes are not DER, or not of the expected form. The message names the place and quotes nothing. */
export class DerFault extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'DerFault';
  }
}

export interface DerValue {
  readonly tag: number;
  /** Tag, length and content. */
  readonly bytes: Buffer;
  readonly content: Buffer;
}

export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  enumerated: 0x0a,
  utf8String: 0x0c,
  printableString: 0x13,
  teletexString: 0x14,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  bmpString: 0x1e,
  sequence: 0x30,
  set: 0x31,
} as const;

/** `[n] EXPLICIT`, or implicit of a constructed type. */
export const explicitTag = (n: number): number => 0xa0 | n;
/** `[n] IMPLICIT` of a primitive type. */
export const implicitTag = (n: number): number => 0x80 | n;

/** Reads the fields of a constructed value one after the other. */
export interface DerCursor {
  /** The next value, which must have this tag. */
  next(tag: number, what: string): DerValue;
  /** The next value if it has this tag. */
  optional(tag: number): DerValue | undefined;
  /** The next value, whatever it is. */
  any(what: string): DerValue;
  isAtEnd(): boolean;
  /** Throws when something is left over. */
  end(what: string): void;
}

/** The one value that the bytes are. */
export function readDer(bytes: Buffer, tag: number, what: string): DerValue {
  const cursor = cursorOver(bytes);
  const value = cursor.next(tag, what);
  cursor.end(what);
  return value;
}

export function cursorOver(bytes: Buffer): DerCursor {
  let at = 0;
  const take = (what: string): DerValue => {
    const value = valueAt(bytes, at, what);
    at += value.bytes.length;
    return value;
  };
  return {
    next(tag, what) {
      if (bytes[at] !== tag) throw new DerFault(`${what} is missing or of another type`);
      return take(what);
    },
    optional: (tag) => (bytes[at] === tag ? take('an optional field') : undefined),
    any: take,
    isAtEnd: () => at === bytes.length,
    end(what) {
      if (at !== bytes.length) throw new DerFault(`${what} has something left over`);
    },
  };
}

/** The values within a SEQUENCE OF or SET OF. */
export function* valuesIn(content: Buffer, what: string): Generator<DerValue> {
  for (let at = 0; at < content.length; ) {
    const value = valueAt(content, at, what);
    at += value.bytes.length;
    yield value;
  }
}

function valueAt(bytes: Buffer, at: number, what: string): DerValue {
  const tag = bytes[at];
  const first = bytes[at + 1];
  if (tag === undefined || first === undefined) throw new DerFault(`${what} is cut off`);
  if ((tag & 0x1f) === 0x1f) throw new DerFault(`${what} has a tag of several bytes`);
  let head = 2;
  let length = first;
  if (first >= 0x80) {
    const count = first & 0x7f;
    if (count === 0 || count > 4 || at + 2 + count > bytes.length) throw new DerFault(`${what} has a wrong length`);
    length = bytes.readUIntBE(at + 2, count);
    head += count;
    if (length < 0x80 || bytes[at + 2] === 0) throw new DerFault(`${what} has a length that is not the shortest`);
  }
  const end = at + head + length;
  if (end > bytes.length) throw new DerFault(`${what} is cut off`);
  return { tag, bytes: bytes.subarray(at, end), content: bytes.subarray(at + head, end) };
}

export function readOid({ content }: DerValue): string {
  if (content.length === 0 || content.length > 64 || (content.at(-1)! & 0x80) !== 0)
    throw new DerFault('an object identifier is malformed');
  const arcs: bigint[] = [];
  let arc = 0n;
  let isFirstByte = true;
  for (const byte of content) {
    if (isFirstByte && byte === 0x80) throw new DerFault('an object identifier is not in its shortest form');
    arc = (arc << 7n) | BigInt(byte & 0x7f);
    isFirstByte = (byte & 0x80) === 0;
    if (!isFirstByte) continue;
    arcs.push(arc);
    arc = 0n;
  }
  const [first = 0n, ...others] = arcs;
  const root = first < 80n ? first / 40n : 2n;
  return [root, first - root * 40n, ...others].join('.');
}

/** Lower-case hex of the number, two digits a byte, without leading zeros; negative ones are refused. */
export function readUnsignedHex({ content }: DerValue, what: string): string {
  checkInteger(content, what);
  if (content[0]! & 0x80) throw new DerFault(`${what} is negative`);
  return (content[0] === 0 && content.length > 1 ? content.subarray(1) : content).toString('hex');
}

/** A small number from zero up. */
export function readSmallInteger({ content }: DerValue, what: string): number {
  checkInteger(content, what);
  if (content[0]! & 0x80 || content.length > 4) throw new DerFault(`${what} is out of range`);
  return content.readUIntBE(0, content.length);
}

function checkInteger(content: Buffer, what: string): void {
  const [first, second] = content;
  const isShortest = !(second !== undefined && ((first === 0 && second < 0x80) || (first === 0xff && second >= 0x80)));
  if (first === undefined || !isShortest) throw new DerFault(`${what} is not in its shortest form`);
}

export function readBoolean({ content }: DerValue): boolean {
  if (content.length !== 1 || (content[0] !== 0 && content[0] !== 0xff)) throw new DerFault('a boolean is malformed');
  return content[0] === 0xff;
}

/** The bytes of a bit string of whole bytes. */
export function readBits({ content }: DerValue, what: string): Buffer {
  if (content[0] !== 0) throw new DerFault(`${what} is not of whole bytes`);
  return content.subarray(1);
}

/** The positions of the bits that are set, from 0. RFC 5280 writes flags so. */
export function readFlags({ content }: DerValue, what: string): ReadonlySet<number> {
  const unused = content[0];
  if (unused === undefined || unused > 7 || (content.length === 1 && unused > 0) || content.length > 5)
    throw new DerFault(`${what} is malformed`);
  const flags = new Set<number>();
  for (let bit = 0; bit < (content.length - 1) * 8 - unused; bit++)
    if (content[1 + (bit >> 3)]! & (0x80 >> (bit & 7))) flags.add(bit);
  return flags;
}

const TIMES = new Map([
  [TAG.utcTime as number, /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/],
  [TAG.generalizedTime as number, /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/],
]);

/** ms UTC. Whole seconds and `Z`, as RFC 5280 section 4.1.2.5 has it. */
export function readTime({ tag, content }: DerValue, what: string): number {
  const [, year = '', ...rest] = TIMES.get(tag)?.exec(content.toString('latin1')) ?? [];
  const [month = 0, day = 0, hour = 0, minute = 0, second = 0] = rest.map(Number);
  if (year === '') throw new DerFault(`${what} is not a time`);
  const full = year.length === 4 ? Number(year) : Number(year) + (Number(year) < 50 ? 2000 : 1900);
  const at = Date.UTC(full, month - 1, day, hour, minute, second);
  const isReal = month >= 1 && month <= 12 && day >= 1 && day <= new Date(Date.UTC(full, month, 0)).getUTCDate();
  if (full < 1900 || !isReal || hour > 23 || minute > 59 || second > 59) throw new DerFault(`${what} is not a time`);
  return at;
}
