/** Lines of newline-delimited JSON, cut from a stream without holding it. https://github.com/ndjson/ndjson-spec */
import { badStructure, tooLarge } from '../../standards/fhir/outcome.ts';

/** Whole lines that follow one another. */
export interface LinePiece {
  readonly bytes: Buffer;
  readonly count: number;
}

const NEWLINE = 0x0a;

/**
 * Cuts a stream into pieces of whole lines, each of about `pieceBytes`; the last line may be without its end. Throws 413
 * for a line that is longer than a piece and than `lineBytesMax`, 400 for a stream without any line.
 */
export async function* cutLines(
  chunks: AsyncIterable<Buffer>,
  { pieceBytes, lineBytesMax }: { readonly pieceBytes: number; readonly lineBytesMax: number },
): AsyncIterable<LinePiece> {
  let held: Buffer[] = [];
  let length = 0;
  let lines = 0;
  /** Length of the whole lines among what is held. */
  let whole = 0;
  const take = (end: number): LinePiece => {
    const all = held.length === 1 ? (held[0] as Buffer) : Buffer.concat(held, length);
    const bytes = all.subarray(0, end);
    held = end === length ? [] : [all.subarray(end)];
    length -= end;
    whole = 0;
    const count = countLines(bytes);
    lines += count;
    return { bytes, count };
  };
  for await (const chunk of chunks) {
    const end = chunk.lastIndexOf(NEWLINE);
    if (end >= 0) whole = length + end + 1;
    held.push(chunk);
    length += chunk.length;
    if (length >= pieceBytes && whole > 0) yield take(whole);
    if (length > Math.max(pieceBytes, lineBytesMax)) throw tooLarge(`Line ${lines + 1} is longer than one may be here`);
  }
  if (length > 0) yield take(length);
  if (lines === 0) throw badStructure('The body is empty: send one resource a line');
}

/** The lines of a piece without their ends. */
export function linesOf(piece: Buffer): readonly Buffer[] {
  const lines: Buffer[] = [];
  for (let at = 0; at < piece.length; ) {
    const found = piece.indexOf(NEWLINE, at);
    const end = found < 0 ? piece.length : found;
    lines.push(piece.subarray(at, end));
    at = end + 1;
  }
  return lines;
}

function countLines(piece: Buffer): number {
  let count = piece.at(-1) === NEWLINE ? 0 : 1;
  for (let at = piece.indexOf(NEWLINE); at >= 0; at = piece.indexOf(NEWLINE, at + 1)) count += 1;
  return count;
}
