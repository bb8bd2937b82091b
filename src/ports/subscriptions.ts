/** Who is told of changes, and of which. `src/postgres/subscriptions.ts` implements it. docs/subscriptions.md */
import type { Caller } from './caller.ts';

/** With whose rights a subscription is told, as of when it was last written by its subscriber. SECURITY CP-17 */
export interface SubscriptionOwner {
  readonly kind: 'client' | 'user';
  readonly clientId: string;
  /** As it was granted, a scope string. */
  readonly scope: string;
  readonly grantId?: string;
  readonly patientId?: string;
  readonly encounterId?: string;
  readonly purpose?: string;
  readonly user?: {
    readonly id: string;
    readonly securityVersion: number;
    readonly sessionId?: string;
    /** ms UTC */
    readonly authTime: number;
    readonly amr: readonly string[];
  };
}

/** The subscriber with the rights of this moment; undefined when they have ended. */
export type FindSubscriber = (owner: SubscriptionOwner, correlationId: string) => Promise<Caller | undefined>;

export interface StoredOwner {
  readonly owner: SubscriptionOwner;
  /** Header fields that the endpoint is sent: `Authorization: Bearer x`. */
  readonly headers: readonly string[];
}

export type SubscriptionState = 'requested' | 'active' | 'error' | 'off';

export interface Subscriber {
  readonly id: string;
  /** Version of the Subscription resource that holds. */
  readonly version: number;
  readonly state: SubscriptionState;
  readonly channel: string;
  readonly heartbeatS?: number;
  /** Events told so far. */
  readonly events: number;
}

export interface NewEvent {
  readonly subscription: string;
  readonly type: string;
  readonly resource: string;
  readonly version: number;
  readonly operation: string;
  /** ms UTC */
  readonly at: number;
  /** Ids of Patients whom it may be about. */
  readonly patients: readonly string[];
}

export interface SubscriptionEvent extends NewEvent {
  readonly seq: string;
  /** Of those the subscriber may see, from 1; absent until it is told. */
  readonly number?: number;
  /** Not to be told: hidden from the subscriber when its turn came. */
  readonly isDropped: boolean;
}

export interface SubscriptionBook {
  /** Who wrote this version of a Subscription; undefined where it was nobody who can be told. */
  findOwner(id: string, version: number): Promise<StoredOwner | undefined>;
  find(id: string): Promise<Subscriber | undefined>;
  /** Those that are not off. */
  listOpen(): Promise<readonly Subscriber[]>;
  findEvent(seq: string): Promise<SubscriptionEvent | undefined>;
  /** The event's number, given out now unless it has one. Numbers of one subscription have no gaps. */
  number(seq: string): Promise<number>;
  drop(seq: string): Promise<void>;
  /** Something has reached the subscriber. */
  sent(id: string): Promise<void>;
  /** Events by number, lowest first. */
  list(id: string, from: number, to: number, limit: number): Promise<readonly SubscriptionEvent[]>;
  /** Events without a number that wait, oldest first. */
  listWaiting(id: string, limit: number): Promise<readonly SubscriptionEvent[]>;
  /** Subscriptions that are to hear that there is nothing new. */
  listSilent(): Promise<readonly Subscriber[]>;
  /** Deletes events from before (ms UTC) and owners of no subscription, at most `limit` of each. */
  purge(before: number, limit: number): Promise<number>;
}

/** The book inside a transaction of the store. */
export interface SubscriptionTransaction {
  addOwner(id: string, version: number, owner: StoredOwner): Promise<void>;
  /** A version that Mortar itself wrote has the owner of the one before; its state is another. */
  keepOwner(id: string, from: number, to: number, state: SubscriptionState): Promise<void>;
  put(subscriber: Omit<Subscriber, 'events'>): Promise<void>;
  remove(id: string): Promise<void>;
  /** Resolves to their `seq`, in the order given. */
  addEvents(events: readonly NewEvent[]): Promise<readonly string[]>;
}

/** A notification on its way to an address that a subscriber named. SECURITY IN-40, IN-41 */
export interface Notification {
  readonly url: string;
  readonly method: 'POST' | 'PUT';
  /** `Name: value` */
  readonly headers: readonly string[];
  readonly contentType?: string;
  readonly body: string;
  readonly timeoutMs: number;
}

/** Resolves when the endpoint has taken it (2xx). Rejects with a message that holds nothing of the answer. */
export type SendNotification = (notification: Notification) => Promise<void>;
