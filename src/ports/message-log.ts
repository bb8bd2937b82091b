/** What the inside asks of the message log. `src/postgres/message-log.ts` implements it. */
import type { Issue } from '../standards/fhir/outcome.ts';
import type { Caller } from './caller.ts';

/**
 * in: received → applied | rejected | dead. out: queued → sent → acknowledged | rejected | unknown | dead.
 * `unknown`: it was sent and no answer came, so that only asking the receiver can tell.
 */
export type MessageState =
  | 'received'
  | 'applied'
  | 'rejected'
  | 'queued'
  | 'sent'
  | 'unknown'
  | 'acknowledged'
  | 'dead';

export interface NewMessage {
  readonly id: string;
  readonly direction: 'in' | 'out';
  readonly dialect: string;
  readonly kind: string;
  readonly controlId?: string;
  readonly sender?: string;
  readonly receiver?: string;
  readonly correlation?: string;
  /** SHA-256 of what makes two sendings the same message. */
  readonly hash: Buffer;
  readonly raw: Buffer;
  /** ms UTC */
  readonly receivedAt: number;
  /** This message is the first with its bytes corrected by an operator. */
  readonly correctionOf?: string;
  /** Other content under a control id whose message was rejected is a correction of it, not a conflict. */
  readonly mayCorrect?: boolean;
  /** Of a message that is sent: who asked for it, as `Caller` names them. */
  readonly askedBy?: string;
}

/** One row without its bytes. */
export interface LoggedMessage {
  readonly id: string;
  readonly direction: 'in' | 'out';
  readonly dialect: string;
  readonly kind: string;
  readonly controlId?: string;
  readonly sender?: string;
  readonly receiver?: string;
  readonly correlation?: string;
  /** Hexadecimal. */
  readonly hash: string;
  readonly state: MessageState;
  readonly attempts: number;
  /** Safe to show: no patient's value. */
  readonly error?: string;
  readonly issues?: readonly Issue[];
  /** `Patient/…`, with the version that was written: `Patient/1/_history/3`. */
  readonly resources: readonly string[];
  /** The message this one conflicts with, or corrects. */
  readonly relation?: { readonly kind: 'conflict' | 'correction'; readonly firstId: string };
  /** Who asked for it to be sent. */
  readonly askedBy?: string;
  readonly receivedAt: number;
  readonly updatedAt: number;
}

export interface StoredMessage extends LoggedMessage {
  readonly raw: Buffer;
  readonly answer?: Buffer;
  /** A correction of it has been applied: it must not be worked again. */
  readonly isCorrected: boolean;
}

/** What became of a message, with the bytes that were answered. */
export interface Settlement {
  readonly state: MessageState;
  readonly answer?: Buffer;
  readonly error?: string;
  readonly issues?: readonly Issue[];
  readonly resources?: readonly string[];
  /** Only while it is in this state. */
  readonly from?: MessageState;
}

/** One of several messages that are settled together. */
export interface Settled {
  readonly id: string;
  readonly settlement: Settlement;
}

export type Reception =
  /** Committed: from here on it cannot be lost. */
  | { readonly kind: 'new'; readonly id: string }
  /** The same message came before. `answer` is what it was answered, absent while it is not settled. */
  | {
      readonly kind: 'duplicate';
      readonly id: string;
      readonly state: MessageState;
      readonly attempts: number;
      readonly answer?: Buffer;
    }
  /** The control id came before with other content. This message is logged as `id`, related to the first. */
  | { readonly kind: 'conflict'; readonly id: string; readonly firstId: string; readonly answer?: Buffer };

export interface MessageFilter {
  readonly state?: MessageState;
  readonly dialect?: string;
  readonly kind?: string;
  readonly direction?: 'in' | 'out';
  readonly sender?: string;
  readonly controlId?: string;
  /** ms UTC, inclusive. */
  readonly since?: number;
  /** ms UTC, exclusive. */
  readonly until?: number;
  /** Else the newest come first. */
  readonly oldestFirst?: boolean;
}

/** By the parties as they stand in the message. */
export interface OutgoingFilter {
  readonly dialect: string;
  readonly sender?: string;
  readonly receiver?: string;
  readonly controlId?: string;
  readonly correlation?: string;
  readonly states: readonly MessageState[];
  /** Those after this one, in their order. */
  readonly after?: { readonly receivedAt: number; readonly id: string };
}

export interface MessagePage {
  readonly messages: readonly LoggedMessage[];
  /** Position of the next page, absent on the last. */
  readonly next?: string;
}

/** The log inside a transaction of the store: the message's row and what it brought change together or not at all. */
export interface MessageTransaction {
  /**
   * False when the message has been applied before: then the transaction has failed, and nothing of it is kept. Throws
   * before it sends anything when the settlement cannot be sealed.
   */
  settle(id: string, settlement: Settlement): Promise<boolean>;
  /** The same for several messages: false when any of them has been applied before. */
  settleAll(settled: readonly Settled[]): Promise<boolean>;
  /** A message that is to be sent, in state `queued`, with what it tells of. One whose id is there already stays as it is. */
  queue(message: NewMessage, resources?: readonly string[]): Promise<void>;
  /**
   * The same with what is stored of the message. False when its id is there: then the transaction has failed, and nothing
   * of it is kept. Throws before it sends anything when the message cannot be sealed.
   */
  queueOnce(message: NewMessage, resources: readonly string[]): Promise<boolean>;
}

export interface MessageLog {
  /** Commits the raw message before anything is done with it, or says which one it repeats. */
  receive(message: NewMessage): Promise<Reception>;
  /** Settles a message that changes no resource. Leaves one alone that was settled meanwhile, and says so. */
  settle(id: string, settlement: Settlement): Promise<boolean>;
  /** One more attempt failed for a reason that may pass. */
  failAttempt(id: string, error: string): Promise<{ readonly attempts: number }>;
  /** Throws not-found. */
  read(caller: Caller, id: string): Promise<StoredMessage>;
  list(caller: Caller, filter: MessageFilter, count: number, cursor?: string): Promise<MessagePage>;
  /** Messages that go out and are in one of the states, oldest first. */
  findOutgoing(filter: OutgoingFilter, limit: number): Promise<readonly StoredMessage[]>;
  /** How many there are; no more than `most` are counted. */
  countOutgoing(filter: OutgoingFilter, most: number): Promise<number>;
  /** Counts by dialect and state. */
  count(caller: Caller): Promise<readonly { dialect: string; state: MessageState; count: number }[]>;
  /** Received messages that nobody has touched since `before` (ms UTC), oldest first. */
  findStale(
    before: number,
    limit: number,
  ): Promise<readonly { readonly id: string; readonly dialect: string; readonly sender: string | null }[]>;
  /** Deletes settled messages received before `before` (ms UTC), at most `limit`; dead and open ones stay. */
  purge(before: number, limit: number): Promise<number>;
}
