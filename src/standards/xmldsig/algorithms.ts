/** Algorithms of XML signatures that are known at all; whoever verifies says which of them it takes. RFC 9231 */
import { type KeyObject, verify } from 'node:crypto';

export const XMLDSIG = 'http://www.w3.org/2000/09/xmldsig#';
export const EXCLUSIVE_C14N = 'http://www.w3.org/2001/10/xml-exc-c14n#';
export const ENVELOPED = 'http://www.w3.org/2000/09/xmldsig#enveloped-signature';

export type SignatureName = 'RS256' | 'RS1' | 'ES256';
export type DigestName = 'sha256' | 'sha1';

interface SignatureMethod {
  readonly uri: string;
  readonly hash: DigestName;
  readonly key: 'rsa' | 'ec';
}

export const SIGNATURE_METHODS: Readonly<Record<SignatureName, SignatureMethod>> = {
  RS256: { uri: 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256', hash: 'sha256', key: 'rsa' },
  RS1: { uri: 'http://www.w3.org/2000/09/xmldsig#rsa-sha1', hash: 'sha1', key: 'rsa' },
  ES256: { uri: 'http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256', hash: 'sha256', key: 'ec' },
};
export const DIGEST_METHODS: Readonly<Record<DigestName, string>> = {
  sha256: 'http://www.w3.org/2001/04/xmlenc#sha256',
  sha1: 'http://www.w3.org/2000/09/xmldsig#sha1',
};

export const signatureNameOf = (uri: string): SignatureName | undefined =>
  (Object.keys(SIGNATURE_METHODS) as SignatureName[]).find((name) => SIGNATURE_METHODS[name].uri === uri);
export const digestNameOf = (uri: string): DigestName | undefined =>
  (Object.keys(DIGEST_METHODS) as DigestName[]).find((name) => DIGEST_METHODS[name] === uri);

/** False also for a key of another kind than the method's: a method never chooses what a key is used for. */
export function isSignatureBy(name: SignatureName, key: KeyObject, bytes: Buffer, signature: Buffer): boolean {
  const { hash, key: kind } = SIGNATURE_METHODS[name];
  if (key.type !== 'public' || key.asymmetricKeyType !== kind) return false;
  return verify(hash, bytes, kind === 'ec' ? { key, dsaEncoding: 'ieee-p1363' } : key, signature);
}
