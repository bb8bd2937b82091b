/** Packs what is kept for a while: Zstandard, RFC 8878, on the threads beside the event loop. */
import { promisify } from 'node:util';
import { constants, zstdCompress, zstdDecompress } from 'node:zlib';

/** The quickest level that still finds what lines of one type have in common. */
const OPTIONS = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);

export const packBytes = (bytes: Buffer): Promise<Buffer> => compress(bytes, OPTIONS);

/** Throws where it is not of `length` bytes: it was not packed here. */
export async function unpackBytes(packed: Buffer, length: number): Promise<Buffer> {
  const bytes = await decompress(packed, { maxOutputLength: Math.max(1, length) });
  if (bytes.length !== length) throw new Error('a packed piece is not as long as was noted');
  return bytes;
}
