/**
 * The practitioner's signature of a controlled-substance prescription (reference section 9; 21 CFR 1311.145, .210). What
 * bytes it covers is NCPDP's own guidance and not public: it is verified only where a partner has said so.
 */
import { createHash, verify, X509Certificate } from 'node:crypto';
import type { Schedule } from '../ncpdp/controlled.ts';
import { fillableDrug, isSigned, statedSchedule } from './intake.ts';
import { findElement, findText, type ScriptMessage } from './message.ts';
import { canonicalText } from './write.ts';

/** What a partner's signatures cover: `transaction` is the Body's transaction in its canonical text. */
export type SignedPart = 'transaction' | 'unknown';

export interface EpcsFinding {
  readonly schedule: Schedule;
  readonly presence: 'signature' | 'indicator' | 'absent';
  readonly verdict: 'verified' | 'not-verified' | 'failed';
  /** Why it failed. */
  readonly reason?: string;
  /** In DER. */
  readonly certificate?: Buffer;
}

/** Undefined: the message brings nothing controlled that is filled. `message` in the shape of 2017071. */
export function examineEpcs(message: ScriptMessage, covers: SignedPart, now: number): EpcsFinding | undefined {
  const drug = fillableDrug(message);
  const schedule = drug && statedSchedule(drug);
  if (!drug || !schedule) return undefined;
  const signature = findElement(message.root, 'Header/DigitalSignature');
  const value = findText(signature, 'SignatureValue');
  if (value === undefined)
    return { schedule, presence: isSigned(message, drug) ? 'indicator' : 'absent', verdict: 'not-verified' };
  const der = Buffer.from(
    findText(signature, 'X509Data') ?? findText(signature, 'X509Data/X509Certificate') ?? '',
    'base64',
  );
  const base = { schedule, presence: 'signature', ...(der.length > 0 && { certificate: der }) } as const;
  if (covers === 'unknown') return { ...base, verdict: 'not-verified' };
  const reason = findSignatureFault(message, value, der, now);
  return reason === undefined ? { ...base, verdict: 'verified' } : { ...base, verdict: 'failed', reason };
}

function findSignatureFault(message: ScriptMessage, value: string, der: Buffer, now: number): string | undefined {
  const signature = findElement(message.root, 'Header/DigitalSignature');
  // FIPS 186-4 and NIST SP 800-131A: no SHA-1.
  if (findText(signature, 'DigestMethod') !== 'SHA-256') return 'the digest is not SHA-256';
  const content = Buffer.from(canonicalText(message.transaction));
  const digest = createHash('sha256').update(content).digest();
  if (!digest.equals(Buffer.from(findText(signature, 'DigestValue') ?? '', 'base64')))
    return 'the digest is not that of the prescription';
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(der);
  } catch {
    return 'there is no certificate that can be read';
  }
  if (now < Date.parse(certificate.validFrom) || now > Date.parse(certificate.validTo))
    return 'the certificate is not valid now';
  try {
    const isRight = verify('sha256', content, certificate.publicKey, Buffer.from(value, 'base64'));
    return isRight ? undefined : 'the signature is not of the certificate';
  } catch {
    return 'the signature is of a kind that is not known';
  }
}
