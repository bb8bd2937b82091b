/** What a dialect brings, so that the shared way in (`receive.ts`) can carry it. docs/gateway.md */
import type { TransactionBundle } from '../mapping/transaction-bundle.ts';
import type { Issue } from '../standards/fhir/outcome.ts';
import type { Mapped } from '../standards/mapped.ts';

/** What the message log keeps in clear: codes and identifiers of systems, never of patients. */
export interface Envelope {
  /** `ADT^A01`, `NewRx`; `unknown` where it cannot be read. */
  readonly kind: string;
  /** The sender's own number of the message (MSH-10, MessageID). Absent: no duplicate can be told. */
  readonly controlId?: string;
  /** As the dialect writes it: MSH-3 and MSH-4 joined by `|`, the text of `From` with its qualifier. */
  readonly sender?: string;
  readonly receiver?: string;
  /** The control id this message answers or follows. */
  readonly correlation?: string;
}

/** A message as far as it could be read. */
export interface ReadMessage<M> {
  readonly envelope: Envelope;
  /** Absent when the bytes are too broken to go on; then `issues` says why. */
  readonly message?: M;
  readonly issues: readonly Issue[];
  /** SHA-256 of what makes two sendings the same message: all bytes but those a sender changes when it sends again. */
  readonly hash: Buffer;
}

export interface TranslationContext {
  /** When the message came, ms UTC. */
  readonly receivedAt: number;
  /** IANA name of the zone in which times without an offset are read. */
  readonly timeZone: string;
}

/** What a message asks for, as a search. */
export interface Question {
  readonly type: string;
  /** `family=SMITH&birthdate=1984` */
  readonly search: string;
  readonly count: number;
}

export interface FoundResources {
  readonly resources: readonly unknown[];
  readonly total: number;
}

/** What became of a message. Each dialect has one table from this to its own acknowledgement codes. */
export type Verdict =
  /** Committed; `issues` are warnings and notes. */
  | { readonly kind: 'applied'; readonly issues: readonly Issue[] }
  /** The content is at fault: sending it again as it is cannot help. */
  | { readonly kind: 'rejected'; readonly issues: readonly Issue[] }
  /** Not taken here: unknown partner, unsupported kind, version or processing id. */
  | {
      readonly kind: 'refused';
      readonly reason: 'partner' | 'kind' | 'version' | 'processing' | 'size';
      readonly issues: readonly Issue[];
    }
  /** The same control id came before with other content; the first stands. */
  | { readonly kind: 'conflict'; readonly issues: readonly Issue[] }
  /** Nothing was done, and the fault is ours: send it again later. */
  | { readonly kind: 'unavailable'; readonly issues: readonly Issue[] };

export interface Dialect<M = unknown> {
  /** As in the log and the API: `hl7v2`, `script`. */
  readonly name: string;
  /** Total: broken bytes give an envelope of what could be read, and issues. */
  read(raw: Buffer): ReadMessage<M>;
  /**
   * Whether this message is of a kind, version and processing id that is taken; asked before `translate`. Absent: yes.
   */
  accepts(message: M): Verdict | undefined;
  /** Pure and total. Error issues mean that nothing may be applied. */
  translate(message: M, context: TranslationContext): Mapped<TransactionBundle>;
  /**
   * When what the message tells of happened, by its sender's clock, ms UTC: a later message that came before stands.
   * Absent: messages are taken in the order they come.
   */
  happenedAt?(message: M, context: TranslationContext): number;
  /** What a query asks for; undefined of a message that is none. Absent: the dialect has no queries. */
  asks?(message: M, context: TranslationContext): Mapped<Question> | undefined;
  /** The answer to a query. */
  tells?(message: M, found: FoundResources, at: number, newId: () => string): Buffer;
  /** The dialect's own answer. `at`: ms UTC; `newId`: for the answer's control id. */
  answer(read: ReadMessage<M>, verdict: Verdict, at: number, newId: () => string): Buffer;
  /** Which element each field becomes, for people; undefined of a message that is not mapped. Absent: it is not known. */
  lineage?(message: M, context: TranslationContext): unknown;
  /** The message for people, as JSON: what the log API shows as `parsed`. */
  describe(message: M): unknown;
}
