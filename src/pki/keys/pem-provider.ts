/** Keys in PEM files: `eps.pem`, an encrypted PKCS#8, with its certificate and issuers in `eps.crt`. SECURITY KS-01 */
import { createPrivateKey, type KeyObject } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KeyProvider } from '../../ports/key-provider.ts';
import { readPem } from '../../standards/x509/pem.ts';
import { addPrivateFile, readKeyFiles } from './folder-files.ts';
import { KeyProviderError } from './key-error.ts';
import { createLocalProvider } from './local-keys.ts';

const ENDING = '.pem';

/** Opens a folder of PEM files. Throws `KeyProviderError`. */
export const openPemProvider = ({
  folder,
  passphrase,
}: {
  readonly folder: string;
  readonly passphrase: string;
}): KeyProvider =>
  createLocalProvider({
    where: `the folder ${folder}`,
    read: () =>
      readKeyFiles(folder, ENDING).map(({ id, file, content }) => ({
        id,
        privateKey: readEncrypted(file, content.toString('latin1'), passphrase),
        certificates: readCertificateFile(join(folder, `${id}.crt`)),
      })),
    add: ({ id, privateKey }) => addPrivateFile(join(folder, `${id}${ENDING}`), encryptedPem(privateKey, passphrase)),
  });

/** PKCS#8 under a passphrase: AES-256 and PBKDF2. */
export const encryptedPem = (key: KeyObject, passphrase: string): string =>
  key.export({ format: 'pem', type: 'pkcs8', cipher: 'aes-256-cbc', passphrase }).toString();

function readEncrypted(file: string, text: string, passphrase: string): KeyObject {
  if (readPem(text, 'ENCRYPTED PRIVATE KEY').length !== 1)
    throw new KeyProviderError(
      'refused',
      `${file} is not one encrypted private key: openssl pkcs8 -topk8 -v2 aes-256-cbc -in KEY -out ${file}`,
    );
  try {
    return createPrivateKey({ key: text, format: 'pem', passphrase });
  } catch (cause) {
    throw new KeyProviderError('refused', `${file} does not open with the passphrase`, cause);
  }
}

const readCertificateFile = (file: string): readonly Buffer[] =>
  existsSync(file) ? readPem(readFileSync(file, 'latin1'), 'CERTIFICATE') : [];
