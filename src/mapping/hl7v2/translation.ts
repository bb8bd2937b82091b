/** What the maps of one message share. */

import type { Reading } from './cursor.ts';
import type { Entries } from './entries.ts';
import type { EventRule } from './events.ts';
import type { PartnerRules } from './partner-rules.ts';
import type { Segments } from './sections.ts';

export interface MappingContext {
  /** When the message came, ms UTC. */
  readonly receivedAt: number;
  /** IANA name of the zone in which times without an offset are read. */
  readonly timeZone: string;
  /** The partner's own mapping file. */
  readonly rules?: PartnerRules;
}

export interface Translation {
  /** The message, or the section of it that is read. */
  readonly message: Segments;
  readonly rule: EventRule;
  readonly reading: Reading;
  readonly entries: Entries;
  /** When it happened: EVN-6, else EVN-2, else MSH-7. */
  readonly eventTime: string | undefined;
  /** When the message came, ms UTC. */
  readonly receivedAt: number;
}
