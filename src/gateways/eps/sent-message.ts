/** What a message that goes to the Spine is about, read from its own bytes: to route it, and to ask what became of it. */
import { FhirError, issue as issueOf, textOf } from '../../standards/fhir/outcome.ts';
import { INTERACTIONS } from '../../standards/hl7v3/interaction.ts';
import { OID } from '../../standards/hl7v3/oid.ts';
import { readXml } from '../../standards/xml/read.ts';
import { attributeOf, childOf, elementsOf, ownText, type XmlElement } from '../../standards/xml/tree.ts';
import { xmlPartsOf } from './envelope.ts';

export interface SentItem {
  /** The line item of the order, upper case. */
  readonly id: string;
  /** Item status that the message tells; absent where it tells none. */
  readonly status?: string;
}

export interface SentMessage {
  readonly interaction: string;
  /** Of the wrapper, upper case. */
  readonly id: string;
  /** Of what the wrapper carries, upper case: of most messages the same. */
  readonly payloadId: string;
  readonly fromAsid: string;
  readonly userId: string | undefined;
  readonly roleProfileId: string | undefined;
  /** Short form; absent of a nominated release. */
  readonly prescriptionId: string | undefined;
  readonly issue: number | undefined;
  /** Of the dispenser. */
  readonly odsCode: string | undefined;
  /** Prescription status that the message tells. */
  readonly status: string | undefined;
  readonly items: readonly SentItem[];
  /** It stands for an earlier one. */
  readonly isAmendment: boolean;
}

export interface SentEnvelope extends SentMessage {
  /** ebXML. */
  readonly messageId: string;
}

/** Throws an Error when it is not a message of ours. */
export function readSentEnvelope(body: Buffer): SentEnvelope {
  const [header = '', v3 = ''] = xmlPartsOf(body.toString('utf8'));
  const { value } = readXml(header);
  const messageId = value && findDeep(value, 'MessageId').map(ownText)[0];
  if (messageId === undefined) throw new Error('the envelope has no MessageId');
  return { ...readSentMessage(v3), messageId };
}

/** Throws `FhirError` 413 when it is more than a message may be, an Error when it is not a V3 message to the Spine. */
export function readSentMessage(v3: string): SentMessage {
  const { value: root, issues } = readXml(v3);
  // It was written by us: whatever is wrong with it is its size.
  if (root === undefined && issues.length > 0)
    throw new FhirError(413, [
      issueOf(
        'too-costly',
        `What is to be sent is more than a message to the Spine may hold: ${issues.map(textOf).join('; ')}`,
      ),
    ]);
  if (root === undefined || !Object.values<string>(INTERACTIONS).includes(root.name))
    throw new Error('not a V3 message to the Spine');
  const wrapperId = childOf(root, 'id');
  const id = wrapperId && attributeOf(wrapperId, 'root');
  if (id === undefined) throw new Error('the V3 message has no id');
  const extensions = (oid: string, node = root): string | undefined =>
    findDeep(node, 'id', 'value')
      .filter((found) => attributeOf(found, 'root') === oid)
      .map((found) => attributeOf(found, 'extension'))[0];
  const control = childOf(root, 'ControlActEvent');
  const session = control && childOf(control, 'author');
  const subject = control && childOf(control, 'subject');
  const message = subject ?? root;
  const low = findDeep(message, 'low').map((node) => attributeOf(node, 'value'))[0];
  const repeat = findDeep(message, 'pertinentRepeatInstanceInfo').map((node) => childOf(node, 'value'))[0];
  const issue = (repeat && attributeOf(repeat, 'value')) ?? low;
  const [payload] = subject === undefined ? [] : elementsOf(subject);
  const payloadId = payload && childOf(payload, 'id');
  const sender = childOf(root, 'communicationFunctionSnd');
  return {
    interaction: root.name,
    id: id.toUpperCase(),
    payloadId: (payloadId && attributeOf(payloadId, 'root'))?.toUpperCase() ?? '',
    fromAsid: (sender && extensions(OID.accreditedSystem, sender)) ?? '',
    userId: session && extensions(OID.sdsUser, session),
    roleProfileId: session && extensions(OID.sdsRoleProfile, session),
    prescriptionId: extensions(OID.shortFormPrescriptionId, message),
    issue: issue === undefined ? undefined : Number(issue),
    odsCode: findDeep(message, 'representedOrganization').map((node) => extensions(OID.odsOrganisation, node))[0],
    status: codeOf(message, 'pertinentPrescriptionStatus'),
    items: itemsOf(message),
    isAmendment: findDeep(message, 'replacementOf').length > 0,
  };
}

function itemsOf(message: XmlElement): readonly SentItem[] {
  const rootOf = (node: XmlElement | undefined): string => (node && attributeOf(node, 'root'))?.toUpperCase() ?? '';
  return [
    ...findDeep(message, 'pertinentLineItem', 'pertinentLineItemRef').map((node) => ({
      id: rootOf(childOf(node, 'id')),
    })),
    ...findDeep(message, 'pertinentSuppliedLineItem').map((node) => {
      const status = codeOf(node, 'pertinentItemStatus');
      const [original] = findDeep(node, 'priorOriginalItemRef');
      return { id: rootOf(original && childOf(original, 'id')), ...(status !== undefined && { status }) };
    }),
  ];
}

function codeOf(node: XmlElement, name: string): string | undefined {
  const [found] = findDeep(node, name);
  const value = found && childOf(found, 'value');
  return value && attributeOf(value, 'code');
}

/** All elements of these names within, in document order. */
function findDeep(node: XmlElement, ...names: readonly string[]): readonly XmlElement[] {
  return elementsOf(node).flatMap((child) => [
    ...(names.includes(child.name) ? [child] : []),
    ...findDeep(child, ...names),
  ]);
}
