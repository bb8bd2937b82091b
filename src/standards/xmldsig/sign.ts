/** Makes signatures: the text of SignedInfo, and the Signature around it. https://www.w3.org/TR/xmldsig-core1/ */
import { createHash } from 'node:crypto';
import { canonicalise } from '../xml/canonicalise.ts';
import type { XmlElement } from '../xml/tree.ts';
import {
  DIGEST_METHODS,
  ENVELOPED,
  EXCLUSIVE_C14N,
  SIGNATURE_METHODS,
  type SignatureName,
  XMLDSIG,
} from './algorithms.ts';

/** Signs bytes with the key of the certificate. */
export type SignBytes = (bytes: Buffer) => Promise<Buffer>;

/** A Signature element in its canonical form. `signedInfo`: canonical, with its namespace, as it was signed. */
export const formatSignature = (signedInfo: string, value: Buffer, certificate: Buffer): string =>
  `<Signature xmlns="${XMLDSIG}">${signedInfo.replace(`<SignedInfo xmlns="${XMLDSIG}">`, '<SignedInfo>')}` +
  `<SignatureValue>${value.toString('base64')}</SignatureValue>` +
  `<KeyInfo><X509Data><X509Certificate>${certificate.toString('base64')}</X509Certificate></X509Data></KeyInfo></Signature>`;

/** The text of an enveloped Signature over a document that has none yet; it goes into the root as a child. */
export async function signEnveloped(
  root: XmlElement,
  {
    method,
    sign,
    certificate,
  }: { readonly method: Exclude<SignatureName, 'RS1'>; readonly sign: SignBytes; readonly certificate: Buffer },
): Promise<string> {
  const { uri, hash } = SIGNATURE_METHODS[method];
  const digest = createHash(hash).update(canonicalise(root)).digest('base64');
  const signedInfo =
    `<SignedInfo xmlns="${XMLDSIG}"><CanonicalizationMethod Algorithm="${EXCLUSIVE_C14N}"></CanonicalizationMethod>` +
    `<SignatureMethod Algorithm="${uri}"></SignatureMethod><Reference URI=""><Transforms>` +
    `<Transform Algorithm="${ENVELOPED}"></Transform><Transform Algorithm="${EXCLUSIVE_C14N}"></Transform></Transforms>` +
    `<DigestMethod Algorithm="${DIGEST_METHODS[hash]}"></DigestMethod><DigestValue>${digest}</DigestValue></Reference></SignedInfo>`;
  return formatSignature(signedInfo, await sign(Buffer.from(signedInfo)), certificate);
}
