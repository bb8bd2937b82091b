/** The log's entry and the job of a message that is to be sent to a partner. */
import { createHash } from 'node:crypto';
import type { NewJob } from '../../../ports/jobs.ts';
import type { NewMessage } from '../../../ports/message-log.ts';
import type { Feed, FeedEvent, FormattedV2 } from '../../../ports/v2-feed.ts';
import { controlIdFrom } from '../../../standards/hl7v2/control-id.ts';

/** What `jobs/hl7v2-send-jobs.ts` takes. */
export const SEND = 'hl7v2-send';

const digestOf = (feedId: string, { type, id, versionId }: FeedEvent, n: number): Buffer =>
  createHash('sha256').update(`hl7v2-out\n${feedId}\n${type}/${id}/${versionId}\n${n}`).digest();

/** MSH-10 of the n-th message about an event: the same however often it is made. */
export const controlIdOf = (feedId: string, event: FeedEvent, n: number): string =>
  controlIdFrom(digestOf(feedId, event, n));

/** A UUID of version 8 (RFC 9562), made from the same. */
function messageIdOf(feedId: string, event: FeedEvent, n: number): string {
  const hex = digestOf(feedId, event, n).toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

export interface QueuedMessage {
  readonly message: NewMessage;
  readonly resources: readonly string[];
  readonly job: NewJob;
}

export function queuedMessage(
  feed: Feed,
  event: FeedEvent,
  { kind, n, raw, patientId }: FormattedV2,
  at: number,
): QueuedMessage {
  const id = messageIdOf(feed.id, event, n);
  const { profile } = feed;
  return {
    message: {
      id,
      direction: 'out',
      dialect: 'hl7v2',
      kind,
      controlId: controlIdOf(feed.id, event, n),
      sender: `${profile.sendingApplication}|${profile.sendingFacility}`,
      receiver: `${profile.receivingApplication}|${profile.receivingFacility}`,
      ...(feed.batch && { correlation: batchMark(feed.id) }),
      hash: createHash('sha256').update(raw).digest(),
      raw,
      receivedAt: at,
    },
    // Of whom it is, so that a dead letter that is sent after all waits with the others of that patient.
    resources: [
      `${event.type}/${event.id}/_history/${event.versionId}`,
      ...(patientId === undefined || event.type === 'Patient' ? [] : [`Patient/${patientId}`]),
    ],
    job: sendJob(feed.id, laneOf(feed, patientId), id, patientId, at),
  };
}

/** Messages that wait for the next file of a feed. */
export const batchMark = (feedId: string): string => `batch ${feedId}`;

export const laneKey = (feedId: string, lane: number): string => `${feedId} ${lane}`;

/** Sends a message; jobs of one lane go one after another. */
export const sendJob = (
  feedId: string,
  lane: number,
  messageId: string,
  patientId: string | undefined,
  at: number,
): NewJob => ({
  kind: SEND,
  key: laneKey(feedId, lane),
  dedupe: messageId,
  payload: { message: messageId, feed: feedId, lane, patient: patientId ?? null, at },
});

/** The same for all messages about one patient. */
export function laneOf({ lanes }: Feed, patientId: string | undefined): number {
  if (lanes === 1 || patientId === undefined) return 0;
  return createHash('sha256').update(patientId).digest().readUInt32BE() % lanes;
}
