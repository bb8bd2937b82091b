/** A PNG of the chunks that its pixels need alone: no text, time, Exif or profile, and nothing after the end. W3C PNG, third edition, section 11 */

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
const KEPT = new Set(['IHDR', 'PLTE', 'IDAT', 'IEND', 'tRNS', 'gAMA', 'cHRM', 'sRGB', 'sBIT', 'bKGD', 'pHYs']);
/** Length and type before the data, the check after it. */
const AROUND_BYTES = 12;
const IHDR_BYTES = 13;

export const isPng = (bytes: Buffer): boolean => bytes.subarray(0, SIGNATURE.length).equals(SIGNATURE);

/** Undefined for what is no whole PNG. */
export function stripPng(bytes: Buffer): Buffer | undefined {
  if (!isPng(bytes)) return undefined;
  const kept: Buffer[] = [SIGNATURE];
  let hasPixels = false;
  for (let at = SIGNATURE.length; at + AROUND_BYTES <= bytes.length; ) {
    const length = bytes.readUInt32BE(at);
    const type = bytes.toString('latin1', at + 4, at + 8);
    const end = at + AROUND_BYTES + length;
    const isHead = kept.length === 1;
    if (end > bytes.length || isHead !== (type === 'IHDR') || (isHead && length !== IHDR_BYTES)) return undefined;
    hasPixels ||= type === 'IDAT';
    if (KEPT.has(type)) kept.push(bytes.subarray(at, end));
    if (type === 'IEND') return hasPixels ? Buffer.concat(kept) : undefined;
    at = end;
  }
  return undefined;
}
