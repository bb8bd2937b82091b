/** The key files of a server: made at its first start, checked at every one. docs/encryption.md */
import { join, resolve } from 'node:path';
import type { Config } from './config.ts';
import { openArchiveKey } from './pki/archive-key.ts';
import { openKeyFile } from './pki/key-file.ts';
import { KeyFileError } from './pki/secret-file.ts';
import type { Cipher } from './ports/cipher.ts';
import type { ArchiveKey } from './ports/epcs.ts';
import type { EncryptionOptions } from './postgres/encryption/open-encryption.ts';
import { StartError } from './postgres/start-error.ts';
import type { Definitions } from './standards/fhir/definitions.ts';
import { compileProtectedElements, parseProtectedPaths } from './standards/fhir/encryption/protected-elements.ts';
import type { SearchParameters } from './standards/fhir/search/parameter.ts';

/** The key that the archive of controlled substances is sealed with. */
export function openArchive({ dataDir }: Config): ArchiveKey {
  try {
    return openArchiveKey(join(dataDir, 'keys', 'epcs.key'));
  } catch (error) {
    throw error instanceof KeyFileError ? new StartError('folder', error.message, error) : error;
  }
}

/** The key that raw messages are sealed with, and where it lies. */
export function openCipher({ dataDir, messageKeyFile }: Config): { readonly cipher: Cipher; readonly path: string } {
  const path = messageKeyFile ?? join(resolve(dataDir), 'keys', 'message.key');
  return { cipher: openKey(path), path };
}

function openKey(path: string): Cipher {
  try {
    return openKeyFile(path);
  } catch (cause) {
    if (cause instanceof KeyFileError) throw new StartError('folder', cause.message, cause);
    throw cause;
  }
}

/** What is stored encrypted, and where its key lies. */
export function encryptionOptions(
  { dataDir, dataKeyFile, encryptedElements = '' }: Config,
  definitions: Definitions,
  parameters: SearchParameters,
): EncryptionOptions {
  const keyFile = dataKeyFile ?? join(resolve(dataDir), 'keys', 'data.key');
  const paths = parseProtectedPaths(encryptedElements);
  try {
    if (!paths) throw new Error(`'${encryptedElements}' is not a list of element paths`);
    const elements = compileProtectedElements(paths, definitions, parameters);
    return { elements, keyFile, openWrapping: () => openKey(keyFile) };
  } catch (cause) {
    throw new StartError('unsuitable', `ENCRYPTED_ELEMENTS: ${(cause as Error).message}`, cause);
  }
}
