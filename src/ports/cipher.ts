/** Encrypts what must never lie in clear on a disk: raw messages, credentials. SECURITY KS-07, always-tier. */
export interface Cipher {
  /** `context` says what the bytes are and whose; the same words are needed to open them. */
  seal(plain: Buffer, context: string): Buffer;
  /** Throws when the key, the context or the bytes are not those of `seal`. */
  open(sealed: Buffer, context: string): Buffer;
}
