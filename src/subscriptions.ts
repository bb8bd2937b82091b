/** Composition of subscriptions: who is told of changes, of which, and the ways there. docs/subscriptions.md */
import { fetchGuarded } from './auth/oauth/guarded-fetch.ts';
import type { Config } from './config.ts';
import { every } from './every.ts';
import { createCircuitBreaker } from './gateways/circuit-breaker.ts';
import { createSmtpSender } from './gateways/mail/smtp.ts';
import { type JobSet, PostponedJobError } from './jobs/runner.ts';
import { createSubscriptionJobs } from './jobs/subscription-jobs.ts';
import { serviceCaller } from './policy/service-caller.ts';
import type { AuditLog } from './ports/audit.ts';
import type { Authenticate } from './ports/authenticate.ts';
import type { Caller } from './ports/caller.ts';
import type { Cipher } from './ports/cipher.ts';
import type { Log } from './ports/log.ts';
import type { Policy } from './ports/policy.ts';
import type { ResourceStore } from './ports/resource-store.ts';
import type { FindSubscriber, Notification, SendNotification, SubscriptionOwner } from './ports/subscriptions.ts';
import type { Pools } from './postgres/pools.ts';
import type { OpenStore } from './postgres/store.ts';
import { createSubscriptionBook } from './postgres/subscriptions.ts';
import { createSubscriptionSockets, type SubscriptionSockets } from './rest/subscription-sockets.ts';
import type { Definitions } from './standards/fhir/definitions.ts';
import { createModel } from './standards/fhir/fhirpath/model.ts';
import { FhirError, issue, textOf, unprocessable } from './standards/fhir/outcome.ts';
import type { SearchParameters } from './standards/fhir/search/parameter.ts';
import type { SearchRequest } from './standards/fhir/search/request.ts';
import type { SubscriptionPlan } from './standards/fhir/subscription/read-subscription.ts';
import type { TopicContext } from './standards/fhir/subscription/read-topic.ts';
import { createTopicRegistry } from './standards/fhir/subscription/topic-registry.ts';
import type { Topic } from './standards/fhir/subscription/topics.ts';
import { createDelivery, type TellDeletion } from './workflow/subscriptions/deliver.ts';
import { createSubscriptionDesk, type SubscriptionDesk } from './workflow/subscriptions/desk.ts';
import { createKeptTopics } from './workflow/subscriptions/kept-topics.ts';
import { createMatcher } from './workflow/subscriptions/match.ts';
import { withSubscriptionOwners } from './workflow/subscriptions/own.ts';
import { withOwnTopics } from './workflow/subscriptions/own-topics.ts';
import { createPlans } from './workflow/subscriptions/plans.ts';
import { createFindRelated } from './workflow/subscriptions/related.ts';
import { createFindSigner, type FindSigner } from './workflow/subscriptions/signer.ts';

export interface SubscriptionParts {
  readonly config: Pick<Config, 'subscriptionTargets' | 'subscriptionMailDomains' | 'smtpUrl' | 'mailFrom'>;
  readonly pools: Pools;
  /** Leaves entries in the audit trail. */
  readonly audited: OpenStore;
  readonly audit: AuditLog;
  readonly plain: OpenStore;
  readonly searchOf: (type: string, query: string) => SearchRequest;
  readonly policy: Policy;
  readonly definitions: Definitions;
  readonly parameters: SearchParameters;
  /** The people and clients of this server, once there is somebody to ask. */
  readonly subscribers: () => {
    readonly ownerOf: (caller: Caller) => Promise<SubscriptionOwner | undefined>;
    readonly findSubscriber: FindSubscriber;
  };
  readonly cipher: Cipher;
  readonly baseUrl: string;
  readonly now: () => number;
  readonly log: Log;
}

export interface Subscriptions {
  /** The store through which Subscriptions and topics are written. */
  own<S extends ResourceStore>(store: S): S;
  readonly desk: SubscriptionDesk;
  /** All that may be subscribed to. */
  readonly topics: () => readonly Topic[];
  readonly findSigner: FindSigner;
  readonly jobs: JobSet;
  openSockets(authenticate: Authenticate): SubscriptionSockets;
  /** Begins to follow the change log. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

const POLL_MS = 300;
const SERVICE = serviceCaller('subscriptions');
const BREAKER = { failuresMax: 3, pauseMs: 5_000, pauseMaxMs: 300_000 };
const BREAKERS_MAX = 1000;

export function openSubscriptions(parts: SubscriptionParts): Subscriptions {
  const { config, audit, audited, plain, searchOf, cipher, baseUrl, now, log } = parts;
  const book = createSubscriptionBook({ writes: parts.pools.writes, cipher, now });
  const ownerOf = (caller: Caller) => parts.subscribers().ownerOf(caller);
  const plans = createPlans({
    store: plain,
    book,
    findSubscriber: (owner, correlationId) => parts.subscribers().findSubscriber(owner, correlationId),
    service: SERVICE,
  });
  const topics = createKeptTopics({
    registry: createTopicRegistry(topicContext(parts)),
    store: plain,
    searchOf,
    service: SERVICE,
  });
  const findRelated = createFindRelated({ store: audited, topics, searchOf });
  const { smtpUrl, mailFrom } = config;
  const mail = smtpUrl && mailFrom ? createSmtpSender({ url: smtpUrl, from: mailFrom }) : undefined;
  /** By what it was when it was there; another policy may hold by now. */
  const tellDeletion: TellDeletion = async (caller, { type, resource, version }) => {
    try {
      const last = await plain.vread(SERVICE, type, resource, version - 1);
      if (!(await plain.judge(caller, last, []))) return false;
    } catch (error) {
      if (error instanceof FhirError && [403, 404, 410].includes(error.status)) return false;
      throw error;
    }
    const detail = { type, resource, version: String(version) };
    await audit.record({ kind: 'operation', operation: 'subscription-deletion', caller, outcome: 0, detail });
    return true;
  };
  const delivery = createDelivery({
    store: audited,
    tellDeletion,
    findRelated,
    book,
    plans,
    send: guardedSend(config.subscriptionTargets, now),
    ...(mail && { mail }),
    baseUrl,
    now,
  });
  const matcher = createMatcher({
    store: plain,
    judge: plain.judge,
    changes: plain.changes,
    book,
    plans,
    topics,
    searchOf,
    service: SERVICE,
    now,
    log,
  });
  const desk = createSubscriptionDesk({
    store: audited,
    searchOf,
    tellDeletion,
    findRelated,
    book,
    plans,
    jobs: plain.jobs,
    ownerOf,
    cipher,
    baseUrl,
    now,
  });
  let stop: (() => Promise<void>) | undefined;

