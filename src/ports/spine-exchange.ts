/** What the inside asks of the way to the Spine. `src/gateways/eps/exchange.ts` implements it. */

/** A message as it is sent, byte for byte the same each time. */
export interface SpineMessage {
  /** The whole body: ebXML header and V3 document. */
  readonly body: Buffer;
}

export interface SpineReplyCode {
  /** Object identifier of the code system. */
  readonly system: string;
  readonly code: string;
  readonly display: string;
}

/** What a V3 answer says, as far as the way to the Spine must know it. */
export interface SpineReply {
  /** `MCCI_IN010000UK13`, `PORX_IN070101UK31` … */
  readonly interaction: string;
  /** `acknowledgement/@typeCode` */
  readonly acknowledgement: 'AA' | 'AE' | 'ER' | 'AR';
  readonly codes: readonly SpineReplyCode[];
  /** Id of the message that it answers, upper case, where it says one: releases and cancellations do. */
  readonly answers?: string;
}

export type SpineOutcome =
  | { readonly kind: 'answered'; readonly reply: SpineReply; readonly body: Buffer }
  /** Taken, and no V3 in the answer: to send it again as it is cannot help. */
  | { readonly kind: 'refused'; readonly status: number; readonly body: Buffer }
  /** Taken; the answer is asked for at `pollPath`, and was not there yet. */
  | { readonly kind: 'waiting'; readonly pollPath: string }
  /** For certain nothing of it was worked on: it may be sent again. */
  | { readonly kind: 'not-sent'; readonly cause: string }
  /** It may have been worked on or not: only asking can tell. */
  | { readonly kind: 'unknown'; readonly cause: string };

/** What asking the Spine about a message has brought. */
export type SpineKnowledge =
  /** It was worked on; its answer is lost. */
  | { readonly kind: 'applied' }
  /** It has not been worked on. */
  | { readonly kind: 'not-applied' }
  /** It was worked on, and the same message under the same id brings its answer. */
  | { readonly kind: 'answer-again' }
  /** What the Spine shows fits both, or it could not be asked. */
  | { readonly kind: 'undecided'; readonly why: string };

export interface SpineExchange {
  /**
   * Sends once, and polls where the Spine answers later. `onWaiting` is awaited before the first poll, so that the place
   * is kept. Never rejects but for the signal.
   */
  send(
    message: SpineMessage,
    options?: { readonly signal?: AbortSignal; readonly onWaiting?: (pollPath: string) => Promise<void> },
  ): Promise<SpineOutcome>;
  poll(message: SpineMessage, pollPath: string, signal?: AbortSignal): Promise<SpineOutcome>;
  /** Asks the tracker what has become of the message. */
  ask(message: SpineMessage, signal?: AbortSignal): Promise<SpineKnowledge>;
}
