/** Asks an address that came with data, such as the place of a revocation list. SECURITY IN-40 */
export interface BytesRequest {
  readonly url: string;
  /** Posts it; without it the address is read. */
  readonly post?: { readonly type: string; readonly bytes: Buffer };
  readonly accept: string;
  readonly bytesMax: number;
  readonly timeoutMs: number;
}

/** The body of an answer 200; rejects for anything else, for what is too long, too slow, or not on the public network. */
export type FetchBytes = (request: BytesRequest) => Promise<Buffer>;
