/** Header and attributes of a message that is written: from who sends it now, or as the Bundle's Provenance says. */
import {
  formatSentTime,
  MORTAR_SOFTWARE,
  messageAttributes,
  type SenderSoftware,
  STAMP_2017071,
} from '../../standards/script/answer.ts';
import type { PartyAddress } from '../../standards/script/message.ts';
import { TEST_TAG } from './context.ts';
import { matches, objectsAt } from './place.ts';
import { type Envelope, readEnvelope } from './provenance.ts';
import { Target } from './target.ts';

export interface ToScriptContext {
  /** Who sends; else who sent the message the Bundle was made of. So with all that is left out. */
  readonly from?: PartyAddress;
  readonly to?: PartyAddress;
  readonly messageId?: string;
  readonly relatesToMessageId?: string;
  /** ms UTC. */
  readonly sentAt?: number;
  readonly software?: SenderSoftware;
  /**
   * Sends the digital signature the order came with. Only for an order that goes on unchanged: a signature says nothing
   * of what was written after it (21 CFR 1311.170).
   */
  readonly forwardSignature?: boolean;
  /** 2023011 in the unconfirmed shape of public prototypes. */
  readonly writeAs?: '2017071' | '2023011';
}

export interface FullEnvelope extends Envelope {
  readonly from: PartyAddress;
  readonly to: PartyAddress;
  readonly messageId: string;
  readonly sentTime: string;
  readonly software: SenderSoftware;
}

/** Undefined where neither says who sends to whom under which id and when. */
export function envelopeOf(bundle: unknown, context: ToScriptContext): FullEnvelope | undefined {
  const found = readEnvelope(bundle);
  const { from = found.from, to = found.to, messageId = found.messageId, sentAt } = context;
  const sentTime = sentAt === undefined ? found.sentTime : formatSentTime(sentAt);
  if (!from || !to || messageId === undefined || sentTime === undefined) return undefined;
  // What is sent anew answers what its sender says it does; the old message's answer was to another.
  const isSame = context.messageId === undefined || context.messageId === found.messageId;
  const relatesToMessageId = context.relatesToMessageId ?? (isSame ? found.relatesToMessageId : undefined);
  const { relatesToMessageId: _, ...rest } = found;
  return {
    ...rest,
    from,
    to,
    messageId,
    sentTime,
    software: context.software ?? found.software ?? MORTAR_SOFTWARE,
    ...(relatesToMessageId !== undefined && { relatesToMessageId }),
  };
}

/** Message with its header, without the transaction. `root`: the resource that bears the tag of a test. */
export function startMessage(
  envelope: FullEnvelope,
  root: unknown,
): { readonly message: Target; readonly header: Target } {
  const message = new Target('Message');
  const attributes = { ...messageAttributes(STAMP_2017071), ...envelope.stamps };
  message.attributes = Object.entries(attributes).map(([name, value]) => ({ name, value }));
  const header = message.child('Header');
  addParty(header, 'To', envelope.to);
  addParty(header, 'From', envelope.from);
  header.put('MessageID', envelope.messageId);
  if (envelope.relatesToMessageId !== undefined) header.put('RelatesToMessageID', envelope.relatesToMessageId);
  header.put('SentTime', envelope.sentTime);
  const { developer, product, version } = envelope.software;
  header.put('SenderSoftware/SenderSoftwareDeveloper', developer);
  header.put('SenderSoftware/SenderSoftwareProduct', product);
  header.put('SenderSoftware/SenderSoftwareVersionRelease', version);
  if (objectsAt(root, 'meta.tag').some((tag) => matches(tag, TEST_TAG))) header.put('TestMessage', '1');
  return { message, header };
}

function addParty(header: Target, name: string, { address, qualifier }: PartyAddress): void {
  const party = header.add(name, address);
  if (qualifier !== undefined) party.attributes.push({ name: 'Qualifier', value: qualifier });
}
