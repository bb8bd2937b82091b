/** Signature algorithms of certificates, lists and answers. RFC 8017, RFC 5758, RFC 8410 */
import { type KeyObject, sign as signBytes, verify as verifyBytes } from 'node:crypto';
import { cursorOver, DerFault, type DerValue, readOid, TAG } from './der.ts';
import { nothing, oid, sequence } from './der-write.ts';

interface SignatureAlgorithm {
  readonly hash: 'md5' | 'sha1' | 'sha256' | 'sha384' | 'sha512' | null;
  readonly key: 'rsa' | 'ec' | 'ed25519';
}

export interface AlgorithmId {
  readonly bytes: Buffer;
  readonly oid: string;
  /** Bytes of the parameters; undefined when there are none or NULL. */
  readonly parameters?: Buffer;
}

/** What a signature may be made with. Whoever is not in the table is refused. */
const ALGORITHMS = new Map<string, SignatureAlgorithm>([
  ['1.2.840.113549.1.1.4', { hash: 'md5', key: 'rsa' }],
  ['1.2.840.113549.1.1.5', { hash: 'sha1', key: 'rsa' }],
  ['1.2.840.113549.1.1.11', { hash: 'sha256', key: 'rsa' }],
  ['1.2.840.113549.1.1.12', { hash: 'sha384', key: 'rsa' }],
  ['1.2.840.113549.1.1.13', { hash: 'sha512', key: 'rsa' }],
  ['1.2.840.10045.4.1', { hash: 'sha1', key: 'ec' }],
  ['1.2.840.10045.4.3.2', { hash: 'sha256', key: 'ec' }],
  ['1.2.840.10045.4.3.3', { hash: 'sha384', key: 'ec' }],
  ['1.2.840.10045.4.3.4', { hash: 'sha512', key: 'ec' }],
  ['1.3.101.112', { hash: null, key: 'ed25519' }],
]);
const WEAK_HASHES = new Set(['md5', 'sha1']);
const CURVES = new Set(['prime256v1', 'secp384r1', 'secp521r1']);
const RSA_BITS_MIN = 2048;
const RSA_BITS_MAX = 8192;

export function readAlgorithm({ content, bytes }: DerValue): AlgorithmId {
  const cursor = cursorOver(content);
  const id = readOid(cursor.next(TAG.oid, 'the algorithm'));
  if (cursor.isAtEnd()) return { bytes, oid: id };
  const parameters = cursor.any('the parameters of the algorithm');
  cursor.end('the algorithm');
  return parameters.tag === TAG.null && parameters.content.length === 0
    ? { bytes, oid: id }
    : { bytes, oid: id, parameters: parameters.bytes };
}

/** Why a signature made with it proves nothing, if so. */
export function weaknessOfAlgorithm(algorithm: AlgorithmId): string | undefined {
  const known = ALGORITHMS.get(algorithm.oid);
  if (!known || algorithm.parameters) return `its signature algorithm ${algorithm.oid} is not accepted`;
  return WEAK_HASHES.has(known.hash ?? '') ? `it is signed with the weak hash ${known.hash}` : undefined;
}

/** Why a key is not accepted, if so. */
export function weaknessOfKey(key: KeyObject, rsaBitsMin: number = RSA_BITS_MIN): string | undefined {
  const { modulusLength = 0, namedCurve = '', publicExponent = 0n } = key.asymmetricKeyDetails ?? {};
  switch (key.asymmetricKeyType) {
    case 'rsa':
      if (modulusLength < rsaBitsMin) return `its RSA key has ${modulusLength} bits, fewer than ${rsaBitsMin}`;
      if (modulusLength > RSA_BITS_MAX) return `its RSA key has more than ${RSA_BITS_MAX} bits`;
      return publicExponent < 65537n || publicExponent % 2n === 0n ? 'the exponent of its RSA key is weak' : undefined;
    case 'ec':
      return CURVES.has(namedCurve) ? undefined : `the curve ${namedCurve || 'of its key'} is not accepted`;
    case 'ed25519':
      return undefined;
    default:
      return `a key of the kind ${key.asymmetricKeyType ?? 'unknown'} is not accepted`;
  }
}

/** False for an algorithm that is not of the table, or that is for another kind of key. Weak hashes are the caller's to refuse. */
export function isSignedBy(algorithm: AlgorithmId, signed: Buffer, signature: Buffer, key: KeyObject): boolean {
  const known = ALGORITHMS.get(algorithm.oid);
  if (!known || algorithm.parameters || known.hash === 'md5' || key.asymmetricKeyType !== known.key) return false;
  return verifyBytes(known.hash, signed, key, signature);
}

/** Signs certificates, lists and answers. */
export interface X509Signer {
  /** AlgorithmIdentifier in DER. */
  readonly algorithm: Buffer;
  sign(bytes: Buffer): Buffer;
}

/** A signer with the hash that fits the key's strength. */
export function signerOf(key: KeyObject): X509Signer {
  const { namedCurve } = key.asymmetricKeyDetails ?? {};
  switch (key.asymmetricKeyType) {
    case 'rsa':
      return signer('1.2.840.113549.1.1.11', 'sha256', key);
    case 'ec':
      return namedCurve === 'secp384r1'
        ? signer('1.2.840.10045.4.3.3', 'sha384', key)
        : signer('1.2.840.10045.4.3.2', 'sha256', key);
    case 'ed25519':
      return signer('1.3.101.112', null, key);
    default:
      throw new DerFault(`a key of the kind ${key.asymmetricKeyType ?? 'unknown'} signs no certificates`);
  }
}

const signer = (id: string, hash: string | null, key: KeyObject): X509Signer => ({
  algorithm: sequence(oid(id), ...(key.asymmetricKeyType === 'rsa' ? [nothing] : [])),
  sign: (bytes) => signBytes(hash, bytes, key),
});
