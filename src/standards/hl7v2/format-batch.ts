/** Writes files of messages. HL7 v2.5.1 section 2.10.3: `FHS BHS { MSH … } BTS FTS`. */
import { formatInstant } from './date-time.ts';
import { STANDARD_ENCODING } from './encoding.ts';
import { formatSegment } from './format.ts';

export interface BatchHeader {
  /** FHS-3 to FHS-6, and the same of BHS. */
  readonly sendingApplication: string;
  readonly sendingFacility: string;
  readonly receivingApplication: string;
  readonly receivingFacility: string;
  /** FHS-7, ms UTC. */
  readonly at: number;
  /** FHS-9: the name of the file. */
  readonly name: string;
  /** FHS-11 and BHS-11: what an answer refers to. */
  readonly id: string;
}

/** One batch in one file. Each message keeps its own delimiters and character set; the envelope is of ours. */
export function formatBatch(header: BatchHeader, messages: readonly Buffer[]): Buffer {
  const { sendingApplication, sendingFacility, receivingApplication, receivingFacility, at, name, id } = header;
  const parties = [sendingApplication, sendingFacility, receivingApplication, receivingFacility];
  const head = [...parties, formatInstant(at), undefined, name, undefined, id];
  const line = (segment: string, fields: readonly (string | undefined)[]): Buffer =>
    Buffer.from(`${formatSegment(segment, fields, STANDARD_ENCODING)}\r`);
  return Buffer.concat([
    line('FHS', head),
    line('BHS', head),
    ...messages.flatMap((message) => (message.at(-1) === CR ? [message] : [message, Buffer.from([CR])])),
    line('BTS', [String(messages.length)]),
    line('FTS', ['1']),
  ]);
}

const CR = 0x0d;
