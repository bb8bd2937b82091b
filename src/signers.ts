/** Composition of trust in those who sign prescriptions: authorities from a file, revocation from where certificates say. */
import { readFileSync } from 'node:fs';
import { fetchGuarded } from './auth/oauth/guarded-fetch.ts';
import type { Config } from './config.ts';
import { createRevocations } from './pki/revocation/revocations.ts';
import { createSignerJudge } from './pki/signer-trust.ts';
import { TlsFileError } from './pki/tls-files.ts';
import type { Clock } from './ports/clock.ts';
import type { FetchBytes } from './ports/fetch-bytes.ts';
import type { Log } from './ports/log.ts';
import { type Certificate, readCertificates } from './standards/x509/certificate.ts';
import type { JudgeSigner } from './standards/xmldsig/signer.ts';

export interface SignerParts {
  /** The setting's name, for messages, and the file that it names. */
  readonly setting: string;
  readonly file: string;
  readonly config: Pick<Config, 'revocation' | 'revocationHosts'>;
  readonly now: Clock;
  readonly log: Log;
}

/** Throws `TlsFileError` when the file cannot be used. */
export function openSigners({ setting, file, config, now, log }: SignerParts): JudgeSigner {
  const { revocation: mode, revocationHosts } = config;
  const fetch: FetchBytes = async ({ url, ...request }) => {
    const allowed = revocationHosts && { allowed: revocationHosts };
    return (await fetchGuarded(url, { ...request, isPlainAllowed: true, ...allowed })).bytes;
  };
  const revocations = createRevocations({ fetch, now, log });
  return createSignerJudge({ ...authoritiesIn(setting, file), revocations, mode, log });
}

/** Who is certified by another of the file stands between the anchors and the signers. */
function authoritiesIn(
  setting: string,
  file: string,
): { anchors: readonly Certificate[]; intermediates: readonly Certificate[] } {
  try {
    const all = readCertificates(readFileSync(file, 'latin1'));
    if (all.length === 0) throw new Error('it holds no certificate in PEM');
    const isBetween = ({ issuer, subject }: Certificate): boolean =>
      issuer.key !== subject.key && all.some((other) => other.subject.key === issuer.key);
    return { anchors: all.filter((one) => !isBetween(one)), intermediates: all.filter(isBetween) };
  } catch (cause) {
    throw new TlsFileError(`${setting}: ${file} cannot be used (${(cause as Error).message})`, cause);
  }
}
