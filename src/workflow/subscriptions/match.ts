/**
 * Follows the change log and queues what subscribers are to be told: events, their jobs and the position move in one
 * transaction, so that a crash neither loses nor doubles one. What matches is asked of the search, with the rights of
 * the subscriber. docs/subscriptions.md, SECURITY CP-06, CP-17, RL-17, RL-19
 */
import type { Caller } from '../../ports/caller.ts';
import type { ChangeFeed, ChangePage } from '../../ports/change-feed.ts';
import type { NewJob } from '../../ports/jobs.ts';
import type { Log } from '../../ports/log.ts';
import type { ResourceStore, StoredVersion } from '../../ports/resource-store.ts';
import type { NewEvent, Subscriber, SubscriptionBook } from '../../ports/subscriptions.ts';
import { parseJson } from '../../standards/fhir/json.ts';
import { FhirError, isConflict } from '../../standards/fhir/outcome.ts';
import type { Condition, SearchRequest } from '../../standards/fhir/search/request.ts';
import { readSubscription, type SubscriptionPlan } from '../../standards/fhir/subscription/read-subscription.ts';
import type { Plans } from './plans.ts';

export const SEND_KIND = 'subscription-send';
export const CONSUMER = 'subscriptions';

export interface MatcherOptions {
  /** Searches leave no trail here: what a subscriber learns is written down when it is told. */
  readonly store: Pick<ResourceStore, 'search' | 'vread' | 'transaction'>;
  /** Whether the subscriber would have found a version that is there no more. */
  readonly judge: (caller: Caller, version: StoredVersion, conditions: readonly Condition[]) => Promise<boolean>;
  readonly changes: ChangeFeed;
  readonly book: SubscriptionBook;
  readonly plans: Plans;
  readonly searchOf: (type: string, query: string) => SearchRequest;
  readonly service: Caller;
  readonly now: () => number;
  readonly log: Log;
}

export interface Matcher {
  /** Queues what has changed since the last turn. Resolves to how many events were queued. */
  turn(): Promise<number>;
}

const PAGE = 200;
const SUBSCRIPTIONS_MAX = 1000;

interface Listener extends Omit<Subscriber, 'events'> {
  readonly plan: SubscriptionPlan;
}

