/** The key that signs archived prescriptions: Ed25519, PKCS#8 in a file only its owner can read. 21 CFR 1311.210, SECURITY KS-03 */
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { ArchiveKey } from '../ports/epcs.ts';
import { KeyFileError } from './key-file.ts';

/** Opens the key file, or makes it when there is none. Throws `KeyFileError`. */
export function openArchiveKey(path: string): ArchiveKey {
  make(path);
  if (process.platform !== 'win32' && (statSync(path).mode & 0o077) !== 0)
    throw new KeyFileError(`the key file ${path} can be read by others: chmod 600 it`);
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

function readKey(path: string) {
  try {
    return createPrivateKey(readFileSync(path));
  } catch {
    throw new KeyFileError(`the key file ${path} holds no private key`);
  }
}

/** `wx`: of two processes that start at once one makes it, and the other reads it. */
function make(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const { privateKey } = generateKeyPairSync('ed25519');
  try {
    writeFileSync(path, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600, flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error; // of the file system
  }
}
