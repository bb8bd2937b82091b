/** Which way up a photo is to be shown: the one thing of Exif that says nothing of anybody. CIPA DC-008 (Exif 2.32) sections 4.5, 4.6.4; TIFF 6.0 section 2 */

const EXIF = 'Exif\0\0';
/** Marker, length, and the words above. */
const TIFF_AT = 10;
const ORIENTATION = 0x0112;
const SHORT = 3;
const ENTRY_BYTES = 12;

/** 2 to 8 of an APP1 segment; undefined where it says nothing, or that it is as it should be (1). */
export function orientationOf(segment: Buffer): number | undefined {
  const tiff = segment.subarray(TIFF_AT);
  if (segment.toString('latin1', 4, TIFF_AT) !== EXIF || tiff.length < 8) return undefined;
  const order = tiff.toString('latin1', 0, 2);
  if (order !== 'II' && order !== 'MM') return undefined;
  const short = (at: number): number => (order === 'II' ? tiff.readUInt16LE(at) : tiff.readUInt16BE(at));
  const long = (at: number): number => (order === 'II' ? tiff.readUInt32LE(at) : tiff.readUInt32BE(at));
  const first = long(4);
  if (short(2) !== 42 || first < 8 || first + 2 > tiff.length) return undefined;
  const count = Math.min(short(first), Math.floor((tiff.length - first - 2) / ENTRY_BYTES));
  for (let i = 0; i < count; i += 1) {
    const at = first + 2 + i * ENTRY_BYTES;
    if (short(at) !== ORIENTATION) continue;
    const value = short(at + 2) === SHORT && long(at + 4) === 1 ? short(at + 8) : 1;
    return value >= 2 && value <= 8 ? value : undefined;
  }
  return undefined;
}

/** An APP1 segment that says this and nothing else. */
export const orientationSegment = (value: number): Buffer =>
  Buffer.concat([
    Buffer.from([0xff, 0xe1, 0, 34]),
    Buffer.from(EXIF, 'latin1'),
    Buffer.from([0x4d, 0x4d, 0, 42, 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, SHORT, 0, 0, 0, 1, 0, value, 0, 0, 0, 0, 0, 0]),
  ]);