  function check({ topic, searches, channel, endpoint = '' }: SubscriptionPlan): void {
    try {
      for (const { type, query } of searches) searchOf(type, query);
    } catch (error) {
      if (!(error instanceof FhirError)) throw error;
      const expression = [topic === undefined ? 'Subscription.criteria' : 'Subscription.criteria.extension'];
      throw unprocessable(error.issues.map((one) => ({ expression, ...one })));
    }
    if (channel !== 'email') {
      if (endpoint.startsWith('http:') && !config.subscriptionTargets?.has(new URL(endpoint).host))
        throw unprocessable([issue('value', 'The endpoint must be https', 'Subscription.channel.endpoint')]);
      return;
    }
    const domain = endpoint.slice(endpoint.lastIndexOf('@') + 1).toLowerCase();
    if (!mail || !config.subscriptionMailDomains?.has(domain))
      throw unprocessable([
        issue(
          'value',
          'E-mail is not sent to this domain: see SUBSCRIPTION_MAIL_DOMAINS',
          'Subscription.channel.endpoint',
        ),
      ]);
  }

  return {
    own: (store) =>
      withSubscriptionOwners(withOwnTopics(store, { topics, policy: parts.policy }), { ownerOf, check, topics }),
    desk,
    topics: topics.list,
    findSigner: createFindSigner({ store: plain, service: SERVICE, book, plans }),
    jobs: createSubscriptionJobs({ book, plans, delivery, jobs: plain.jobs, now, log }),
    openSockets: (authenticate) =>
      createSubscriptionSockets({ desk, book, plans, delivery, authenticate, every, baseUrl, now, log }),
    async start() {
      // From here on nothing is passed over.
      await matcher.turn();
      stop = every(POLL_MS, matcher.turn, (error) => log.warn('subscribers could not be told of changes', { error }));
    },
    stop: async () => stop?.(),
  };
}

/** What topics may speak of: types of which changes are told, their search parameters, and FHIRPath of them. */
function topicContext({ definitions, parameters, searchOf }: SubscriptionParts): TopicContext {
  return {
    model: createModel(definitions),
    isType: (type) => parameters.get(type) !== undefined && type !== 'AuditEvent',
    parameterType: (type, code) => EVERY_TYPE.get(code) ?? parameters.get(type)?.parameters.get(code)?.type,
    checkSearch(type, query) {
      try {
        searchOf(type, query);
        return [];
      } catch (error) {
        if (error instanceof FhirError) return error.issues.map(textOf);
        throw error;
      }
    },
  };
}
/** Parameters that are no parameters of a type. */
const EVERY_TYPE: ReadonlyMap<string, string> = new Map([
  ['_id', 'token'],
  ['_lastUpdated', 'date'],
]);

/** Sends to the public network alone, and stops asking for a while who does not answer. SECURITY IN-40 */
function guardedSend(allowed: ReadonlySet<string> | undefined, now: () => number): SendNotification {
  const breakers = new Map<string, ReturnType<typeof createCircuitBreaker>>();
  const breakerOf = (origin: string) => {
    const found = breakers.get(origin) ?? createCircuitBreaker({ ...BREAKER, now });
    if (breakers.size >= BREAKERS_MAX) breakers.clear();
    breakers.set(origin, found);
    return found;
  };
  return async (notification) => {
    const { url, method, body, timeoutMs } = notification;
    const breaker = breakerOf(new URL(url).origin);
    const until = breaker.closedUntil();
    if (until !== undefined) throw new PostponedJobError('the endpoint has not answered lately', until - now());
    try {
      await fetchGuarded(url, {
        bytesMax: 0,
        timeoutMs,
        ...(allowed && { allowed }),
        send: { method, headers: headersOf(notification), bytes: Buffer.from(body) },
      });
      breaker.succeeded();
    } catch (error) {
      breaker.failed();
      throw error;
    }
  };
}

function headersOf({ headers, contentType, body }: Notification): Record<string, string | readonly string[]> {
  const named = new Map<string, string[]>();
  for (const header of headers) {
    const colon = header.indexOf(':');
    const name = header.slice(0, colon);
    named.set(name, [...(named.get(name) ?? []), header.slice(colon + 1).trim()]);
  }
  return {
    ...Object.fromEntries(
      [...named].map(([name, values]) => [name, values.length === 1 ? (values[0] as string) : values]),
    ),
    ...(contentType !== undefined && { 'Content-Type': `${contentType}; charset=utf-8` }),
    'Content-Length': String(Buffer.byteLength(body)),
  };
}
