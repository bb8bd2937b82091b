/** What the inside asks of a FHIR store. `src/postgres/` implements it. */
import type { Issue } from '../standards/fhir/outcome.ts';
import type { Condition, SearchRequest, SystemSearchRequest } from '../standards/fhir/search/request.ts';
import type { Caller } from './caller.ts';
import type { ConsumerTransaction } from './change-feed.ts';
import type { DispensingTransaction } from './dispensing.ts';
import type { JobTransaction } from './jobs.ts';
import type { MessageTransaction } from './message-log.ts';
import type { NoticeTransaction } from './notices.ts';
import type { RequestAnswers } from './request-answers.ts';
import type { SourceTimes } from './source-times.ts';
import type { SubscriptionTransaction } from './subscriptions.ts';

/** A resource as JSON value; decimals that JavaScript would change are `Decimal`. */
export type Resource = Readonly<Record<string, unknown>> & { readonly resourceType: string };

/** One version. `content` is the JSON text exactly as served, empty for a deletion. */
export interface StoredVersion {
  readonly type: string;
  readonly id: string;
  readonly versionId: number;
  /** ms UTC */
  readonly lastUpdated: number;
  /** Key of the patient whom the current version is about, a decimal; for the audit trail. Not known of what was just written. */
  readonly patientRid?: string;
  readonly operation: 'create' | 'update' | 'patch' | 'delete';
  readonly content: string;
  /** Of a match: what is meant is the resource that this one contains under this id. */
  readonly fragment?: string;
}

/** `unchanged`: the new content equals the stored one, so no version was made. `left-out`: as `LeaveOut` says. */
export interface WriteResult {
  readonly version: StoredVersion;
  readonly outcome: 'created' | 'updated' | 'unchanged' | 'deleted' | 'existing' | 'left-out';
}

export interface HistoryRequest {
  /** Absent: system level. */
  readonly type?: string;
  readonly id?: string;
  /** ms, inclusive */
  readonly since?: number;
  /** The versions that were current at some time in this closed range of ms. */
  readonly at?: { readonly low: number; readonly high: number };
  readonly count: number;
  readonly cursor?: string;
}
export interface HistoryPage {
  readonly versions: readonly StoredVersion[];
  /** Position of the next page, absent on the last. */
  readonly next?: string;
  /** Only for an instance. */
  readonly total?: number;
}

/** A statement of a search: parameters stand for its values. */
export interface Explained {
  readonly sql: string;
  /** Postgres' plan: one step a line, indented. */
  readonly plan: readonly string[];
  readonly indexes: readonly string[];
}

export interface SearchPage {
  readonly matches: readonly StoredVersion[];
  readonly included: readonly StoredVersion[];
  readonly total?: number;
  readonly next?: string;
  readonly issues: readonly Issue[];
  /** How it was answered, where that was asked. */
  readonly explained?: readonly Explained[];
}

/** `meta` of one resource as JSON text. */
export interface VisibleMeta {
  readonly meta: string;
  /** Whom the resource is about; for the audit trail. */
  readonly patientRid?: string;
}

/** Conditions that pick at most one resource of a type (`ifNoneExist`, conditional update …). */
export interface Criteria {
  readonly type: string;
  readonly conditions: readonly Condition[];
  /** Who asks, where several share a transaction; else it is the transaction's own caller. */
  readonly caller?: Caller;
}

/** A resource that is stored beside what was asked. */
export interface NewResource {
  readonly id: string;
  readonly resource: Resource;
  /** As in `Criteria`. */
  readonly caller?: Caller;
}

/** `caller`: as in `Criteria`. */
export type TransactionWrite = { readonly caller?: Caller } & (
  | { readonly kind: 'create'; readonly resource: Resource; readonly id: string }
  /**
   * A create for many at once: the resource, of this type, is made when its turn comes, and let go of when it is written.
   * `isBrief`: the content of its result may be empty.
   */
  | {
      readonly kind: 'make';
      readonly type: string;
      readonly id: string;
      readonly make: () => Resource;
      readonly isBrief?: boolean;
      readonly leaveOut?: LeaveOut;
    }
  | {
      readonly kind: 'update';
      readonly operation: 'update' | 'patch';
      readonly type: string;
      readonly id: string;
      readonly ifMatch?: number;
      /** Makes the new content from the current one (absent when there is none or it was deleted). */
      readonly change: (current: Resource | undefined) => Resource;
      /** The content of its result may be empty. */
      readonly isBrief?: boolean;
      readonly leaveOut?: LeaveOut;
    }
  | { readonly kind: 'delete'; readonly type: string; readonly id: string; readonly ifMatch?: number }
);

