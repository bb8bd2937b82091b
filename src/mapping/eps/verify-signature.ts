/**
 * Verifies a prescriber's signature in a ParentPrescription. Texts and their order are those of the national service
 * (EPS reference section 10.4); what it does not look at is looked at here (SECURITY F4).
 */

import { HL7_V3 } from '../../standards/hl7v3/element.ts';
import type { Certificate } from '../../standards/x509/certificate.ts';
import { readXml, XML_LIMITS } from '../../standards/xml/read.ts';
import { attributeOf, elementsOf, isElement, type XmlElement } from '../../standards/xml/tree.ts';
import { EXCLUSIVE_C14N, type SignatureName } from '../../standards/xmldsig/algorithms.ts';
import { readSignature, type Signature, SignatureFault, withoutWhiteSpace } from '../../standards/xmldsig/signature.ts';
import type { JudgeSigner, SignerFault } from '../../standards/xmldsig/signer.ts';
import { checkMethod, checkSignature, type SignatureRules } from '../../standards/xmldsig/verify.ts';
import { signedFragments, signedInfo } from './signed-info.ts';

export interface VerificationRules {
  /** ms UTC */
  readonly now: number;
  readonly judge: JudgeSigner;
  /**
   * SHA-1 signatures, and RSA keys from 1024 bits, of those who signed before this instant (ms UTC); without it none.
   * For applications that are on the list of `SHA1_ENABLED_APPLICATION_IDS`.
   */
  readonly legacyUntil?: number;
  /** SDS user id of the prescriber, where the message's envelope says it: the certificate must be theirs. */
  readonly userId?: string;
}

export interface Verification {
  /** In the words of the national service; empty: the signature is good. */
  readonly faults: readonly string[];
  /** What was good enough only because it is old. */
  readonly warnings: readonly string[];
  /** Of a good signature: the fragments that were signed, read anew. Only these are to be acted on. */
  readonly signed?: XmlElement;
  /** ms UTC */
  readonly signedAt?: number;
  readonly certificate?: Certificate;
}

const TEXTS: Readonly<Record<SignatureFault['code'], string>> = {
  malformed: 'Invalid signature format',
  reference: 'Invalid signature format',
  'several-certificates': 'Multiple certificates detected',
  certificate: 'Invalid certificate',
  algorithm: 'Signature is invalid',
  signature: 'Signature is invalid',
  digest: "Signature doesn't match prescription",
};
/** In this order. The last two are our own: the national service believes both. */
const SIGNER_TEXTS: readonly (readonly [SignerFault, string])[] = [
  ['revoked', 'Certificate is revoked'],
  ['authority-revoked', 'CA certificate is revoked'],
  ['not-valid-then', 'Certificate expired when signed'],
  ['not-trusted', 'Certificate not trusted'],
  ['revocation-unknown', 'Certificate revocation status unknown'],
];
const NOT_THE_PRESCRIBER = 'Certificate is not of the prescriber';
const FUTURE = 'Signature is of the future';
const SKEW_MS = 5 * 60 * 1000;
const NEW: SignatureRules = { methods: new Set<SignatureName>(['RS256']) };
const LEGACY: SignatureRules = { methods: new Set<SignatureName>(['RS256', 'RS1']), rsaBitsMin: 1024 };

/** Reads a document whose root is the ParentPrescription, or holds one. */
export async function verifyPrescriptionDocument(content: Buffer, rules: VerificationRules): Promise<Verification> {
  const { value } = readXml(content, { ...XML_LIMITS, asides: 'refused' });
  const [found, ...others] = value ? [...allNamed(value, 'ParentPrescription')] : [];
  return found && others.length === 0 ? verifyPrescription(found, rules) : refused(['Invalid signature format']);
}

export async function verifyPrescription(
  parentPrescription: XmlElement,
  rules: VerificationRules,
): Promise<Verification> {
  let parts: Parts;
  let signature: Signature;
  try {
    parts = partsOf(withoutWhiteSpace(parentPrescription));
    signature = readSignature(parts.signature);
  } catch (error) {
    if (error instanceof SignatureFault) return refused([TEXTS[error.code]]);
    throw error;
  }
  const { certificate } = signature;
  const isLegacy = rules.legacyUntil !== undefined && parts.signedAt < rules.legacyUntil;
  const faults = [
    ...faultOf(() => {
      checkMethod(signature, isLegacy ? LEGACY : NEW);
      checkSignature(signature);
    }),
    ...faultOf(() => checkContent(signature, parts)),
    ...textsOf(await rules.judge(certificate, parts.signedAt)),
    ...(parts.signedAt > rules.now + SKEW_MS ? [FUTURE] : []),
    ...(rules.userId !== undefined && !isOf(certificate, rules.userId) ? [NOT_THE_PRESCRIBER] : []),
  ];
  if (faults.length > 0) return refused(faults);
  const { value: signed } = readXml(signedFragments(parts));
  if (!signed) throw new Error('the signed fragments cannot be read'); // they were just written
  return { faults, warnings: warningsOf(signature), signed, signedAt: parts.signedAt, certificate };
}

