/** The ebXML envelope in which a V3 message goes to the Spine. eps/REFERENCE section 12.2; ebXML Message Service 2.0. */
import { element } from '../../standards/hl7v3/element.ts';
import type { XmlAttribute, XmlElement, XmlNode } from '../../standards/xml/tree.ts';
import { writeXml } from '../../standards/xml/write.ts';

export interface EbxmlAddress {
  /** Party key of the sender. */
  readonly fromPartyKey: string;
  readonly toPartyKey: string;
  /** Of the request, upper case; of messages that Mortar sends by itself, their own. */
  readonly messageId: string;
  readonly conversationId: string;
  /** ms UTC */
  readonly at: number;
}

const SOAP = { prefix: 'SOAP', namespace: 'http://schemas.xmlsoap.org/soap/envelope/' };
const EB = { prefix: 'eb', namespace: 'http://www.oasis-open.org/committees/ebxml-msg/schema/msg-header-2_0.xsd' };
const HL7EBXML = { prefix: 'hl7ebxml', namespace: 'urn:hl7-org:transport/ebXML/DSTUv1.0' };
const XLINK = { prefix: 'xlink', namespace: 'http://www.w3.org/1999/xlink' };
const XML = { prefix: 'xml', namespace: 'http://www.w3.org/XML/1998/namespace' };
const NONE = { prefix: '', namespace: '' };
type Space = { readonly prefix: string; readonly namespace: string };

const SERVICE = 'urn:nhs:names:services:mm';
const CPA_ID = 'S1001A1630';
const PARTY_TYPE = 'urn:nhs:names:partyType:ocs+serviceInstance';
const BOUNDARY = '--=_MIME-Boundary';
const EOL = '\r\n';

export const CONTENT_TYPE = `multipart/related; boundary="${BOUNDARY}"; type=text/xml; start=ebXMLHeader@spine.nhs.uk`;
export const soapActionOf = (interaction: string): string => `${SERVICE}/${interaction}`;

/** The body that is posted: header and V3 document as the two parts of one message. */
export function formatEnvelope(v3: string, interaction: string, address: EbxmlAddress): Buffer {
  const part = (contentId: string, xml: string): string =>
    [
      `--${BOUNDARY}`,
      `Content-Id: <${contentId}>`,
      'Content-Type: text/xml; charset=UTF-8',
      'Content-Transfer-Encoding: 8bit',
      '',
      xml,
      '',
    ].join(EOL);
  const header = writeXml(envelope(interaction, address), 'compact');
  return Buffer.from(`${part('ebXMLHeader@spine.nhs.uk', header)}${part(payloadId(address), v3)}--${BOUNDARY}--${EOL}`);
}

const payloadId = ({ messageId }: EbxmlAddress): string => `${messageId}@spine.nhs.uk`;

const node = (
  space: Space,
  name: string,
  attributes: readonly (readonly [Space, string, string])[] = [],
  ...children: readonly XmlNode[]
): XmlElement => ({
  ...element(name),
  ...space,
  attributes: attributes.map(
    ([{ prefix, namespace }, local, value]): XmlAttribute => ({
      name: local,
      prefix,
      namespace,
      value,
    }),
  ),
  children,
});
const eb = (name: string, ...children: readonly XmlNode[]): XmlElement => node(EB, name, [], ...children);

const MUST_UNDERSTAND = [
  [SOAP, 'mustUnderstand', '1'],
  [EB, 'version', '2.0'],
] as const;

function envelope(interaction: string, address: EbxmlAddress): XmlElement {
  const party = (key: string): XmlElement => node(EB, 'PartyId', [[EB, 'type', PARTY_TYPE]], key);
  return node(
    SOAP,
    'Envelope',
    [],
    node(
      SOAP,
      'Header',
      [],
      node(
        EB,
        'MessageHeader',
        MUST_UNDERSTAND,
        eb('From', party(address.fromPartyKey)),
        eb('To', party(address.toPartyKey)),
        eb('CPAId', CPA_ID),
        eb('ConversationId', address.conversationId),
        eb('Service', SERVICE),
        eb('Action', interaction),
        eb(
          'MessageData',
          eb('MessageId', address.messageId),
          eb('Timestamp', `${new Date(address.at).toISOString().slice(0, 19)}Z`),
        ),
        eb('DuplicateElimination'),
      ),
      node(EB, 'AckRequested', [
        ...MUST_UNDERSTAND,
        [EB, 'signed', 'false'],
        [SOAP, 'actor', 'urn:oasis:names:tc:ebxml-msg:actor:toPartyMSH'],
      ]),
      node(EB, 'SyncReply', [...MUST_UNDERSTAND, [SOAP, 'actor', 'http://schemas.xmlsoap.org/soap/actor/next']]),
    ),
    node(SOAP, 'Body', [], manifest(address)),
  );
}

const manifest = (address: EbxmlAddress): XmlElement =>
  node(
    EB,
    'Manifest',
    [[EB, 'version', '2.0']],
    node(
      EB,
      'Reference',
      [[XLINK, 'href', `cid:${payloadId(address)}`]],
      node(EB, 'Schema', [
        [EB, 'location', 'http://www.nhsia.nhs.uk/schemas/HL7-Message.xsd'],
        [EB, 'version', '1.0'],
      ]),
      node(EB, 'Description', [[XML, 'lang', 'en']], 'HL7 payload'),
      node(HL7EBXML, 'Payload', [
        [NONE, 'style', 'HL7'],
        [NONE, 'encoding', 'XML'],
        [NONE, 'version', '3.0'],
      ]),
    ),
  );

/** An answer has two. */
const PARTS_MAX = 16;

/** The XML parts of a MIME message, none of one that has too many; the text itself where it is none. */
export function xmlPartsOf(body: string): readonly string[] {
  const boundary = /^\s*--([^\r\n]{1,72})\r?\n/.exec(body);
  if (boundary === null) return [body];
  const parts = body.split(`--${boundary[1]}`, PARTS_MAX + 3);
  if (parts.length > PARTS_MAX + 2) return [];
  return parts.slice(1, -1).map((part) => part.slice(/\r?\n\s*\r?\n/.exec(part)?.index ?? part.length).trim());
}
