/**
 * From a certificate to a trust anchor. RFC 5280 section 6, with its own searching: what comes along with the certificate
 * only helps to find the way. Policies are not mapped: whoever needs one names it, and the leaf must carry it.
 * SECURITY PK-03, PK-06
 */
import { weaknessOfAlgorithm, weaknessOfKey } from '../standards/x509/algorithms.ts';
import { type Certificate, isIssuedBy } from '../standards/x509/certificate.ts';
import type { KeyUsage } from '../standards/x509/extensions.ts';
import { formatName } from '../standards/x509/name.ts';
import { EXTENSION, USAGE } from '../standards/x509/oids.ts';
import { breachOfNameConstraints } from './name-constraints.ts';

/** What the certificate is presented for. */
export type CertificateUse = 'server' | 'client' | 'signing' | 'ocsp';

export interface PathOptions {
  readonly anchors: readonly Certificate[];
  /** That came along, or are at hand; nobody trusts them. */
  readonly intermediates?: readonly Certificate[];
  /** ms UTC: now, or when something was signed. */
  readonly at: number;
  readonly use: CertificateUse;
  /** A policy that the certificate must carry. */
  readonly policy?: string;
  /** Of the leaf alone: fewer bits than 2048, for signatures of old that are only verified. */
  readonly leafRsaBitsMin?: number;
}

export type RefusalCode =
  | 'malformed'
  | 'unknown-issuer'
  | 'expired'
  | 'not-yet-valid'
  | 'weak'
  | 'wrong-usage'
  | 'not-an-authority'
  | 'path-too-long'
  | 'names'
  | 'critical-extension'
  | 'policy'
  | 'revoked'
  | 'revocation-unknown';

/** Why a certificate is not believed. */
export interface Refusal {
  readonly code: RefusalCode;
  /** For the log and the trail: names the certificate it is about. */
  readonly message: string;
}

/** The leaf first, the anchor last. */
export type Path = readonly [leaf: Certificate, ...issuers: Certificate[]];

export type PathResult =
  | { readonly path: Path; readonly refusal?: undefined }
  | { readonly path?: undefined; readonly refusal: Refusal };

const ANY_POLICY = '2.5.29.32.0';
const DEPTH_MAX = 8;
const INTERMEDIATES_MAX = 32;
/** Of one search: certificates that all have the same name would otherwise make it long. */
const SIGNATURES_MAX = 100;

/** The first path that holds, or why there is none: the first fault of the way that led furthest. */
export function validatePath(leaf: Certificate, options: PathOptions): PathResult {
  const own = refusalOfLeaf(leaf, options);
  let firstFault: Refusal | undefined;
  for (const path of pathsFrom(leaf, options)) {
    const refusal = own ?? refusalOfPath(path, options);
    if (!refusal) return { path };
    firstFault ??= refusal;
  }
  return { refusal: firstFault ?? refuse(leaf, 'unknown-issuer', 'no trusted authority has issued it') };
}

const refuse = ({ subject, serial }: Certificate, code: RefusalCode, what: string): Refusal => ({
  code,
  message: `certificate ${serial} of ${formatName(subject)}: ${what}`,
});

/** Ways to an anchor by names and signatures; what else must hold is looked at on the whole way. */
function* pathsFrom(leaf: Certificate, { anchors, intermediates = [] }: PathOptions): Generator<Path> {
  const others = intermediates.slice(0, INTERMEDIATES_MAX);
  let signatures = 0;
  const isIssuer = (issuer: Certificate, certificate: Certificate): boolean => {
    if (issuer.subject.key !== certificate.issuer.key || !fitsKeyIdentifier(issuer, certificate)) return false;
    signatures += 1;
    return signatures <= SIGNATURES_MAX && isIssuedBy(certificate, issuer);
  };
  function* extend(path: Path): Generator<Path> {
    const last = path.at(-1) as Certificate; // a path has a leaf
    for (const anchor of anchors) if (isIssuer(anchor, last)) yield [...path, anchor];
    if (path.length >= DEPTH_MAX) return;
    for (const issuer of others) {
      const isSeen = path.some(
        (seen) => seen.publicKeyInfo.equals(issuer.publicKeyInfo) && seen.subject.key === issuer.subject.key,
      );
      if (!isSeen && isIssuer(issuer, last)) yield* extend([...path, issuer]);
    }
  }
  yield* extend([leaf]);
}

const fitsKeyIdentifier = (issuer: Certificate, { authorityKeyIdentifier }: Certificate): boolean =>
  !authorityKeyIdentifier || !issuer.subjectKeyIdentifier || issuer.subjectKeyIdentifier.equals(authorityKeyIdentifier);

function refusalOfPath(path: Path, { at, use, leafRsaBitsMin, policy }: PathOptions): Refusal | undefined {
  for (const [depth, certificate] of path.entries()) {
    const isAnchor = depth === path.length - 1;
    const refusal =
      refusalOfTime(certificate, at) ??
      refusalOfStrength(certificate, isAnchor, depth === 0 ? leafRsaBitsMin : undefined) ??
      refusalOfExtensions(certificate) ??
      (depth === 0 ? undefined : refusalOfAuthority(certificate, path.slice(0, depth), use)) ??
      (depth === 0 || isAnchor ? undefined : refusalOfPolicy(certificate, policy));
    if (refusal) return refusal;
  }
  return undefined;
}

