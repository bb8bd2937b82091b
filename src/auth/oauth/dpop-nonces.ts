/**
 * Nonces for DPoP proofs (RFC 9449 section 8): one for each two minutes, the same on every node and known to nobody
 * before, as they follow from a signature of the key that signs ID tokens. Nothing is stored. SECURITY ST-10
 */
import { createHash } from 'node:crypto';
import type { Clock } from '../../ports/clock.ts';
import type { SigningKeys } from '../../ports/signing-keys.ts';

export interface DpopNonces {
  current(): Promise<string>;
  /** Also the one before, and the next one, where the clock of another node is ahead. */
  isCurrent(nonce: string): Promise<boolean>;
}

const WINDOW_MS = 120_000;
const KNOWN_MAX = 8;

export function createDpopNonces(keys: Pick<SigningKeys, 'current'>, now: Clock): DpopNonces {
  const known = new Map<string, string>();
  const windowNow = (): number => Math.floor(now() / WINDOW_MS);

  async function nonceOf(window: number): Promise<string> {
    // PKCS #1 v1.5 signs the same bytes the same way each time; what a JWS signs has neither spaces nor this word.
    const key = await keys.current('RS256');
    const name = `${key.id} ${window}`;
    const before = known.get(name);
    if (before !== undefined) return before;
    const signature = key.sign(Buffer.from(`DPoP nonce ${window}`));
    const nonce = createHash('sha256').update(signature).digest('base64url').slice(0, 22);
    if (known.size >= KNOWN_MAX) known.clear();
    known.set(name, nonce);
    return nonce;
  }

  return {
    current: () => nonceOf(windowNow()),
    async isCurrent(nonce) {
      const at = windowNow();
      const good = await Promise.all([at, at - 1, at + 1].map(nonceOf));
      return good.includes(nonce);
    },
  };
}
