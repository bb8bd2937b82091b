/** Online certificate status: requests and answers. RFC 6960, RFC 9654 (nonces) */
import { createHash } from 'node:crypto';
import { type AlgorithmId, readAlgorithm, type X509Signer } from './algorithms.ts';
import { type Certificate, readCertificate } from './certificate.ts';
import {
  cursorOver,
  DerFault,
  type DerValue,
  explicitTag,
  implicitTag,
  readBits,
  readDer,
  readOid,
  readSmallInteger,
  readTime,
  readUnsignedHex,
  TAG,
  valuesIn,
} from './der.ts';
import {
  bits,
  enumerated,
  explicit,
  generalizedTime,
  implicit,
  nothing,
  octets,
  oid,
  sequence,
  tagged,
  unsigned,
} from './der-write.ts';
import { type Extension, formatExtension, readExtensions } from './extensions.ts';
import { EXTENSION, OCSP_BASIC, SHA1, SHA256 } from './oids.ts';
import { type Revocation, reasonNumber, reasonOf } from './revocation-list.ts';

/** Which certificate is asked about. SHA-1 is a name here, not a signature, and all responders understand it. */
export interface CertificateId {
  readonly hash: 'sha1' | 'sha256';
  readonly issuerNameHash: Buffer;
  readonly issuerKeyHash: Buffer;
  /** Lower-case hex. */
  readonly serial: string;
}

export type OcspStatus = 'good' | 'unknown' | Revocation;

export interface OcspSingle {
  readonly id: CertificateId;
  readonly status: OcspStatus;
  /** ms UTC */
  readonly thisUpdate: number;
  readonly nextUpdate?: number;
}

export interface OcspRequest {
  readonly ids: readonly CertificateId[];
  readonly nonce?: Buffer;
}

export interface OcspAnswer {
  readonly signed: Buffer;
  readonly signatureAlgorithm: AlgorithmId;
  readonly signature: Buffer;
  /** ms UTC */
  readonly producedAt: number;
  readonly singles: readonly OcspSingle[];
  readonly nonce?: Buffer;
  /** That came along: of the responder, to be checked. */
  readonly certificates: readonly Certificate[];
}

/** Answers without a body, by their numbers. RFC 6960 section 4.2.1 */
export type OcspError = 'malformedRequest' | 'internalError' | 'tryLater' | 'unauthorized';
const ERRORS: Readonly<Record<OcspError, number>> = {
  malformedRequest: 1,
  internalError: 2,
  tryLater: 3,
  unauthorized: 6,
};
const REQUEST_BYTES_MAX = 64 * 1024;
const ANSWER_BYTES_MAX = 256 * 1024;
const IDS_MAX = 32;
const NONCE_BYTES_MAX = 128;
const CERTIFICATES_MAX = 8;

export function certificateIdOf(
  certificate: Pick<Certificate, 'serial'>,
  issuer: Certificate,
  hash: 'sha1' | 'sha256' = 'sha1',
): CertificateId {
  return {
    hash,
    issuerNameHash: createHash(hash).update(issuer.subject.bytes).digest(),
    issuerKeyHash: createHash(hash).update(keyBits(issuer.publicKeyInfo)).digest(),
    serial: certificate.serial,
  };
}

export const isSameId = (a: CertificateId, b: CertificateId): boolean =>
  a.hash === b.hash &&
  a.serial === b.serial &&
  a.issuerNameHash.equals(b.issuerNameHash) &&
  a.issuerKeyHash.equals(b.issuerKeyHash);

/** The key within its SubjectPublicKeyInfo. */
function keyBits(publicKeyInfo: Buffer): Buffer {
  const cursor = cursorOver(readDer(publicKeyInfo, TAG.sequence, 'the public key').content);
  cursor.next(TAG.sequence, 'the algorithm');
  return readBits(cursor.next(TAG.bitString, 'the public key'), 'the public key');
}

const formatId = ({ hash, issuerNameHash, issuerKeyHash, serial }: CertificateId): Buffer =>
  sequence(
    sequence(oid(hash === 'sha1' ? SHA1 : SHA256), nothing),
    octets(issuerNameHash),
    octets(issuerKeyHash),
    unsigned(Buffer.from(serial, 'hex')),
  );

