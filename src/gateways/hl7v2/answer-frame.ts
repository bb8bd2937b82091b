/** What a frame is answered with: one acknowledgement, or a batch of them. HL7 v2.5.1 sections 2.9.2 and 2.10.3. */
import { randomUUID } from 'node:crypto';
import type { Log } from '../../ports/log.ts';
import { type Issue, issue, textOf } from '../../standards/fhir/outcome.ts';
import { type Batch, isBatch, splitBatch } from '../../standards/hl7v2/batch.ts';
import { readEncoding } from '../../standards/hl7v2/encoding.ts';
import { formatSegment } from '../../standards/hl7v2/format.ts';
import type { Verdict } from '../dialect.ts';
import { hl7v2Dialect } from './dialect.ts';

/** What one message is answered with, in order; nothing, where its sender asked for nothing. */
type Receive = (raw: Buffer) => Promise<readonly Buffer[]>;

/** Never rejects: where the way in fails, the sender is told to come again. */
export async function answerFrame(bytes: Buffer, receive: Receive, log: Log): Promise<readonly Buffer[]> {
  const receiveSafely: Receive = async (raw) => {
    try {
      return await receive(raw);
    } catch (error) {
      log.error('MLLP: a message could not be received', { error });
      const issues = [issue('transient', 'The message could not be received')];
      return [answerTo(raw, { kind: 'unavailable', issues })];
    }
  };
  return isBatch(bytes) ? [await answerBatch(bytes, receiveSafely)] : receiveSafely(bytes);
}

/** The rejection of a frame that was too long, if its beginning tells which message it was. */
export function refuseOversize(head: Buffer): Buffer | undefined {
  if (hl7v2Dialect.read(head).envelope.controlId === undefined) return undefined;
  return answerTo(head, {
    kind: 'refused',
    reason: 'size',
    issues: [issue('too-long', 'The message is longer than this listener takes')],
  });
}

/** The refusal of a request of which nothing was read. */
export const refuse = (diagnostics: string): Buffer =>
  answerTo(Buffer.alloc(0), { kind: 'unavailable', issues: [issue('processing', diagnostics)] });

/** A batch that is none is answered as one message. */
export const refuseBatch = (bytes: Buffer, issues: readonly Issue[]): Buffer =>
  answerTo(bytes, { kind: 'rejected', issues });

const answerTo = (raw: Buffer, verdict: Verdict): Buffer =>
  hl7v2Dialect.answer(hl7v2Dialect.read(raw), verdict, Date.now(), randomUUID);

/** Each message for itself, in order: a bad one does not stop the rest. A batch that is none is answered as one message. */
async function answerBatch(bytes: Buffer, receive: Receive): Promise<Buffer> {
  const { value, issues } = splitBatch(bytes);
  if (value === undefined || value.messages.length === 0 || issues.some(({ severity }) => severity === 'error'))
    return refuseBatch(bytes, issues);
  const answers: Buffer[] = [];
  // Of two answers the last, which says what became of the message.
  for (const message of value.messages) answers.push(...(await receive(message)).slice(-1));
  return wrapAnswers(value, answers, issues);
}

/** In the envelope that came: BHS-12 of the answer is BHS-11 of the batch. Without one the answers follow one another. */
export function wrapAnswers(batch: Batch, answers: readonly Buffer[], issues: readonly Issue[]): Buffer {
  const { fileHeader, batchHeader } = batch;
  // BTS-2 and FTS-2: a wrong count stops nothing, and its sender is told.
  const comment = issues.length > 0 ? issues.map(textOf).join('; ') : undefined;
  const around = (id: string, header: string | undefined, count: number): readonly [string, string] => {
    const encoding = header === undefined ? undefined : readEncoding(header, 'utf8').value;
    if (header === undefined || encoding === undefined) return ['', ''];
    const fields = header.split(encoding.field, 13);
    const raw = (n: number): { raw: string } => ({ raw: fields[n - 1] ?? '' });
    const head = [raw(5), raw(6), raw(3), raw(4), ...Array<undefined>(5).fill(undefined), raw(11)];
    const trailer = id.replace('HS', 'TS');
    return [
      `${formatSegment(id, head, encoding)}\r`,
      `${formatSegment(trailer, [String(count), comment], encoding)}\r`,
    ];
  };
  const [fileStart, fileEnd] = around('FHS', fileHeader, 1);
  const [batchStart, batchEnd] = around('BHS', batchHeader, answers.length);
  return Buffer.concat([Buffer.from(fileStart + batchStart), ...answers, Buffer.from(batchEnd + fileEnd)]);
}
