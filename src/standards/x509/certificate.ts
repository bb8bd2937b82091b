/** X.509 certificates, version 3 as a rule. RFC 5280 section 4 */
import { createHash, createPublicKey, type KeyObject } from 'node:crypto';
import { type AlgorithmId, isSignedBy, readAlgorithm, type X509Signer } from './algorithms.ts';
import {
  cursorOver,
  DerFault,
  explicitTag,
  implicitTag,
  readBits,
  readDer,
  readSmallInteger,
  readTime,
  readUnsignedHex,
  TAG,
} from './der.ts';
import { bits, explicit, integer, sequence, time, unsigned } from './der-write.ts';
import {
  type BasicConstraints,
  type DistributionPoint,
  type Extension,
  formatExtension,
  type KeyUsage,
  readAuthorityInfoAccess,
  readAuthorityKeyIdentifier,
  readBasicConstraints,
  readDistributionPoints,
  readExtensions,
  readKeyIdentifier,
  readKeyUsage,
  readOids,
  readPolicies,
  readSubjectAltName,
} from './extensions.ts';
import type { GeneralName } from './general-name.ts';
import { type Name, readName } from './name.ts';
import { EXTENSION } from './oids.ts';
import { formatPem, readPem } from './pem.ts';

export interface Certificate {
  /** The whole of it in DER. */
  readonly bytes: Buffer;
  /** What is signed. */
  readonly signed: Buffer;
  readonly signatureAlgorithm: AlgorithmId;
  readonly signature: Buffer;
  readonly version: 1 | 2 | 3;
  /** Lower-case hex, two digits a byte. */
  readonly serial: string;
  readonly issuer: Name;
  readonly subject: Name;
  /** ms UTC; both inclusive. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** SubjectPublicKeyInfo in DER. */
  readonly publicKeyInfo: Buffer;
  readonly publicKey: KeyObject;
  readonly extensions: ReadonlyMap<string, Extension>;
  readonly basicConstraints?: BasicConstraints;
  readonly keyUsage?: ReadonlySet<KeyUsage>;
  readonly extendedKeyUsage?: readonly string[];
  readonly subjectKeyIdentifier?: Buffer;
  readonly authorityKeyIdentifier?: Buffer;
  readonly alternativeNames: readonly GeneralName[];
  readonly policies: readonly string[];
  readonly distributionPoints: readonly DistributionPoint[];
  readonly ocspUrls: readonly string[];
  readonly issuerUrls: readonly string[];
  /** Lower-case hex of the SHA-256 over the whole. */
  readonly fingerprint: string;
}

const BYTES_MAX = 64 * 1024;
/** RFC 5280 section 4.1.2.2 allows 20 bytes; some authorities have written a few more. */
const SERIAL_BYTES_MAX = 32;

/** Reads a certificate in DER. Throws `DerFault`. */
export function readCertificate(bytes: Buffer): Certificate {
  if (bytes.length > BYTES_MAX) throw new DerFault('the certificate is too long');
  const whole = cursorOver(readDer(bytes, TAG.sequence, 'the certificate').content);
  const signed = whole.next(TAG.sequence, 'the body of the certificate');
  const signatureAlgorithm = readAlgorithm(whole.next(TAG.sequence, 'the algorithm'));
  const signature = readBits(whole.next(TAG.bitString, 'the signature'), 'the signature');
  whole.end('the certificate');

  const body = cursorOver(signed.content);
  const version = readVersion(body.optional(explicitTag(0))?.content);
  const serial = readUnsignedHex(body.next(TAG.integer, 'the serial number'), 'the serial number');
  if (serial.length > SERIAL_BYTES_MAX * 2) throw new DerFault('the serial number is too long');
  const inner = readAlgorithm(body.next(TAG.sequence, 'the algorithm'));
  if (!inner.bytes.equals(signatureAlgorithm.bytes)) throw new DerFault('two algorithms are named');
  const issuer = readName(body.next(TAG.sequence, 'the issuer'));
  const validity = cursorOver(body.next(TAG.sequence, 'the validity').content);
  const notBefore = readTime(validity.any('the beginning'), 'the beginning');
  const notAfter = readTime(validity.any('the end'), 'the end');
  validity.end('the validity');
  const subject = readName(body.next(TAG.sequence, 'the subject'));
  const publicKeyInfo = body.next(TAG.sequence, 'the public key').bytes;
  body.optional(implicitTag(1));
  body.optional(implicitTag(2));
  const list = body.optional(explicitTag(3));
  body.end('the certificate');
  if (list && version !== 3) throw new DerFault('extensions need version 3');
  const extensions = list
    ? readExtensions(readDer(list.content, TAG.sequence, 'the extensions').content)
    : new Map<string, Extension>();
  return {
    bytes,
    signed: signed.bytes,
    signatureAlgorithm,
    signature,
    version,
    serial,
    issuer,
    subject,
    notBefore,
    notAfter,
    publicKeyInfo,
    publicKey: readPublicKey(publicKeyInfo),
    extensions,
    ...readKnown(extensions),
    fingerprint: createHash('sha256').update(bytes).digest('hex'),
  };
}

