/**
 * A JPEG without what says where, when, by whom and with what it was taken: of the application segments the bare JFIF and Adobe
 * ones stay, by which colours are read, and which way up it is; comments and whatever follows the image go. ITU-T T.81 annex B
 */
import { orientationOf, orientationSegment } from './exif-orientation.ts';

const MARKER = 0xff;
const SOI = 0xd8;
const EOI = 0xd9;
const SOS = 0xda;
const APP0 = 0xe0;
const APP1 = 0xe1;
const APP14 = 0xee;
/** Frame headers but for the differential ones, tables of Huffman and arithmetic codes and of quantization, lines, restarts. */
const IMAGE = new Set([...[0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc9, 0xca, 0xcb, 0xcc], ...[0xdb, 0xdc, 0xdd, SOS]]);
const FRAMES = new Set([0xc0, 0xc1, 0xc2, 0xc3, 0xc9, 0xca, 0xcb]);
const JFIF_BYTES = 16;
const ADOBE_BYTES = 14;

export const isJpeg = (bytes: Buffer): boolean =>
  bytes.length > 3 && bytes[0] === MARKER && bytes[1] === SOI && bytes[2] === MARKER;

/** Undefined for what is no whole JPEG. */
export function stripJpeg(bytes: Buffer): Buffer | undefined {
  if (!isJpeg(bytes)) return undefined;
  const kept: Buffer[] = [bytes.subarray(0, 2)];
  let orientation: number | undefined;
  let hasFrame = false;
  let hasScan = false;
  for (let at = 2; at + 2 <= bytes.length; ) {
    if (bytes[at] !== MARKER) return undefined;
    const marker = bytes[at + 1] as number; // within them
    if (marker === MARKER) {
      at += 1; // fill bytes may stand before a marker
      continue;
    }
    if (marker === EOI) {
      if (orientation !== undefined) kept.splice(kept[1]?.[1] === APP0 ? 2 : 1, 0, orientationSegment(orientation));
      return hasFrame && hasScan ? Buffer.concat([...kept, bytes.subarray(at, at + 2)]) : undefined;
    }
    const end = at + 2 + (at + 4 <= bytes.length ? bytes.readUInt16BE(at + 2) : 0);
    if (end < at + 4 || end > bytes.length) return undefined;
    const segment = bytes.subarray(at, end);
    hasFrame ||= FRAMES.has(marker);
    if (IMAGE.has(marker)) kept.push(segment);
    else if (marker === APP0 && kept.length === 1) kept.push(...jfif(segment));
    else if (marker === APP1) orientation ??= orientationOf(segment);
    else if (marker === APP14) kept.push(...adobe(segment));
    at = end;
    if (marker !== SOS) continue;
    hasScan = true;
    at = endOfScan(bytes, end);
    kept.push(bytes.subarray(end, at));
  }
  return undefined;
}

/** Without its thumbnail. */
function jfif(segment: Buffer): readonly Buffer[] {
  if (segment.length < 4 + JFIF_BYTES - 2 || segment.toString('latin1', 4, 9) !== 'JFIF\0') return [];
  const bare = Buffer.from(segment.subarray(0, 2 + JFIF_BYTES));
  bare.writeUInt16BE(JFIF_BYTES, 2);
  bare.writeUInt16BE(0, 16); // a thumbnail of no width and no height
  return [bare];
}

function adobe(segment: Buffer): readonly Buffer[] {
  if (segment.length < 2 + ADOBE_BYTES || segment.toString('latin1', 4, 9) !== 'Adobe') return [];
  const bare = Buffer.from(segment.subarray(0, 2 + ADOBE_BYTES));
  bare.writeUInt16BE(ADOBE_BYTES, 2);
  return [bare];
}

/** The marker after entropy-coded data, in which 0xff is followed by 0x00 or by the number of a restart. */
function endOfScan(bytes: Buffer, from: number): number {
  for (let at = bytes.indexOf(MARKER, from); at >= 0 && at + 1 < bytes.length; at = bytes.indexOf(MARKER, at + 1)) {
    const next = bytes[at + 1] as number; // within them
    if (next !== 0 && next !== MARKER && !(next >= 0xd0 && next <= 0xd7)) return at;
  }
  return bytes.length;
}