export function createMatcher(options: MatcherOptions): Matcher {
  const { store, judge, changes, book, plans, searchOf, service, now, log } = options;

  async function listeners(): Promise<Map<string, Listener>> {
    const found = new Map<string, Listener>();
    for (const subscriber of await book.listOpen()) {
      const plan = await plans.find(subscriber.id, subscriber.version);
      if (plan) found.set(subscriber.id, { ...subscriber, plan });
    }
    return found;
  }

  /** A page with the content of every type that somebody listens to, those included who begin within it. */
  async function readPage(open: Map<string, Listener>): Promise<ChangePage> {
    const types = new Set(['Subscription', ...[...open.values()].map(({ plan }) => plan.type)]);
    for (;;) {
      const page = await changes.read(CONSUMER, types, PAGE);
      const before = types.size;
      for (const version of page.versions) {
        const type = version.type === 'Subscription' ? planOf(version)?.type : undefined;
        if (type !== undefined) types.add(type);
      }
      if (types.size === before) return page;
    }
  }

  /** The page in pieces, between which somebody begins or ends. */
  async function work({ versions }: ChangePage, open: Map<string, Listener>): Promise<Turn> {
    const turn: Turn = { begun: [], gone: [], events: [], ended: [] };
    let piece: StoredVersion[] = [];
    for (const version of versions) {
      if (version.type === 'Subscription') {
        await match(piece, open, turn);
        piece = [];
        await begin(version, open, turn);
      }
      piece.push(version);
    }
    await match(piece, open, turn);
    return turn;
  }

  async function begin(version: StoredVersion, open: Map<string, Listener>, turn: Turn): Promise<void> {
    const { id, versionId } = version;
    const known = await book.find(id);
    // A status that Mortar wrote itself moved the book with it.
    if (known && known.version >= versionId) return;
    open.delete(id);
    if (version.operation === 'delete') {
      turn.gone.push(id);
      turn.events = turn.events.filter(({ subscription }) => subscription !== id);
      turn.begun = turn.begun.filter((one) => one.id !== id);
      return;
    }
    const plan = planOf(version);
    const owner = await book.findOwner(id, versionId);
    const isOff = plan === undefined || !owner || plan.status === 'off' || open.size >= SUBSCRIPTIONS_MAX;
    const state = isOff ? 'off' : 'requested';
    const entry = {
      id,
      version: versionId,
      state,
      channel: plan?.channel ?? 'rest-hook',
      ...(plan?.heartbeatS !== undefined && { heartbeatS: plan.heartbeatS }),
    } as const;
    turn.begun.push(entry);
    if (!isOff) open.set(id, { ...entry, plan });
  }

  async function match(versions: readonly StoredVersion[], open: Map<string, Listener>, turn: Turn): Promise<void> {
    if (versions.length === 0) return;
    for (const listener of open.values()) {
      if (turn.ended.some(({ id }) => id === listener.id)) continue;
      const { plan } = listener;
      // R4 tells of what criteria find, which a deletion is not; a topic tells of it.
      const mine = versions.filter(
        ({ type, operation }) => type === plan.type && (operation !== 'delete' || plan.topic !== undefined),
      );
      if (mine.length === 0) continue;
      if (plan.end !== undefined && plan.end <= now()) {
        turn.ended.push({ id: listener.id, version: listener.version, status: 'off', error: 'its end has come' });
        continue;
      }
      await matchOne(listener, mine, turn);
    }
  }

  async function matchOne({ id, version, plan }: Listener, mine: readonly StoredVersion[], turn: Turn): Promise<void> {
    const caller = await plans.subscriber(id, version);
    if (!caller) return void turn.ended.push({ id, version, status: 'error', error: RIGHTS_GONE });
    const isDeletion = ({ operation }: StoredVersion): boolean => operation === 'delete';
    const ids = [...new Set(mine.filter((one) => !isDeletion(one)).map((one) => one.id))];
    try {
      const query = [plan.query, `_id=${ids.join(',')}`, `_count=${ids.length}`]
        .filter((part) => part !== '')
        .join('&');
      const { matches } = ids.length === 0 ? { matches: [] } : await store.search(caller, searchOf(plan.type, query));
      const current = new Map(matches.map((one) => [one.id, one.versionId]));
      const replaced = await replacedOf(
        plan.type,
        mine.filter((one) => !isDeletion(one) && (current.get(one.id) ?? 0) < one.versionId),
      );
      for (const one of mine) {
        if (isDeletion(one)) {
          const last = await lastSeen(caller, plan, one);
          if (last) turn.events.push(eventOf(id, one, patientsOf(last)));
          continue;
        }
        const isFound =
          (current.get(one.id) ?? 0) >= one.versionId || (await wouldHaveFound(caller, plan, one, replaced));
        if (!isFound) continue;
        if (plan.topic && !(await isTrigger(plan, one))) continue;
        turn.events.push(eventOf(id, one, patientsOf(one)));
      }
    } catch (error) {
      if (!(error instanceof FhirError) || error.status >= 500 || isConflict(error)) throw error;
      const why = error.status === 403 ? RIGHTS_GONE : 'its criteria cannot be searched by any more';
      turn.ended.push({ id, version, status: 'error', error: why });
    }
  }

  /** Those of the versions that are current no more: the search says nothing of what they were. */
  async function replacedOf(type: string, versions: readonly StoredVersion[]): Promise<ReadonlySet<StoredVersion>> {
    if (versions.length === 0) return new Set();
    const ids = [...new Set(versions.map(({ id }) => id))];
    const { matches } = await store.search(service, searchOf(type, `_id=${ids.join(',')}&_count=${ids.length}`));
    const latest = new Map(matches.map(({ id, versionId }) => [id, versionId]));
    return new Set(versions.filter(({ id, versionId }) => latest.get(id) !== versionId));
  }

  const wouldHaveFound = async (
    caller: Caller,
    { type, query }: SubscriptionPlan,
    version: StoredVersion,
    replaced: ReadonlySet<StoredVersion>,
  ): Promise<boolean> => replaced.has(version) && judge(caller, version, searchOf(type, query).conditions);

  /** What was deleted, where the subscriber would have been told of it. */
  async function lastSeen(
    caller: Caller,
    { type, query }: SubscriptionPlan,
    { id, versionId }: StoredVersion,
  ): Promise<StoredVersion | undefined> {
    const last = await store.vread(service, type, id, versionId - 1).catch(absent);
    return last && (await judge(caller, last, searchOf(type, query).conditions)) ? last : undefined;
  }

  async function isTrigger(
    { topic }: SubscriptionPlan,
    { type, id, versionId, content }: StoredVersion,
  ): Promise<boolean> {
    if (!topic) return true;
    const previous = versionId > 1 ? (await store.vread(service, type, id, versionId - 1).catch(absent))?.content : '';
    const read = (text: string): Record<string, unknown> => parseJson(text) as Record<string, unknown>;
    return topic.isTrigger(read(content), previous ? read(previous) : undefined);
  }

  /** One page, whole or not at all. Rejects with a conflict where another process was first. */
  async function tell(): Promise<{ readonly count: number; readonly isFull: boolean }> {
    const open = await listeners();
    const page = await readPage(open);
    if (page.from === page.to) return { count: 0, isFull: false };
    const { begun, gone, events, ended } = await work(page, open);
    await store.transaction(service, async (tx) => {
      await tx.consumers.advance(CONSUMER, page.from, page.to);
      for (const id of gone) await tx.subscriptions.remove(id);
      for (const one of begun) await tx.subscriptions.put(one);
      const seqs = await tx.subscriptions.addEvents(events);
      await tx.jobs.add([
        ...begun.flatMap(({ id, state, channel }) =>
          state === 'requested' && channel !== 'websocket' ? [sendJob(id, { what: 'handshake' })] : [],
        ),
        ...events.flatMap(({ subscription }, i) =>
          channelOf(open, subscription) === 'websocket'
            ? []
            : [sendJob(subscription, { what: 'event', event: seqs[i] as string })],
        ),
      ]);
    });
    for (const { id, version, status, error } of ended) {
      log.info('a subscription ends', { subscription: id, cause: error });
      await plans.tell(id, version, status, error, true);
    }
    for (const { id, version, state, channel } of begun)
      if (state === 'off') await plans.tell(id, version, 'off');
      else if (channel === 'websocket') await plans.tell(id, version, 'active');
    return { count: events.length, isFull: page.isFull };
  }

  return {
    async turn() {
      let total = 0;
      try {
        for (let more = true; more; ) {
          const { count, isFull } = await tell();
          total += count;
          more = isFull;
        }
      } catch (error) {
        // The next turn goes on where the position stands.
        if (!isConflict(error)) throw error;
      }
      return total;
    },
  };
}

