/** Batches and files of messages. HL7 v2.5.1 section 2.10.3: `[FHS] { [BHS] { MSH … } [BTS] } [FTS]`. */
import { type Issue, issue } from '../fhir/outcome.ts';
import type { Mapped } from '../mapped.ts';

export interface Batch {
  /** Text of FHS and BHS as they came; their field 11 is what an answer refers to. */
  readonly fileHeader?: string;
  readonly batchHeader?: string;
  readonly messages: readonly Buffer[];
}

export const BATCH_MESSAGES_MAX = 10_000;

const CR = 0x0d;
const LF = 0x0a;

/** Whether the bytes are a batch: an envelope, or several MSH one after another. */
export function isBatch(bytes: Buffer): boolean {
  const start = skipBlank(bytes, 0);
  const id = bytes.toString('latin1', start, start + 3);
  return id === 'FHS' || id === 'BHS' || (id === 'MSH' && findLine(bytes, start + 3, 'MSH') !== -1);
}

/**
 * Cuts a batch into its messages without decoding them: each has delimiters and a character set of its own. Wrong counts
 * are warnings. Segments outside messages other than the envelope, and an envelope inside another, are errors; the
 * messages are there all the same.
 */
export function splitBatch(bytes: Buffer): Mapped<Batch> {
  const messages: Buffer[] = [];
  const issues: Issue[] = [];
  let fileHeader: string | undefined;
  let batchHeader: string | undefined;
  let begin = -1;
  let inBatch = false;
  let declared = 0;
  const told = new Set<string>();
  const tell = (diagnostics: string, place?: string): void => {
    if (told.has(diagnostics)) return; // once: a batch may be nothing else
    told.add(diagnostics);
    issues.push(issue('structure', diagnostics, place));
  };
  const close = (end: number): void => {
    if (begin !== -1) messages.push(bytes.subarray(begin, end));
    begin = -1;
  };
  for (const line of linesOf(bytes)) {
    const id = bytes.toString('latin1', line.start, line.start + 3);
    if (id === 'MSH') {
      close(line.start);
      if (messages.length >= BATCH_MESSAGES_MAX)
        return { issues: [issue('too-long', `The batch has more than ${BATCH_MESSAGES_MAX} messages`)] };
      begin = line.start;
    } else if (id === 'FHS' || id === 'BHS') {
      close(line.start);
      if (id === 'FHS' ? fileHeader !== undefined || inBatch : inBatch)
        tell(`${id} stands inside a batch that has not ended`, id);
      if (id === 'FHS') fileHeader ??= bytes.toString('utf8', line.start, line.end);
      else {
        inBatch = true;
        batchHeader ??= bytes.toString('utf8', line.start, line.end);
      }
    } else if (id === 'BTS' || id === 'FTS') {
      close(line.start);
      if (id === 'BTS') {
        inBatch = false;
        declared += countOf(bytes.toString('latin1', line.start, line.end));
      }
    } else if (begin === -1) tell('A segment stands outside any message');
  }
  close(bytes.length);
  if (Number.isFinite(declared) && declared > 0 && declared !== messages.length)
    issues.push({
      severity: 'warning',
      code: 'value',
      diagnostics: 'The batch count is not right',
      expression: ['BTS-1'],
    });
  return {
    value: {
      messages,
      ...(fileHeader !== undefined && { fileHeader }),
      ...(batchHeader !== undefined && { batchHeader }),
    },
    issues,
  };
}

/** BTS-1; NaN when it does not say. */
const countOf = (text: string): number => Number.parseInt(text.split(text.charAt(3))[1] ?? '', 10);

/** Lines that hold something. */
function* linesOf(bytes: Buffer): Generator<{ readonly start: number; readonly end: number }> {
  let start = skipBlank(bytes, 0);
  while (start < bytes.length) {
    let end = start;
    while (end < bytes.length && bytes[end] !== CR && bytes[end] !== LF) end++;
    yield { start, end };
    start = skipBlank(bytes, end);
  }
}

/** White space and a byte order mark. */
function skipBlank(bytes: Buffer, from: number): number {
  let at = from === 0 && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : from;
  while (at < bytes.length && (bytes[at] as number) <= 0x20) at++;
  return at;
}

function findLine(bytes: Buffer, from: number, id: string): number {
  for (let at = bytes.indexOf(id, from); at !== -1; at = bytes.indexOf(id, at + 1)) {
    const before = bytes[at - 1];
    if (before === CR || before === LF) return at;
  }
  return -1;
}
