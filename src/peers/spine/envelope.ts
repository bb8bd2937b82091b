/** The ebXML envelope as the local Spine reads and writes it. eps/REFERENCE section 12.2; ebXML Message Service 2.0. */
import { all, at, attribute, escapeXml, type Node, readXml, textOf, XmlError } from './xml.ts';

export interface Envelope {
  readonly messageId: string;
  readonly conversationId: string;
  readonly fromParty: string;
  readonly toParty: string;
  readonly action: string;
  readonly cpaId: string;
  /** The V3 document as it came. */
  readonly payload: string;
}

/** The envelope is at fault: a SOAP fault, and nothing is looked at. */
export class EnvelopeError extends Error {}

const SOAP = 'http://schemas.xmlsoap.org/soap/envelope/';
const EBXML = 'http://www.oasis-open.org/committees/ebxml-msg/schema/msg-header-2_0.xsd';
const XLINK = 'http://www.w3.org/1999/xlink';
const SERVICE = 'urn:nhs:names:services:mm';
const PARTY_TYPE = 'urn:nhs:names:partyType:ocs+serviceInstance';
const BOUNDARY = '--=_MIME-Boundary';
export const REPLY_TYPE = `multipart/related; boundary="${BOUNDARY}"; type=text/xml; start=ebXMLHeader@spine.nhs.uk`;
const PARTS_MAX = 10;

interface Part {
  readonly contentId: string;
  readonly text: string;
}

/** Throws `EnvelopeError`, whose message says what is at fault. */
export function readEnvelope(contentType: string, soapAction: string, body: string): Envelope {
  const [header, payload] = readParts(contentType, body);
  const root = readPart(header);
  if (root.name !== 'Envelope' || root.namespace !== SOAP)
    throw new EnvelopeError('the first part is no SOAP envelope');
  const message = at(root, 'Header/MessageHeader');
  if (message?.namespace !== EBXML) throw new EnvelopeError('there is no ebXML MessageHeader');
  const value = (path: string): string => {
    const text = textOf(at(message, path)).trim();
    if (text === '') throw new EnvelopeError(`${path} is missing in the ebXML header`);
    return text;
  };
  if (value('Service') !== SERVICE) throw new EnvelopeError('the ebXML service is not known');
  if (at(message, 'DuplicateElimination') === undefined) throw new EnvelopeError('DuplicateElimination is missing');
  const action = value('Action');
  if (soapAction.replaceAll('"', '') !== `${SERVICE}/${action}`)
    throw new EnvelopeError('SOAPAction and the ebXML action differ');
  checkManifest(root, payload);
  return {
    messageId: value('MessageData/MessageId'),
    conversationId: value('ConversationId'),
    fromParty: value('From/PartyId'),
    toParty: value('To/PartyId'),
    cpaId: value('CPAId'),
    action,
    payload: payload.text,
  };
}

/** The manifest must name the part that carries the message. */
function checkManifest(root: Node, payload: Part): void {
  const named = all(root, 'Body/Manifest/Reference').map((reference) => attribute(reference, '', 'xlink:href'));
  if (!named.includes(`cid:${payload.contentId}`))
    throw new EnvelopeError('the manifest does not name the part with the message');
}

function readPart({ text }: Part): Node {
  try {
    return readXml(text);
  } catch (error) {
    if (error instanceof XmlError) throw new EnvelopeError(`the ebXML part is not XML: ${error.message}`);
    throw error;
  }
}

function readParts(contentType: string, body: string): readonly [Part, Part] {
  const boundary = /boundary="([^"]{1,70})"|boundary=([^;\s]{1,70})/i.exec(contentType);
  const word = boundary?.[1] ?? boundary?.[2];
  if (!/^multipart\/related/i.test(contentType) || word === undefined)
    throw new EnvelopeError('the content is not multipart/related with a boundary');
  const pieces = `\r\n${body}`.split(`\r\n--${word}`);
  if (pieces.length !== 4 && pieces.length <= PARTS_MAX) throw new EnvelopeError('there must be two parts');
  if (pieces.length !== 4 || !pieces[3]?.startsWith('--')) throw new EnvelopeError('the last part is not closed');
  return [readMimePart(pieces[1] ?? ''), readMimePart(pieces[2] ?? '')];
}

function readMimePart(piece: string): Part {
  const end = piece.indexOf('\r\n\r\n');
  if (end < 0) throw new EnvelopeError('a part has no header');
  const contentId = /^content-id:\s*<([^>\r\n]{1,200})>/im.exec(piece.slice(0, end))?.[1];
  if (contentId === undefined) throw new EnvelopeError('a part has no Content-Id');
  return { contentId, text: piece.slice(end + 4) };
}

export interface Reply {
  readonly messageId: string;
  readonly action: string;
  readonly payload: string;
  /** ms UTC */
  readonly at: number;
}

/** The answer to a message, in an envelope the other way round. */
export function formatReply(request: Envelope, { messageId, action, payload, at: time }: Reply): string {
  const party = (name: string): string => `<eb:PartyId eb:type="${PARTY_TYPE}">${escapeXml(name)}</eb:PartyId>`;
  const header = `<?xml version="1.0" encoding="UTF-8"?>
<soap:Envelope xmlns:soap="${SOAP}" xmlns:eb="${EBXML}" xmlns:xlink="${XLINK}" xmlns:hl7ebxml="urn:hl7-org:transport/ebXML/DSTUv1.0"><soap:Header><eb:MessageHeader eb:version="2.0" soap:mustUnderstand="1"><eb:From>${party(request.toParty)}</eb:From><eb:To>${party(request.fromParty)}</eb:To><eb:CPAId>${escapeXml(request.cpaId)}</eb:CPAId><eb:ConversationId>${escapeXml(request.conversationId)}</eb:ConversationId><eb:Service>${SERVICE}</eb:Service><eb:Action>${action}</eb:Action><eb:MessageData><eb:MessageId>${messageId}</eb:MessageId><eb:Timestamp>${new Date(time).toISOString().slice(0, 19)}Z</eb:Timestamp><eb:RefToMessageId>${escapeXml(request.messageId)}</eb:RefToMessageId></eb:MessageData><eb:DuplicateElimination/></eb:MessageHeader></soap:Header><soap:Body><eb:Manifest eb:version="2.0"><eb:Reference xlink:href="cid:${messageId}@spine.nhs.uk"><eb:Description xml:lang="en">HL7 payload</eb:Description><hl7ebxml:Payload style="HL7" encoding="XML" version="3.0"/></eb:Reference></eb:Manifest></soap:Body></soap:Envelope>`;
  const part = (id: string, type: string, text: string): string =>
    `--${BOUNDARY}\r\nContent-Id: <${id}@spine.nhs.uk>\r\nContent-Type: ${type}; charset=UTF-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n${text}\r\n`;
  return `${part('ebXMLHeader', 'text/xml', header)}${part(messageId, 'application/xml', payload)}--${BOUNDARY}--\r\n`;
}

/** What is said of an envelope that cannot be read. */
export const formatFault = (message: string): string =>
  `<?xml version="1.0" encoding="UTF-8"?>
<soap:Envelope xmlns:soap="${SOAP}"><soap:Body><soap:Fault><faultcode>soap:Client</faultcode><faultstring>${escapeXml(message)}</faultstring></soap:Fault></soap:Body></soap:Envelope>`;
