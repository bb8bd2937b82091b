/** Opens the keys that a command line names: a folder of PEM or PKCS#12 files, or a token. docs/pki.md "Signing keys" */
import type { KeyProvider } from '../../ports/key-provider.ts';
import { KeyPlaceError } from './key-error.ts';
import { openPemProvider } from './pem-provider.ts';
import { openPkcs11Provider } from './pkcs11-provider.ts';
import { openPkcs12Provider } from './pkcs12-provider.ts';

export interface KeyPlace {
  /** Folders. */
  readonly pem?: string | undefined;
  readonly p12?: string | undefined;
  /** The library of the token, and its label. */
  readonly pkcs11?: string | undefined;
  readonly token?: string | undefined;
}

/** `passphrase`: the PIN of a token. Throws `KeyPlaceError`, and `KeyProviderError` for what is there and cannot be used. */
export function openKeys({ pem, p12, pkcs11, token }: KeyPlace, passphrase: string): KeyProvider {
  if ([pem, p12, pkcs11].filter((one) => one !== undefined).length !== 1)
    throw new KeyPlaceError('say where the keys are: --pem FOLDER, --p12 FOLDER, or --pkcs11 LIBRARY --token LABEL');
  if (passphrase === '') throw new KeyPlaceError('KEY_PASSPHRASE is not set: the passphrase of the keys, or the PIN');
  if (pem !== undefined) return openPemProvider({ folder: pem, passphrase });
  if (p12 !== undefined) return openPkcs12Provider({ folder: p12, passphrase });
  if (pkcs11 === undefined || token === undefined)
    throw new KeyPlaceError('--pkcs11 needs --token, the label of the token');
  return openPkcs11Provider({ modulePath: pkcs11, tokenLabel: token, pin: passphrase });
}