const refused = (faults: readonly string[]): Verification => ({ faults, warnings: [] });

function faultOf(check: () => void): readonly string[] {
  try {
    check();
    return [];
  } catch (error) {
    if (error instanceof SignatureFault) return [TEXTS[error.code]];
    throw error;
  }
}

const textsOf = (faults: readonly SignerFault[]): readonly string[] =>
  SIGNER_TEXTS.flatMap(([fault, text]) => (faults.includes(fault) ? [text] : []));

function warningsOf({ method, certificate }: Signature): readonly string[] {
  const bits = certificate.publicKey.asymmetricKeyDetails?.modulusLength ?? 0;
  return [
    ...(method === 'RS1' ? ['The signature is made with SHA-1'] : []),
    ...(bits < 2048 ? [`The signature is made with an RSA key of ${bits} bits`] : []),
  ];
}

interface Parts {
  readonly recordTarget: XmlElement;
  readonly prescription: XmlElement;
  readonly signature: XmlElement;
  readonly signedAt: number;
}

const malformed = (message: string): SignatureFault => new SignatureFault('malformed', message);

/** Where everything has its one place: an element that stands twice could be signed here and acted on there. */
function partsOf(parent: XmlElement): Parts {
  if (parent.name !== 'ParentPrescription' || (parent.namespace !== HL7_V3 && parent.namespace !== ''))
    throw malformed('it is not a ParentPrescription');
  const only = (of: XmlElement, name: string): XmlElement => {
    const [found, ...others] = elementsOf(of).filter((child) => child.name === name);
    if (!found || others.length > 0) throw malformed(`there is not exactly one ${name}`);
    return found;
  };
  const prescription = only(only(parent, 'pertinentInformation1'), 'pertinentPrescription');
  const author = only(prescription, 'author');
  const signatureText = only(author, 'signatureText');
  const signature = only(signatureText, 'Signature');
  if (signatureText.children.length !== 1) throw malformed('something stands beside the signature');
  only(author, 'AgentPerson');
  const lineItems = elementsOf(prescription)
    .filter(({ name }) => name === 'pertinentInformation2')
    .map((information) => only(information, 'pertinentLineItem'));
  const counts = { Signature: 1, recordTarget: 1, pertinentPrescription: 1, pertinentLineItem: lineItems.length };
  for (const [name, count] of Object.entries(counts))
    if ([...allNamed(parent, name)].length !== count) throw malformed(`there is a ${name} elsewhere`);
  const recordTarget = inV3(only(parent, 'recordTarget'), parent.namespace);
  const signedAt = instantOf(attributeOf(only(author, 'time'), 'value') ?? '');
  const content: XmlElement = {
    ...prescription,
    children: prescription.children.map((child) =>
      child === author ? { ...author, children: author.children.filter((part) => part !== signatureText) } : child,
    ),
  };
  return { recordTarget, prescription: inV3(content, parent.namespace), signature, signedAt };
}

/** As it was signed: in the namespace of V3, without prefixes. What is in another namespace was never signed as this. */
function inV3(element: XmlElement, namespace: string): XmlElement {
  if (element.namespace !== namespace) throw malformed('an element is in another namespace');
  return {
    ...element,
    prefix: '',
    namespace: HL7_V3,
    children: element.children.map((child) => (isElement(child) ? inV3(child, namespace) : child)),
  };
}

function* allNamed(element: XmlElement, name: string): Generator<XmlElement> {
  if (element.name === name) yield element;
  for (const child of element.children) if (isElement(child)) yield* allNamed(child, name);
}

const TIME = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)$/;

/** `YYYYMMDDHHmmss` in UTC, as the signed time is written. */
function instantOf(value: string): number {
  const [, year, month, day, hour, minute, second] = TIME.exec(value) ?? [];
  const at = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  if (Number.isNaN(at)) throw malformed('the time of signing is not a time');
  return at;
}

/** The whole SignedInfo is what this prescription's would be: reference, transforms and digest at once. */
function checkContent({ method, digest, signedInfo: given, uri, transforms }: Signature, parts: Parts): void {
  const isFormed = uri === undefined && transforms.join(' ') === EXCLUSIVE_C14N;
  const hash = method === 'RS1' ? 'sha1' : 'sha256';
  const own = method === 'ES256' ? '' : signedInfo(parts, method);
  if (!isFormed || digest !== hash || given.toString() !== own)
    throw new SignatureFault('digest', 'the prescription is not what was signed');
}

/** The user id begins the common name, as smart cards have it, or is a name of our own authority. */
function isOf({ subject, alternativeNames }: Certificate, userId: string): boolean {
  const names = subject.parts.flat().flatMap(({ type, value }) => (type === '2.5.4.3' ? [value] : []));
  return (
    names.some((name) => name === userId || name.startsWith(`${userId}_`)) ||
    alternativeNames.some((name) => name.kind === 'uri' && name.value === `urn:mortar:sds:${userId}`)
  );
}
