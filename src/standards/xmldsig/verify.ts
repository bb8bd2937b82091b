/**
 * Verifies an enveloped signature over a document, and gives back nothing but what was signed. SECURITY F4: hardened
 * reading, one Signature where it is expected, one Reference, algorithms of a list, the key of a certificate that the
 * caller has believed, signature, digest, and then the signed bytes read anew.
 */
import { createHash } from 'node:crypto';
import { weaknessOfKey } from '../x509/algorithms.ts';
import type { Certificate } from '../x509/certificate.ts';
import { canonicalise } from '../xml/canonicalise.ts';
import { readXml, XML_LIMITS } from '../xml/read.ts';
import { attributeOf, elementsOf, isElement, type XmlElement } from '../xml/tree.ts';
import { ENVELOPED, EXCLUSIVE_C14N, isSignatureBy, type SignatureName, XMLDSIG } from './algorithms.ts';
import { readSignature, type Signature, SignatureFault } from './signature.ts';

export interface SignatureRules {
  readonly methods: ReadonlySet<SignatureName>;
  readonly rsaBitsMin?: number;
}

export interface VerifiedDocument {
  /** Of the signed bytes, read anew: the Signature is not in it. Only this is to be acted on. */
  readonly root: XmlElement;
  readonly bytes: Buffer;
  /** Its key has made the signature. Whether to believe it is the caller's: the path, the use, the time, revocation. */
  readonly certificate: Certificate;
  readonly method: SignatureName;
}

/** Attributes that name an element within its document; of any other name they would be a way to mean another element. */
const ID_NAMES = ['Id', 'ID', 'id'];

/** Reads and verifies; the Signature stands as a child of the root, which it signs as a whole. Throws `SignatureFault`. */
export function verifyEnveloped(content: Buffer | string, rules: SignatureRules): VerifiedDocument {
  const { value: root } = readXml(content, { ...XML_LIMITS, asides: 'refused' });
  if (!root) throw new SignatureFault('malformed', 'the document cannot be read');
  const element = onlySignatureOf(root);
  const signature = readSignature(element);
  checkMethod(signature, rules);
  checkReference(signature, root);
  checkSignature(signature);
  const signed = canonicalise({ ...root, children: root.children.filter((child) => child !== element) });
  if (!digestOf(signature, signed).equals(signature.digestValue))
    throw new SignatureFault('digest', 'the document was changed after it was signed');
  const { value } = readXml(signed);
  if (!value) throw new SignatureFault('malformed', 'the signed bytes cannot be read');
  return { root: value, bytes: Buffer.from(signed), certificate: signature.certificate, method: signature.method };
}

/** Whatever calls itself a signature, in any namespace and at any depth, is the one child of the root. */
function onlySignatureOf(root: XmlElement): XmlElement {
  const all = [...allWithin(root)].filter(({ name, namespace }) => name === 'Signature' || namespace === XMLDSIG);
  const signatures = all.filter(({ name }) => name === 'Signature');
  const [own, ...others] = elementsOf(root).filter(
    ({ name, namespace }) => name === 'Signature' && namespace === XMLDSIG,
  );
  if (!own || others.length > 0 || signatures.length !== 1)
    throw new SignatureFault('malformed', 'there is not exactly one signature where it is expected');
  const inside = new Set(allWithin(own));
  if (all.some((element) => !inside.has(element)))
    throw new SignatureFault('malformed', 'a part of a signature is elsewhere');
  return own;
}

function* allWithin(element: XmlElement): Generator<XmlElement> {
  yield element;
  for (const child of element.children) if (isElement(child)) yield* allWithin(child);
}

export function checkMethod({ method, digest, certificate }: Signature, { methods, rsaBitsMin }: SignatureRules): void {
  if (!methods.has(method))
    throw new SignatureFault('algorithm', `the signature method ${method} is not accepted here`);
  if (digest === 'sha1' && !methods.has('RS1'))
    throw new SignatureFault('algorithm', 'the digest sha1 is not accepted here');
  const weakness = weaknessOfKey(certificate.publicKey, rsaBitsMin);
  if (weakness !== undefined) throw new SignatureFault('algorithm', `the certificate is not accepted: ${weakness}`);
}

/** The whole document, or the root by its id, which nothing else has. */
function checkReference({ uri, transforms }: Signature, root: XmlElement): void {
  if (transforms.join(' ') !== `${ENVELOPED} ${EXCLUSIVE_C14N}`)
    throw new SignatureFault(
      'algorithm',
      'the transforms are not the enveloped signature and exclusive canonicalisation',
    );
  const ids = [...allWithin(root)].flatMap((element) => idsOf(element));
  if (new Set(ids).size < ids.length) throw new SignatureFault('reference', 'an id stands twice');
  if (uri === '') return;
  const [own, ...more] = idsOf(root);
  if (own === undefined || more.length > 0 || uri !== `#${own}`)
    throw new SignatureFault('reference', 'the signature is not over the whole document');
}

/** Also those in a namespace, which other readers may take for ids. */
const idsOf = (element: XmlElement): readonly string[] => [
  ...ID_NAMES.flatMap((name) => attributeOf(element, name) ?? []),
  ...element.attributes.flatMap(({ name, prefix, value }) => (prefix !== '' && ID_NAMES.includes(name) ? [value] : [])),
];

export function checkSignature({ method, certificate, signedInfo, value }: Signature): void {
  if (!isSignatureBy(method, certificate.publicKey, signedInfo, value))
    throw new SignatureFault('signature', 'the signature is not of the key of the certificate');
}

const digestOf = ({ digest }: Signature, canonical: string): Buffer => createHash(digest).update(canonical).digest();
