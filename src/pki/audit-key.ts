/**
 * The keys of the audit trail, in a file of their own (SECURITY KS-03). One line a key:
 *
 *     mac        <8 hex digits: its number> <32 bytes in base64>       MACs of entries
 *     seal       <number> <32 bytes in base64>                         what may name a person
 *     checkpoint <number> <Ed25519 private key, PKCS#8, in base64>     signatures of checkpoints and tombstones
 *
 * Of each purpose the first makes, all of them check and open: a new key is a line above the others.
 */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign as signBytes,
  verify as verifyBytes,
} from 'node:crypto';
import type { CheckpointKey } from '../ports/audit.ts';
import type { Cipher } from '../ports/cipher.ts';
import { createCipher } from './key-file.ts';
import { KeyFileError, makeKeyFile, readKeyFile } from './secret-file.ts';

export interface AuditKeys {
  /** The first makes MACs. */
  readonly macKeys: readonly [Buffer, ...Buffer[]];
  readonly cipher: Cipher;
  readonly checkpointKey: CheckpointKey;
}

type Purpose = 'mac' | 'seal' | 'checkpoint';
const PURPOSES: readonly Purpose[] = ['mac', 'seal', 'checkpoint'];

/** Opens the key file, or makes it when there is none. Throws `KeyFileError`. */
export function openAuditKeys(path: string): AuditKeys {
  makeKeyFile(path, newKeys);
  return readAuditKeys(path);
}

/** Reads a key file that is there. Throws `KeyFileError`. */
export function readAuditKeys(path: string): AuditKeys {
  const lines = readLines(path);
  const of = (purpose: Purpose) => lines.filter((line) => line.purpose === purpose);
  const [first, ...others] = of('mac').map(({ key }) => key);
  const [checkpoint] = of('checkpoint');
  if (!first || !checkpoint || of('seal').length === 0)
    throw new KeyFileError(`the key file ${path} lacks a key: it needs a line each of ${PURPOSES.join(', ')}`);
  return {
    macKeys: [first, ...others],
    cipher: createCipher(of('seal').map(({ number, key }) => ({ number: Number.parseInt(number, 16), key }))),
    checkpointKey: createCheckpointKey(of('checkpoint').map(({ number, key }) => [number, readPrivateKey(path, key)])),
  };
}

function createCheckpointKey(keys: readonly (readonly [string, KeyObject])[]): CheckpointKey {
  const [keyId, privateKey] = keys[0] as readonly [string, KeyObject]; // looked at by the caller
  const publicKeys = new Map(keys.map(([number, key]) => [number, createPublicKey(key)]));
  return {
    keyId,
    sign: (bytes) => signBytes(null, bytes, privateKey),
    verify(id, bytes, signature) {
      const key = publicKeys.get(id);
      return key !== undefined && verifyBytes(null, bytes, key, signature);
    },
  };
}

function readPrivateKey(path: string, der: Buffer): KeyObject {
  try {
    const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch {
    // said below
  }
  throw new KeyFileError(`a checkpoint key of ${path} is not an Ed25519 key: restore the file from a backup`);
}

function readLines(path: string): { purpose: string; number: string; key: Buffer }[] {
  return readKeyFile(path)
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line, index) => {
      const match = /^(mac|seal|checkpoint) ([0-9a-f]{8}) ([A-Za-z0-9+/]+=*)$/.exec(line.trim());
      const [, purpose = '', number = '', base64 = ''] = match ?? [];
      const key = Buffer.from(base64, 'base64');
      if (!match || (purpose !== 'checkpoint' && key.length !== 32))
        throw new KeyFileError(`line ${index + 1} of ${path} is not a key: restore the file from a backup`);
      return { purpose, number, key };
    });
}

/** One key of each purpose. */
function newKeys(): string {
  const { privateKey } = generateKeyPairSync('ed25519');
  const keys: Record<Purpose, Buffer> = {
    mac: randomBytes(32),
    seal: randomBytes(32),
    checkpoint: privateKey.export({ format: 'der', type: 'pkcs8' }),
  };
  return PURPOSES.map(
    (purpose) => `${purpose} ${randomBytes(4).toString('hex')} ${keys[purpose].toString('base64')}\n`,
  ).join('');
}
