/** What a subscriber asks about a subscription: how it goes, what was told, to be told again. docs/subscriptions.md */
import type { Caller } from '../../ports/caller.ts';
import type { Cipher } from '../../ports/cipher.ts';
import type { JobTable } from '../../ports/jobs.ts';
import type { ResourceStore, StoredVersion } from '../../ports/resource-store.ts';
import type { Subscriber, SubscriptionBook, SubscriptionOwner } from '../../ports/subscriptions.ts';
import { badRequest, conflict, FhirError, forbidden } from '../../standards/fhir/outcome.ts';
import type { SearchRequest } from '../../standards/fhir/search/request.ts';
import type { NotifiedEvent, SubscriptionStatus } from '../../standards/fhir/subscription/notification.ts';
import type { SubscriptionPlan } from '../../standards/fhir/subscription/read-subscription.ts';
import type { TellDeletion } from './deliver.ts';
import { sendJob } from './match.ts';
import type { Plans } from './plans.ts';
import type { FindRelated } from './related.ts';

export interface DeskOptions {
  readonly store: Pick<ResourceStore, 'read' | 'vread' | 'search'>;
  readonly searchOf: (type: string, query: string) => SearchRequest;
  readonly tellDeletion: TellDeletion;
  readonly findRelated: FindRelated;
  readonly book: SubscriptionBook;
  readonly plans: Plans;
  readonly jobs: Pick<JobTable, 'add'>;
  readonly ownerOf: (caller: Caller) => Promise<SubscriptionOwner | undefined>;
  readonly cipher: Cipher;
  readonly baseUrl: string;
  readonly now: () => number;
}

export interface EventRange {
  /** Numbers, both included. */
  readonly from: number;
  readonly to: number;
  readonly content?: SubscriptionPlan['content'];
}

export interface StatusesWanted {
  /** Empty: any. */
  readonly ids: readonly string[];
  /** `requested`, `active`, `error`, `off`; empty: any. */
  readonly states: readonly string[];
}

export interface SubscriptionDesk {
  /** Throws not-found for a subscription that the caller may not read. One that is not followed yet has told nothing. */
  status(caller: Caller, id: string): Promise<SubscriptionStatus>;
  /** Of all that the caller may see, or those of these ids and states. */
  statuses(caller: Caller, wanted: StatusesWanted): Promise<readonly SubscriptionStatus[]>;
  /** Events with what of them the caller may see; hidden ones are left out. */
  events(caller: Caller, id: string, range: EventRange): Promise<SubscriptionStatus>;
  /** Tells its subscriber the events again. Resolves to how many. Throws 403 for anybody else. */
  replay(caller: Caller, id: string, range: EventRange): Promise<number>;
  /** A word by which a websocket is bound to the subscription, for its subscriber alone. */
  bindingToken(caller: Caller, id: string): Promise<{ readonly token: string; readonly expiresAt: number }>;
  /** The subscription that a word stands for; undefined when it is not ours, or too old. */
  openToken(token: string): string | undefined;
  /** Throws unless the caller is who is told. */
  checkSubscriber(caller: Caller, id: string): Promise<Subscriber>;
}

const EVENTS_MAX = 100;
/** As many as are followed at once. */
const STATUSES_MAX = 1000;
const REPLAY_MAX = 1000;
const TOKEN_MS = 5 * 60_000;
const CONTEXT = 'subscription binding';

