/** Keys that sign ID tokens. `src/postgres/identity/keys.ts` implements it. SECURITY SO-02, SO-03 */

export type SigningAlg = 'RS256' | 'ES256';

export interface SigningKey {
  /** `kid` */
  readonly id: string;
  readonly alg: SigningAlg;
  /** A JWS signature (RFC 7518) over these bytes. The private key itself stays inside. */
  sign(bytes: Buffer): Buffer;
}

export interface SigningKeys {
  /** The key that signs now. */
  current(alg: SigningAlg): Promise<SigningKey>;
  /** Public halves of the keys that sign, that will sign, and whose signatures may still be in use. */
  published(): Promise<readonly Readonly<Record<string, unknown>>[]>;
  /** Makes first keys where there are none. */
  ensure(): Promise<void>;
  /** Publishes new keys, which sign ten minutes later. */
  rotate(): Promise<void>;
  /** New keys sign at once, and every other is gone: what they signed is worth nothing any more. */
  rotateAtOnce(): Promise<void>;
  /** Rotates when the newest keys are old, and destroys what nobody needs. Resolves to whether anything changed. */
  tend(): Promise<boolean>;
}
