/** Black and white squares as PNG, one bit a pixel. https://www.w3.org/TR/png-3/ */
import { crc32, deflateSync } from 'node:zlib';

/** Rows of squares, true for dark, each `scale` pixels wide and `scale` high (or `height` for one row). */
export function formatPng(rows: readonly (readonly boolean[])[], scale: number, rowHeight = scale): Buffer {
  const width = (rows[0]?.length ?? 0) * scale;
  const height = rows.length * rowHeight;
  const lines = rows.map((row) => {
    const line = Buffer.alloc(1 + Math.ceil(width / 8), 0xff);
    line[0] = 0; // no filter
    row.forEach((isDark, i) => {
      if (!isDark) return;
      for (let x = i * scale; x < (i + 1) * scale; x += 1) {
        const at = 1 + (x >> 3);
        line[at] = (line[at] ?? 0) & ~(0x80 >> (x & 7));
      }
    });
    return line;
  });
  const pixels = Buffer.concat(lines.flatMap((line) => Array<Buffer>(rowHeight).fill(line)));
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head[8] = 1; // bit depth; grey scale, deflate, no interlace are 0
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', head),
    chunk('IDAT', deflateSync(pixels)),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type), data]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  sum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, sum]);
}
