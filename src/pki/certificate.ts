/**
 * Writes X.509 v3 certificates for development and tests: a CA, servers, clients, signed with ECDSA P-256 keys. RFC 5280,
 * in DER (X.690). Nothing here decides whom to trust.
 */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
} from 'node:crypto';
import { isIP, isIPv4 } from 'node:net';

export interface Subject {
  readonly commonName: string;
  readonly organization?: string;
}

export interface CertificateRequest {
  readonly subject: Subject;
  /** `ca` signs others; `server` and `client` are what the extended key usage says; `signing` is for documents. */
  readonly use: 'ca' | 'server' | 'client' | 'signing';
  /** Of the key that is made; `ec` (P-256) unless told otherwise. Who signs others has an EC key. */
  readonly key?: 'ec' | 'rsa';
  /** Names that the certificate is good for: DNS names, IP addresses, URIs. */
  readonly sans?: readonly string[];
  /** ms UTC */
  readonly notBefore: number;
  readonly notAfter: number;
  /** Who signs; without one the certificate signs itself. */
  readonly issuer?: Issued;
}

/** A certificate with the key it was made for, both as PEM. */
export interface Issued {
  readonly certificate: string;
  readonly key: string;
  readonly subject: Subject;
}

/** Makes a key and a certificate for it. */
export function issueCertificate(request: CertificateRequest): Issued {
  const { publicKey, privateKey } =
    request.key === 'rsa'
      ? generateKeyPairSync('rsa', { modulusLength: RSA_BITS })
      : generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const publicKeyInfo = publicKey.export({ type: 'spki', format: 'der' });
  const issuer = request.issuer ?? { subject: request.subject, key: privateKey };
  const issuerKey = typeof issuer.key === 'string' ? createPrivateKey(issuer.key) : issuer.key;
  const body = sequence(
    explicit(0, integer(Buffer.from([2]))), // version 3
    integer(serialNumber()),
    ECDSA_WITH_SHA256,
    name(issuer.subject),
    sequence(time(request.notBefore), time(request.notAfter)),
    name(request.subject),
    publicKeyInfo,
    explicit(3, sequence(...extensions(request, publicKey, createPublicKey(issuerKey)))),
  );
  const certificate = sequence(body, ECDSA_WITH_SHA256, bitString(signed(body, issuerKey)));
  return {
    certificate: pem('CERTIFICATE', certificate),
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    subject: request.subject,
  };
}

const RSA_BITS = 2048;

const signed = (body: Buffer, key: KeyObject): Buffer => sign('sha256', body, key);

/** Positive and 128 bits long, so that no two are alike. */
function serialNumber(): Buffer {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0]! & 0x3f) | 0x40; // of 16 bytes there is a first
  return bytes;
}

function extensions({ use, sans = [] }: CertificateRequest, publicKey: KeyObject, issuerKey: KeyObject): Buffer[] {
  const isCa = use === 'ca';
  return [
    extension(OID.basicConstraints, true, isCa ? sequence(TRUE) : sequence()),
    extension(OID.keyUsage, true, tagged(0x03, KEY_USAGE[use])),
    ...(isCa || use === 'signing'
      ? []
      : [extension(OID.extendedKeyUsage, false, sequence(use === 'server' ? SERVER_AUTH : CLIENT_AUTH))]),
    ...(sans.length === 0 ? [] : [extension(OID.subjectAltName, false, sequence(...sans.map(generalName)))]),
    extension(OID.subjectKeyIdentifier, false, octets(keyId(publicKey))),
    extension(OID.authorityKeyIdentifier, false, sequence(tagged(0x80, keyId(issuerKey)))),
  ];
}

/** Unused bits, and the bits: keyCertSign and cRLSign; digitalSignature; digitalSignature and contentCommitment. */
const KEY_USAGE = {
  ca: Buffer.from([1, 0x06]),
  server: Buffer.from([7, 0x80]),
  client: Buffer.from([7, 0x80]),
  signing: Buffer.from([6, 0xc0]),
} as const;

