/** Certificates of every kind, right and wrong, for tests of what is believed. */
import { createPublicKey, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { signerOf, type X509Signer } from '../../src/standards/x509/algorithms.ts';
import {
  type Certificate,
  certificatePem,
  formatCertificate,
  keyIdentifierOf,
  readCertificate,
} from '../../src/standards/x509/certificate.ts';
import { type Extension, extensions } from '../../src/standards/x509/extensions.ts';
import { createName, type Name } from '../../src/standards/x509/name.ts';
import { USAGE } from '../../src/standards/x509/oids.ts';
import { formatRevocationList, type Revocation } from '../../src/standards/x509/revocation-list.ts';

export const DAY_MS = 24 * 60 * 60 * 1000;
/** The time at which the tests stand. */
export const NOW = Date.parse('2030-06-01T12:00:00Z');

export type KeyKind = 'p256' | 'p384' | 'rsa2048' | 'rsa1024' | 'ed25519' | 'secp256k1' | 'dsa';

export interface Made {
  readonly certificate: Certificate;
  readonly key: KeyObject;
  readonly pem: string;
  readonly keyPem: string;
}

export interface Making {
  readonly issuer?: Made | undefined;
  readonly subject?: Name;
  readonly key?: KeyKind | KeyObject;
  readonly notBefore?: number;
  readonly notAfter?: number;
  readonly serial?: Buffer;
  /** Replaces those of the profile with the same identifier. */
  readonly extensions?: readonly Extension[];
  /** Identifiers of extensions to be left out. */
  readonly without?: readonly string[];
  readonly signer?: (key: KeyObject) => X509Signer;
  /** Names another issuer than the one that signs. */
  readonly issuerName?: Name;
}

const made = new Map<KeyKind, KeyObject>();

/** Keys of slow kinds are made once: what they certify differs. */
export function keyOf(kind: KeyKind): KeyObject {
  switch (kind) {
    case 'p256':
      return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
    case 'p384':
      return generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey;
    case 'secp256k1':
      return generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).privateKey;
    case 'ed25519':
      return generateKeyPairSync('ed25519').privateKey;
    case 'dsa':
      return once(kind, () => generateKeyPairSync('dsa', { modulusLength: 2048, divisorLength: 256 }).privateKey);
    default:
      return once(
        kind,
        () => generateKeyPairSync('rsa', { modulusLength: kind === 'rsa1024' ? 1024 : 2048 }).privateKey,
      );
  }
}

function once(kind: KeyKind, make: () => KeyObject): KeyObject {
  const known = made.get(kind) ?? make();
  made.set(kind, known);
  return known;
}

export const nameOf = (commonName: string): Name =>
  createName([
    ['O', 'Example'],
    ['CN', commonName],
  ]);

function make(name: string, profile: readonly Extension[], making: Making): Made {
  const { issuer, signer = signerOf, without = [] } = making;
  const key = typeof making.key === 'object' ? making.key : keyOf(making.key ?? 'p256');
  const publicKeyInfo = publicInfo(key);
  const issuerKey = issuer?.key ?? key;
  const subject = making.subject ?? nameOf(name);
  const replaced = new Set([...without, ...(making.extensions ?? []).map(({ oid }) => oid)]);
  const all = [
    ...profile,
    extensions.subjectKeyIdentifier(keyIdentifierOf(publicKeyInfo)),
    extensions.authorityKeyIdentifier(keyIdentifierOf(publicInfo(issuerKey))),
  ];
  const bytes = formatCertificate(
    {
      serial: making.serial ?? Buffer.concat([Buffer.from([0x40]), randomBytes(15)]),
      issuer: making.issuerName ?? issuer?.certificate.subject ?? subject,
      subject,
      notBefore: making.notBefore ?? NOW - 30 * DAY_MS,
      notAfter: making.notAfter ?? NOW + 365 * DAY_MS,
      publicKeyInfo,
      extensions: [...all.filter(({ oid }) => !replaced.has(oid)), ...(making.extensions ?? [])],
    },
    signer(issuerKey),
  );
  const keyPem = key.export({ format: 'pem', type: 'pkcs8' }).toString();
  return { certificate: readCertificate(bytes), key, pem: certificatePem(bytes), keyPem };
}

export const publicInfo = (key: KeyObject): Buffer => createPublicKey(key).export({ format: 'der', type: 'spki' });

/** An authority; a root without an issuer. */
export const authority = (name: string, making: Making & { readonly pathLength?: number } = {}): Made =>
  make(
    name,
    [extensions.basicConstraints(true, making.pathLength), extensions.keyUsage('keyCertSign', 'cRLSign')],
    making,
  );

const leaf = (name: string, making: Making, ...profile: readonly Extension[]): Made =>
  make(name, [extensions.basicConstraints(false), ...profile], making);

export const client = (name: string, making: Making = {}): Made =>
  leaf(name, making, extensions.keyUsage('digitalSignature'), extensions.extendedKeyUsage([USAGE.clientAuth]));
export const server = (name: string, making: Making = {}): Made =>
  leaf(
    name,
    making,
    extensions.keyUsage('digitalSignature'),
    extensions.extendedKeyUsage([USAGE.serverAuth]),
    extensions.subjectAltName([name]),
  );
export const signatory = (name: string, making: Making = {}): Made =>
  leaf(name, making, extensions.keyUsage('digitalSignature', 'nonRepudiation'));
export const responder = (name: string, making: Making = {}): Made =>
  leaf(
    name,
    making,
    extensions.keyUsage('digitalSignature'),
    extensions.extendedKeyUsage([USAGE.ocspSigning]),
    extensions.ocspNoCheck(),
  );

export interface Listing {
  readonly thisUpdate?: number;
  readonly nextUpdate?: number;
  readonly number?: number;
  readonly extensions?: readonly Extension[];
  /** Signs in the issuer's place. */
  readonly signedBy?: Made;
}

/** A list of revoked certificates in DER. */
export const listOf = (
  issuer: Made,
  revoked: readonly (readonly [Made, Revocation])[] = [],
  { thisUpdate = NOW - 60_000, nextUpdate = NOW + DAY_MS, number = 1, signedBy = issuer, ...rest }: Listing = {},
): Buffer =>
  formatRevocationList(
    {
      issuer: issuer.certificate.subject,
      thisUpdate,
      nextUpdate,
      number,
      authorityKeyIdentifier: keyIdentifierOf(issuer.certificate.publicKeyInfo),
      revoked: new Map(revoked.map(([{ certificate }, revocation]) => [certificate.serial, revocation])),
      ...(rest.extensions && { extensions: rest.extensions }),
    },
    signerOf(signedBy.key),
  );
