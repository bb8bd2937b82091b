/**
 * The envelope of a message (reference section 13.1): sender, receiver, ids, time, software and version stamps, as
 * Provenance of what the message says, so that a Bundle alone gives the message back.
 */
import { codeSystemUrl, namingSystemUrl } from '../../standards/fhir/canonical.ts';
import { messageAttributes, type SenderSoftware, STAMP_2017071 } from '../../standards/script/answer.ts';
import { findText, formatParty, type PartyAddress, type ScriptMessage } from '../../standards/script/message.ts';
import { DATE_TIME, NOT_NAMED } from './codecs.ts';
import { type MessageBundle, referenceTo, resourceOf } from './context.ts';
import { getAt, type Json, objectsAt, type Slice, type Slices, setAt, textAt } from './place.ts';
import { resourcesOf } from './resolve.ts';
import { senderSystem } from './systems.ts';

const AGENT_TYPE = 'http://terminology.hl7.org/CodeSystem/provenance-participant-type';
export const TRANSACTION_SYSTEM = codeSystemUrl('script-transaction');

const SLICES: Slices = new Map<string, Slice>([
  ...['transmitter', 'custodian'].map(
    (code) => [`agent:${code}`, { match: { type: { coding: [{ system: AGENT_TYPE, code }] } } }] as const,
  ),
  ['entity:source', { match: { role: 'source' } }],
  ['entity:related', { match: { role: 'derivation' } }],
]);

const SOFTWARE = [
  ['developer', 'SenderSoftwareDeveloper'],
  ['product', 'SenderSoftwareProduct'],
  ['version', 'SenderSoftwareVersionRelease'],
] as const;

export function addProvenance(
  message: ScriptMessage,
  targets: readonly string[],
  author: string | undefined,
  receivedAt: number,
  bundle: MessageBundle,
): void {
  const { header, kind, root } = message;
  const sent = DATE_TIME.decode(header.sentTime ?? '');
  const agents: Json[] = [
    ...(author === undefined ? [] : [agent('author', referenceTo(author))]),
    ...(header.from ? [agent('transmitter', partyReference(header.from))] : []),
    ...(header.to ? [agent('custodian', partyReference(header.to))] : []),
  ];
  const provenance: Json = {
    target: targets.map(referenceTo),
    recorded: typeof sent === 'string' ? sent : new Date(receivedAt).toISOString(),
    activity: { coding: [{ system: TRANSACTION_SYSTEM, code: kind }] },
    agent: agents.length > 0 ? agents : [{ who: { display: NOT_NAMED } }],
    entity: [
      entity('source', senderSystem('script-message', bundle.sender), bundle.messageId),
      ...(header.relatesToMessageId === undefined
        ? []
        : [entity('derivation', relatedSystem(header.to), header.relatesToMessageId)]),
    ],
  };
  for (const [name, element] of SOFTWARE) {
    const text = findText(root, `Header/SenderSoftware/${element}`);
    if (text !== undefined) setAt(provenance, `ext:script-software.sub:${name}.valueString`, text);
  }
  for (const { name, value } of ownStamps(message))
    setAt(provenance, `ext:script-stamps.sub:${name}.valueString`, value);
  bundle.addByWords(resourceOf('Provenance', provenance), 'Provenance', bundle.messageId);
}

/** The message another one answers was numbered by who receives the answer. */
export const relatedSystem = (to: PartyAddress | undefined): string =>
  senderSystem('script-message', to ? formatParty(to) : 'unknown');

const entity = (role: string, system: string, value: string): Json => ({
  role,
  what: { identifier: { system, value } },
});
const agent = (code: string, who: Json): Json => ({ type: { coding: [{ system: AGENT_TYPE, code }] }, who });
const partyReference = (party: PartyAddress): Json => ({
  identifier: { system: namingSystemUrl('script-sender'), value: formatParty(party) },
});

/** Attributes of Message that are not those every 2017071 message has; other versions are written as 2017071. */
function ownStamps({ root, version }: ScriptMessage): readonly { readonly name: string; readonly value: string }[] {
  if (version.readAs !== '2017071') return [];
  const usual = messageAttributes(STAMP_2017071);
  return root.attributes.filter(({ name, prefix, value }) => prefix === '' && value !== '' && usual[name] !== value);
}

/** What the Provenance in a Bundle says of the message it came with. */
export interface Envelope {
  readonly kind?: string;
  readonly from?: PartyAddress;
  readonly to?: PartyAddress;
  readonly messageId?: string;
  readonly relatesToMessageId?: string;
  readonly sentTime?: string;
  readonly software?: SenderSoftware;
  readonly stamps: Readonly<Record<string, string>>;
}

export function readEnvelope(bundle: unknown): Envelope {
  const provenance = resourcesOf(bundle, 'Provenance').find(
    (one) => objectsAt(one, 'activity.coding')[0]?.['system'] === TRANSACTION_SYSTEM,
  );
  const text = (path: string): string | undefined => textAt(provenance, path, SLICES);
  const from = readParty(text('agent:transmitter.who.identifier.value'));
  const to = readParty(text('agent:custodian.who.identifier.value'));
  const [developer, product, version] = SOFTWARE.map(([name]) => text(`ext:script-software.sub:${name}.valueString`));
  const messageId = text('entity:source.what.identifier.value');
  const relatesToMessageId = text('entity:related.what.identifier.value');
  const kind = text('activity.coding[0].code');
  const sentTime = DATE_TIME.encode(getAt(provenance, 'recorded'));
  const stamps = objectsAt(provenance, 'ext:script-stamps.extension').flatMap(({ url, valueString }) =>
    typeof url === 'string' && typeof valueString === 'string' ? [[url, valueString] as const] : [],
  );
  return {
    ...(kind !== undefined && { kind }),
    ...(from && { from }),
    ...(to && { to }),
    ...(messageId !== undefined && { messageId }),
    ...(relatesToMessageId !== undefined && { relatesToMessageId }),
    ...(sentTime !== undefined && { sentTime }),
    ...(developer !== undefined && product !== undefined && version !== undefined
      ? { software: { developer, product, version } }
      : {}),
    stamps: Object.fromEntries(stamps),
  };
}

const QUALIFIED = /^(P|D|C|M|CF|PY|REMS|DIRECT|ZZZ):(.+)$/s;

/** `D:6301875277001`; without a qualifier that is known the whole is the address. */
function readParty(text: string | undefined): PartyAddress | undefined {
  if (text === undefined) return undefined;
  const [, qualifier, address] = QUALIFIED.exec(text) ?? [];
  return qualifier !== undefined && address !== undefined ? { qualifier, address } : { address: text };
}
