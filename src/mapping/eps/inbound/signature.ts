/** The signature of a prescription as a Provenance. */
import { Buffer } from 'node:buffer';
import { canonicalise } from '../../../standards/xml/canonicalise.ts';
import { isElement, type XmlElement, type XmlNode } from '../../../standards/xml/tree.ts';
import { CODE_SYSTEM } from '../systems.ts';
import type { AnswerContext, AnswerForm } from './context.ts';
import { coding, type Entry, type Json, referenceTo, resource } from './fhir-parts.ts';
import { dateTimeOfValue, findChild, readWhole, requiredChild, type V3Node } from './v3-node.ts';

const XMLDSIG = 'http://www.w3.org/2000/09/xmldsig#';
/** A signature of the author, ASTM E1762. */
const AUTHOR_SIGNATURE = '1.2.840.10065.1.12.1.1';

/**
 * What the author signed with. Deviates: whatever stands there is kept, a signature or not, and it is for the checker to
 * refuse it; the national gateway keeps a Signature alone.
 */
function signatureOf(author: V3Node, form: AnswerForm): XmlElement | undefined {
  const elements = findChild(author, 'signatureText')?.element.children.filter(isElement) ?? [];
  const signature = elements.find(({ name, namespace }) => name === 'Signature' && namespace === XMLDSIG);
  return signature ?? (form === 'full' ? elements[0] : undefined);
}

/** `targets`: all the prescription says. The signature is kept in canonical form, without the white space between its elements. */
export function provenance(
  author: V3Node,
  role: Entry,
  targets: readonly Entry[],
  { newId, form }: AnswerContext,
): Entry | undefined {
  const signature = signatureOf(author, form);
  if (signature === undefined) return undefined;
  readWhole({ element: signature, seen: author.seen });
  const when = dateTimeOfValue(requiredChild(author, 'time'));
  const who: Json = referenceTo(role);
  return resource('Provenance', newId(), {
    target: targets.map(referenceTo),
    recorded: when,
    agent: [{ who }],
    signature: [
      {
        type: [coding(CODE_SYSTEM.signatureType, AUTHOR_SIGNATURE)],
        when,
        who,
        data: Buffer.from(canonicalise(withoutWhiteSpace(signature))).toString('base64'),
      },
    ],
  });
}

/** White space between elements comes and goes with the layout of the message; signers leave it out. */
export const withoutWhiteSpace = (element: XmlElement): XmlElement => ({
  ...element,
  children: element.children.flatMap((child): XmlNode[] =>
    isElement(child) ? [withoutWhiteSpace(child)] : child.trim() === '' ? [] : [child],
  ),
});