function readVersion(content: Buffer | undefined): 1 | 2 | 3 {
  if (!content) return 1;
  const version = readSmallInteger(readDer(content, TAG.integer, 'the version'), 'the version');
  if (version === 1) return 2;
  if (version === 2) return 3;
  throw new DerFault('the version is not known');
}

export function readPublicKey(info: Buffer): KeyObject {
  try {
    return createPublicKey({ key: info, format: 'der', type: 'spki' });
  } catch {
    throw new DerFault('the public key cannot be read');
  }
}

function readKnown(extensions: ReadonlyMap<string, Extension>) {
  const read = <T>(id: string, reader: (value: Buffer) => T): T | undefined => {
    const found = extensions.get(id);
    return found && reader(found.value);
  };
  const basicConstraints = read(EXTENSION.basicConstraints, readBasicConstraints);
  const keyUsage = read(EXTENSION.keyUsage, readKeyUsage);
  const extendedKeyUsage = read(EXTENSION.extendedKeyUsage, (value) => readOids(value, 'the extended key usage'));
  const subjectKeyIdentifier = read(EXTENSION.subjectKeyIdentifier, readKeyIdentifier);
  const authorityKeyIdentifier = read(EXTENSION.authorityKeyIdentifier, readAuthorityKeyIdentifier)?.keyIdentifier;
  const access = read(EXTENSION.authorityInfoAccess, readAuthorityInfoAccess);
  return {
    ...(basicConstraints && { basicConstraints }),
    ...(keyUsage && { keyUsage }),
    ...(extendedKeyUsage && { extendedKeyUsage }),
    ...(subjectKeyIdentifier && { subjectKeyIdentifier }),
    ...(authorityKeyIdentifier && { authorityKeyIdentifier }),
    alternativeNames: read(EXTENSION.subjectAltName, readSubjectAltName) ?? [],
    policies: read(EXTENSION.certificatePolicies, readPolicies) ?? [],
    distributionPoints: read(EXTENSION.crlDistributionPoints, readDistributionPoints) ?? [],
    ocspUrls: access?.ocsp ?? [],
    issuerUrls: access?.issuers ?? [],
  };
}

/** Certificates of a PEM text, or the one that the bytes are in DER. Throws `DerFault`. */
export function readCertificates(content: Buffer | string): readonly Certificate[] {
  const text = typeof content === 'string' ? content : content.toString('latin1');
  const blocks = readPem(text, 'CERTIFICATE');
  if (blocks.length > 0) return blocks.map(readCertificate);
  if (typeof content === 'string') throw new DerFault('there is no certificate in the text');
  return [readCertificate(content)];
}

/** Whether the issuer's key has made the certificate's signature. Decides nothing else. */
export const isIssuedBy = (certificate: Certificate, issuer: Pick<Certificate, 'publicKey'>): boolean =>
  isSignedBy(certificate.signatureAlgorithm, certificate.signed, certificate.signature, issuer.publicKey);

export interface CertificateBody {
  readonly serial: Buffer;
  readonly issuer: Name;
  readonly subject: Name;
  /** ms UTC */
  readonly notBefore: number;
  readonly notAfter: number;
  readonly publicKeyInfo: Buffer;
  readonly extensions: readonly Extension[];
}

/** A signed certificate in DER. */
export function formatCertificate(body: CertificateBody, signer: X509Signer): Buffer {
  const signed = sequence(
    explicit(0, integer(2)), // version 3
    unsigned(body.serial),
    signer.algorithm,
    body.issuer.bytes,
    sequence(time(body.notBefore), time(body.notAfter)),
    body.subject.bytes,
    body.publicKeyInfo,
    ...(body.extensions.length === 0 ? [] : [explicit(3, sequence(...body.extensions.map(formatExtension)))]),
  );
  return sequence(signed, signer.algorithm, bits(signer.sign(signed)));
}

export const certificatePem = (der: Buffer): string => formatPem('CERTIFICATE', der);

/** RFC 7093 section 2 method 1: 160 bits of the SHA-256 over the public key. */
export const keyIdentifierOf = (publicKeyInfo: Buffer): Buffer =>
  createHash('sha256').update(publicKeyInfo).digest().subarray(0, 20);
