/** What a partner may be told: segments and fields of its list, and nothing else leaves. Reference 9.2 */
import { createMessage } from '../../../standards/hl7v2/format.ts';
import type { Message } from '../../../standards/hl7v2/message.ts';

/** Without these it would be no message, and they say nothing of a patient. */
const ALWAYS = new Set(['MSH', 'EVN', 'MSA', 'RGS']);

/** `allowed`: `AL1`, the whole segment, or `PID.3`, one of its fields. Segments of which nothing is left go. */
export function restrictTo(message: Message, allowed: ReadonlySet<string>): Message {
  const { field: separator } = message.encoding;
  const texts = message.segments.flatMap(({ id, text }) => {
    if (ALWAYS.has(id) || allowed.has(id)) return [text];
    const [name = '', ...fields] = text.split(separator);
    const kept = fields.map((field, index) => (allowed.has(`${id}.${index + 1}`) ? field : ''));
    while (kept.at(-1) === '') kept.pop();
    return kept.length === 0 ? [] : [[name, ...kept].join(separator)];
  });
  return createMessage(texts, message.encoding);
}
