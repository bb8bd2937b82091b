/** What the API of the message log is made from, and the shape of its routes. docs/gateway.md "Looking at messages" */
import type { Caller } from '../ports/caller.ts';
import type { EpcsReport } from '../ports/epcs.ts';
import type { JobTable } from '../ports/jobs.ts';
import type { MessageFilter, MessageLog, StoredMessage } from '../ports/message-log.ts';
import type { Issue } from '../standards/fhir/outcome.ts';
import type { PartyAddress } from '../standards/script/message.ts';
import type { Door } from './door.ts';
import type { ApiAnswer } from './send-answer.ts';

/** A message from every side. */
export interface MessageView {
  /** As the dialect's reader sees it. */
  readonly parsed?: unknown;
  /** What it translates to today. */
  readonly fhir?: unknown;
  readonly issues: readonly Issue[];
}

export interface Replayed {
  readonly id?: string;
  readonly verdict: string;
  readonly answer: Buffer;
}

/** What was queued again of what was asked for. */
export interface Requeued {
  readonly queued: number;
  /** There are others, which came later. */
  readonly more?: true;
}

/** What the API does with messages; the gateway's composition gives it. */
export interface MessageDesk {
  readonly messages: MessageLog;
  readonly jobs: JobTable;
  view(message: StoredMessage): MessageView;
  /** Which element each field becomes; undefined where that is not known. */
  lineage(message: StoredMessage): unknown;
  /** Works one message again, with other bytes when they are given. */
  replay(caller: Caller, id: string, corrected?: Buffer): Promise<Replayed>;
  /** Queues messages of the filter, oldest first. */
  replayMany(caller: Caller, filter: MessageFilter): Promise<Requeued>;
  /** What a sender has said against the record: a page of its messages. */
  reconcile(
    caller: Caller,
    filter: Pick<MessageFilter, 'sender' | 'since' | 'until'>,
    cursor: string | undefined,
  ): Promise<unknown>;
  mediaTypeOf(dialect: string): string;
  /** Puts a Bundle into a partner's mailbox as the SCRIPT message it stands for. */
  queueScript(
    caller: Caller,
    bundle: unknown,
    parties: { readonly from: PartyAddress; readonly to: PartyAddress },
  ): Promise<{ readonly id: string; readonly messageId: string; readonly kind: string }>;
  /** What came of controlled substances on a day, and whether the archive is whole. */
  epcsReport(day: string): Promise<EpcsReport>;
}

export interface MessageApiOptions {
  readonly desk: MessageDesk;
  readonly door: Door;
  readonly bodyBytesMax: number;
  readonly onError: (error: unknown) => void;
}

export interface Call {
  readonly caller: Caller;
  readonly segments: readonly string[];
  readonly query: ReadonlyMap<string, string>;
  readonly body: Buffer;
}

export type Answer = ApiAnswer;

export interface Route {
  readonly method: 'GET' | 'POST';
  /** `:id` stands for any segment. */
  readonly path: string;
  /** Right of the policy that its caller must have. */
  readonly right: string;
  /** What the audit trail calls it, where messages are shown or worked again. SECURITY AU-01 */
  readonly told?: string;
  readonly handle: (options: MessageApiOptions, call: Call) => Promise<Answer>;
}