export function createSubscriptionDesk(options: DeskOptions): SubscriptionDesk {
  const { store, searchOf, tellDeletion, findRelated, book, plans, jobs, ownerOf, cipher, baseUrl, now } = options;

  const load = async (caller: Caller, id: string): Promise<Loaded> =>
    loadVersion(await store.read(caller, 'Subscription', id));

  async function loadVersion({ id, content }: StoredVersion): Promise<Loaded> {
    const subscriber = await book.find(id);
    const plan = subscriber && (await plans.find(id, subscriber.version));
    const resource = JSON.parse(content) as Loaded['resource']; // stored text was checked
    return { subscriber, plan, resource };
  }

  const statusOf = async (caller: Caller, id: string, kind: SubscriptionStatus['kind']): Promise<SubscriptionStatus> =>
    describe(await load(caller, id), kind);

  function describe({ subscriber, plan, resource }: Loaded, kind: SubscriptionStatus['kind']): SubscriptionStatus {
    return {
      baseUrl,
      subscriptionId: resource.id,
      ...(plan?.topic !== undefined && { topic: plan.topic }),
      status: resource.status,
      kind,
      total: subscriber?.events ?? 0,
      events: [],
      content: plan?.content ?? 'id-only',
      ...(resource.error !== undefined && { error: resource.error }),
    };
  }

  async function checkSubscriber(caller: Caller, id: string): Promise<Subscriber> {
    const { subscriber, resource } = await load(caller, id);
    if (!subscriber) throw conflict(`Nobody is told yet: the status of Subscription/${id} is '${resource.status}'`);
    const mine = await ownerOf(caller);
    const stored = (await book.findOwner(id, subscriber.version))?.owner;
    if (!mine || !stored || mine.clientId !== stored.clientId || mine.user?.id !== stored.user?.id) throw forbidden();
    if (mine.patientId !== stored.patientId) throw forbidden();
    return subscriber;
  }

  return {
    checkSubscriber,
    status: (caller, id) => statusOf(caller, id, 'query-status'),
    async statuses(caller, { ids, states }) {
      const parts = [
        `_count=${STATUSES_MAX}`,
        ...(ids.length > 0 ? [`_id=${ids.map(encodeURIComponent).join(',')}`] : []),
        ...(states.length > 0 ? [`status=${states.map(encodeURIComponent).join(',')}`] : []),
      ];
      const { matches } = await store.search(caller, searchOf('Subscription', parts.join('&')));
      return (await Promise.all(matches.map(loadVersion))).map((one) => describe(one, 'query-status'));
    },
    async events(caller, id, { from, to, content: asked }) {
      const status = await statusOf(caller, id, 'query-event');
      const content = asked ?? status.content;
      const shown: NotifiedEvent[] = [];
      for (const event of await book.list(id, from, to, EVENTS_MAX)) {
        const { number = 0, at, type, resource, operation } = event;
        const told = { number, at, type, id: resource, operation };
        if (operation === 'delete') {
          if (await tellDeletion(caller, event)) shown.push(told);
          continue;
        }
        const found = await store.vread(caller, type, resource, event.version).catch(hidden);
        if (!found) continue;
        const plan = { content, ...(status.topic !== undefined && { topic: status.topic }) };
        const related = await findRelated(caller, plan, told);
        shown.push({
          ...told,
          ...(content === 'full-resource' && { content: found.content }),
          ...(related.length > 0 && { related }),
        });
      }
      return { ...status, content, events: shown };
    },
    async replay(caller, id, { from, to }) {
      const subscriber = await checkSubscriber(caller, id);
      if (subscriber.state === 'off') throw badRequest('The subscription is off: write it again first');
      if (subscriber.channel === 'websocket') throw badRequest('A websocket asks with $events for what it has missed');
      const told = await book.list(id, from, to, REPLAY_MAX);
      // What came while nobody was told goes before it has a number.
      const jobsOf = told.map(({ seq }) => sendJob(id, { what: 'event', event: seq }));
      await jobs.add(jobsOf);
      return jobsOf.length;
    },
    async bindingToken(caller, id) {
      const { channel } = await checkSubscriber(caller, id);
      if (channel !== 'websocket') throw badRequest('This subscription is not told by websocket');
      const expiresAt = now() + TOKEN_MS;
      const token = cipher.seal(Buffer.from(JSON.stringify({ id, expiresAt })), CONTEXT).toString('base64url');
      return { token, expiresAt };
    },
    openToken(token) {
      try {
        const text = cipher.open(Buffer.from(token, 'base64url'), CONTEXT).toString();
        const { id, expiresAt } = JSON.parse(text) as { readonly id: string; readonly expiresAt: number };
        return now() < expiresAt ? id : undefined;
      } catch {
        return undefined;
      }
    },
  };
}

interface Loaded {
  /** Absent: it is not followed yet, or never was. */
  readonly subscriber: Subscriber | undefined;
  readonly plan: SubscriptionPlan | undefined;
  readonly resource: { readonly id: string; readonly status: string; readonly error?: string };
}

function hidden(error: unknown): undefined {
  if (error instanceof FhirError && [403, 404, 410].includes(error.status)) return undefined;
  throw error;
}
