/** The header of a message that the Spine gave, as the gateway passes it on. */
import { CODE_SYSTEM, EXTENSION, ID_SYSTEM } from '../systems.ts';
import type { AnswerContext } from './context.ts';
import {
  coding,
  type Entry,
  extension,
  identifier,
  type Json,
  present,
  referenceTo,
  resource,
  uuidIdentifier,
} from './fhir-parts.ts';

const EVENTS = {
  'prescription-order': 'Prescription Order',
  'prescription-order-update': 'Prescription Order Update',
  'dispense-notification': 'Dispense Notification',
  'prescription-order-response': 'Prescription Order Response',
} as const;

/** By its own ODS code. */
const SPINE = { identifier: identifier(ID_SYSTEM.odsOrganisation, 'X2601'), display: 'NHS Digital Spine' };

const senderOf = (organisation: Entry): Json => {
  const [own] = organisation['identifier'] as readonly Json[]; // It was made with one.
  return present({ identifier: own, display: organisation['name'] });
};

export interface Header {
  readonly event: keyof typeof EVENTS;
  readonly messageId: string;
  /** An Organization; without it the Spine. */
  readonly sender?: Entry;
  /** ODS code of who it is for. */
  readonly destination?: string | undefined;
  /** Id of the message it answers. */
  readonly inResponseTo?: string | undefined;
  /** Id of the message it takes the place of. */
  readonly replacementOf?: string | undefined;
  readonly focus: readonly Entry[];
}

export const messageHeader = (header: Header, { newId, baseUrl }: AnswerContext): Entry => ({
  ...resource('MessageHeader', newId(), {
    extension: [
      extension(EXTENSION.messageId, { valueIdentifier: uuidIdentifier(header.messageId) }),
      ...(header.replacementOf === undefined
        ? []
        : [extension(EXTENSION.replacementOf, { valueIdentifier: uuidIdentifier(header.replacementOf) })]),
    ],
    eventCoding: coding(CODE_SYSTEM.messageEvent, header.event, EVENTS[header.event]),
    sender: header.sender === undefined ? SPINE : senderOf(header.sender),
    source: { name: 'NHS Spine', endpoint: `${baseUrl}/$process-message` },
    response:
      header.inResponseTo === undefined ? undefined : { identifier: header.inResponseTo.toLowerCase(), code: 'ok' },
    focus: header.focus.map(referenceTo),
  }),
  // The national gateway tells an empty list where nobody is nominated.
  destination: header.destination === undefined ? [] : [destination(header.destination)],
});

const destination = (odsCode: string) => ({
  endpoint: `urn:nhs-uk:addressing:ods:${odsCode}`,
  receiver: { identifier: identifier(ID_SYSTEM.odsOrganisation, odsCode) },
});
