/** The key by which push services know us (RFC 8292), in a file of its own: PKCS#8 in PEM. A new one loses every browser. SECURITY KS-01 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { KeyFileError, makeKeyFile, readKeyFile } from './secret-file.ts';

export interface PushKey {
  readonly key: KeyObject;
  /** An uncompressed point of P-256, 65 bytes in base64url: the `applicationServerKey` of browsers. */
  readonly publicKey: string;
}

/** Opens the key file, or makes it when there is none. Throws `KeyFileError`. */
export function openPushKey(path: string): PushKey {
  makeKeyFile(path, () =>
    generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  );
  const text = readKeyFile(path);
  const key = readKey(text);
  if (!key) throw new KeyFileError(`the key file ${path} is no private key of P-256: restore it from a backup`);
  const { x = '', y = '' } = createPublicKey(key).export({ format: 'jwk' });
  const point = Buffer.concat([Buffer.from([4]), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')]);
  return { key, publicKey: point.toString('base64url') };
}

function readKey(text: string): KeyObject | undefined {
  try {
    const key = createPrivateKey(text);
    return key.asymmetricKeyDetails?.namedCurve === 'prime256v1' ? key : undefined;
  } catch {
    return undefined;
  }
}
