/**
 * One thing told to one subscriber: a handshake, an event, or that there is nothing new. What is told is read with the
 * rights of the subscriber at that moment. docs/subscriptions.md, SECURITY CP-17
 */
import type { Caller } from '../../ports/caller.ts';
import type { SendMail } from '../../ports/mail.ts';
import type { ResourceStore } from '../../ports/resource-store.ts';
import type { SendNotification, Subscriber, SubscriptionBook, SubscriptionEvent } from '../../ports/subscriptions.ts';
import { FhirError } from '../../standards/fhir/outcome.ts';
import {
  formatMessage,
  formatNotification,
  type NotifiedEvent,
  type SubscriptionStatus,
} from '../../standards/fhir/subscription/notification.ts';
import { type SubscriptionPlan, secretIn } from '../../standards/fhir/subscription/read-subscription.ts';
import { signWebhook } from '../../standards/webhook/signature.ts';
import type { Plans } from './plans.ts';
import type { FindRelated } from './related.ts';

export interface DeliveryOptions {
  /** Reads of it leave entries in the audit trail. */
  readonly store: Pick<ResourceStore, 'vread'>;
  readonly tellDeletion: TellDeletion;
  readonly findRelated: FindRelated;
  readonly book: SubscriptionBook;
  readonly plans: Plans;
  readonly send: SendNotification;
  /** Absent without a mail server. */
  readonly mail?: SendMail;
  readonly baseUrl: string;
  readonly now: () => number;
}

/**
 * Whether the caller may be told of a deletion: would have found what was deleted. Leaves an entry in the audit trail where
 * it may.
 */
export type TellDeletion = (
  caller: Caller,
  event: Pick<SubscriptionEvent, 'type' | 'resource' | 'version'>,
) => Promise<boolean>;

export type Told = 'told' | 'over' | 'hidden';

export interface Delivery {
  /** Rejects when the endpoint did not take it. `over`: there is nobody to tell any more. */
  handshake(id: string): Promise<Told>;
  heartbeat(id: string): Promise<Told>;
  event(id: string, seq: string): Promise<Told>;
  /** What of an event its subscriber may see now; undefined when nothing, and then it stays without a number. */
  show(subscriber: Subscriber, plan: SubscriptionPlan, seq: string): Promise<NotifiedEvent | undefined>;
}

/** The subscriber has lost its rights. */
const RIGHTS_GONE = 'the rights of the subscriber have ended: write the Subscription again';
const JSON_TYPE = 'application/fhir+json';

