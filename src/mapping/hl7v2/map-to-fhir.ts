/** HL7 v2 messages as FHIR. Source: HL7 Version 2 to FHIR 1.0.0, https://hl7.org/fhir/uv/v2mappings/ */
import { issue } from '../../standards/fhir/outcome.ts';
import type { Message } from '../../standards/hl7v2/message.ts';
import type { Mapped } from '../../standards/mapped.ts';
import type { TransactionBundle } from '../transaction-bundle.ts';

export interface MappingContext {
  /** When the message came, ms UTC. */
  readonly receivedAt: number;
  /** IANA name of the zone in which times without an offset are read. */
  readonly timeZone: string;
}

const EVENTS = new Set<string>();

/** Whether messages of this type (MSH-9.1) are mapped at all. */
export const isSupportedType = (type: string): boolean => EVENTS.values().some((kind) => kind.startsWith(`${type}^`));

/** Whether messages of this type and event (`ADT^A01`) are mapped. */
export const isSupportedEvent = (kind: string): boolean => EVENTS.has(kind);

export function mapToFhir(_message: Message, _context: MappingContext): Mapped<TransactionBundle> {
  return { issues: [issue('not-supported', 'Messages of this event are not taken', 'MSH-9')] };
}
