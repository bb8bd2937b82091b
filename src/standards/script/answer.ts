/** Status, Error and Verify: the answers to a message (reference sections 4.2, 7.1, 8.2). */
import { attributeOf } from '../xml/tree.ts';
import type { PartyAddress } from './message.ts';
import type { ScriptReading } from './read.ts';
import { formatScript, type ScriptElement, scriptElement } from './write.ts';

export type AnswerContent =
  | {
      readonly kind: 'Status';
      readonly code: string;
      readonly descriptionCodes?: readonly string[];
      readonly description?: string;
    }
  | {
      readonly kind: 'Error';
      readonly code: string;
      readonly descriptionCodes?: readonly string[];
      readonly description?: string;
    }
  | { readonly kind: 'Verify'; readonly description?: string };

/** Codes of section 7.1 that Mortar sends. */
export const STATUS_FORWARDED = '000';
export const STATUS_ACCEPTED = '010';
/** The mailbox is empty. */
export const STATUS_EMPTY = '003';
export const ERROR_UNABLE = '601';
export const ERROR_SYSTEM = '602';
export const ERROR_REJECTED = '900';
/** DescriptionCodes that come from the whole message, not from an element. */
export const DESCRIPTION_SENDER = '001';
export const DESCRIPTION_RECEIVER = '002';
export const DESCRIPTION_MESSAGE_TYPE = '034';
export const DESCRIPTION_VERSION = '021';
export const DESCRIPTION_DUPLICATE = '220';

export interface SenderSoftware {
  readonly developer: string;
  readonly product: string;
  readonly version: string;
}

export const MORTAR_SOFTWARE: SenderSoftware = { developer: 'Mortar', product: 'Mortar', version: '1' };

export interface AnswerHeader {
  readonly messageId: string;
  /** ms UTC. */
  readonly sentAt: number;
  readonly software: SenderSoftware;
}

/** Where the message does not say who sent it. */
const NOBODY: PartyAddress = { address: 'UNKNOWN', qualifier: 'ZZZ' };
const DESCRIPTION_MAX = 70;
const DESCRIPTION_CODES_MAX = 10;

/**
 * The answer to a message in the version it came in: To and From change places with their qualifiers, the answer relates
 * to the message's id (`0` where it has none, as switches do that reject what they cannot read).
 */
export function formatAnswer(reading: ScriptReading, content: AnswerContent, header: AnswerHeader): string {
  const old = reading.message?.version.readAs === '10.6';
  const { to = NOBODY, from = NOBODY, messageId = '0' } = reading.header;
  const message = scriptElement(
    'Message',
    [
      scriptElement('Header', [
        partyElement('To', from),
        partyElement('From', to),
        leaf('MessageID', header.messageId),
        leaf('RelatesToMessageID', messageId),
        leaf('SentTime', formatSentTime(header.sentAt)),
        ...(old ? [] : [softwareElement(header.software)]),
        ...optionalLeaf('RxReferenceNumber', reading.header.rxReferenceNumber),
        ...optionalLeaf('PrescriberOrderNumber', reading.header.prescriberOrderNumber),
      ]),
      scriptElement('Body', [contentElement(content)]),
    ],
    old ? { xmlns: 'http://www.ncpdp.org/schema/SCRIPT', version: '010', release: '006' } : stamps(reading),
  );
  const written = formatScript(message).value;
  if (written === undefined) throw new Error('an answer of parts that were read as XML can be written as XML');
  return written;
}

/** `2026-01-31T16:30:00Z`, as section 2.2 wants it: no fraction. */
export const formatSentTime = (at: number): string => new Date(at).toISOString().replace(/\.\d{3}Z$/, 'Z');

const leaf = (name: string, text: string): ScriptElement => scriptElement(name, [text]);
const optionalLeaf = (name: string, text: string | undefined): readonly ScriptElement[] =>
  text === undefined ? [] : [leaf(name, text)];

const partyElement = (name: string, { address, qualifier }: PartyAddress): ScriptElement =>
  scriptElement(name, [address], qualifier === undefined ? {} : { Qualifier: qualifier });

const softwareElement = ({ developer, product, version }: SenderSoftware): ScriptElement =>
  scriptElement('SenderSoftware', [
    leaf('SenderSoftwareDeveloper', developer),
    leaf('SenderSoftwareProduct', product),
    leaf('SenderSoftwareVersionRelease', version),
  ]);

function contentElement(content: AnswerContent): ScriptElement {
  const description = optionalLeaf('Description', shorten(content.description));
  if (content.kind === 'Verify')
    return scriptElement('Verify', [scriptElement('VerifyStatus', [leaf('Code', STATUS_ACCEPTED), ...description])]);
  const codes = (content.descriptionCodes ?? []).slice(0, DESCRIPTION_CODES_MAX);
  return scriptElement(content.kind, [
    leaf('Code', content.code),
    ...codes.map((code) => leaf('DescriptionCode', code)),
    ...description,
  ]);
}

/** Mortar's own words, so that cutting them loses nothing of a partner's. */
const shorten = (text: string | undefined): string | undefined =>
  text !== undefined && text.length > DESCRIPTION_MAX ? `${text.slice(0, DESCRIPTION_MAX - 1)}…` : text;

const STAMPS = ['DatatypesVersion', 'TransportVersion', 'TransactionVersion', 'StructuresVersion', 'ECLVersion'];
export const STAMP_2017071 = '20170715';

/** The version the sender writes, if it is one that is known. */
function stamps({ message }: ScriptReading): Readonly<Record<string, string>> {
  const theirs = message?.version.found === 'stated' ? attributeOf(message.root, 'TransactionVersion') : undefined;
  return messageAttributes(theirs ?? STAMP_2017071);
}

export const messageAttributes = (stamp: string): Readonly<Record<string, string>> => ({
  ...Object.fromEntries(STAMPS.map((name) => [name, stamp])),
  TransactionDomain: 'SCRIPT',
});
