/**
 * Follows the change log and queues what subscribers are to be told: events, their jobs and the position move in one
 * transaction, so that a crash neither loses nor doubles one. What matches is asked of the search, with the rights of
 * the subscriber. docs/subscriptions.md, SECURITY CP-06, CP-17, RL-17, RL-19
 */
import type { ChangeFeed, ChangePage } from '../../ports/change-feed.ts';
import type { NewJob } from '../../ports/jobs.ts';
import type { ResourceStore, StoredVersion } from '../../ports/resource-store.ts';
import type { NewEvent, Subscriber, SubscriptionBook } from '../../ports/subscriptions.ts';
import { parseJson } from '../../standards/fhir/json.ts';
import { FhirError, isConflict } from '../../standards/fhir/outcome.ts';
import { readSubscription, type SubscriptionPlan } from '../../standards/fhir/subscription/read-subscription.ts';
import { narrowTopic } from '../../standards/fhir/subscription/topic-filter.ts';
import type { Topic } from '../../standards/fhir/subscription/topics.ts';
import { createEventFinder, type EventFinderOptions, type FindEvents, type Followed } from './find-events.ts';
import { type KeptTopics, TOPIC_TYPE } from './kept-topics.ts';
import type { KnownSubscribers, Plans } from './plans.ts';

export const SEND_KIND = 'subscription-send';
export const CONSUMER = 'subscriptions';

export interface MatcherOptions extends EventFinderOptions {
  readonly store: Pick<ResourceStore, 'search' | 'vread' | 'transaction'>;
  readonly changes: ChangeFeed;
  readonly book: SubscriptionBook;
  readonly plans: Plans;
  readonly topics: Pick<KeptTopics, 'find' | 'follow'>;
  readonly now: () => number;
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
  const { store, changes, book, plans, topics, service, now, log } = options;

  async function listeners(): Promise<Map<string, Listener>> {
    const found = new Map<string, Listener>();
    for (const subscriber of await book.listOpen()) {
      const plan = await plans.find(subscriber.id, subscriber.version);
      if (plan) found.set(subscriber.id, { ...subscriber, plan });
    }
    return found;
  }

  /** By plan, as of the topic that it was found with. */
  const narrowed = new WeakMap<SubscriptionPlan, { readonly of: Topic; readonly followed: Follows }>();

  /** What a plan follows as its topic is now, or why it cannot. */
  function followedBy(plan: SubscriptionPlan): Follows {
    if (plan.topic === undefined) return { parts: plan.searches };
    const topic = topics.find(plan.topic);
    if (!topic) return { reason: 'its topic is not there any more' };
    const known = narrowed.get(plan);
    if (known?.of === topic) return known.followed;
    const { parts, faults } = narrowTopic(topic, plan.searches);
    const followed: Follows =
      faults.length > 0 ? { reason: 'its topic is another now, which its filters do not fit' } : { topic, parts };
    narrowed.set(plan, { of: topic, followed });
    return followed;
  }
  function typesOf(plan: SubscriptionPlan): readonly string[] {
    const followed = followedBy(plan);
    return 'reason' in followed ? [] : followed.parts.map(({ type }) => type);
  }

  /** A page with the content of every type that somebody listens to, those included who begin within it. */
  async function readPage(open: Map<string, Listener>): Promise<ChangePage> {
    const types = new Set(['Subscription', TOPIC_TYPE]);
    const plansOf = new Set([...open.values()].map(({ plan }) => plan));
    for (;;) {
      for (const plan of plansOf) for (const type of typesOf(plan)) types.add(type);
      const before = types.size;
      const page = await changes.read(CONSUMER, types, PAGE);
      // From here on the topics are those of the page's end, or newer: as rights are, they are those of the moment.
      await topics.follow(page);
      for (const version of page.versions) {
        const plan = version.type === 'Subscription' ? planOf(version) : undefined;
        if (plan) plansOf.add(plan);
      }
      for (const plan of plansOf) for (const type of typesOf(plan)) types.add(type);
      if (types.size === before) return page;
    }
  }

  /** The page in pieces, between which somebody begins or ends. */
  async function work({ versions }: ChangePage, open: Map<string, Listener>): Promise<Turn> {
    const turn: Turn = {
      begun: [],
      gone: [],
      events: [],
      ended: [],
      findEvents: createEventFinder(options),
      subscribers: new Map(),
    };
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
      const { id, version, plan } = listener;
      const followed = followedBy(plan);
      if ('reason' in followed)
        turn.ended.push({ id, version, status: 'error', error: `${followed.reason}: write the Subscription again` });
      else if (versions.some(({ type }) => followed.parts.some((part) => part.type === type))) {
        if (plan.end !== undefined && plan.end <= now())
          turn.ended.push({ id, version, status: 'off', error: 'its end has come' });
        else await matchOne(listener, followed, versions, turn);
      }
    }
  }

  async function matchOne(
    { id, version }: Listener,
    followed: Followed,
    versions: readonly StoredVersion[],
    turn: Turn,
  ): Promise<void> {
    const caller = await plans.subscriber(id, version, turn.subscribers);
    if (!caller) return void turn.ended.push({ id, version, status: 'error', error: RIGHTS_GONE });
    try {
      turn.events.push(...(await turn.findEvents(id, caller, followed, versions)));
    } catch (error) {
      if (!(error instanceof FhirError) || error.status >= 500 || isConflict(error)) throw error;
      const why = error.status === 403 ? RIGHTS_GONE : 'its criteria cannot be searched by any more';
      turn.ended.push({ id, version, status: 'error', error: why });
    }
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

type Follows = Followed | { readonly reason: string };

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
  readonly findEvents: FindEvents;
  readonly subscribers: KnownSubscribers;
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
  const { value } = readSubscription(resource);
  return value && { ...value, status: resource['status'] };
}
