/** Links by which messages are switched off without signing in: whoever has the message may. RFC 8058; SECURITY DP-10 */
import type { Cipher } from '../../ports/cipher.ts';
import type { Preferences } from '../../ports/notices.ts';

export interface Unsubscribing {
  readonly recipient: string;
  readonly kind: string;
}

const CONTEXT = 'unsubscribe';
const TOKEN_CHARS_MAX = 1000;

export const unsubscribeToken = (cipher: Cipher, { recipient, kind }: Unsubscribing): string =>
  cipher.seal(Buffer.from(JSON.stringify([recipient, kind])), CONTEXT).toString('base64url');

/** Undefined for what is none of ours. */
export function readUnsubscribeToken(cipher: Cipher, token: string): Unsubscribing | undefined {
  if (token.length > TOKEN_CHARS_MAX || !/^[A-Za-z0-9_-]+$/.test(token)) return undefined;
  try {
    const [recipient, kind] = JSON.parse(cipher.open(Buffer.from(token, 'base64url'), CONTEXT).toString()) as string[]; // as it was sealed
    return { recipient: String(recipient), kind: String(kind) };
  } catch {
    return undefined;
  }
}

/** Without e-mail of this kind, or of any. */
export const withoutEmail = (preferences: Preferences | undefined, kind: string): Preferences => ({
  ...preferences,
  channels: {
    ...(kind === '*' ? withoutEmailOf(preferences) : preferences?.channels),
    [kind]: { ...preferences?.channels[kind], email: false },
  },
});

/** What was asked for by kind no longer stands against what is said of all. */
const withoutEmailOf = (preferences: Preferences | undefined): Preferences['channels'] =>
  Object.fromEntries(
    Object.entries(preferences?.channels ?? {}).map(([kind, { email: _email, ...others }]) => [kind, others]),
  );
