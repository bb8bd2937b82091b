/** What the inside asks of the way to a payer. `src/gateways/telecom/exchange.ts` implements it. */

export type ClaimExchangeOutcome =
  /** A message came back. Whether it answers this one is for the asker to see. */
  | { readonly kind: 'answered'; readonly body: Buffer }
  /** For certain nothing of it was worked on: it may be sent again. */
  | { readonly kind: 'not-sent'; readonly cause: string }
  /** It may have been worked on or not. */
  | { readonly kind: 'unknown'; readonly cause: string };

export interface ClaimExchange {
  /** Sends one transmission of D.0 once. Never rejects. */
  send(body: Buffer): Promise<ClaimExchangeOutcome>;
}
