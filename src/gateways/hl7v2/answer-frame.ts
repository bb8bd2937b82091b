/** What a frame is answered with: one acknowledgement, or a batch of them. HL7 v2.5.1 sections 2.9.2 and 2.10.3. */
import { randomUUID } from 'node:crypto';
import type { Log } from '../../ports/log.ts';
import { issue } from '../../standards/fhir/outcome.ts';
import { type Batch, isBatch, splitBatch } from '../../standards/hl7v2/batch.ts';
import { readEncoding } from '../../standards/hl7v2/encoding.ts';
import { formatSegment } from '../../standards/hl7v2/format.ts';
import type { Verdict } from '../dialect.ts';
import { hl7v2Dialect } from './dialect.ts';

type Receive = (raw: Buffer) => Promise<Buffer>;

/** Never rejects: where the way in fails, the sender is told to come again. */
export async function answerFrame(bytes: Buffer, receive: Receive, log: Log): Promise<Buffer> {
  const receiveSafely = async (raw: Buffer): Promise<Buffer> => {
    try {
      return await receive(raw);
    } catch (error) {
      log.error('MLLP: a message could not be received', { error });
      return answerTo(raw, { kind: 'unavailable', issues: [issue('transient', 'The message could not be received')] });
    }
  };
  return isBatch(bytes) ? answerBatch(bytes, receiveSafely) : receiveSafely(bytes);
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

const answerTo = (raw: Buffer, verdict: Verdict): Buffer =>
  hl7v2Dialect.answer(hl7v2Dialect.read(raw), verdict, Date.now(), randomUUID);

/** Each message for itself, in order: a bad one does not stop the rest. A batch that is none is answered as one message. */
async function answerBatch(bytes: Buffer, receive: Receive): Promise<Buffer> {
  const { value, issues } = splitBatch(bytes);
  if (value === undefined || value.messages.length === 0 || issues.some(({ severity }) => severity === 'error'))
    return answerTo(bytes, { kind: 'rejected', issues });
  const answers: Buffer[] = [];
  for (const message of value.messages) answers.push(await receive(message));
  return wrapAnswers(value, answers);
}

/** In the envelope that came: BHS-12 of the answer is BHS-11 of the batch. Without one the answers follow one another. */
function wrapAnswers(batch: Batch, answers: readonly Buffer[]): Buffer {
  const { fileHeader, batchHeader } = batch;
  const around = (id: string, header: string | undefined, count: number): readonly [string, string] => {
    const encoding = header === undefined ? undefined : readEncoding(header, 'utf8').value;
    if (header === undefined || encoding === undefined) return ['', ''];
    const fields = header.split(encoding.field, 13);
    const raw = (n: number): { raw: string } => ({ raw: fields[n - 1] ?? '' });
    const head = [raw(5), raw(6), raw(3), raw(4), ...Array<undefined>(5).fill(undefined), raw(11)];
    const trailer = id.replace('HS', 'TS');
    return [`${formatSegment(id, head, encoding)}\r`, `${formatSegment(trailer, [String(count)], encoding)}\r`];
  };
  const [fileStart, fileEnd] = around('FHS', fileHeader, 1);
  const [batchStart, batchEnd] = around('BHS', batchHeader, answers.length);
  return Buffer.concat([Buffer.from(fileStart + batchStart), ...answers, Buffer.from(batchEnd + fileEnd)]);
}
