/** Whether a signer's certificate is believed, as of the time of signing. SECURITY XS-04; EPS reference section 10.4 */
import type { Log } from '../ports/log.ts';
import type { Certificate } from '../standards/x509/certificate.ts';
import type { JudgeSigner, SignerFault } from '../standards/xmldsig/signer.ts';
import { type PathOptions, validatePath } from './path-validation.ts';
import { checkRevocation, type RevocationMode } from './revocation/check-path.ts';
import type { Revocations } from './revocation/revocations.ts';

export interface SignerTrust {
  readonly anchors: readonly Certificate[];
  /** Authorities between the anchors and the signers, where messages do not bring them. */
  readonly intermediates?: readonly Certificate[];
  readonly revocations: Revocations;
  readonly mode: RevocationMode;
  readonly leafRsaBitsMin?: number;
  readonly log: Log;
}

export function createSignerJudge(trust: SignerTrust): JudgeSigner {
  const { anchors, intermediates = [], leafRsaBitsMin, ...revocation } = trust;
  return async (certificate, signedAt) => {
    const faults: SignerFault[] = [];
    const { notBefore, notAfter } = certificate;
    if (!(notBefore < signedAt && signedAt < notAfter)) faults.push('not-valid-then');
    const options: PathOptions = {
      anchors,
      intermediates,
      // Whether it is of a trusted authority is another question than whether it had expired.
      at: Math.min(Math.max(signedAt, notBefore), notAfter),
      use: 'signing',
      ...(leafRsaBitsMin !== undefined && { leafRsaBitsMin }),
    };
    const { path, refusal } = validatePath(certificate, options);
    if (!path) {
      revocation.log.info('a signer is not trusted', { code: refusal.code, serial: certificate.serial });
      return [...faults, 'not-trusted'];
    }
    return [...faults, ...(await revocationFaults(path, signedAt, revocation))];
  };
}

async function revocationFaults(
  path: readonly [Certificate, ...Certificate[]],
  signedAt: number,
  check: Pick<SignerTrust, 'revocations' | 'mode' | 'log'>,
): Promise<readonly SignerFault[]> {
  const [leaf, issuer, ...above] = path;
  if (!issuer) return [];
  const own = await checkRevocation([leaf, issuer], { ...check, signedAt });
  const authorities =
    above.length === 0 ? undefined : await checkRevocation([issuer, ...above], { ...check, signedAt });
  return [
    ...(own ? [own.code === 'revoked' ? ('revoked' as const) : ('revocation-unknown' as const)] : []),
    ...(authorities
      ? [authorities.code === 'revoked' ? ('authority-revoked' as const) : ('revocation-unknown' as const)]
      : []),
  ];
}