/**
 * Whether a write is left out, and the others are not undone, when it is refused with this error as its turn comes: its
 * result is `left-out` then. It is asked anew when the transaction is begun anew.
 */
export type LeaveOut = (error: unknown) => boolean;

/** A transaction in progress: reads see its own snapshot, writes are sent together by `write`. */
export interface StoreTransaction {
  /** Serialises everybody who decides from "none exists" on the same criteria. */
  lockIdentity(criteria: readonly Criteria[]): Promise<void>;
  /** At most `limit` ids that match. */
  find(criteria: Criteria, limit: number): Promise<readonly string[]>;
  /** The current versions that match each of the criteria, at most `limit` each, deleted ones left out: all in one go. */
  findCurrent(criteria: readonly Criteria[], limit: number): Promise<readonly (readonly StoredVersion[])[]>;
  /**
   * Applies all writes; results in the order given. May be called once. With `last` the transaction ends here: what it
   * sends and the commit travel with the writes, and all of it is undone when one of them fails. `last` sends before it
   * returns; what it throws keeps the commit from leaving. `beside` makes what Mortar itself keeps about the writes, from
   * their results: it is written with them whatever the caller may write, and its results come last.
   */
  write(
    writes: readonly TransactionWrite[],
    last?: (results: readonly WriteResult[]) => Promise<void>,
    beside?: (results: readonly WriteResult[]) => readonly NewResource[],
  ): Promise<readonly WriteResult[]>;
  read(type: string, id: string): Promise<StoredVersion>;
  vread(type: string, id: string, versionId: number): Promise<StoredVersion>;
  search(request: SearchRequest): Promise<SearchPage>;
  /** As of the store. */
  searchSystem(request: SystemSearchRequest): Promise<SearchPage>;
  history(request: HistoryRequest): Promise<HistoryPage>;
  /** The message log, changed together with the resources. */
  readonly messages: MessageTransaction;
  /** The job table, changed together with the resources. */
  readonly jobs: JobTransaction;
  /** Positions of those who follow the change log, moved together with what they do. */
  readonly consumers: ConsumerTransaction;
  /** Who is told of changes, and of which. */
  readonly subscriptions: SubscriptionTransaction;
  /** Notices on their way to people. */
  readonly notices: NoticeTransaction;
  /** When senders of messages last said something of resources, kept together with what they say. */
  readonly sourceTimes: SourceTimes;
  /** Answers to requests that may come again, kept together with what they did. */
  readonly requestAnswers: RequestAnswers;
  /** What dispensing leaves beside the record, kept together with it. */
  readonly dispensing: DispensingTransaction;
}

export interface TransactionOptions {
  /**
   * It may be done in one database transaction with what others ask at the same time, each with their own rights: work
   * that looks up by `findCurrent`, ends with one `write` and its `last`, waits for nothing else, and may be begun anew.
   */
  readonly mayShare?: boolean;
}

export interface ResourceStore {
  /** A new id for a resource of any type. */
  newId(): string;
  /** Stores a new resource under `id`, given by `newId`. */
  create(caller: Caller, resource: Resource, id: string): Promise<WriteResult>;
  /** Throws not-found or gone. */
  read(caller: Caller, type: string, id: string): Promise<StoredVersion>;
  vread(caller: Caller, type: string, id: string, versionId: number): Promise<StoredVersion>;
  /** Replaces or (when absent or deleted) creates; `ifMatch` 412 when the current version is another. */
  update(
    caller: Caller,
    type: string,
    id: string,
    change: (current: Resource | undefined) => Resource,
    options?: { readonly ifMatch?: number; readonly operation?: 'update' | 'patch' },
  ): Promise<WriteResult>;
  delete(caller: Caller, type: string, id: string, ifMatch?: number): Promise<WriteResult | undefined>;
  search(caller: Caller, request: SearchRequest): Promise<SearchPage>;
  /** A search over several types. Throws forbidden for a named one that the caller may not search; others are left out. */
  searchSystem(caller: Caller, request: SystemSearchRequest): Promise<SearchPage>;
  history(caller: Caller, request: HistoryRequest): Promise<HistoryPage>;
  /**
   * `meta` of what the caller may see of these types, where it has profiles, labels or tags; at most `limit`. Throws
   * forbidden for a type that the caller may not search. Leaves no entry in the trail: who asks records one.
   */
  metas(caller: Caller, types: readonly string[], limit: number): Promise<readonly VisibleMeta[]>;
  transaction<T>(caller: Caller, work: (tx: StoreTransaction) => Promise<T>, options?: TransactionOptions): Promise<T>;
}