function readId({ content }: DerValue): CertificateId {
  const cursor = cursorOver(content);
  const algorithm = readAlgorithm(cursor.next(TAG.sequence, 'the hash')).oid;
  if (algorithm !== SHA1 && algorithm !== SHA256) throw new DerFault('the hash of a certificate id is not known');
  const issuerNameHash = cursor.next(TAG.octetString, 'the name of the issuer').content;
  const issuerKeyHash = cursor.next(TAG.octetString, 'the key of the issuer').content;
  const serial = readUnsignedHex(cursor.next(TAG.integer, 'the serial number'), 'the serial number');
  cursor.end('a certificate id');
  return { hash: algorithm === SHA1 ? 'sha1' : 'sha256', issuerNameHash, issuerKeyHash, serial };
}

const nonceExtension = (nonce: Buffer): Extension => ({
  oid: EXTENSION.ocspNonce,
  critical: false,
  value: octets(nonce),
});

function readNonce(extensions: ReadonlyMap<string, Extension>): Buffer | undefined {
  const found = extensions.get(EXTENSION.ocspNonce);
  if (!found) return undefined;
  const nonce = readDer(found.value, TAG.octetString, 'the nonce').content;
  if (nonce.length === 0 || nonce.length > NONCE_BYTES_MAX) throw new DerFault('the nonce is empty or too long');
  return nonce;
}

const readTail = (value: DerValue | undefined): ReadonlyMap<string, Extension> =>
  value ? readExtensions(readDer(value.content, TAG.sequence, 'the extensions').content) : new Map();

export const formatOcspRequest = ({ ids, nonce }: OcspRequest): Buffer =>
  sequence(
    sequence(
      sequence(...ids.map((id) => sequence(formatId(id)))),
      ...(nonce ? [explicit(2, sequence(formatExtension(nonceExtension(nonce))))] : []),
    ),
  );

/** Throws `DerFault`. */
export function readOcspRequest(bytes: Buffer): OcspRequest {
  if (bytes.length > REQUEST_BYTES_MAX) throw new DerFault('the request is too long');
  const whole = cursorOver(readDer(bytes, TAG.sequence, 'the request').content);
  const body = cursorOver(whole.next(TAG.sequence, 'the request').content);
  whole.optional(explicitTag(0)); // signatures of those who ask are not asked for
  whole.end('the request');
  body.optional(explicitTag(0));
  body.optional(explicitTag(1));
  const list = body.next(TAG.sequence, 'the list of certificates');
  const extensions = readTail(body.optional(explicitTag(2)));
  body.end('the request');
  const ids = [...valuesIn(list.content, 'the list of certificates')].map((item) =>
    readId(
      cursorOver(readDer(item.bytes, TAG.sequence, 'a certificate').content).next(TAG.sequence, 'a certificate id'),
    ),
  );
  if (ids.length === 0 || ids.length > IDS_MAX) throw new DerFault('there are no certificates or too many');
  const nonce = readNonce(extensions);
  return { ids, ...(nonce && { nonce }) };
}

export const formatOcspError = (error: OcspError): Buffer => sequence(enumerated(ERRORS[error]));

export interface OcspAnswerBody {
  /** ms UTC */
  readonly producedAt: number;
  readonly singles: readonly OcspSingle[];
  readonly nonce?: Buffer;
  readonly responder: Certificate;
}

/** A signed answer in DER, with the responder's certificate. */
export function formatOcspAnswer(
  { producedAt, singles, nonce, responder }: OcspAnswerBody,
  signer: X509Signer,
): Buffer {
  const signed = sequence(
    explicit(1, responder.subject.bytes),
    generalizedTime(producedAt),
    sequence(...singles.map(formatSingle)),
    ...(nonce ? [explicit(1, sequence(formatExtension(nonceExtension(nonce))))] : []),
  );
  const basic = sequence(signed, signer.algorithm, bits(signer.sign(signed)), explicit(0, sequence(responder.bytes)));
  return sequence(enumerated(0), explicit(0, sequence(oid(OCSP_BASIC), octets(basic))));
}

const formatSingle = ({ id, status, thisUpdate, nextUpdate }: OcspSingle): Buffer =>
  sequence(
    formatId(id),
    formatStatus(status),
    generalizedTime(thisUpdate),
    ...(nextUpdate === undefined ? [] : [explicit(0, generalizedTime(nextUpdate))]),
  );

