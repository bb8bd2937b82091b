/** What may be wrong with a signer's certificate, whoever finds it out. */
import type { Certificate } from '../x509/certificate.ts';

export type SignerFault =
  | 'revoked'
  | 'authority-revoked'
  /** Nobody could say whether it is revoked, and that counts as a fault. */
  | 'revocation-unknown'
  | 'not-valid-then'
  | 'not-trusted';

/** All that is wrong with the certificate of somebody who signed at that time (ms UTC); empty: it is believed. */
export type JudgeSigner = (certificate: Certificate, signedAt: number) => Promise<readonly SignerFault[]>;
