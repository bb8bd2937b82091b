/** Keys of prescription tokens. `src/pki/prescription-keys.ts` implements it. SECURITY RX-01 to RX-03 */

export interface PrescriptionKeys {
  /** The key that signs now, ES256. */
  signer(): { readonly keyId: string; sign(bytes: Buffer): Buffer };
  /** The key of this id, if it is one of ours; `signedFrom` and `signedUntil` (ms UTC, exclusive) bound when it signed. */
  verifier(keyId: string): PrescriptionVerifier | undefined;
  /** Some key: so that a token of no key of ours costs as much work as any other. */
  anyVerifier(): PrescriptionVerifier;
  /** HMAC-SHA256 by the key that is used now. */
  mac(bytes: Buffer): Buffer;
  /** By each of our keys. */
  macs(bytes: Buffer): readonly Buffer[];
  /** A pseudonym of an id, that nobody without the key can go back from; the same for the same words. */
  pseudonym(words: string): string;
  /** Public keys as JWK (RFC 7517). */
  published(): readonly Readonly<Record<string, unknown>>[];
}

export interface PrescriptionVerifier {
  readonly signedFrom: number;
  readonly signedUntil: number;
  verify(bytes: Buffer, signature: Buffer): boolean;
}