export function createDelivery(options: DeliveryOptions): Delivery {
  const { store, tellDeletion, findRelated, book, plans, mail, baseUrl, now } = options;

  async function load(id: string) {
    const subscriber = await book.find(id);
    if (!subscriber || subscriber.state === 'off') return undefined;
    const plan = await plans.find(id, subscriber.version);
    return plan && { subscriber, plan };
  }

  const statusOf = (
    { id, state, events: total }: Subscriber,
    plan: SubscriptionPlan,
    kind: SubscriptionStatus['kind'],
    events: readonly NotifiedEvent[],
  ): SubscriptionStatus => ({
    baseUrl,
    subscriptionId: id,
    ...(plan.topic !== undefined && { topic: plan.topic }),
    status: state,
    kind,
    total: Math.max(total, ...events.map(({ number }) => number)),
    events,
    content: plan.content,
  });

  /** An event, or with none the sign of life that the channel has. */
  async function bring(
    subscriber: Subscriber,
    plan: SubscriptionPlan,
    kind: SubscriptionStatus['kind'],
    event?: NotifiedEvent,
  ) {
    const { channel, endpoint = '', timeoutMs, payload } = plan;
    const { id, version } = subscriber;
    if (channel === 'email') return tellByMail(mail, subscriber, endpoint, event);
    const { key, sent: headers } = secretIn(await plans.headers(id, version));
    /** Of an event the same id with each attempt. */
    const send: SendNotification = (notification) => {
      if (!key) return options.send(notification);
      const signed = signWebhook(
        key,
        `${id.replaceAll('.', '_')}-${event?.number ?? `0-${now()}`}`,
        now(),
        notification.body,
      );
      const fields = Object.entries(signed).map(([name, value]) => `${name}: ${value}`);
      return options.send({ ...notification, headers: [...notification.headers, ...fields] });
    };
    const common = { url: endpoint, method: 'POST', headers, timeoutMs } as const;
    const typed = { ...common, contentType: JSON_TYPE };
    if (channel === 'message') {
      if (!event) return send({ ...common, body: '' });
      const uri = plan.topic?.split('|')[0] ?? `${baseUrl}/Subscription/${id}`;
      return send({ ...typed, body: formatMessage(baseUrl, id, event, uri) });
    }
    if (plan.topic)
      return send({
        ...typed,
        body: formatNotification(statusOf(subscriber, plan, kind, event ? [event] : []), now()),
      });
    if (!event || payload === undefined || event.content === undefined) return send({ ...common, body: '' });
    // https://hl7.org/fhir/R4/subscription.html#2.46.7.1: with a payload, an update of the resource at the endpoint.
    const url = `${endpoint.replace(/\/$/, '')}/${event.type}/${event.id}`;
    return send({ ...typed, url, method: 'PUT', body: event.content });
  }

  async function done(subscriber: Subscriber): Promise<Told> {
    await book.sent(subscriber.id);
    if (subscriber.state !== 'active') await plans.tell(subscriber.id, subscriber.version, 'active');
    return 'told';
  }

  async function contentOf(
    caller: Caller,
    plan: SubscriptionPlan,
    event: SubscriptionEvent,
  ): Promise<string | undefined> {
    try {
      if (event.operation === 'delete') return (await tellDeletion(caller, event)) ? '' : undefined;
      const { content } = await store.vread(caller, event.type, event.resource, event.version);
      const isWanted = plan.content === 'full-resource' && (plan.topic !== undefined || plan.payload !== undefined);
      return isWanted ? content : '';
    } catch (error) {
      if (error instanceof FhirError && [403, 404, 410].includes(error.status)) return undefined;
      throw error;
    }
  }

  async function show(subscriber: Subscriber, plan: SubscriptionPlan, seq: string): Promise<NotifiedEvent | undefined> {
    const event = await book.findEvent(seq);
    if (!event || event.isDropped) return undefined;
    const caller = await plans.subscriber(subscriber.id, subscriber.version);
    if (!caller) {
      await plans.tell(subscriber.id, subscriber.version, 'error', RIGHTS_GONE, true);
      return undefined;
    }
    const content = await contentOf(caller, plan, event);
    if (content === undefined) {
      await book.drop(seq);
      return undefined;
    }
    const { type, resource: id, operation, at } = event;
    const related = operation === 'delete' ? [] : await findRelated(caller, plan, { type, id });
    const number = event.number ?? (await book.number(seq));
    return {
      number,
      at,
      type,
      id,
      operation,
      ...(content !== '' && { content }),
      ...(related.length > 0 && { related }),
    };
  }

  const sign =
    (kind: 'handshake' | 'heartbeat') =>
    async (id: string): Promise<Told> => {
      const found = await load(id);
      if (!found) return 'over';
      if (!(await plans.subscriber(id, found.subscriber.version))) {
        await plans.tell(id, found.subscriber.version, 'error', RIGHTS_GONE, true);
        return 'over';
      }
      await bring(found.subscriber, found.plan, kind);
      return done(found.subscriber);
    };

  return {
    show,
    handshake: sign('handshake'),
    heartbeat: sign('heartbeat'),
    async event(id, seq) {
      const found = await load(id);
      if (!found) return 'over';
      const shown = await show(found.subscriber, found.plan, seq);
      if (!shown) return 'hidden';
      await bring(found.subscriber, found.plan, 'event-notification', shown);
      return done(found.subscriber);
    },
  };
}

/** That there is something, and never what: a mailbox is nobody's record. SECURITY DP-07, IN-44 */
async function tellByMail(
  mail: SendMail | undefined,
  { id }: Subscriber,
  endpoint: string,
  event: NotifiedEvent | undefined,
): Promise<void> {
  if (!mail) throw new Error('there is no mail server');
  const what = event
    ? `There is something new for you: event ${event.number}.`
    : 'You will be told here of what is new.';
  const answer = await mail({
    id: `subscription-${id}-${event?.number ?? 0}`,
    to: decodeURIComponent(endpoint.slice('mailto:'.length)),
    subject: 'Something new in a record that you follow',
    text: `${what}\n\nSubscription ${id}\n`,
  });
  if (answer === 'refused') throw new Error('the mail server refuses the message');
}
