/** Where private keys are: in files, in PKCS#12, or in hardware. Callers never see one. SECURITY KS-01 */

/** RFC 7518; ES256 signatures are of fixed length, as JOSE and XML signatures have them. New signatures use no SHA-1. */
export type KeyAlgorithm = 'RS256' | 'ES256' | 'ES384';

export interface KeyInfo {
  readonly id: string;
  readonly algorithm: KeyAlgorithm;
  /** SubjectPublicKeyInfo in DER. */
  readonly publicKeyInfo: Buffer;
  /** In DER: the key's own first, then its issuers; empty when there is none. */
  readonly certificates: readonly Buffer[];
}

export interface KeyProvider {
  list(): Promise<readonly KeyInfo[]>;
  sign(id: string, bytes: Buffer): Promise<Buffer>;
  /** False for a signature that is not of that key. */
  verify(id: string, bytes: Buffer, signature: Buffer): Promise<boolean>;
  /** Encrypts a symmetric key for the holder of this one: RSA-OAEP, RFC 7518 section 4.3. */
  wrap(id: string, key: Buffer): Promise<Buffer>;
  unwrap(id: string, wrapped: Buffer): Promise<Buffer>;
  /** Makes the next key of the same kind and resolves to its id: `eps` → `eps.2`. The one before goes on to work. */
  rotate(id: string): Promise<string>;
  /** Resolves when keys can be used now; rejects with the reason, for readiness. */
  check(): Promise<void>;
  close(): Promise<void>;
}
