/** Outbound HL7 v2: what the parts of a feed ask of one another. docs/hl7v2.md "Feeds" */
import type { Mapped } from '../standards/mapped.ts';
import type { Resource } from './resource-store.ts';

/** One change of a record, with what is needed to tell others of it. */
export interface FeedEvent {
  readonly type: string;
  readonly id: string;
  readonly versionId: number;
  readonly operation: 'create' | 'update' | 'patch' | 'delete';
  /** When it was changed, ms UTC. */
  readonly at: number;
  /** Absent after a deletion. */
  readonly current?: Resource;
  /** Absent before the first version. */
  readonly previous?: Resource;
  /** What it refers to, and what that refers to, as far as it is here: by `Patient/1`. */
  readonly related: ReadonlyMap<string, Resource>;
}

/** How one partner wants its messages. */
export interface FeedProfile {
  /** MSH-3 to MSH-6. */
  readonly sendingApplication: string;
  readonly sendingFacility: string;
  readonly receivingApplication: string;
  readonly receivingFacility: string;
  /** MSH-11: P, T or D. */
  readonly processingId: string;
  /** MSH-12, such as `2.5.1`. */
  readonly version: string;
  /** MSH-15 and MSH-16, table 0155; empty: original mode. */
  readonly acceptAcknowledgement: string;
  readonly applicationAcknowledgement: string;
  /** MSH-18. */
  readonly characterSet: string;
  /** What it wants: `ADT` for all events of a type, or `ADT^A31`. */
  readonly kinds: ReadonlySet<string>;
  /** Segments (`AL1`) and fields (`PID.3`) that may leave; all of them where it is absent. */
  readonly fields?: ReadonlySet<string>;
}

export interface FormattedV2 {
  /** `ADT^A31` */
  readonly kind: string;
  /** Which of the messages of its event it is: what `controlId` was asked for. Those that nobody wants are counted too. */
  readonly n: number;
  readonly raw: Buffer;
  /** Whom it is about: messages of one patient stay in order, and wait while the data may not be sent. */
  readonly patientId?: string;
}

/**
 * What a partner is told of a change: none, one or several messages, in order. Pure and total. `controlId` gives MSH-10 of
 * the n-th; the same event gets the same, so that a message made twice is one.
 */
export type FormatV2 = (
  event: FeedEvent,
  profile: FeedProfile,
  controlId: (n: number) => string,
) => Mapped<readonly FormattedV2[]>;

/** Somebody who is sent messages. */
export interface Feed {
  /** Id of its Endpoint. */
  readonly id: string;
  readonly profile: FeedProfile;
  /** `mllps://host:port`; of batches `https://host/path` or `file:///folder`. */
  readonly address: string;
  /** It is told by files of messages, not by single ones. */
  readonly batch?: 'folder' | 'https';
  /** Names under which this partner itself sends: it is not told what it has said. */
  readonly senders: readonly string[];
  /** Whose Endpoint it is: Consents may name it. */
  readonly organizationId?: string;
  /** It is told once a day, from this minute of the day on; absent: as things change. */
  readonly dailyAt?: number;
  /** Queues side by side, each in order; one patient is always in the same. */
  readonly lanes: number;
}

export interface Feeds {
  /** Those to which messages are sent now. */
  list(): Promise<readonly Feed[]>;
}

/** What became of sending one message. */
export type V2Outcome =
  /** AA or CA, as the partner's mode has it: it is theirs now. */
  | { readonly kind: 'accepted'; readonly code: string; readonly answer: Buffer }
  /** AE or CE: its content is at fault, so that sending it again as it is cannot help. */
  | { readonly kind: 'rejected'; readonly code: string; readonly answer: Buffer; readonly error: string }
  /** AR or CR: not now, or not here. */
  | { readonly kind: 'refused'; readonly code: string; readonly answer: Buffer; readonly error: string }
  /** CA has come: it is theirs. What became of it is told later, at the listener. */
  | { readonly kind: 'pending'; readonly answer: Buffer }
  /** Nothing of it has left: the partner cannot be reached, or is left alone until then (ms UTC). */
  | { readonly kind: 'not-sent'; readonly cause: string; readonly until?: number }
  /** It left, and no answer came. */
  | { readonly kind: 'unknown'; readonly cause: string };

/** What became of a batch. */
export type V2BatchOutcome =
  /** It is theirs. `answers`: what they say of single messages, by MSH-10; absent where they say nothing of any. */
  | { readonly kind: 'taken'; readonly answers?: ReadonlyMap<string, V2Outcome> }
  /** None of it was taken, and none of it will be. */
  | { readonly kind: 'rejected'; readonly error: string }
  /** Nothing of it has left: they cannot be reached, or are left alone until then (ms UTC). */
  | { readonly kind: 'not-sent'; readonly cause: string; readonly until?: number }
  /** It left, and nobody can tell what became of it. */
  | { readonly kind: 'unknown'; readonly cause: string };

/** One file of messages. */
export interface V2Batch {
  /** FHS-11 and BHS-11: the same for the same messages. */
  readonly id: string;
  /** When the last of its messages was made, ms UTC. */
  readonly at: number;
  readonly messages: readonly Buffer[];
}

export interface V2BatchDelivery {
  deliver(feed: Feed, batch: V2Batch, signal?: AbortSignal): Promise<V2BatchOutcome>;
}

export interface V2Exchange {
  /** Sends the message to the feed's partner, on the connection of its lane. */
  send(feed: Feed, lane: number, raw: Buffer, signal?: AbortSignal): Promise<V2Outcome>;
}
