/** Whether any certificate of a path is revoked. SECURITY PK-07, XS-04 */
import type { Log } from '../../ports/log.ts';
import { formatName } from '../../standards/x509/name.ts';
import type { Path, Refusal } from '../path-validation.ts';
import { isRevokedAt } from './evidence.ts';
import type { Revocations } from './revocations.ts';

/**
 * What happens when nobody can say: `fail-closed` refuses; `fail-open` believes the certificate and warns, as the
 * national gateway of the EPS does; `off` asks nobody.
 */
export type RevocationMode = 'fail-closed' | 'fail-open' | 'off';

export interface RevocationCheck {
  readonly revocations: Revocations;
  readonly mode: RevocationMode;
  readonly log: Log;
  /** ms UTC: when something was signed. Without it any revocation counts. */
  readonly signedAt?: number;
  /** Counts what was believed without an answer. */
  readonly onUnknown?: () => void;
}

/** Looks at every certificate but the anchor. */
export async function checkRevocation(path: Path, check: RevocationCheck): Promise<Refusal | undefined> {
  if (check.mode === 'off') return undefined;
  const certificates = path.slice(0, -1);
  const refusals = await Promise.all(certificates.map((_, depth) => refusalAt(path, depth, check)));
  // What is known to be revoked is a better reason than what is not known.
  return refusals.find((refusal) => refusal?.code === 'revoked') ?? refusals.find((refusal) => refusal !== undefined);
}

async function refusalAt(path: Path, depth: number, check: RevocationCheck): Promise<Refusal | undefined> {
  const { revocations, mode, log, signedAt, onUnknown } = check;
  const [certificate, issuer] = [path[depth]!, path[depth + 1]!]; // the anchor is left out by the caller
  const status = await revocations.statusOf(certificate, issuer);
  const about = `certificate ${certificate.serial} of ${formatName(certificate.subject)}`;
  switch (status.kind) {
    case 'good':
      return undefined;
    case 'revoked': {
      const { revocation } = status;
      if (signedAt !== undefined && !isRevokedAt(revocation, signedAt)) return undefined;
      const when = new Date(revocation.revokedAt).toISOString();
      return { code: 'revoked', message: `${about}: it was revoked at ${when} (${revocation.reason})` };
    }
    default:
      if (mode === 'fail-closed') return { code: 'revocation-unknown', message: `${about}: ${status.why}` };
      onUnknown?.();
      log.warn('a certificate is believed though nobody says whether it is revoked', {
        serial: certificate.serial,
        why: status.why,
      });
      return undefined;
  }
}
