/**
 * The parts of a Signature element, read strictly: what is there twice, elsewhere, of another form or not asked for makes
 * it malformed. https://www.w3.org/TR/xmldsig-core1/ SECURITY F4, steps 2 to 7
 */
import { type Certificate, readCertificate } from '../x509/certificate.ts';
import { DerFault } from '../x509/der.ts';
import { canonicalise } from '../xml/canonicalise.ts';
import { attributeOf, elementsOf, isElement, ownText, type XmlElement, type XmlNode } from '../xml/tree.ts';
import {
  type DigestName,
  digestNameOf,
  EXCLUSIVE_C14N,
  type SignatureName,
  signatureNameOf,
  XMLDSIG,
} from './algorithms.ts';

export type SignatureFaultCode =
  | 'malformed'
  | 'algorithm'
  | 'several-certificates'
  | 'certificate'
  | 'signature'
  | 'digest'
  | 'reference';

/** Why a signature is not believed. */
export class SignatureFault extends Error {
  readonly code: SignatureFaultCode;

  constructor(code: SignatureFaultCode, message: string) {
    super(message);
    this.name = 'SignatureFault';
    this.code = code;
  }
}

export interface Signature {
  readonly method: SignatureName;
  readonly digest: DigestName;
  /** As the Reference gives it; undefined when there is none. */
  readonly uri: string | undefined;
  readonly transforms: readonly string[];
  readonly digestValue: Buffer;
  /** The canonical form of SignedInfo: what was signed. */
  readonly signedInfo: Buffer;
  readonly value: Buffer;
  /** From KeyInfo: a hint whose key it may be, which nobody has believed yet. */
  readonly certificate: Certificate;
}

const CERTIFICATE_TEXT_MAX = 64 * 1024;
const VALUE_TEXT_MAX = 8 * 1024;

/** Throws `SignatureFault`. Text of white space alone does not count: who wrote the message may have indented it. */
export function readSignature(element: XmlElement): Signature {
  const signature = withoutWhiteSpace(element);
  if (!isNamed(signature, 'Signature')) throw malformed('it is not a Signature');
  checkAttributes(signature, ['Id']);
  const [signedInfo, value, keyInfo] = childrenOf(signature, ['SignedInfo', 'SignatureValue', 'KeyInfo']);
  checkAttributes(signedInfo, ['Id']);
  const [canonicalization, method, reference] = childrenOf(signedInfo, [
    'CanonicalizationMethod',
    'SignatureMethod',
    'Reference',
  ]);
  if (algorithmOf(canonicalization) !== EXCLUSIVE_C14N)
    throw fault('algorithm', 'its canonicalisation is not the exclusive one');
  const name = signatureNameOf(algorithmOf(method));
  if (!name) throw fault('algorithm', 'its signature method is not known');
  checkAttributes(reference, ['URI', 'Id']);
  const [transforms, digestMethod, digestValue] = childrenOf(reference, ['Transforms', 'DigestMethod', 'DigestValue']);
  const digest = digestNameOf(algorithmOf(digestMethod));
  if (!digest) throw fault('algorithm', 'its digest method is not known');
  return {
    method: name,
    digest,
    uri: attributeOf(reference, 'URI'),
    transforms: transformsOf(transforms),
    digestValue: base64Of(digestValue, VALUE_TEXT_MAX),
    signedInfo: Buffer.from(canonicalise(signedInfo)),
    value: base64Of(value, VALUE_TEXT_MAX),
    certificate: certificateOf(keyInfo),
  };
}

const fault = (code: SignatureFaultCode, message: string): SignatureFault => new SignatureFault(code, message);
const malformed = (message: string): SignatureFault => fault('malformed', message);

const isNamed = ({ name, namespace }: XmlElement, wanted: string): boolean => name === wanted && namespace === XMLDSIG;

/** Exactly these, once each, in this order, and nothing beside them. */
function childrenOf<const Names extends readonly string[]>(
  { name, children }: XmlElement,
  names: Names,
): { readonly [K in keyof Names]: XmlElement } {
  const isAsWanted =
    children.length === names.length &&
    children.every((child, i) => isElement(child) && isNamed(child, names[i] ?? ''));
  if (!isAsWanted) throw malformed(`${name} does not hold exactly ${names.join(', ')}`);
  return children as unknown as { readonly [K in keyof Names]: XmlElement }; // looked at above
}

function checkAttributes({ name, attributes }: XmlElement, allowed: readonly string[]): void {
  if (attributes.some((attribute) => attribute.namespace !== '' || !allowed.includes(attribute.name)))
    throw malformed(`${name} has attributes that it must not have`);
}

/** Nothing may stand within: parameters change what an algorithm does. */
function algorithmOf(element: XmlElement): string {
  checkAttributes(element, ['Algorithm']);
  if (element.children.length > 0) throw fault('algorithm', `${element.name} has parameters`);
  return attributeOf(element, 'Algorithm') ?? '';
}

const TRANSFORMS_MAX = 2;

function transformsOf(element: XmlElement): readonly string[] {
  checkAttributes(element, []);
  const transforms = elementsOf(element);
  const isAsWanted =
    transforms.length === element.children.length && transforms.every((child) => isNamed(child, 'Transform'));
  if (!isAsWanted || transforms.length > TRANSFORMS_MAX)
    throw malformed('Transforms holds something else, or too many');
  return transforms.map(algorithmOf);
}

function textOf(element: XmlElement, max: number): string {
  checkAttributes(element, ['Id']);
  if (element.children.some(isElement)) throw malformed(`${element.name} holds elements`);
  const text = ownText(element).replaceAll(/[ \t\r\n]/g, '');
  if (text === '' || text.length > max) throw malformed(`${element.name} is empty or too long`);
  return text;
}

/** One form of each value: no other letters, no bits that are left over. */
function base64Of(element: XmlElement, max: number): Buffer {
  const text = textOf(element, max);
  const bytes = Buffer.from(text, 'base64');
  if (bytes.toString('base64') !== text) throw malformed(`${element.name} is not base64`);
  return bytes;
}

/** Keys, names and places of keys are not looked at: they prove nothing. */
function certificateOf(keyInfo: XmlElement): Certificate {
  checkAttributes(keyInfo, ['Id']);
  const [data] = childrenOf(keyInfo, ['X509Data']);
  checkAttributes(data, []);
  const certificates = elementsOf(data);
  if (certificates.length > 1 && certificates.every((child) => isNamed(child, 'X509Certificate')))
    throw fault('several-certificates', 'there are several certificates');
  const [element] = childrenOf(data, ['X509Certificate']);
  if (/(?:BEGIN|END)CERTIFICATE/.test(textOf(element, CERTIFICATE_TEXT_MAX)))
    throw fault('several-certificates', 'several certificates are pasted together');
  try {
    return readCertificate(base64Of(element, CERTIFICATE_TEXT_MAX));
  } catch (error) {
    if (error instanceof DerFault || (error instanceof SignatureFault && error.code === 'malformed'))
      throw fault('certificate', 'the certificate cannot be read');
    throw error;
  }
}

export const withoutWhiteSpace = (element: XmlElement): XmlElement => ({
  ...element,
  children: element.children.flatMap((child): XmlNode[] =>
    isElement(child) ? [withoutWhiteSpace(child)] : /^[ \t\r\n]*$/.test(child) ? [] : [child],
  ),
});
