/** Where an order came from (reference section 13.1): sender, receiver and message, as Provenance of the order. */
import { codeSystemUrl, namingSystemUrl } from '../../standards/fhir/canonical.ts';
import { formatParty, type PartyAddress, type ScriptMessage } from '../../standards/script/message.ts';
import { DATE_TIME, NOT_NAMED } from './codecs.ts';
import { type MessageBundle, referenceTo, resourceOf } from './context.ts';
import type { Json } from './place.ts';
import { senderSystem } from './systems.ts';

const AGENT_TYPE = 'http://terminology.hl7.org/CodeSystem/provenance-participant-type';

export function addProvenance(
  { header, kind }: ScriptMessage,
  order: string,
  prescriber: string | undefined,
  receivedAt: number,
  bundle: MessageBundle,
): void {
  const sent = DATE_TIME.decode(header.sentTime ?? '');
  const agents: Json[] = [
    ...(prescriber === undefined ? [] : [agent('author', referenceTo(prescriber))]),
    ...(header.from ? [agent('transmitter', partyReference(header.from))] : []),
    ...(header.to ? [agent('custodian', partyReference(header.to))] : []),
  ];
  const provenance: Json = {
    target: [referenceTo(order)],
    recorded: typeof sent === 'string' ? sent : new Date(receivedAt).toISOString(),
    activity: { coding: [{ system: codeSystemUrl('script-transaction'), code: kind }] },
    agent: agents.length > 0 ? agents : [{ who: { display: NOT_NAMED } }],
    entity: [
      {
        role: 'source',
        what: { identifier: { system: senderSystem('script-message', bundle.sender), value: bundle.messageId } },
      },
    ],
  };
  bundle.addByWords(resourceOf('Provenance', provenance), 'Provenance', bundle.messageId);
}

const agent = (code: string, who: Json): Json => ({ type: { coding: [{ system: AGENT_TYPE, code }] }, who });

const partyReference = (party: PartyAddress): Json => ({
  identifier: { system: namingSystemUrl('script-sender'), value: formatParty(party) },
});
