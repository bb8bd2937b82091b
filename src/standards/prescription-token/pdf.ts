/**
 * PDF 1.4 pages of text, lines, and filled squares, as far as sheets, labels and reports need them: standard fonts, one
 * content stream a page, in WinAnsi; what it does not have becomes `?`. ISO 32000-1 sections 7.5, 8, 9
 */

export interface PdfPage {
  /** Points, 1/72 inch. */
  readonly width: number;
  readonly height: number;
  /** Operators, made by the functions below. */
  readonly content: readonly string[];
}

export type PdfFont = 'regular' | 'bold';

const FONTS: Readonly<Record<PdfFont, readonly [name: string, base: string]>> = {
  regular: ['F1', 'Helvetica'],
  bold: ['F2', 'Helvetica-Bold'],
};

/** From the left and the bottom, in points. */
export const textAt = (x: number, y: number, size: number, text: string, font: PdfFont = 'regular'): string =>
  `BT /${FONTS[font][0]} ${size} Tf ${round(x)} ${round(y)} Td (${literal(text)}) Tj ET`;

export const filledRect = (x: number, y: number, width: number, height: number): string =>
  `${round(x)} ${round(y)} ${round(width)} ${round(height)} re f`;

export const lineAt = (x1: number, y1: number, x2: number, y2: number): string =>
  `0.5 w ${round(x1)} ${round(y1)} m ${round(x2)} ${round(y2)} l S`;

/** Squares of a matrix, dark ones filled; rows from the top. */
export function matrixAt(
  x: number,
  y: number,
  size: number,
  modules: readonly (readonly boolean[])[],
): readonly string[] {
  const side = size / modules.length;
  return modules.flatMap((row, i) =>
    row.flatMap((isDark, j) =>
      // A little larger than its place, so that no line shows between two.
      isDark ? [filledRect(x + j * side, y + size - (i + 1) * side, side + 0.02, side + 0.02)] : [],
    ),
  );
}

/** Lines of words that fit `width` at this size, at most `linesMax`; the last ends with dots where more was said. */
export function wrap(
  text: string,
  width: number,
  size: number,
  linesMax: number,
  font: PdfFont = 'regular',
): readonly string[] {
  const lines: string[] = [];
  for (const word of text
    .split(/\s+/)
    .filter((one) => one !== '')
    .flatMap((one) => pieces(one, width, size, font))) {
    const last = lines.at(-1);
    const longer = last === undefined ? word : `${last} ${word}`;
    if (last !== undefined && widthOf(longer, size, font) <= width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  if (lines.length <= linesMax) return lines;
  return [...lines.slice(0, linesMax - 1), `${lines[linesMax - 1]?.slice(0, -3)}...`];
}

/** A word that is wider than a line. */
function pieces(word: string, width: number, size: number, font: PdfFont): readonly string[] {
  const parts: string[] = [];
  let part = '';
  for (const character of word) {
    if (part !== '' && widthOf(part + character, size, font) > width) {
      parts.push(part);
      part = '';
    }
    part += character;
  }
  return [...parts, part];
}

/** Widths of Helvetica for the printable ASCII characters, thousandths of an em (Adobe's metrics); others count as wide. */
const WIDTHS = (
  '278 278 355 556 556 889 667 191 333 333 389 584 278 333 278 278 556 556 556 556 556 556 556 556 556 556 278 278 584 584 ' +
  '584 556 1015 667 667 722 722 667 611 778 722 278 500 667 556 833 722 778 667 778 722 667 611 722 667 944 667 667 611 ' +
  '278 278 278 469 556 333 556 556 500 556 556 278 556 556 222 222 500 222 833 556 556 556 556 333 500 278 556 500 722 500 ' +
  '500 500 334 260 334 584'
)
  .split(' ')
  .map(Number);
const BOLD_SHARE = 1.07;

export function widthOf(text: string, size: number, font: PdfFont = 'regular'): number {
  let sum = 0;
  for (const character of text) sum += WIDTHS[(character.codePointAt(0) ?? 0) - 32] ?? 667;
  return (sum * size * (font === 'bold' ? BOLD_SHARE : 1)) / 1000;
}

/** The document. `title` goes into its properties. */
export function formatPdf(pages: readonly PdfPage[], title: string): Buffer {
  const objects: Buffer[] = [];
  const add = (text: string, stream?: Buffer): number => {
    const parts = stream ? [Buffer.from(`${text}\nstream\n`), stream, Buffer.from('\nendstream')] : [Buffer.from(text)];
    return objects.push(Buffer.concat(parts));
  };
  const fonts = Object.values(FONTS).map(([name, base]) => {
    const number = add(`<< /Type /Font /Subtype /Type1 /BaseFont /${base} /Encoding /WinAnsiEncoding >>`);
    return `/${name} ${number} 0 R`;
  });
  const tree = objects.length + pages.length * 2 + 1;
  const kids = pages.map(({ width, height, content }) => {
    const bytes = Buffer.from(content.join('\n'), 'latin1');
    const stream = add(`<< /Length ${bytes.length} >>`, bytes);
    const box = `[0 0 ${round(width)} ${round(height)}]`;
    return add(
      `<< /Type /Page /Parent ${tree} 0 R /MediaBox ${box} /Contents ${stream} 0 R /Resources << /Font << ${fonts.join(' ')} >> >> >>`,
    );
  });
  add(`<< /Type /Pages /Kids [${kids.map((kid) => `${kid} 0 R`).join(' ')}] /Count ${kids.length} >>`);
  const catalog = add(`<< /Type /Catalog /Pages ${tree} 0 R >>`);
  const info = add(`<< /Title (${literal(title)}) /Producer (Mortar) >>`);
  const parts: Buffer[] = [Buffer.from('%PDF-1.4\n%\xe2\xe3\xcf\xd3\n', 'latin1')];
  let length = parts[0]?.length ?? 0;
  const offsets = objects.map((object, i) => {
    const at = length;
    const whole = Buffer.concat([Buffer.from(`${i + 1} 0 obj\n`), object, Buffer.from('\nendobj\n')]);
    parts.push(whole);
    length += whole.length;
    return at;
  });
  const xref = offsets.map((at) => `${String(at).padStart(10, '0')} 00000 n \n`).join('');
  const trailer = `trailer\n<< /Size ${objects.length + 1} /Root ${catalog} 0 R /Info ${info} 0 R >>\nstartxref\n${length}\n%%EOF\n`;
  parts.push(Buffer.from(`xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${xref}${trailer}`));
  return Buffer.concat(parts);
}

const round = (value: number): string => String(Math.round(value * 100) / 100);

/** Characters of WinAnsi beyond Latin-1 that texts often have. */
const BEYOND_LATIN = new Map([
  ['€', 0x80],
  ['…', 0x85],
  ['‘', 0x91],
  ['’', 0x92],
  ['“', 0x93],
  ['”', 0x94],
  ['•', 0x95],
  ['–', 0x96],
  ['—', 0x97],
]);

function literal(text: string): string {
  let out = '';
  for (const character of text.normalize('NFC')) {
    const code = BEYOND_LATIN.get(character) ?? character.codePointAt(0) ?? 0;
    if (code < 32 || code > 255 || (code > 126 && code < 160 && !BEYOND_LATIN.has(character))) out += '?';
    else if (character === '(' || character === ')' || character === '\\') out += `\\${character}`;
    else out += String.fromCharCode(code);
  }
  return out;
}
