/**
 * Whether a list or an answer says something about a certificate, and what: signed by the right key, about this
 * certificate, and fresh. RFC 5280 section 6.3, RFC 6960 section 3.2. SECURITY PK-05, PK-07
 */
import { isSignedBy, weaknessOfAlgorithm, weaknessOfKey } from '../../standards/x509/algorithms.ts';
import { type Certificate, isIssuedBy } from '../../standards/x509/certificate.ts';
import { type CertificateId, isSameId, type OcspAnswer } from '../../standards/x509/ocsp.ts';
import { EXTENSION, USAGE } from '../../standards/x509/oids.ts';
import type { Revocation, RevocationList } from '../../standards/x509/revocation-list.ts';

export type CertificateStatus =
  | { readonly kind: 'good'; readonly until: number }
  | { readonly kind: 'revoked'; readonly revocation: Revocation; readonly until: number }
  /** Nothing that holds was to be had; `why` is for the log. */
  | { readonly kind: 'unknown'; readonly why: string };

/** How far the clocks of two machines may be apart. */
const SKEW_MS = 5 * 60 * 1000;
/** An answer that names no end is used no longer. */
const ANSWER_MS_MAX = 60 * 60 * 1000;

const unknown = (why: string): CertificateStatus => ({ kind: 'unknown', why });

/** Why a list is not to be used for the certificates of this issuer at this time, if so. */
export function faultOfList(list: RevocationList, issuer: Certificate, now: number): string | undefined {
  if (list.unsupported !== undefined) return `the list cannot be used: ${list.unsupported}`;
  if (list.issuer.key !== issuer.subject.key) return 'the list is of another authority';
  if (issuer.keyUsage && !issuer.keyUsage.has('cRLSign')) return 'the key of the authority must not sign lists';
  const weakness = weaknessOfAlgorithm(list.signatureAlgorithm) ?? weaknessOfKey(issuer.publicKey);
  if (weakness !== undefined) return `the list cannot be used: ${weakness}`;
  if (!isSignedBy(list.signatureAlgorithm, list.signed, list.signature, issuer.publicKey))
    return 'the list is not signed by the authority';
  if (list.nextUpdate === undefined) return 'the list does not say how long it is good';
  if (list.thisUpdate > now + SKEW_MS) return 'the list is of the future';
  return list.nextUpdate < now ? 'the list is out of date' : undefined;
}

/** What a list that has no fault says of a certificate of its issuer. */
export function statusInList(
  certificate: Certificate,
  { revoked, scope, nextUpdate = 0 }: RevocationList,
): CertificateStatus {
  const isCa = certificate.basicConstraints?.isCa ?? false;
  if (scope.only === 'attribute' || scope.only === (isCa ? 'user' : 'ca'))
    return unknown('the list is about other certificates');
  if (scope.urls) {
    const own = certificate.distributionPoints.flatMap(({ urls }) => urls);
    if (!scope.urls.some((url) => own.includes(url)))
      return unknown('the list is for another place than the certificate names');
  }
  const revocation = revoked.get(certificate.serial);
  return revocation ? { kind: 'revoked', revocation, until: nextUpdate } : { kind: 'good', until: nextUpdate };
}

export interface OcspQuestion {
  readonly id: CertificateId;
  readonly issuer: Certificate;
  /** That was sent; an answer with another is an answer to somebody else. */
  readonly nonce: Buffer;
  readonly now: number;
}

/** What the answer of a responder says; `isResponderGood` looks whether a delegated responder is itself revoked. */
export async function statusInAnswer(
  answer: OcspAnswer,
  { id, issuer, nonce, now }: OcspQuestion,
  isResponderGood: (responder: Certificate) => Promise<boolean>,
): Promise<CertificateStatus> {
  const weakness = weaknessOfAlgorithm(answer.signatureAlgorithm);
  if (weakness !== undefined) return unknown(`the answer cannot be used: ${weakness}`);
  const signer = signerOfAnswer(answer, issuer, now);
  if (!signer) return unknown('the answer is not signed by the authority or by whom it has authorised');
  if (answer.nonce && !answer.nonce.equals(nonce)) return unknown('the answer is to another question');
  const single = answer.singles.find((found) => isSameId(found.id, id));
  if (!single) return unknown('the answer is about another certificate');
  if (single.thisUpdate > now + SKEW_MS || answer.producedAt > now + SKEW_MS)
    return unknown('the answer is of the future');
  const until = single.nextUpdate ?? single.thisUpdate + ANSWER_MS_MAX;
  if (until < now) return unknown('the answer is out of date');
  if (signer !== issuer && !(await isResponderGood(signer))) return unknown('the responder is revoked, or may be');
  if (single.status === 'good') return { kind: 'good', until };
  if (single.status === 'unknown') return unknown('the responder does not know the certificate');
  return { kind: 'revoked', revocation: single.status, until };
}

/** The issuer, or a responder that the issuer itself has certified for this. RFC 6960 section 4.2.2.2 */
function signerOfAnswer(
  { signatureAlgorithm, signed, signature, certificates }: OcspAnswer,
  issuer: Certificate,
  now: number,
): Certificate | undefined {
  const hasSigned = ({ publicKey }: Certificate): boolean =>
    isSignedBy(signatureAlgorithm, signed, signature, publicKey);
  if (weaknessOfKey(issuer.publicKey) === undefined && hasSigned(issuer)) return issuer;
  return certificates.find(
    (responder) =>
      responder.issuer.key === issuer.subject.key &&
      responder.extendedKeyUsage?.includes(USAGE.ocspSigning) &&
      (responder.keyUsage?.has('digitalSignature') ?? true) &&
      !responder.basicConstraints?.isCa &&
      responder.notBefore <= now &&
      now < responder.notAfter + 1000 &&
      weaknessOfKey(responder.publicKey) === undefined &&
      weaknessOfAlgorithm(responder.signatureAlgorithm) === undefined &&
      isIssuedBy(responder, issuer) &&
      hasSigned(responder),
  );
}

/** Its issuer says that nobody need ask whether this responder is revoked: it lives for a short time. */
export const needsNoCheck = ({ extensions }: Certificate): boolean => extensions.has(EXTENSION.ocspNoCheck);

/** Compromise of a key makes all its signatures doubtful; for any other reason those made before stand. SECURITY XS-04 */
const ALWAYS = new Set<Revocation['reason']>(['keyCompromise', 'cACompromise', 'aACompromise']);

/** Whether the revocation counts against what was signed at that time (ms UTC). */
export const isRevokedAt = ({ reason, revokedAt }: Revocation, at: number): boolean =>
  ALWAYS.has(reason) || at >= revokedAt;
