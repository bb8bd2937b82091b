/** What an authority has issued and revoked: one JSON file for each authority, the truth behind its lists and answers. */

import { createHash } from 'node:crypto';
import type { Certificate } from '../../standards/x509/certificate.ts';
import { labelOf } from '../../standards/x509/general-name.ts';
import { formatName } from '../../standards/x509/name.ts';
import type { RevocationReason } from '../../standards/x509/revocation-list.ts';
import { authorityFile, isThere, PkiError, readWhole, writeWhole } from './folder.ts';
import type { AuthorityName, ProfileName } from './profiles.ts';

export interface IssuedEntry {
  readonly serial: string;
  readonly profile: ProfileName | 'authority' | 'responder';
  /** Names the files; empty for those that have none of their own. */
  readonly label: string;
  readonly subject: string;
  readonly names: readonly string[];
  /** ms UTC */
  readonly notBefore: number;
  readonly notAfter: number;
  /** SHA-256 in hex, of the certificate and of its public key. */
  readonly fingerprint: string;
  readonly keyHash: string;
  readonly revoked?: { readonly at: number; readonly reason: RevocationReason };
}

export interface Register {
  readonly authority: AuthorityName;
  /** Number of the last list. */
  readonly listNumber: number;
  readonly issued: readonly IssuedEntry[];
}

const NAME = 'register.json';

export const registerFile = (folder: string, authority: AuthorityName): string =>
  authorityFile(folder, authority, NAME);

export function readRegister(folder: string, authority: AuthorityName): Register {
  const file = registerFile(folder, authority);
  if (!isThere(file)) return { authority, listNumber: 0, issued: [] };
  try {
    const register = JSON.parse(readWhole(file, 'restore it from a backup').toString('utf8')) as Register; // as written below
    if (register.authority !== authority || !Array.isArray(register.issued)) throw new Error('it is of another form');
    return register;
  } catch (cause) {
    if (cause instanceof PkiError) throw cause;
    throw new PkiError(`${file} cannot be read as a register: restore it from a backup`, cause);
  }
}

export function writeRegister(folder: string, register: Register): void {
  writeWhole(registerFile(folder, register.authority), `${JSON.stringify(register, null, 1)}\n`, 0o644);
}

export const keyHashOf = (publicKeyInfo: Buffer): string => createHash('sha256').update(publicKeyInfo).digest('hex');

export const entryOf = (certificate: Certificate, profile: IssuedEntry['profile'], label: string): IssuedEntry => ({
  serial: certificate.serial,
  profile,
  label,
  subject: formatName(certificate.subject),
  names: certificate.alternativeNames.flatMap((name) => labelOf(name) ?? []),
  notBefore: certificate.notBefore,
  notAfter: certificate.notAfter,
  fingerprint: certificate.fingerprint,
  keyHash: keyHashOf(certificate.publicKeyInfo),
});
