/** Outbound SCRIPT: what sending asks of the way to a partner. docs/ncpdp.md "Pushing" */

/** A partner whose messages are brought to it. */
export interface ScriptTarget {
  /** `P:0300123`: To of the messages that go there. */
  readonly receiver: string;
  readonly url: URL;
}

/** What became of one sending (reference sections 7.1, 8.4). */
export type ScriptOutcome =
  /** Status or Verify 010: it is where it was to go. */
  | { readonly kind: 'delivered'; readonly answer: Buffer }
  /** Status 000 and its like: somebody on the way has it, and says more later. */
  | { readonly kind: 'forwarded'; readonly answer: Buffer }
  /** Error 900, 601 or one nobody knows: sent again as it is it would be refused again. */
  | { readonly kind: 'rejected'; readonly answer: Buffer; readonly error: string }
  /** Error 600, 602: the same message later. */
  | { readonly kind: 'again'; readonly answer: Buffer; readonly error: string }
  /** A message of its own that answers this one: CancelRxResponse … */
  | { readonly kind: 'answered'; readonly answer: Buffer }
  /** An answer of which nobody knows what it says: no success, and nothing that another sending would clear up. */
  | { readonly kind: 'unclear'; readonly answer: Buffer; readonly error: string }
  /** For certain nothing of it was worked on. `until`: nothing is sent before, ms UTC. */
  | { readonly kind: 'not-sent'; readonly cause: string; readonly until?: number }
  /** It may have been worked on: the same message under the same MessageID asks again. */
  | { readonly kind: 'unknown'; readonly cause: string };

export interface ScriptExchange {
  /** Sends a message once. Never rejects. */
  send(
    target: ScriptTarget,
    message: { readonly controlId: string; readonly raw: Buffer },
    signal?: AbortSignal,
  ): Promise<ScriptOutcome>;
}

export interface ScriptTargets {
  find(receiver: string): ScriptTarget | undefined;
}
