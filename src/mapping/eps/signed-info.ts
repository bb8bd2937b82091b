/** What a prescription's signature covers. https://www.w3.org/TR/xmldsig-core1/ */
import { createHash } from 'node:crypto';
import { bareElement } from '../../standards/hl7v3/element.ts';
import { canonicalise, EXCLUSIVE_C14N } from '../../standards/xml/canonicalise.ts';
import { childOf, elementsOf, isElement, type XmlElement } from '../../standards/xml/tree.ts';
import type { ParentPrescription } from './parent-prescription.ts';

export type SigningAlgorithm = 'RS256' | 'RS1';

interface Algorithm {
  readonly hash: 'sha256' | 'sha1';
  readonly signatureMethod: string;
  readonly digestMethod: string;
}

const ALGORITHMS: Readonly<Record<SigningAlgorithm, Algorithm>> = {
  RS256: {
    hash: 'sha256',
    signatureMethod: 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256',
    digestMethod: 'http://www.w3.org/2001/04/xmlenc#sha256',
  },
  RS1: {
    hash: 'sha1',
    signatureMethod: 'http://www.w3.org/2000/09/xmldsig#rsa-sha1',
    digestMethod: 'http://www.w3.org/2000/09/xmldsig#sha1',
  },
};

/** The SignedInfo in canonical form: the bytes a prescriber's key signs. */
export function signedInfo(
  prescription: Pick<ParentPrescription, 'prescription' | 'recordTarget'>,
  name: SigningAlgorithm,
): string {
  const { hash, signatureMethod, digestMethod } = ALGORITHMS[name];
  const digest = createHash(hash).update(signedFragments(prescription)).digest('base64');
  return (
    '<SignedInfo xmlns="http://www.w3.org/2000/09/xmldsig#">' +
    `<CanonicalizationMethod Algorithm="${EXCLUSIVE_C14N}"></CanonicalizationMethod>` +
    `<SignatureMethod Algorithm="${signatureMethod}"></SignatureMethod>` +
    `<Reference><Transforms><Transform Algorithm="${EXCLUSIVE_C14N}"></Transform></Transforms>` +
    `<DigestMethod Algorithm="${digestMethod}"></DigestMethod>` +
    `<DigestValue>${digest}</DigestValue></Reference></SignedInfo>`
  );
}

/** The canonical form of what is signed. */
export const signedFragments = (prescription: Pick<ParentPrescription, 'prescription' | 'recordTarget'>): string =>
  canonicalise(fragmentsToBeHashed(prescription));

/** The parts of the prescription that are signed, one fragment each; these two names have no namespace. */
function fragmentsToBeHashed({
  prescription,
  recordTarget,
}: Pick<ParentPrescription, 'prescription' | 'recordTarget'>): XmlElement {
  const author = childOf(prescription, 'author');
  const fragments: (readonly (XmlElement | undefined)[])[] = [
    [author && childOf(author, 'time'), childOf(prescription, 'id')],
    [author && childOf(author, 'AgentPerson')],
    [recordTarget],
    ...elementsOf(prescription)
      .filter(({ name }) => name === 'pertinentInformation2')
      .map((relationship) => [signedLineItem(childOf(relationship, 'pertinentLineItem'))]),
  ];
  return bareElement(
    'FragmentsToBeHashed',
    ...fragments.map((parts) => bareElement('Fragment', ...parts.filter((part) => part !== undefined))),
  );
}

/** Which issue this is, and the status the Spine adds, change after the signature. */
const signedLineItem = (lineItem: XmlElement | undefined): XmlElement | undefined =>
  lineItem && {
    ...lineItem,
    children: lineItem.children
      .filter((child) => !isElement(child) || child.name !== 'pertinentInformation4')
      .map((child) => (isElement(child) && child.name === 'repeatNumber' ? withoutLow(child) : child)),
  };

const withoutLow = (repeatNumber: XmlElement): XmlElement => ({
  ...repeatNumber,
  children: repeatNumber.children.filter((child) => !isElement(child) || child.name !== 'low'),
});
