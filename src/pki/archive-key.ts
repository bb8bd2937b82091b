/** The key that signs archived prescriptions: Ed25519, PKCS#8 in a file only its owner can read. 21 CFR 1311.210, SECURITY KS-03 */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto';
import type { ArchiveKey } from '../ports/epcs.ts';
import { KeyFileError, makeKeyFile, readKeyFile } from './secret-file.ts';

/** Opens the key file, or makes it when there is none. Throws `KeyFileError`. */
export function openArchiveKey(path: string): ArchiveKey {
  makeKeyFile(path, newKey);
  const privateKey = readKey(path);
  const publicKey = createPublicKey(privateKey);
  const keyId = createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex')
    .slice(0, 16);
  return {
    keyId,
    sign: (bytes) => sign(null, bytes, privateKey),
    verify: (id, bytes, signature) => id === keyId && verify(null, bytes, publicKey, signature),
  };
}

function readKey(path: string): KeyObject {
  const text = readKeyFile(path);
  try {
    return createPrivateKey(text);
  } catch {
    throw new KeyFileError(`the key file ${path} holds no private key: restore the file from a backup`);
  }
}

const newKey = (): string =>
  generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
