/** A partner that is told of changes by HL7 v2, as its Endpoint says. docs/hl7v2.md "Feeds" */
import type { Feed, FeedProfile } from '../../src/ports/v2-feed.ts';

/** Original mode, HL7 v2.5.1, ADT alone. */
export const GP_PROFILE: FeedProfile = {
  sendingApplication: 'MORTAR',
  sendingFacility: 'RXX',
  receivingApplication: 'GPSYS',
  receivingFacility: 'A83008',
  processingId: 'P',
  version: '2.5.1',
  acceptAcknowledgement: '',
  applicationAcknowledgement: '',
  characterSet: '',
  kinds: new Set(['ADT']),
};

/** The feed `gp` to an address, in one lane; `more`: what is otherwise. */
export const feedTo = (address: string, more: Partial<Feed> = {}): Feed => ({
  id: 'gp',
  address,
  senders: [],
  lanes: 1,
  profile: GP_PROFILE,
  ...more,
});
