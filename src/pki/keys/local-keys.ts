/** What providers do whose keys are in this process's memory. */
import {
  constants,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  privateDecrypt,
  publicEncrypt,
  sign as signBytes,
  verify as verifyBytes,
} from 'node:crypto';
import { promisify } from 'node:util';
import type { KeyAlgorithm, KeyInfo, KeyProvider } from '../../ports/key-provider.ts';
import { weaknessOfKey } from '../../standards/x509/algorithms.ts';
import { readPublicKey } from '../../standards/x509/certificate.ts';
import { KeyProviderError, nextIdOf } from './key-error.ts';

export interface LocalKey {
  readonly id: string;
  readonly privateKey: KeyObject;
  readonly certificates: readonly Buffer[];
}

const HASHES: Readonly<Record<KeyAlgorithm, string>> = { RS256: 'sha256', ES256: 'sha256', ES384: 'sha384' };
const WRAPPED_BYTES_MAX = 64;

/** The algorithm of a key by its kind; throws for a weak key. `where` names it in the message. */
export function algorithmOf(publicKey: KeyObject, where: string): KeyAlgorithm {
  const weakness = weaknessOfKey(publicKey);
  if (weakness !== undefined) throw new KeyProviderError('refused', `the key ${where} is refused: ${weakness}`);
  if (publicKey.asymmetricKeyType === 'rsa') return 'RS256';
  const curve = publicKey.asymmetricKeyDetails?.namedCurve;
  if (curve === 'prime256v1') return 'ES256';
  if (curve === 'secp384r1') return 'ES384';
  throw new KeyProviderError('refused', `the key ${where} is refused: use RSA, P-256 or P-384`);
}

export function infoOf(id: string, publicKey: KeyObject, certificates: readonly Buffer[], where: string): KeyInfo {
  const algorithm = algorithmOf(publicKey, where);
  return { id, algorithm, publicKeyInfo: publicKey.export({ format: 'der', type: 'spki' }), certificates };
}

/** With the public half; not the provider's business. */
export function verifyWith({ algorithm, publicKeyInfo }: KeyInfo, bytes: Buffer, signature: Buffer): boolean {
  const key = {
    key: readPublicKey(publicKeyInfo),
    ...(algorithm !== 'RS256' && { dsaEncoding: 'ieee-p1363' as const }),
  };
  return verifyBytes(HASHES[algorithm], bytes, key, signature);
}

export function wrapWith(info: KeyInfo, key: Buffer): Buffer {
  checkWraps(info);
  if (key.length === 0 || key.length > WRAPPED_BYTES_MAX)
    throw new KeyProviderError('refused', `a wrapped key has 1 to ${WRAPPED_BYTES_MAX} bytes`);
  return publicEncrypt({ key: readPublicKey(info.publicKeyInfo), padding: constants.RSA_PKCS1_OAEP_PADDING }, key);
}

/** A key that wraps others is of RSA, and what it wrapped is as long as its modulus. */
export function checkWraps({ id, algorithm, publicKeyInfo }: KeyInfo, wrapped?: Buffer): void {
  if (algorithm !== 'RS256')
    throw new KeyProviderError('refused', `the key ${id} wraps no others: that needs an RSA key`);
  const bits = readPublicKey(publicKeyInfo).asymmetricKeyDetails?.modulusLength ?? 0;
  if (wrapped && wrapped.length !== bits / 8)
    throw new KeyProviderError('refused', `what was to be unwrapped is not for the key ${id}`);
}

/** A new key of the same kind. */
function generateLike(privateKey: KeyObject): KeyObject {
  if (privateKey.asymmetricKeyType !== 'rsa')
    return generateKeyPairSync('ec', { namedCurve: privateKey.asymmetricKeyDetails?.namedCurve ?? 'P-256' }).privateKey;
  const modulusLength = Math.max(3072, privateKey.asymmetricKeyDetails?.modulusLength ?? 0);
  return generateKeyPairSync('rsa', { modulusLength }).privateKey;
}

export interface LocalStore {
  /** For messages: `the folder keys`. */
  readonly where: string;
  /** All keys as they are now; throws `KeyProviderError`. */
  read(): readonly LocalKey[];
  /** Keeps a new key; throws when it cannot. */
  add(key: LocalKey): void;
}

/** Keys are read once; `check` reads them again. */
export function createLocalProvider(store: LocalStore): KeyProvider {
  let keys = load();

  function load(): ReadonlyMap<string, { readonly key: LocalKey; readonly info: KeyInfo }> {
    return new Map(
      store.read().map((key) => {
        const info = infoOf(key.id, createPublicKey(key.privateKey), key.certificates, key.id);
        const [certificate] = key.certificates;
        if (certificate && !certificate.includes(info.publicKeyInfo))
          throw new KeyProviderError('refused', `the certificate beside the key ${key.id} is of another key`);
        return [key.id, { key, info }];
      }),
    );
  }
  const find = (id: string) => {
    const found = keys.get(id);
    if (!found)
      throw new KeyProviderError('unknown-key', `there is no key ${JSON.stringify(id.slice(0, 64))} in ${store.where}`);
    return found;
  };
  return {
    list: async () => [...keys.values()].map(({ info }) => info),
    async sign(id, bytes) {
      const { key, info } = find(id);
      const with_ = { key: key.privateKey, ...(info.algorithm !== 'RS256' && { dsaEncoding: 'ieee-p1363' as const }) };
      return promisify(signBytes)(HASHES[info.algorithm], bytes, with_); // off the event loop
    },
    verify: async (id, bytes, signature) => verifyWith(find(id).info, bytes, signature),
    wrap: async (id, key) => wrapWith(find(id).info, key),
    async unwrap(id, wrapped) {
      const { key, info } = find(id);
      checkWraps(info, wrapped);
      try {
        return privateDecrypt({ key: key.privateKey, padding: constants.RSA_PKCS1_OAEP_PADDING }, wrapped);
      } catch {
        throw new KeyProviderError('refused', `what was to be unwrapped is not for the key ${id}`);
      }
    },
    async rotate(id) {
      const { key } = find(id);
      const next = nextIdOf(id, new Set(keys.keys()));
      store.add({ id: next, privateKey: generateLike(key.privateKey), certificates: [] });
      keys = load();
      return next;
    },
    async check() {
      keys = load();
    },
    async close() {
      keys = new Map();
    },
  };
}

export const privateKeyFromDer = (der: Buffer): KeyObject =>
  createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
