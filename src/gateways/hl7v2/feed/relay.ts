/**
 * Follows the change log and queues what partners are to be told: the messages, their jobs and the position move in one
 * transaction, so that a crash neither loses nor doubles one. docs/hl7v2.md "Feeds", SECURITY RL-17, RL-19
 */
import type { Caller } from '../../../ports/caller.ts';
import type { ChangeFeed } from '../../../ports/change-feed.ts';
import type { Clock } from '../../../ports/clock.ts';
import type { JobTable } from '../../../ports/jobs.ts';
import type { Log } from '../../../ports/log.ts';
import type { MessageLog } from '../../../ports/message-log.ts';
import type { Resource, ResourceStore, StoredVersion } from '../../../ports/resource-store.ts';
import type { Feed, FeedEvent, Feeds, FormatV2 } from '../../../ports/v2-feed.ts';
import { parseJson } from '../../../standards/fhir/json.ts';
import { FhirError, isConflict } from '../../../standards/fhir/outcome.ts';
import { replacedBy, TOLD_TYPES } from './events-of.ts';
import { partnerOf } from './partner-caller.ts';
import { batchMark, controlIdOf, laneKey, type QueuedMessage, queuedMessage, SEND } from './queue-message.ts';

export interface FeedRelayOptions {
  readonly store: Pick<ResourceStore, 'read' | 'vread' | 'transaction'>;
  readonly changes: ChangeFeed;
  readonly messages: Pick<MessageLog, 'read' | 'countOutgoing'>;
  readonly jobs: Pick<JobTable, 'countOpen'>;
  readonly feeds: Feeds;
  readonly format: FormatV2;
  readonly caller: Caller;
  /** IANA name of the zone whose day it is for feeds that are told once a day. */
  readonly timeZone?: string;
  readonly now: Clock;
  readonly log: Log;
}

export interface FeedRelay {
  /** Tells every feed what has changed since the last turn. Resolves to how many messages were queued. */
  turn(): Promise<number>;
}

const PAGE = 200;
/** Messages that wait to be sent, beyond which nothing is read for a feed: the change log itself is the longer queue. */
const WAITING_MAX = 200;
/** The same for files. */
const BATCH_WAITING_MAX = 10_000;
/** A report has some hundred results; one of which the last were left out would be a wrong one. */
const RELATED_MAX = 2000;
const READ_AT_ONCE = 16;
const RELATED_DEPTH = 2;
/** Places around places. */
const PLACES_DEPTH = 6;

export function createFeedRelay(options: FeedRelayOptions): FeedRelay {
  const { store, changes, messages, jobs, feeds, format, caller, now, log } = options;

  /** Undefined: there is none, or it was deleted. */
  async function find(read: Promise<StoredVersion>): Promise<Resource | undefined> {
    try {
      const { content } = await read;
      return content === '' ? undefined : (parseJson(Buffer.from(content)) as Resource);
    } catch (error) {
      if (error instanceof FhirError && (error.status === 404 || error.status === 410)) return undefined;
      throw error;
    }
  }

  /** What this partner may be told of a change; undefined where Consents keep it back. */
  async function eventOf(
    feed: Feed,
    version: StoredVersion,
    cache: Map<string, Promise<Resource | undefined>>,
  ): Promise<FeedEvent | undefined> {
    const { type, id, versionId, operation, lastUpdated: at, content } = version;
    const partner = partnerOf(feed);
    const readAsPartner = (reference: string): Promise<Resource | undefined> => {
      const [relatedType = '', relatedId = ''] = reference.split('/');
      const known = cache.get(reference) ?? find(store.read(partner, relatedType, relatedId));
      cache.set(reference, known);
      return known;
    };
    const current = content === '' ? undefined : (parseJson(Buffer.from(content)) as Resource);
    // What was deleted meanwhile is told of by its own change.
    if (current !== undefined && (await readAsPartner(`${type}/${id}`)) === undefined) return undefined;
    const previous = versionId > 1 ? await find(store.vread(caller, type, id, versionId - 1)) : undefined;
    const former = replacedBy(previous);
    const related = await readRelated(current ?? previous, readAsPartner, former === undefined ? [] : [former]);
    if (related === undefined) {
      // Not whole it would be wrong, and the feed must go on.
      log.error('a change refers to too much to be told', { feed: feed.id, type, id, most: RELATED_MAX });
      return undefined;
    }
    return { type, id, versionId, operation, at, related, ...(current && { current }), ...(previous && { previous }) };
  }

  /** Whether the partner itself said it: it is not told what it knows. */
  async function isEcho({ type, id, versionId, current }: FeedEvent, { senders }: Feed): Promise<boolean> {
    const source = (current?.['meta'] as { source?: unknown } | undefined)?.source;
    if (senders.length === 0 || typeof source !== 'string' || !source.startsWith('urn:uuid:')) return false;
    try {
      const { sender = '', resources } = await messages.read(caller, source.slice('urn:uuid:'.length));
      // A later change may carry the source along: it is the message's own only if the message made this version.
      return senders.includes(sender) && resources.includes(`${type}/${id}/_history/${versionId}`);
    } catch (error) {
      if (error instanceof FhirError && error.status < 500) return false;
      throw error;
    }
  }

  function formatAll(feed: Feed, event: FeedEvent): readonly QueuedMessage[] {
    try {
      const { value = [], issues } = format(event, feed.profile, (n) => controlIdOf(feed.id, event, n));
      for (const { severity, expression } of issues)
        if (severity !== 'information')
          log.warn('a message to a partner is not whole', { feed: feed.id, place: expression?.[0], severity });
      return value.map((formatted) => queuedMessage(feed, event, formatted, now()));
    } catch (error) {
      // Our own fault, and the same the next time: the others must go on.
      log.error('a change could not be made a message', { feed: feed.id, type: event.type, id: event.id, error });
      return [];
    }
  }

  async function isAway(feed: Feed): Promise<boolean> {
    if (feed.batch) {
      const waiting = {
        dialect: 'hl7v2',
        correlation: batchMark(feed.id),
        states: ['queued', 'sent', 'unknown'],
      } as const;
      return (await messages.countOutgoing(waiting, BATCH_WAITING_MAX)) >= BATCH_WAITING_MAX;
    }
    const lanes = Array.from({ length: feed.lanes }, (_, lane) => laneKey(feed.id, lane));
    return (await jobs.countOpen(SEND, lanes, WAITING_MAX)) >= WAITING_MAX;
  }

  /** Whether there is more, and how many messages were queued. */
  async function tell(feed: Feed): Promise<Told> {
    if (await isAway(feed)) return { isFull: false, count: 0, isWaiting: true };
    const consumer = `hl7v2 ${feed.id}`;
    const { versions, from, to, isFull } = await changes.read(consumer, TOLD_TYPES, PAGE);
    if (from === to) return { isFull: false, count: 0 };
    const cache = new Map<string, Promise<Resource | undefined>>();
    const queued: QueuedMessage[] = [];
    for (const version of versions) {
      const event = await eventOf(feed, version, cache);
      if (event !== undefined && !(await isEcho(event, feed))) queued.push(...formatAll(feed, event));
    }
    await store.transaction(caller, async (tx) => {
      await tx.consumers.advance(consumer, from, to);
      for (const { message, resources } of queued) await tx.messages.queue(message, resources);
      // Files are made of what waits.
      if (!feed.batch) await tx.jobs.add(queued.map(({ job }) => job));
    });
    return { isFull, count: queued.length };
  }

  /** The day, and its minute, on which a feed that is told once a day was last told all. */
  const told = new Map<string, string>();
  const today = dayClock(options.timeZone ?? 'UTC');

  return {
    async turn() {
      let total = 0;
      const all = await feeds.list();
      const ids = new Set(all.map(({ id }) => id));
      for (const id of told.keys()) if (!ids.has(id)) told.delete(id);
      for (const feed of all) {
        const { day, minute } = today(now());
        // Another time of the day is another time to tell.
        const turn = `${day} ${feed.dailyAt ?? ''}`;
        if (feed.dailyAt !== undefined && (minute < feed.dailyAt || told.get(feed.id) === turn)) continue;
        try {
          for (let more = true; more; ) {
            const { isFull, count, isWaiting } = await tell(feed);
            more = isFull;
            total += count;
            if (!isFull && !isWaiting) told.set(feed.id, turn);
          }
        } catch (error) {
          // Another process was first, or the database is away: the next turn goes on where the position stands.
          if (!isConflict(error)) log.warn('a feed could not be told of changes', { feed: feed.id, error });
        }
      }
      return total;
    },
  };
}