const eventOf = (subscription: string, version: StoredVersion, patients: readonly string[]): NewEvent => ({
  subscription,
  type: version.type,
  resource: version.id,
  version: version.versionId,
  operation: version.operation,
  at: version.lastUpdated,
  patients,
});

const RIGHTS_GONE = 'the rights of the subscriber have ended: write the Subscription again';

interface Turn {
  begun: Omit<Subscriber, 'events'>[];
  readonly gone: string[];
  events: NewEvent[];
  readonly ended: {
    readonly id: string;
    readonly version: number;
    readonly status: 'error' | 'off';
    readonly error: string;
  }[];
}

const channelOf = (open: Map<string, Listener>, id: string): string | undefined => open.get(id)?.channel;

/** Jobs of one subscription run one after another, in the order they were added. */
export const sendJob = (id: string, payload: Readonly<Record<string, string>>, dedupe?: string): NewJob => ({
  kind: SEND_KIND,
  key: id,
  payload: { subscription: id, ...payload },
  ...(dedupe !== undefined && { dedupe }),
});

function planOf({ content }: StoredVersion): (SubscriptionPlan & { readonly status: unknown }) | undefined {
  if (content === '') return undefined;
  const resource = parseJson(content) as Record<string, unknown>;
  const { value } = readSubscription(resource, true);
  return value && { ...value, status: resource['status'] };
}

function absent(error: unknown): undefined {
  if (error instanceof FhirError && (error.status === 404 || error.status === 410)) return undefined;
  throw error;
}

const PATIENT = /\bPatient\/([A-Za-z0-9.-]{1,64})/g;

/** Every patient whom the resource names: whoever asks that their data be kept in is among them. SECURITY DP-05 */
function patientsOf({ type, id, content }: StoredVersion): readonly string[] {
  const named = [...content.matchAll(PATIENT)].map(([, found]) => found as string);
  return [...new Set(type === 'Patient' ? [id, ...named] : named)];
}
