/** Writes DER (X.690). */
import { TAG } from './der.ts';

export function tagged(tag: number, ...contents: readonly Buffer[]): Buffer {
  const length = contents.reduce((sum, part) => sum + part.length, 0);
  return Buffer.concat([Buffer.from([tag]), lengthBytes(length), ...contents]);
}

function lengthBytes(length: number): Buffer {
  if (length < 0x80) return Buffer.from([length]);
  const count = length < 0x100 ? 1 : length < 0x10000 ? 2 : length < 0x1000000 ? 3 : 4;
  const bytes = Buffer.alloc(1 + count, 0x80 | count);
  bytes.writeUIntBE(length, 1, count);
  return bytes;
}

export const sequence = (...items: readonly Buffer[]): Buffer => tagged(TAG.sequence, ...items);
/** In the order that DER wants of a SET OF. */
export const setOf = (...items: readonly Buffer[]): Buffer =>
  tagged(TAG.set, ...items.toSorted((a, b) => Buffer.compare(a, b)));
export const explicit = (n: number, ...items: readonly Buffer[]): Buffer => tagged(0xa0 | n, ...items);
export const implicit = (n: number, content: Buffer): Buffer => tagged(0x80 | n, content);
export const octets = (bytes: Buffer): Buffer => tagged(TAG.octetString, bytes);
export const bits = (bytes: Buffer): Buffer => tagged(TAG.bitString, Buffer.from([0]), bytes);
export const boolean = (value: boolean): Buffer => tagged(TAG.boolean, Buffer.from([value ? 0xff : 0]));
export const nothing = tagged(TAG.null);
export const utf8 = (text: string): Buffer => tagged(TAG.utf8String, Buffer.from(text, 'utf8'));
export const printable = (text: string): Buffer => tagged(TAG.printableString, Buffer.from(text, 'latin1'));
export const enumerated = (value: number): Buffer => tagged(TAG.enumerated, Buffer.from([value]));

/** A number from zero up, by its bytes. */
export function unsigned(bytes: Buffer): Buffer {
  let at = 0;
  while (at < bytes.length - 1 && bytes[at] === 0) at++;
  const shortest = bytes.subarray(at);
  return tagged(TAG.integer, ...((shortest[0] ?? 0) & 0x80 ? [Buffer.from([0])] : []), shortest);
}

export function integer(value: number | bigint): Buffer {
  const hex = BigInt(value).toString(16);
  return unsigned(Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex'));
}

export function oid(dotted: string): Buffer {
  const [root = 0, second = 0, ...others] = dotted.split('.').map(Number);
  return tagged(TAG.oid, ...[root * 40 + second, ...others].map(arcBytes));
}

function arcBytes(arc: number): Buffer {
  const bytes = [arc % 128];
  for (let rest = Math.floor(arc / 128); rest > 0; rest = Math.floor(rest / 128)) bytes.unshift(0x80 | (rest % 128));
  return Buffer.from(bytes);
}

/** Bits by their positions, trailing zeros left out. */
export function flags(positions: Iterable<number>): Buffer {
  const set = [...positions];
  const highest = Math.max(-1, ...set);
  const bytes = Buffer.alloc(1 + Math.ceil((highest + 1) / 8));
  for (const position of set) bytes[1 + (position >> 3)]! |= 0x80 >> (position & 7);
  bytes[0] = (8 - ((highest + 1) % 8)) % 8;
  return tagged(TAG.bitString, bytes);
}

/** UTCTime until 2049, GeneralizedTime from 2050. RFC 5280 section 4.1.2.5 */
export function time(ms: number): Buffer {
  const text = new Date(ms).toISOString().replace(/\.\d+/, '').replaceAll(/[-:T]/g, '');
  const year = Number(text.slice(0, 4));
  return year >= 1950 && year < 2050 ? tagged(TAG.utcTime, Buffer.from(text.slice(2))) : generalizedTime(ms);
}

export const generalizedTime = (ms: number): Buffer =>
  tagged(TAG.generalizedTime, Buffer.from(new Date(ms).toISOString().replace(/\.\d+/, '').replaceAll(/[-:T]/g, '')));