const keyId = (key: KeyObject): Buffer =>
  createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest()
    .subarray(0, 20);

const extension = (id: Buffer, critical: boolean, value: Buffer): Buffer =>
  sequence(id, ...(critical ? [TRUE] : []), octets(value));

function generalName(text: string): Buffer {
  if (isIP(text) !== 0) return tagged(0x87, addressBytes(text));
  return tagged(/^[a-z][a-z0-9+.-]*:/i.test(text) ? 0x86 : 0x82, Buffer.from(text, 'ascii'));
}

function addressBytes(address: string): Buffer {
  if (isIPv4(address)) return Buffer.from(address.split('.').map(Number));
  const [head = '', tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::'); // in its shortest form
  const groups = (part: string | undefined): string[] => (part ? part.split(':') : []);
  const [before, after] = [groups(head), groups(tail)];
  const zeros = new Array<string>(8 - before.length - after.length).fill('0');
  return Buffer.from([...before, ...zeros, ...after].map((group) => group.padStart(4, '0')).join(''), 'hex');
}

const name = ({ commonName, organization }: Subject): Buffer =>
  sequence(
    ...(organization === undefined ? [] : [attribute(OID.organization, organization)]),
    attribute(OID.commonName, commonName),
  );
const attribute = (id: Buffer, text: string): Buffer =>
  tagged(0x31, sequence(id, tagged(0x0c, Buffer.from(text, 'utf8'))));

/** UTCTime until 2049, GeneralizedTime from 2050. RFC 5280 section 4.1.2.5 */
function time(ms: number): Buffer {
  const text = `${new Date(ms).toISOString().replace(/\.\d+/, '').replaceAll(/[-:T]/g, '')}`;
  return Number(text.slice(0, 4)) < 2050 ? tagged(0x17, Buffer.from(text.slice(2))) : tagged(0x18, Buffer.from(text));
}

function tagged(tag: number, ...contents: readonly Buffer[]): Buffer {
  const length = contents.reduce((sum, { length }) => sum + length, 0);
  return Buffer.concat([Buffer.from([tag]), lengthBytes(length), ...contents]);
}

function lengthBytes(length: number): Buffer {
  if (length < 0x80) return Buffer.from([length]);
  return length < 0x100 ? Buffer.from([0x81, length]) : Buffer.from([0x82, length >> 8, length & 0xff]);
}

const sequence = (...items: readonly Buffer[]): Buffer => tagged(0x30, ...items);
const explicit = (index: number, item: Buffer): Buffer => tagged(0xa0 + index, item);
const integer = (bytes: Buffer): Buffer => tagged(0x02, bytes);
const octets = (bytes: Buffer): Buffer => tagged(0x04, bytes);
const bitString = (bytes: Buffer): Buffer => tagged(0x03, Buffer.from([0]), bytes);
const oid = (hex: string): Buffer => tagged(0x06, Buffer.from(hex, 'hex'));

const OID = {
  organization: oid('55040a'),
  commonName: oid('550403'),
  basicConstraints: oid('551d13'),
  keyUsage: oid('551d0f'),
  extendedKeyUsage: oid('551d25'),
  subjectAltName: oid('551d11'),
  subjectKeyIdentifier: oid('551d0e'),
  authorityKeyIdentifier: oid('551d23'),
} as const;
const SERVER_AUTH = oid('2b06010505070301');
const CLIENT_AUTH = oid('2b06010505070302');
const TRUE = tagged(0x01, Buffer.from([0xff]));
const ECDSA_WITH_SHA256 = sequence(oid('2a8648ce3d040302'));

const pem = (label: string, der: Buffer): string =>
  `-----BEGIN ${label}-----\n${der.toString('base64').replaceAll(/.{64}(?=.)/g, '$&\n')}\n-----END ${label}-----\n`;
