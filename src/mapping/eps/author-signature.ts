/** When the prescriber signed, and the signature. */
import { Buffer } from 'node:buffer';
import { notApplicable } from '../../standards/hl7v3/act.ts';
import { formatDateTime } from '../../standards/hl7v3/date-time.ts';
import { element, normaliseAttribute } from '../../standards/hl7v3/element.ts';
import { readXml } from '../../standards/xml/read.ts';
import { isElement, type XmlAttribute, type XmlElement, type XmlNode } from '../../standards/xml/tree.ts';
import { instantOf } from './dates.ts';
import { invalidValue } from './fault.ts';
import { type MessageBundle, resourcesOf } from './message-bundle.ts';
import { listAt, type Node, nodeAt, requiredNode, stringAt } from './node.ts';
import { atMostOne } from './only.ts';

export interface AuthorSignature {
  /** ms UTC; of an unsigned prescription, now. It is part of what is signed. */
  readonly signedAt: number;
  /** The time as V3 writes it. */
  readonly time: string;
  readonly signatureText: XmlElement;
}

/** The one signature of the requester, in whichever Provenance it stands. */
export function authorSignature(bundle: MessageBundle, request: Node, now: number): AuthorSignature {
  const requester = stringAt(nodeAt(request, 'requester', 'MedicationRequest'), 'reference', 'MedicationRequest');
  const path = 'Provenance.signature';
  const signatures = resourcesOf(bundle, 'Provenance')
    .flatMap((provenance) => listAt(provenance, 'signature', 'Provenance') ?? [])
    .filter((signature) => stringAt(requiredNode(signature, 'who', path), 'reference', `${path}.who`) === requester);
  const signature = atMostOne(signatures, path, `who.reference == '${requester}'`);
  if (signature === undefined)
    return { signedAt: now, time: formatDateTime(now), signatureText: notApplicable('signatureText') };
  const signedAt = instantOf(stringAt(signature, 'when', path), `${path}.when`);
  return { signedAt, time: formatDateTime(signedAt), signatureText: signatureText(signature) };
}

/** Deviates: some broken XML makes the national gateway fail; here all of it is a bad format. */
function signatureText(signature: Node): XmlElement {
  const path = 'Provenance.signature.data';
  const data = stringAt(signature, 'data', 'Provenance.signature') ?? '';
  const { value } = readXml(Buffer.from(data, 'base64'));
  if (value === undefined) throw invalidValue('Invalid signature format.', path);
  return element('signatureText', undefined, withoutWhiteSpace(value));
}

/** As it goes into the message: text of white space alone is left out, and comes anew where the message is indented. */
const withoutWhiteSpace = (signed: XmlElement): XmlElement => ({
  ...signed,
  attributes: signed.attributes
    .map((attribute): XmlAttribute => ({ ...attribute, value: normaliseAttribute(attribute.value) }))
    .toSorted((a, b) => (qualified(a) < qualified(b) ? -1 : 1)),
  children: signed.children.flatMap((child): XmlNode[] =>
    isElement(child) ? [withoutWhiteSpace(child)] : child.trim() === '' ? [] : [child],
  ),
});

const qualified = ({ prefix, name }: XmlAttribute): string => (prefix === '' ? name : `${prefix}:${name}`);