/** An authority cannot give a policy that it was not given itself (RFC 5280 section 6.1.3 d). */
const refusalOfPolicy = (issuer: Certificate, policy: string | undefined): Refusal | undefined =>
  policy === undefined || issuer.policies.includes(policy) || issuer.policies.includes(ANY_POLICY)
    ? undefined
    : refuse(issuer, 'policy', `its authority does not carry the policy ${policy}`);

function refusalOfTime(certificate: Certificate, at: number): Refusal | undefined {
  if (at < certificate.notBefore) return refuse(certificate, 'not-yet-valid', 'it is not valid yet');
  // The end is inclusive, and written in whole seconds.
  return at >= certificate.notAfter + 1000 ? refuse(certificate, 'expired', 'it has expired') : undefined;
}

function refusalOfStrength(
  certificate: Certificate,
  isAnchor: boolean,
  bitsMin: number | undefined,
): Refusal | undefined {
  // An anchor is trusted by itself: its signature says nothing.
  const what =
    weaknessOfKey(certificate.publicKey, bitsMin) ??
    (isAnchor ? undefined : weaknessOfAlgorithm(certificate.signatureAlgorithm));
  return what === undefined ? undefined : refuse(certificate, 'weak', what);
}

/** What is read here. A policy may be critical: without one to be enforced, every policy is good (section 6.1.1 d). */
const UNDERSTOOD = new Set<string>([
  EXTENSION.basicConstraints,
  EXTENSION.keyUsage,
  EXTENSION.extendedKeyUsage,
  EXTENSION.subjectAltName,
  EXTENSION.nameConstraints,
  EXTENSION.certificatePolicies,
]);

function refusalOfExtensions(certificate: Certificate): Refusal | undefined {
  const odd = [...certificate.extensions.values()].find(({ oid, critical }) => critical && !UNDERSTOOD.has(oid));
  return odd && refuse(certificate, 'critical-extension', `its critical extension ${odd.oid} is not understood`);
}

/** Extended key usages of an authority limit what it may issue for, as every TLS library has it. */
const USES: Readonly<Record<CertificateUse, string | undefined>> = {
  server: USAGE.serverAuth,
  client: USAGE.clientAuth,
  ocsp: USAGE.ocspSigning,
  signing: undefined,
};

function refusalOfAuthority(
  issuer: Certificate,
  below: readonly Certificate[],
  use: CertificateUse,
): Refusal | undefined {
  const { basicConstraints, keyUsage, extendedKeyUsage, version } = issuer;
  if (version !== 3 || !basicConstraints?.isCa) return refuse(issuer, 'not-an-authority', 'it is not of an authority');
  if (keyUsage && !keyUsage.has('keyCertSign'))
    return refuse(issuer, 'not-an-authority', 'its key must not sign certificates');
  const limit = basicConstraints.pathLength;
  // Authorities between this one and the leaf; one that certifies itself anew does not count (section 6.1.4 l).
  const between = below.slice(1).filter((certificate) => certificate.subject.key !== certificate.issuer.key).length;
  if (limit !== undefined && between > limit)
    return refuse(issuer, 'path-too-long', `more than ${limit} authorities are below it`);
  const usage = USES[use];
  if (
    extendedKeyUsage &&
    usage &&
    use !== 'ocsp' &&
    !extendedKeyUsage.includes(usage) &&
    !extendedKeyUsage.includes(USAGE.any)
  )
    return refuse(issuer, 'wrong-usage', `its authority is not for ${use} certificates`);
  const breach = breachOfNameConstraints(issuer, below);
  return breach === undefined ? undefined : refuse(issuer, 'names', breach);
}

const KEY_USAGES: Readonly<Record<CertificateUse, readonly KeyUsage[]>> = {
  server: ['digitalSignature', 'keyEncipherment', 'keyAgreement'],
  client: ['digitalSignature', 'keyAgreement'],
  signing: ['digitalSignature', 'nonRepudiation'],
  ocsp: ['digitalSignature', 'nonRepudiation'],
};
const NOT_FOR_DOCUMENTS = new Set<string>([USAGE.serverAuth, USAGE.clientAuth, USAGE.ocspSigning]);

/** The leaf must be made for its use: what is not said is not allowed. */
function refusalOfLeaf(leaf: Certificate, { use, policy }: PathOptions): Refusal | undefined {
  const wrong = (what: string): Refusal => refuse(leaf, 'wrong-usage', what);
  if (leaf.basicConstraints?.isCa) return wrong('it is of an authority');
  const usage = USES[use];
  if (usage !== undefined && !leaf.extendedKeyUsage?.includes(usage)) return wrong(`it is not for ${use} use`);
  if (use === 'signing') {
    if (!leaf.keyUsage) return wrong('its key usage does not say that it signs');
    if (leaf.extendedKeyUsage?.some((found) => NOT_FOR_DOCUMENTS.has(found)))
      return wrong('it is not for signing documents');
  }
  if (leaf.keyUsage && !KEY_USAGES[use].some((needed) => leaf.keyUsage?.has(needed)))
    return wrong(`its key usage does not fit ${use} use`);
  return policy !== undefined && !leaf.policies.includes(policy)
    ? refuse(leaf, 'policy', `it does not carry the policy ${policy}`)
    : undefined;
}
