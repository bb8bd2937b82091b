/** Whether a message is written again as it came, from the parts it was split into and not from its bytes. */
import { HEADER_SEGMENTS } from './encoding.ts';
import { formatMessage } from './format.ts';
import { Message } from './message.ts';
import type { Part, Segment } from './segment.ts';

/** The first byte that differs; undefined where none does. */
export function findDifference(message: Message, bytes: Buffer): number | undefined {
  const lines = message.segments.map((segment) => ({ text: textOf(segment, message), terminator: segment.terminator }));
  const written = formatMessage(new Message(message.encoding, lines, undefined, message.prologue));
  if (written.equals(bytes)) return undefined;
  const at = bytes.findIndex((byte, index) => byte !== written[index]);
  return at === -1 ? bytes.length : at;
}

function textOf(segment: Segment, { encoding }: Message): string {
  // The delimiters themselves are not split; a line that is no segment is kept as it is.
  if (HEADER_SEGMENTS.has(segment.id) || segment.text.charAt(3) !== encoding.field) return segment.text;
  const fields = Array.from({ length: segment.fieldCount }, (_, index) =>
    segment
      .field(index + 1)
      .repetitions.map((repetition) =>
        joined(repetition, encoding.component, (part) => joined(part, encoding.subcomponent)),
      )
      .join(encoding.repetition),
  );
  return [segment.text.slice(0, 3), ...fields].join(encoding.field);
}

const joined = (part: Part, separator: string, write: (inner: Part) => string = ({ raw }) => raw): string =>
  part.parts[0] === part ? part.raw : part.parts.map(write).join(separator);
