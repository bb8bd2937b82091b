/** The header of a message that the Spine gave, as the gateway passes it on. */
import { CODE_SYSTEM, EXTENSION, ID_SYSTEM } from '../systems.ts';
import type { AnswerContext } from './context.ts';
import { coding, type Entry, extension, identifier, referenceTo, resource, uuidIdentifier } from './fhir-parts.ts';

const EVENTS = {
  'prescription-order': 'Prescription Order',
  'prescription-order-response': 'Prescription Order Response',
} as const;

/** The ODS code of the Spine itself. */
const SPINE = 'X2601';

export interface Header {
  readonly event: keyof typeof EVENTS;
  readonly messageId: string;
  /** ODS code of who it is for. */
  readonly destination: string | undefined;
  /** Id of the message it answers. */
  readonly inResponseTo: string | undefined;
  readonly focus: readonly Entry[];
}

export const messageHeader = (header: Header, { newId, baseUrl }: AnswerContext): Entry => ({
  ...resource('MessageHeader', newId(), {
    extension: [extension(EXTENSION.messageId, { valueIdentifier: uuidIdentifier(header.messageId) })],
    eventCoding: coding(CODE_SYSTEM.messageEvent, header.event, EVENTS[header.event]),
    sender: { identifier: identifier(ID_SYSTEM.odsOrganisation, SPINE), display: 'NHS Digital Spine' },
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
