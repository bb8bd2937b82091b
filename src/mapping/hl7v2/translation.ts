/** What the maps of one message share. */
import type { Message } from '../../standards/hl7v2/message.ts';
import type { Reading } from './cursor.ts';
import type { Entries } from './entries.ts';
import type { EventRule } from './events.ts';

export interface MappingContext {
  /** When the message came, ms UTC. */
  readonly receivedAt: number;
  /** IANA name of the zone in which times without an offset are read. */
  readonly timeZone: string;
}

export interface Translation {
  readonly message: Message;
  readonly rule: EventRule;
  readonly reading: Reading;
  readonly entries: Entries;
  /** When it happened: EVN-6, else EVN-2, else MSH-7. */
  readonly eventTime: string | undefined;
  /** When the message came, ms UTC. */
  readonly receivedAt: number;
}
