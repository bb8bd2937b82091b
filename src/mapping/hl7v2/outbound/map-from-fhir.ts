/** FHIR as HL7 v2: a Bundle as a message of any type that is read. docs/hl7v2.md "FHIR to HL7 v2" */
import { isError, issue } from '../../../standards/fhir/outcome.ts';
import { findCharacterSet } from '../../../standards/hl7v2/character-set.ts';
import { formatInstant } from '../../../standards/hl7v2/date-time.ts';
import { type Encoding, STANDARD_ENCODING } from '../../../standards/hl7v2/encoding.ts';
import { createMessage } from '../../../standards/hl7v2/format.ts';
import type { Message } from '../../../standards/hl7v2/message.ts';
import type { Mapped } from '../../../standards/mapped.ts';
import { EVENTS } from '../events.ts';
import { dtm } from './fields.ts';
import { kindFor } from './kind-of-bundle.ts';
import { EVENT_WRITERS, WRITERS } from './message-writers.ts';
import type { Outbound, OutboundContext } from './outbound.ts';
import { SegmentWriter } from './segment-writer.ts';
import { listOf, objectOf, Source } from './source.ts';

/** Structures of MSH-9.3 where they are not named after the event. HL7 v2.5.1, table 0354 */
const STRUCTURES = new Map(
  [
    ['ADT_A01', 'ADT', 'A04 A08 A13'],
    ['ADT_A05', 'ADT', 'A14 A28 A31'],
    ['ADT_A06', 'ADT', 'A07'],
    ['ADT_A09', 'ADT', 'A10 A11'],
    ['ADT_A21', 'ADT', 'A22 A23 A25 A26 A27 A29'],
    ['ADT_A30', 'ADT', 'A34 A46 A47'],
    ['ADT_A39', 'ADT', 'A40'],
    ['ADT_A52', 'ADT', 'A55'],
    ['RDE_O11', 'RDE', 'O25'],
    ['SIU_S12', 'SIU', 'S13 S14 S15 S16 S17 S18 S19 S20 S21 S22 S23 S24 S26'],
    ['MDM_T01', 'MDM', 'T03 T05 T07 T09 T11'],
    ['MDM_T02', 'MDM', 'T04 T06 T08 T10'],
  ].flatMap(([structure = '', type = '', events = '']) =>
    events.split(' ').map((event): [string, string] => [`${type}^${event}`, structure]),
  ),
);
const structureOf = (kind: string): string => STRUCTURES.get(kind) ?? kind.replace('^', '_');

/** Types of which each message has an EVN. */
const WITH_EVENT = new Set(['ADT', 'BAR', 'DFT', 'MDM']);

/** Message types that can be written. */
export const WRITTEN_TYPES: readonly string[] = [...WRITERS.keys()];

/**
 * Whether messages of this type and event are written: those that are read, but for moves of visits, accounts and
 * numbers, of which FHIR does not say whose they were.
 */
export const isWrittenKind = (kind: string): boolean => {
  const family = EVENTS.get(kind)?.family;
  return family !== undefined && family !== 'move' && family !== 'move-identifiers';
};

/** A Bundle, or one resource, as a message. Pure and total: what cannot be written are issues. */
export function mapFromFhir(content: unknown, context: OutboundContext): Mapped<Message> {
  const from = new Source(content);
  const kind = context.kind ?? kindFor(from);
  const [type = '', event = ''] = kind?.split('^') ?? [];
  const write = EVENT_WRITERS.get(kind ?? '') ?? WRITERS.get(type);
  if (kind === undefined || write === undefined || !isWrittenKind(kind))
    return {
      issues: [issue('not-supported', `No message can be written of this; there is: ${WRITTEN_TYPES.join(', ')}`)],
    };
  const { version = '2.5.1', country = 'GBR' } = context;
  const { characterSet = 'UNICODE UTF-8', orderControl = 'NW' } = context;
  const charset = findCharacterSet(characterSet);
  if (charset === undefined)
    return { issues: [issue('not-supported', 'The character set cannot be written', 'MSH-18')] };
  const encoding: Encoding = { ...STANDARD_ENCODING, charset };
  const out = new SegmentWriter(encoding);
  const isUk = /^(?:GBR|GB|UK)$/.test(country);
  const to: Outbound = { from, out, version: numberOf(version), isUk, orderControl, isNew: context.isNew === true };
  writeHeader(kind, version, country, out, context);
  if (WITH_EVENT.has(type))
    out.write('EVN', { 1: event, 2: formatInstant(context.at), 6: event === 'A02' ? movedAt(from) : undefined });
  write(to, event);
  from.tellUnused();
  if (from.issues.some(isError)) return { issues: from.issues };
  return { value: createMessage(out.texts, encoding), issues: from.issues };
}

/** EVN-6: when the patient came to where they are. */
function movedAt(from: Source): string | undefined {
  const places = listOf(from.first('Encounter')?.['location']);
  return dtm(objectOf(places.find(({ status }) => status === 'active')?.['period'])?.['start']);
}

const numberOf = (version: string): number => {
  const [major = '2', minor = '5', patch = '0'] = version.split('.');
  return Number(major) * 100 + Number(minor) * 10 + Number(patch);
};

function writeHeader(
  kind: string,
  version: string,
  country: string,
  out: SegmentWriter,
  context: OutboundContext,
): void {
  const [type, event] = kind.split('^');
  out.write('MSH', {
    3: context.from.application,
    4: context.from.facility,
    5: context.to.application,
    6: context.to.facility,
    7: formatInstant(context.at),
    9: [type, event, structureOf(kind)],
    10: context.controlId,
    11: context.processingId ?? 'P',
    12: version,
    15: context.acknowledgements?.accept,
    16: context.acknowledgements?.application,
    17: country,
    18: context.characterSet ?? 'UNICODE UTF-8',
  });
}
