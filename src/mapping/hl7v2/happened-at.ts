/** When what a message tells of happened: EVN-6, else EVN-2, else MSH-7. Reference 11.4 */
import { parseDateTime } from '../../standards/hl7v2/date-time.ts';
import type { Message } from '../../standards/hl7v2/message.ts';
import { formatDateTime } from './date-time.ts';

/** A clock that is this much ahead is not believed: it would keep away what comes for as long. */
const AHEAD_MAX_MS = 15 * 60 * 1000;

/** ms UTC; when it came (`receivedAt`) where the message has no time, or one to come. A day alone counts only if there is no more. */
export function happenedAt(message: Message, receivedAt: number, timeZone: string): number {
  const evn = message.find('EVN');
  const offset = parseDateTime(message.header.value(7))?.offset;
  const times = [evn?.value(6), evn?.value(2), message.header.value(7)].flatMap(
    (text) => parseDateTime(text ?? '') ?? [],
  );
  const time = times.find(({ hour }) => hour !== undefined) ?? times[0];
  const at = time === undefined ? Number.NaN : Date.parse(formatDateTime(time, offset, timeZone).text);
  return Number.isNaN(at) || at > receivedAt + AHEAD_MAX_MS ? receivedAt : at;
}
