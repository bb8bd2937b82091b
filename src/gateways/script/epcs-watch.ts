/**
 * Every prescription for a controlled substance is archived as it came, signed by us, before anything is done with it; one
 * whose signature does not fit is refused (21 CFR 1311.210). docs/ncpdp.md
 */
import { normaliseVersion } from '../../mapping/script/normalise-version.ts';
import type { Clock } from '../../ports/clock.ts';
import type { EpcsArchive } from '../../ports/epcs.ts';
import type { Log } from '../../ports/log.ts';
import { issue } from '../../standards/fhir/outcome.ts';
import { type EpcsFinding, examineEpcs, type SignedPart } from '../../standards/script/epcs.ts';
import type { ScriptMessage } from '../../standards/script/message.ts';
import { type Certificate, readCertificate } from '../../standards/x509/certificate.ts';
import type { JudgeSigner, SignerFault } from '../../standards/xmldsig/signer.ts';
import type { Dialect, Verdict } from '../dialect.ts';

export interface EpcsWatchOptions {
  readonly archive: EpcsArchive;
  readonly dialect: Dialect<ScriptMessage>;
  readonly covers: SignedPart;
  /** Whether a practitioner's certificate is believed; absent: nobody says so, and nothing counts as verified. */
  readonly judge?: JudgeSigner;
  readonly now: Clock;
  readonly newId: () => string;
  readonly log: Log;
}

export interface Refused {
  readonly answer: Buffer;
  readonly verdict: Verdict['kind'];
}

/** Resolves to the answer where the message may not be worked; undefined: it goes on. */
export type EpcsWatch = (raw: Buffer) => Promise<Refused | undefined>;

export function createEpcsWatch({ archive, dialect, covers, judge, now, newId, log }: EpcsWatchOptions): EpcsWatch {
  /** A signature that fits says who signed only where somebody vouches for the certificate (21 CFR 1311.210). */
  async function withTrust(finding: EpcsFinding): Promise<EpcsFinding> {
    const { certificate, verdict } = finding;
    if (verdict === 'failed' || certificate === undefined) return finding;
    if (judge === undefined) return { ...finding, verdict: 'not-verified' };
    const [fault] = await faultsOf(certificate, judge, now());
    return fault === undefined ? finding : { ...finding, verdict: 'failed', reason: SIGNER_FAULTS[fault] };
  }

  return async (raw) => {
    // Whoever states no schedule is not read a second time; the drug directory's rule is one of intake.
    if (!raw.includes('DEASchedule')) return undefined;
    const read = dialect.read(raw);
    const examined = read.message && examineEpcs(normaliseVersion(read.message), covers, now());
    if (!examined) return undefined;
    const finding = await withTrust(examined);
    const refuse = (verdict: Verdict): Refused => ({
      verdict: verdict.kind,
      answer: dialect.answer(read, verdict, now(), newId),
    });
    const { kind, controlId, sender } = read.envelope;
    const { schedule, presence, verdict, certificate, reason } = finding;
    try {
      await archive.keep({
        id: newId(),
        kind,
        schedule,
        presence,
        verdict,
        raw,
        receivedAt: now(),
        ...(sender !== undefined && { sender }),
        ...(controlId !== undefined && { messageId: controlId }),
        ...(certificate && { certificate }),
      });
    } catch (error) {
      log.error('a controlled-substance prescription could not be archived', { error });
      return refuse({ kind: 'unavailable', issues: [issue('transient', 'The message could not be processed now')] });
    }
    if (verdict !== 'failed') return undefined;
    log.warn('the signature of a controlled-substance prescription does not fit', { schedule });
    const at = 'Message/Header/DigitalSignature';
    return refuse({
      kind: 'rejected',
      issues: [issue('security', `DigitalSignature: ${reason ?? 'it does not fit'}`, at)],
    });
  };
}

const SIGNER_FAULTS: Record<SignerFault | 'unreadable', string> = {
  unreadable: 'there is no certificate that can be read',
  'not-trusted': 'the certificate is of no authority that is trusted',
  'not-valid-then': 'the certificate is not valid now',
  revoked: 'the certificate is revoked',
  'authority-revoked': 'the authority of the certificate is revoked',
  'revocation-unknown': 'nobody can say whether the certificate is revoked',
};

async function faultsOf(der: Buffer, judge: JudgeSigner, at: number): Promise<readonly (keyof typeof SIGNER_FAULTS)[]> {
  let certificate: Certificate;
  try {
    certificate = readCertificate(der);
  } catch {
    return ['unreadable'];
  }
  return judge(certificate, at);
}
