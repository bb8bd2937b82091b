/**
 * The key that messages are encrypted with, in a file of its own, until a key provider is configured. SECURITY KS-07.
 * One line a key: `<8 hex digits: its number> <32 bytes in base64>`. The first seals, all of them open, so that a new
 * key is added by writing a line above the others.
 */
import { createCipheriv, createDecipheriv, createSecretKey, randomBytes } from 'node:crypto';
import type { Cipher } from '../ports/cipher.ts';
import { NONCE_BYTES, nextNonce } from '../standards/fhir/encryption/nonces.ts';
import { KeyFileError, makeKeyFile, readKeyFile } from './secret-file.ts';

const FORM = 1;
const TAG_BYTES = 16;
/** Form, number of the key, nonce. */
const HEAD_BYTES = 1 + 4 + NONCE_BYTES;

/** Opens the key file, or makes it when there is none. Throws `KeyFileError`. */
export function openKeyFile(path: string): Cipher {
  makeKeyFile(path, newKey, ': set MESSAGE_KEY_FILE');
  return createCipher(readKeys(path));
}

/** AES-256-GCM with a random nonce; the context is authenticated. */
export function createCipher(keys: readonly { readonly number: number; readonly key: Buffer }[]): Cipher {
  const [first] = keys;
  if (!first) throw new KeyFileError('there is no key');
  if (new Set(keys.map(({ number }) => number)).size < keys.length)
    throw new KeyFileError('two lines of the key file have the same number');
  const byNumber = new Map(keys.map(({ number, key }) => [number, createSecretKey(key)]));
  const firstKey = createSecretKey(first.key);
  return {
    seal(plain, context) {
      const nonce = nextNonce();
      const head = Buffer.alloc(HEAD_BYTES);
      head[0] = FORM;
      head.writeUInt32BE(first.number, 1);
      nonce.copy(head, 5);
      const cipher = createCipheriv('aes-256-gcm', firstKey, nonce).setAAD(Buffer.from(context));
      return Buffer.concat([head, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
    },
    open(sealed, context) {
      if (sealed.length < HEAD_BYTES + TAG_BYTES || sealed[0] !== FORM) throw new Error('not a sealed value');
      const key = byNumber.get(sealed.readUInt32BE(1));
      if (!key) throw new Error('the key that sealed this value is not in the key file');
      const body = sealed.length - TAG_BYTES;
      const cipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(5, HEAD_BYTES), { authTagLength: TAG_BYTES })
        .setAAD(Buffer.from(context))
        .setAuthTag(sealed.subarray(body));
      return Buffer.concat([cipher.update(sealed.subarray(HEAD_BYTES, body)), cipher.final()]);
    },
  };
}

const newKey = (): string => `${randomBytes(4).toString('hex')} ${randomBytes(32).toString('base64')}\n`;

function readKeys(path: string): { number: number; key: Buffer }[] {
  const lines = readKeyFile(path)
    .split('\n')
    .filter((line) => line.trim() !== '');
  return lines.map((line, index) => {
    const [, number = '', base64 = ''] = /^([0-9a-f]{8}) ([A-Za-z0-9+/]{43}=)$/.exec(line.trim()) ?? [];
    const key = Buffer.from(base64, 'base64');
    if (key.length !== 32)
      throw new KeyFileError(`line ${index + 1} of the key file ${path} is not a key: restore the file from a backup`);
    return { number: Number.parseInt(number, 16), key };
  });
}