function formatStatus(status: OcspStatus): Buffer {
  if (status === 'good') return implicit(0, Buffer.alloc(0));
  if (status === 'unknown') return implicit(2, Buffer.alloc(0));
  return tagged(
    explicitTag(1),
    generalizedTime(status.revokedAt),
    ...(status.reason === 'unspecified' ? [] : [explicit(0, enumerated(reasonNumber(status.reason)))]),
  );
}

/** Throws `DerFault`, also for an answer that is an error. */
export function readOcspAnswer(bytes: Buffer): OcspAnswer {
  if (bytes.length > ANSWER_BYTES_MAX) throw new DerFault('the answer is too long');
  const outer = cursorOver(readDer(bytes, TAG.sequence, 'the answer').content);
  const code = readSmallInteger(outer.next(TAG.enumerated, 'the status'), 'the status');
  if (code !== 0) throw new DerFault(`the responder answers with the error ${code}`);
  const typed = cursorOver(
    readDer(outer.next(explicitTag(0), 'the answer').content, TAG.sequence, 'the answer').content,
  );
  outer.end('the answer');
  if (readOid(typed.next(TAG.oid, 'the kind of answer')) !== OCSP_BASIC)
    throw new DerFault('the kind of answer is not known');
  const basic = typed.next(TAG.octetString, 'the answer').content;
  typed.end('the answer');

  const whole = cursorOver(readDer(basic, TAG.sequence, 'the answer').content);
  const signed = whole.next(TAG.sequence, 'the body of the answer');
  const signatureAlgorithm = readAlgorithm(whole.next(TAG.sequence, 'the algorithm'));
  const signature = readBits(whole.next(TAG.bitString, 'the signature'), 'the signature');
  const certificates = whole.optional(explicitTag(0));
  whole.end('the answer');

  const body = cursorOver(signed.content);
  body.optional(explicitTag(0));
  body.optional(explicitTag(1)) ?? body.next(explicitTag(2), 'the responder');
  const producedAt = readTime(body.next(TAG.generalizedTime, 'the time of the answer'), 'the time of the answer');
  const singles = [...valuesIn(body.next(TAG.sequence, 'the answers').content, 'the answers')].map(readSingle);
  const extensions = readTail(body.optional(explicitTag(1)));
  body.end('the answer');
  const odd = [...extensions.values()].find(({ critical }) => critical);
  if (odd) throw new DerFault(`the critical extension ${odd.oid} is not understood`);
  const nonce = readNonce(extensions);
  return {
    signed: signed.bytes,
    signatureAlgorithm,
    signature,
    producedAt,
    singles,
    ...(nonce && { nonce }),
    certificates: certificates ? readCertificateList(certificates) : [],
  };
}

const readCertificateList = ({ content }: DerValue): readonly Certificate[] =>
  [...valuesIn(readDer(content, TAG.sequence, 'the certificates').content, 'the certificates')]
    .slice(0, CERTIFICATES_MAX)
    .map(({ bytes }) => readCertificate(bytes));

function readSingle({ bytes }: DerValue): OcspSingle {
  const cursor = cursorOver(readDer(bytes, TAG.sequence, 'an answer').content);
  const id = readId(cursor.next(TAG.sequence, 'a certificate id'));
  const status = readStatus(cursor.any('the status of a certificate'));
  const thisUpdate = readTime(cursor.next(TAG.generalizedTime, 'the time of a status'), 'the time of a status');
  const next = cursor.optional(explicitTag(0));
  const extensions = readTail(cursor.optional(explicitTag(1)));
  cursor.end('an answer');
  const odd = [...extensions.values()].find(({ critical }) => critical);
  if (odd) throw new DerFault(`the critical extension ${odd.oid} is not understood`);
  return {
    id,
    status,
    thisUpdate,
    ...(next && { nextUpdate: readTime(readDer(next.content, TAG.generalizedTime, 'the end'), 'the end') }),
  };
}

function readStatus({ tag, content }: DerValue): OcspStatus {
  if (tag === implicitTag(0)) return 'good';
  if (tag === implicitTag(2)) return 'unknown';
  if (tag !== explicitTag(1)) throw new DerFault('the status of a certificate is not known');
  const cursor = cursorOver(content);
  const revokedAt = readTime(cursor.next(TAG.generalizedTime, 'the time of the revocation'), 'the time');
  const reason = cursor.optional(explicitTag(0));
  cursor.end('the status of a certificate');
  const number = reason && readSmallInteger(readDer(reason.content, TAG.enumerated, 'the reason'), 'the reason');
  return { revokedAt, reason: reasonOf(number ?? 0) };
}
