/** Transmission to bytes. Reference section 14 */
import { FIELD_SEPARATOR, GROUP_SEPARATOR, SEGMENT_SEPARATOR } from './characters.ts';
import { formatHeader, REQUEST_HEADER, RESPONSE_HEADER } from './header.ts';
import type { TelecomMessage, TelecomSegment } from './message.ts';

/** What was read, written again, has the same bytes, those of the carrier aside. */
export function formatTelecom({ side, header, transmission, transactions }: TelecomMessage): Buffer {
  const head = formatHeader(side === 'request' ? REQUEST_HEADER : RESPONSE_HEADER, header);
  const groups = transactions.map((segments) => GROUP_SEPARATOR + segments.map(formatSegment).join(''));
  return Buffer.from(head + transmission.map(formatSegment).join('') + groups.join(''), 'latin1');
}

const formatSegment = ({ id, fields }: TelecomSegment): string =>
  `${SEGMENT_SEPARATOR}${FIELD_SEPARATOR}AM${id}${fields.map((field) => `${FIELD_SEPARATOR}${field.id}${field.value}`).join('')}`;
