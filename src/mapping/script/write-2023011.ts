/**
 * A message of 2017071 in the shapes public prototypes of 2023011 have (reference section 11). NCPDP's schema of 2023011
 * is not public, so that this is written only where a setting asks for it.
 */
import { messageAttributes } from '../../standards/script/answer.ts';
import { canonicalText, type ScriptElement, XML_DECLARATION } from '../../standards/script/write.ts';
import type { XmlElement } from '../../standards/xml/tree.ts';

const STAMP_2023011 = '2023011';

/** `root`: Message of 2017071, its elements in their order. */
export function format2023011(root: XmlElement): string {
  const attributes = Object.entries(messageAttributes(STAMP_2023011)).map(([name, value]) => ({ name, value }));
  return `${XML_DECLARATION}${canonicalText({ ...rewrite(root, ''), attributes })}\n`;
}

const KINDS: ReadonlyMap<string, string> = new Map([
  ['RxTransferRequest', 'RxTransferInitiationRequest'],
  ['RxTransferResponse', 'RxTransfer'],
]);
const PATIENTS = new Set(['HumanPatient', 'NonHumanPatient']);

function rewrite(element: XmlElement, parent: string): ScriptElement {
  const { name } = element;
  const children = element.children.map((node) => (typeof node === 'string' ? node : rewrite(node, name)));
  const made: ScriptElement = { name, attributes: element.attributes, children };
  const wrapped = (inner: string, outer: string): ScriptElement => ({
    name: outer,
    attributes: [],
    children: [{ ...made, name: inner }],
  });
  if (parent === 'Body') return { ...made, name: KINDS.get(name) ?? name };
  if (PATIENTS.has(parent) && name === 'Name') return wrapped('Name', 'Names');
  if (PATIENTS.has(parent) && name === 'Gender') return wrapped('AdministrativeGender', 'GenderAndSex');
  if (parent.startsWith('Medication') && name === 'Substitutions') return wrapped('Substitutions', 'Substitutions');
  return made;
}
