/** What the API of the message log does: shows messages as they are read today, works and sends them again. docs/gateway.md "Looking at messages" */
import { randomUUID } from 'node:crypto';
import type { Config } from './config.ts';
import type { Dialect } from './gateways/dialect.ts';
import type { Receiver } from './gateways/receive.ts';
import type { V2Feeds } from './hl7v2-feeds.ts';
import { convertFromV3 } from './mapping/eps/inbound/convert-from-v3.ts';
import type { Ncpdp } from './ncpdp.ts';
import type { Caller } from './ports/caller.ts';
import type { Clock } from './ports/clock.ts';
import type { EpcsArchive } from './ports/epcs.ts';
import type { MessageFilter, StoredMessage } from './ports/message-log.ts';
import type { Resource } from './ports/resource-store.ts';
import type { OpenStore } from './postgres/store.ts';
import { type ReconciliationOptions, reconcile } from './reconciliation.ts';
import type { MessageDesk, MessageView, Replayed, Requeued } from './rest/message-desk.ts';
import { parseJson } from './standards/fhir/json.ts';
import { badRequest } from './standards/fhir/outcome.ts';

export interface GatewayDeskParts extends Omit<ReconciliationOptions, 'dialect' | 'timeZone'> {
  readonly config: Pick<Config, 'messageTimeZone'>;
  readonly store: OpenStore;
  /** By their names. */
  readonly dialects: ReadonlyMap<string, Dialect>;
  readonly receiver: Receiver;
  readonly ncpdp: Ncpdp;
  /** Absent where nobody is sent HL7 v2. */
  readonly feeds: V2Feeds | undefined;
  readonly epcsArchive: EpcsArchive;
  /** Works a message again that came as FHIR, by `$process-message`. */
  readonly reprocessFhir: (id: string, raw: Buffer) => Promise<Replayed>;
  readonly now: Clock;
}

export interface GatewayDesk extends MessageDesk {
  /** Works a message of the log again, as it came. */
  reprocess(message: StoredMessage): Promise<Replayed>;
  /** What a message of the log translates to today, as a Bundle; undefined where it cannot be read. */
  translate(message: StoredMessage): Resource | undefined;
}

const MEDIA_TYPES = new Map([
  ['hl7v2', 'x-application/hl7-v2+er7'],
  ['script', 'application/xml'],
  ['telecom', 'application/vnd.ncpdp.telecom'],
  ['fhir', 'application/fhir+json'],
]);
/** Messages that one replay of many may queue. */
const REPLAY_MAX = 10_000;
const REPLAY_PAGE = 500;