interface Told {
  /** There may be more. */
  readonly isFull: boolean;
  readonly count: number;
  /** So many messages wait to be sent that nothing was read. */
  readonly isWaiting?: boolean;
}

/** The day and its minute in a zone. */
function dayClock(timeZone: string): (at: number) => { readonly day: string; readonly minute: number } {
  const format = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'short' });
  return (at) => {
    const [day = '', time = ''] = format.format(at).split(' ');
    const [hours, minutes] = time.split(':').map(Number);
    return { day, minute: (hours ?? 0) * 60 + (minutes ?? 0) };
  };
}

const LOCAL = /^[A-Z][A-Za-z]{2,63}\/[A-Za-z0-9.-]{1,64}$/;

/** What a resource refers to, what that refers to, and the places around places; undefined where it is too much. */
async function readRelated(
  resource: Resource | undefined,
  read: (reference: string) => Promise<Resource | undefined>,
  more: readonly string[],
): Promise<ReadonlyMap<string, Resource> | undefined> {
  const related = new Map<string, Resource>();
  let next = [...more, ...(resource === undefined ? [] : referencesIn(resource))];
  for (let depth = 0; depth < RELATED_DEPTH + PLACES_DEPTH && next.length > 0; depth++) {
    const wanted = [...new Set(next)].filter((one) => !related.has(one));
    if (wanted.length + related.size > RELATED_MAX) return undefined;
    next = [];
    for (let at = 0; at < wanted.length; at += READ_AT_ONCE) {
      const references = wanted.slice(at, at + READ_AT_ONCE);
      const found = await Promise.all(references.map(read));
      for (const [index, one] of found.entries()) {
        if (one === undefined) continue;
        related.set(references[index] as string, one); // of the same length
        // A bed is in a bay, in a ward, in a hospital: all of them are one field.
        const isNear = depth < RELATED_DEPTH - 1;
        if (isNear || one.resourceType === 'Location') next.push(...referencesIn(isNear ? one : one['partOf']));
      }
    }
  }
  return related;
}

/** Local references, `Patient/1`, as often as they stand there. */
function referencesIn(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(referencesIn);
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => {
    if (typeof inner !== 'string' || !(name === 'reference' || name === 'url')) return referencesIn(inner);
    const plain = inner.split('/_history/')[0] ?? '';
    // The content of a document is named by the address of its Binary.
    return LOCAL.test(plain) && (name === 'reference' || plain.startsWith('Binary/')) ? [plain] : [];
  });
}
