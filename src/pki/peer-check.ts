/** Judges the certificate of a TLS client: path, use, strength, time, revocation. SECURITY PK-06…PK-08 */
import type { Log } from '../ports/log.ts';
import type { CheckPeer, PeerRefusal, PresentedChain } from '../ports/peer-check.ts';
import { type Certificate, readCertificate } from '../standards/x509/certificate.ts';
import { formatName } from '../standards/x509/name.ts';
import type { FindIssuers } from './issuer-finder.ts';
import { type PathOptions, type PathResult, validatePath } from './path-validation.ts';
import { checkRevocation, type RevocationMode } from './revocation/check-path.ts';
import type { Revocations } from './revocation/revocations.ts';

/** Whom to believe, and who lies between. */
export interface Trusted {
  readonly anchors: readonly Certificate[];
  readonly intermediates: readonly Certificate[];
}

export interface PeerCheckOptions {
  /** It may change while connections are open. */
  readonly trusted: () => Trusted;
  /** Asked when nobody at hand has issued the certificate. */
  readonly findIssuers?: FindIssuers;
  readonly revocations: Revocations;
  readonly mode: RevocationMode;
  /** ms UTC */
  readonly now: () => number;
  readonly log: Log;
  /** Whether it is of a partner who may not connect any more. */
  readonly isDisabled?: (certificate: Certificate) => boolean;
  /** A policy that clients must carry: that of smart cards, say. */
  readonly policy?: string;
}

const CHAIN_MAX = 10;

/** The same for a door that is open to partners alone. SECURITY PK-15 */
export const checkPartner =
  (check: CheckPeer, isPartner: (certificate: Certificate) => boolean): CheckPeer =>
  async (chain) => {
    const refusal = await check(chain);
    const [first] = chain.certificates;
    if (refusal || first === undefined) return refusal;
    const leaf = readCertificate(first); // it was read before
    return isPartner(leaf)
      ? undefined
      : { code: 'unmapped', message: 'no partner has this certificate', ...namesOf(leaf) };
  };

const namesOf = ({ subject, issuer, serial }: Certificate) => ({
  subject: formatName(subject),
  issuer: formatName(issuer),
  serial,
});

export function createPeerCheck(options: PeerCheckOptions): CheckPeer {
  const { trusted, findIssuers, revocations, mode, now, log, policy, isDisabled } = options;

  async function findPath(leaf: Certificate, sent: readonly Certificate[]): Promise<PathResult> {
    const { anchors, intermediates } = trusted();
    const rules: PathOptions = { anchors, at: now(), use: 'client', ...(policy !== undefined && { policy }) };
    const found = validatePath(leaf, { ...rules, intermediates: [...sent, ...intermediates] });
    if (found.refusal?.code !== 'unknown-issuer' || !findIssuers) return found;
    const fetched = await findIssuers(leaf);
    return fetched.length === 0
      ? found
      : validatePath(leaf, { ...rules, intermediates: [...fetched, ...intermediates] });
  }

  async function judge({ certificates }: PresentedChain): Promise<PeerRefusal | undefined> {
    let leaf: Certificate | undefined;
    let sent: readonly Certificate[];
    try {
      [leaf, ...sent] = certificates.slice(0, CHAIN_MAX).map(readCertificate);
    } catch (error) {
      return { code: 'malformed', message: `the certificate cannot be read: ${(error as Error).message}` };
    }
    if (!leaf) return { code: 'missing', message: 'there is no certificate' };
    const { path, refusal } = await findPath(leaf, sent);
    const reason = path
      ? isDisabled?.(leaf)
        ? { code: 'partner-disabled', message: 'the partner of the certificate is disabled' }
        : await checkRevocation(path, { revocations, mode, log })
      : refusal;
    return reason && { ...reason, ...namesOf(leaf) };
  }

  return async (chain) => {
    try {
      return await judge(chain);
    } catch (error) {
      log.error('a certificate could not be judged, and is refused', { error });
      return { code: 'failure', message: 'the certificate could not be judged' };
    }
  };
}
