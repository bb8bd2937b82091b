/** Why a key cannot be used. The message names the key, the file or the token, and what to do; never a secret. */
export class KeyProviderError extends Error {
  /** `unavailable` may be over later: then it is tried again. */
  readonly code: 'unknown-key' | 'refused' | 'unavailable';

  constructor(code: KeyProviderError['code'], message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'KeyProviderError';
    this.code = code;
  }
}

const ID = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}(?:\.\d{1,6})?$/;

export const isKeyId = (id: string): boolean => ID.test(id);

/** `eps` → `eps.2` → `eps.3` */
export function nextIdOf(id: string, known: ReadonlySet<string>): string {
  const [, base = id] = /^(.*?)(?:\.\d+)?$/.exec(id) ?? [];
  let version = 2;
  while (known.has(`${base}.${version}`)) version += 1;
  return `${base}.${version}`;
}

/** It was not said where the keys are, or by what they are opened. */
export class KeyPlaceError extends Error {}
