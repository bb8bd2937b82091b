/** Notices on their way to people, beside the Communication that each of them is. docs/notifications.md */

export type NoticeChannel = 'email' | 'sms' | 'push';

/** Why nothing was sent: codes, for whoever looks. */
export type NotSent =
  | 'switched-off'
  | 'no-address'
  | 'no-channel'
  | 'deceased'
  | 'too-many'
  | 'in-the-digest'
  | 'refused'
  | 'gone';

export type DeliveryState = 'waiting' | 'sent' | 'skipped' | 'dead';

/** What was sent rests on the care that is given, or on what the person has asked for. SECURITY DP-10 */
export type NoticeBasis = 'service' | 'consent';

export interface NewDelivery {
  /** Id of the Communication. */
  readonly noticeId: string;
  readonly kind: string;
  /** `Patient/1` */
  readonly recipient: string;
  /** Whose record it speaks of. */
  readonly patientId?: string;
  readonly channel: NoticeChannel;
}

export interface Delivery extends NewDelivery {
  readonly id: string;
  readonly state: DeliveryState;
  readonly why?: NotSent;
  readonly basis?: NoticeBasis;
  /** ms UTC */
  readonly doneAt?: number;
  /** It waits by a job of its own, for what others do not wait for. */
  readonly isApart: boolean;
}

/** Those who are told of in one message. */
export type NoticeGroup = Pick<NewDelivery, 'recipient' | 'channel' | 'kind'>;

/** What was settled about a delivery, and those that are told of together with it. */
export interface Settled {
  readonly state: Exclude<DeliveryState, 'waiting'>;
  readonly why?: NotSent;
  readonly basis?: NoticeBasis;
}

/** What somebody wants to be told, and how; absent members are as the kinds have them. */
export interface Preferences {
  /** By kind, or `*` for all; each channel on or off. */
  readonly channels: Readonly<Record<string, Readonly<Partial<Record<NoticeChannel, boolean>>>>>;
  /** Local times `21:00`, `07:30`; nothing but e-mail is sent in between. */
  readonly quiet?: { readonly from: string; readonly until: string; readonly timeZone: string };
  /** BCP 47, as far as there are texts in it. */
  readonly language?: string;
}

/** A browser that takes messages, as it says itself (Push API, `PushSubscription.toJSON()`). */
export interface PushSubscription {
  readonly endpoint: string;
  /** Public key of the browser, 65 bytes in base64url. */
  readonly p256dh: string;
  /** 16 bytes in base64url. */
  readonly auth: string;
}

export interface KeptPushSubscription extends PushSubscription {
  readonly id: string;
  /** ms UTC */
  readonly createdAt: number;
}

/** How somebody is reached, beside what their resource says. */
export interface Ways {
  readonly preferences?: Preferences;
  /** Confirmed address of the account whose record is this patient's, or of this practitioner. */
  readonly accountEmail?: string;
  readonly hasPush: boolean;
}

export interface NoticeBook {
  /** Those of them that wait, the oldest first; and those that were given up, for whose job runs again after that. */
  findWaiting(ids: readonly string[]): Promise<readonly Delivery[]>;
  /** That wait to be told of in one message, without those apart; the oldest first. */
  findGroup(of: NoticeGroup, limit: number): Promise<readonly Delivery[]>;
  /** When messages of this kind left since `from`, ms UTC: the oldest first. */
  sentTimes(of: NoticeGroup, from: number): Promise<readonly number[]>;
  /** Messages to each since `from` (several notices may go with one): by recipient and channel, `Patient/1 sms`. */
  countSent(recipients: readonly string[], from: number): Promise<ReadonlyMap<string, number>>;
  /** The first is what the message was made of; the others went with it. Those settled before stay as they are. */
  settle(ids: readonly string[], settled: Settled): Promise<void>;
  ofNotices(noticeIds: readonly string[], recipients: readonly string[]): Promise<readonly Delivery[]>;
  /** Deletes what was made before (ms UTC), at most `limit`. */
  purge(before: number, limit: number): Promise<number>;

  /** By recipient. */
  waysOf(recipients: readonly string[]): Promise<ReadonlyMap<string, Ways>>;
  /** Under a lock: of two changes at once neither is lost. */
  changePreferences(
    recipient: string,
    change: (current: Preferences | undefined) => Preferences,
    by: string,
  ): Promise<void>;

  /** At most ten a recipient: the oldest go. One endpoint is one browser, and the last who names it has it. */
  addPushSubscription(recipient: string, subscription: PushSubscription): Promise<string>;
  pushSubscriptions(recipient: string): Promise<readonly KeptPushSubscription[]>;
  /** False where there is no such. */
  removePushSubscription(recipient: string, id: string): Promise<boolean>;
}

/** The book inside a transaction of the store. */
export interface NoticeTransaction {
  /** Resolves to those that are new: a notice goes to a recipient by a channel once. */
  add(deliveries: readonly NewDelivery[]): Promise<readonly (NewDelivery & { readonly id: string })[]>;
  /** Out of what is told of together; resolves to those that were in it. */
  setApart(ids: readonly string[]): Promise<ReadonlySet<string>>;
  /** Back among them; those that were given up wait again. */
  rejoin(ids: readonly string[]): Promise<void>;
}

export interface TextMessage {
  /** The same for each attempt, so that the provider knows a message that comes twice. */
  readonly id: string;
  /** E.164: `+447700900123` */
  readonly to: string;
  readonly text: string;
}

/** `refused`: the provider will never take it. Rejects when it could not be sent now; the error names no number. */
export type SendText = (message: TextMessage) => Promise<'sent' | 'refused'>;

export interface PushMessage {
  readonly id: string;
  readonly to: PushSubscription;
  readonly title: string;
  readonly body: string;
  /** Where it leads. */
  readonly link: string;
}

/** `gone`: there is no such browser any more. */
export type SendPush = (message: PushMessage) => Promise<'sent' | 'refused' | 'gone'>;

export interface Posting {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly bytes: Buffer;
  readonly timeoutMs: number;
}

/** Resolves to the status of the answer, of which nothing else is read; rejects where there was none. SECURITY IN-40 */
export type Post = (posting: Posting) => Promise<number>;
