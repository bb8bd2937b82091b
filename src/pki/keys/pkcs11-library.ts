/** The PKCS#11 library, loaded only when somebody has keys in hardware. OASIS PKCS#11 2.40 */
import { createRequire } from 'node:module';
import { KeyProviderError } from './key-error.ts';

export type Handle = Buffer;
export interface AttributeTemplate {
  readonly type: number;
  readonly value?: Buffer | number | boolean | string;
}
export interface Mechanism {
  readonly mechanism: number;
  readonly parameter?: unknown;
}

/** What is used of `pkcs11js`; it is optional, so that its own types may not be there. */
export interface Pkcs11 {
  load(path: string): void;
  close(): void;
  C_Initialize(options: { readonly flags: number }): void;
  C_Finalize(): void;
  C_GetSlotList(tokenPresent: boolean): readonly Handle[];
  C_GetTokenInfo(slot: Handle): { readonly label: string };
  C_OpenSession(slot: Handle, flags: number): Handle;
  C_CloseSession(session: Handle): void;
  C_CloseAllSessions(slot: Handle): void;
  C_Login(session: Handle, user: number, pin: string): void;
  C_FindObjectsInit(session: Handle, template: readonly AttributeTemplate[]): void;
  C_FindObjects(session: Handle, max: number): readonly Handle[];
  C_FindObjectsFinal(session: Handle): void;
  C_GetAttributeValue(
    session: Handle,
    object: Handle,
    template: readonly AttributeTemplate[],
  ): readonly { readonly value: Buffer }[];
  C_SignInit(session: Handle, mechanism: Mechanism, key: Handle): void;
  C_SignAsync(session: Handle, input: Buffer, output: Buffer): Promise<Buffer>;
  C_DecryptInit(session: Handle, mechanism: Mechanism, key: Handle): void;
  C_DecryptAsync(session: Handle, input: Buffer, output: Buffer): Promise<Buffer>;
  C_GenerateKeyPair(
    session: Handle,
    mechanism: Mechanism,
    publicTemplate: readonly AttributeTemplate[],
    privateTemplate: readonly AttributeTemplate[],
  ): { readonly publicKey: Handle; readonly privateKey: Handle };
}

export interface Pkcs11Library {
  readonly PKCS11: new () => Pkcs11;
  /** Constants of the standard. */
  readonly [constant: string]: unknown;
}

/** Throws `KeyProviderError` when the package is not there: it is compiled at installation, and left out where that fails. */
export function loadPkcs11(): Pkcs11Library {
  try {
    return createRequire(import.meta.url)('pkcs11js') as Pkcs11Library; // its shape is above
  } catch (cause) {
    throw new KeyProviderError(
      'unavailable',
      'keys of PKCS#11 need the package pkcs11js, which is not installed: npm install pkcs11js, with a C++ compiler at hand',
      cause,
    );
  }
}