/** `dialects` has `hl7v2`. */
export function createGatewayDesk(parts: GatewayDeskParts): GatewayDesk {
  const { config, store, dialects, receiver, ncpdp, feeds, epcsArchive, reprocessFhir, now } = parts;
  const { messages, jobs } = store;
  const timeZone = config.messageTimeZone;
  const dialectOf = ({ dialect }: StoredMessage): Dialect | undefined => dialects.get(dialect);
  const view = (message: StoredMessage): MessageView => viewOf(dialectOf(message), message, timeZone);

  /** Sends a dead letter to its partner after all: the same bytes, under the same control id. */
  async function resend(message: StoredMessage): Promise<Replayed> {
    // SCRIPT asks again under the same MessageID, so that what is unknown may be sent as well.
    const isOpen = message.state === 'dead' || (message.dialect === 'script' && message.state === 'unknown');
    if (!isOpen || !['hl7v2', 'script'].includes(message.dialect))
      throw badRequest('Only messages that came in, and dead letters to HL7 v2 and SCRIPT partners, can be replayed');
    const job = message.dialect === 'script' ? ncpdp.jobOf(message) : await feeds?.jobOf(message);
    if (!job) throw badRequest('Nothing is sent to this receiver');
    await jobs.add([job]);
    return { id: message.id, verdict: 'queued', answer: Buffer.alloc(0) };
  }

  async function reprocess(message: StoredMessage): Promise<Replayed> {
    const dialect = dialectOf(message);
    if (dialect) return receiver.process(dialect, message.id, message.raw);
    if (message.dialect === 'fhir') return reprocessFhir(message.id, message.raw);
    throw badRequest(`Messages of dialect ${message.dialect} cannot be replayed`);
  }

  async function replay(caller: Caller, id: string, corrected?: Buffer): Promise<Replayed> {
    const message = await messages.read(caller, id);
    if (message.direction !== 'in') {
      if (corrected !== undefined) throw badRequest('A message that is sent is corrected in the record it tells of');
      return resend(message);
    }
    if (message.relation?.kind === 'conflict')
      throw badRequest('Its control id stands for another message: it is sent again under one of its own');
    if (corrected === undefined && message.isCorrected)
      throw badRequest('A correction of this message has been applied: it stands');
    if (corrected === undefined) return reprocess(message);
    const dialect = dialectOf(message);
    if (!dialect) throw badRequest(`A correction of a ${message.dialect} message is sent as a message of its own`);
    return receiver.receive(dialect, corrected, message.relation?.firstId ?? message.id);
  }

  return {
    messages,
    jobs,
    view,
    lineage(message) {
      const dialect = dialectOf(message);
      const read = dialect?.read(message.raw).message;
      return read && dialect?.lineage?.(read, { receivedAt: message.receivedAt, timeZone });
    },
    replay,
    reprocess,
    translate(message) {
      if (message.dialect === 'eps') return readSpineMessage(message, now());
      return message.dialect === 'fhir' ? readBundle(message.raw) : (view(message).fhir as Resource | undefined); // a Bundle
    },
    replayMany: async (caller, filter) =>
      filter.direction === 'out'
        ? ((await feeds?.resendMany(caller, filter)) ?? { queued: 0 })
        : queueAll(store, caller, filter),
    reconcile: (caller, filter, cursor) =>
      reconcile({ ...parts, dialect: dialects.get('hl7v2') as Dialect, timeZone }, caller, filter, cursor),
    mediaTypeOf: (dialect) => MEDIA_TYPES.get(dialect) ?? 'application/octet-stream',
    queueScript: ncpdp.queue,
    epcsReport: epcsArchive.report,
  };
}

/** A message that came as FHIR. */
function readBundle(raw: Buffer): Resource | undefined {
  try {
    return parseJson(raw) as Resource; // what was applied was checked
  } catch {
    return undefined;
  }
}

/** What was sent to the Spine, as a Bundle. */
function readSpineMessage({ raw }: StoredMessage, now: number): Resource | undefined {
  const { value } = convertFromV3(raw, { now, newId: randomUUID, form: 'full', baseUrl: '' });
  if (value === undefined || value.resourceType === 'Bundle') return value;
  return { resourceType: 'Bundle', type: 'collection', entry: [{ resource: value }] };
}

/** The bytes as the dialect reads and translates them today, which need not be as it did when they came. */
function viewOf(dialect: Dialect | undefined, message: StoredMessage, timeZone: string): MessageView {
  if (!dialect) return { issues: [] };
  const read = dialect.read(message.raw);
  if (read.message === undefined) return { issues: read.issues };
  const translated = dialect.translate(read.message, { receivedAt: message.receivedAt, timeZone });
  return {
    parsed: dialect.describe(read.message),
    ...(translated.value && { fhir: translated.value }),
    issues: [...read.issues, ...translated.issues],
  };
}

/** One job a message, of its sender's key, so that their order is kept. */
async function queueAll(
  { messages, jobs }: Pick<OpenStore, 'messages' | 'jobs'>,
  caller: Caller,
  filter: MessageFilter,
): Promise<Requeued> {
  const found: { id: string; key: string }[] = [];
  let cursor: string | undefined;
  do {
    const page = await messages.list(caller, { ...filter, direction: 'in', oldestFirst: true }, REPLAY_PAGE, cursor);
    const open = page.messages.filter(({ relation }) => relation?.kind !== 'conflict');
    found.push(...open.map(({ id, dialect, sender }) => ({ id, key: `${dialect} ${sender ?? ''}` })));
    cursor = page.next;
  } while (cursor !== undefined && found.length < REPLAY_MAX);
  await jobs.add(found.map(({ id, key }) => ({ kind: 'message-process', key, dedupe: id, payload: { message: id } })));
  return { queued: found.length, ...(cursor !== undefined && { more: true }) };
}
