/** What the Spine's answer says: whether it accepted, and its codes. eps/REFERENCE section 9.1. */
import type { SpineReply, SpineReplyCode } from '../../ports/spine-exchange.ts';
import { readXml } from '../../standards/xml/read.ts';
import { attributeOf, childOf, elementsOf, type XmlElement } from '../../standards/xml/tree.ts';
import { xmlPartsOf } from './envelope.ts';

const V3 = 'urn:hl7-org:v3';
/** The Spine's answers, in the order in which they are looked for. */
const INTERACTIONS: readonly string[] = [
  'PORX_IN070101UK31',
  'PORX_IN070103UK31',
  'MCCI_IN010000UK13',
  'PORX_IN050101UK31',
  'PORX_IN110101UK30',
];
const DEPTH_MAX = 5;
/** A release can hold 25 prescriptions. */
const LIMITS = { bytes: 10 * 1024 * 1024, depth: 64, elements: 200_000 };

/** Undefined when no answer of the Spine's can be read in it: then nothing is known. */
export function readSpineReply(body: Buffer): SpineReply | undefined {
  for (const part of xmlPartsOf(body.toString('utf8')).toReversed()) {
    const { value } = readXml(part, LIMITS);
    const root = value && findAnswer(value, DEPTH_MAX);
    const reply = root && toReply(root);
    if (reply !== undefined) return reply;
  }
  return undefined;
}

/** Bare, or in a SOAP body. */
function findAnswer(node: XmlElement, depth: number): XmlElement | undefined {
  if (node.namespace === V3 && INTERACTIONS.includes(node.name)) return node;
  if (depth === 0) return undefined;
  for (const child of elementsOf(node)) {
    const found = findAnswer(child, depth - 1);
    if (found !== undefined) return found;
  }
  return undefined;
}

function toReply(root: XmlElement): SpineReply | undefined {
  const acknowledgement = childOf(root, 'acknowledgement');
  const type = acknowledgement && attributeOf(acknowledgement, 'typeCode');
  if (acknowledgement === undefined || (type !== 'AA' && type !== 'AE' && type !== 'ER' && type !== 'AR'))
    return undefined;
  const answers = answeredBy(root);
  return {
    interaction: root.name,
    acknowledgement: type,
    codes: codesOf(root, acknowledgement),
    ...(answers !== undefined && { answers }),
  };
}

/** The Spine's `messageRef` names its own message; what is brought says whose request it fulfils. eps/REFERENCE section 9 */
function answeredBy(root: XmlElement): string | undefined {
  const subject = ['ControlActEvent', 'subject'] as const;
  const [id] = [
    ...at(root, ...subject, 'PrescriptionReleaseResponse', 'inFulfillmentOf', 'priorDownloadRequestRef', 'id'),
    ...at(root, ...subject, 'CancellationResponse', 'pertinentInformation4', 'pertinentCancellationRequestRef', 'id'),
  ];
  return id && attributeOf(id, 'root')?.toUpperCase();
}

function codesOf(root: XmlElement, acknowledgement: XmlElement): readonly SpineReplyCode[] {
  return [
    ...at(acknowledgement, 'acknowledgementDetail', 'code'),
    ...at(root, 'ControlActEvent', 'reason', 'justifyingDetectedIssueEvent', 'code'),
    ...at(
      root,
      'ControlActEvent',
      'subject',
      'PrescriptionReleaseReject',
      'pertinentInformation',
      'pertinentRejectionReason',
      'value',
    ),
    ...at(
      root,
      'ControlActEvent',
      'subject',
      'CancellationResponse',
      'pertinentInformation3',
      'pertinentResponse',
      'value',
    ),
  ].map((code) => ({
    system: attributeOf(code, 'codeSystem') ?? '',
    code: attributeOf(code, 'code') ?? '',
    display: attributeOf(code, 'displayName') ?? '',
  }));
}

/** Every element at the end of the path. */
const at = (node: XmlElement, ...path: readonly string[]): readonly XmlElement[] =>
  path.reduce<readonly XmlElement[]>(
    (found, name) => found.flatMap((parent) => elementsOf(parent).filter((child) => child.name === name)),
    [node],
  );
