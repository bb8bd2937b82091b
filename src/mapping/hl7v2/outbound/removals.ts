/** What was there before and is there no more, as `""`: without it the receiver keeps it. HL7 v2.5.1 section 2.5.3. */

import { createMessage } from '../../../standards/hl7v2/format.ts';
import type { Message } from '../../../standards/hl7v2/message.ts';
import { NULL } from '../../../standards/hl7v2/segment.ts';

/** Segments of which a message has one, and after which of them one stands that is gone as a whole. */
const SINGLE: readonly (readonly [id: string, after: string])[] = [
  ['PID', 'EVN'],
  ['PD1', 'PID'],
  ['PV1', 'PID'],
  ['PV2', 'PV1'],
];

/** The message with null in every field that `before`, the same of the version before, had. */
export function withRemovals(message: Message, before: Message): Message {
  const texts = message.segments.map(({ text }) => text);
  const { field: separator } = message.encoding;
  for (const [id, after] of SINGLE) {
    const old = before.find(id);
    if (old === undefined) continue;
    const at = texts.findIndex((text) => text.startsWith(id));
    const fields = at === -1 ? [id] : (texts[at] as string).split(separator);
    let isChanged = false;
    for (let n = 1; n <= old.fieldCount; n++) {
      if (old.field(n).isEmpty || old.field(n).isNull || (fields[n] ?? '') !== '') continue;
      while (fields.length <= n) fields.push('');
      fields[n] = NULL;
      isChanged = true;
    }
    if (!isChanged) continue;
    if (at !== -1) texts[at] = fields.join(separator);
    else texts.splice(texts.findIndex((text) => text.startsWith(after)) + 1, 0, fields.join(separator));
  }
  return createMessage(texts, message.encoding);
}
