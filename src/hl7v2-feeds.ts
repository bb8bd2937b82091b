/** Composition of outbound HL7 v2: who is told, of what, and the way there. docs/hl7v2.md "Feeds" */
import type { Config } from './config.ts';
import { every } from './every.ts';
import { createBatchDelivery } from './gateways/hl7v2/feed/batch-delivery.ts';
import { createFeedEndpoints } from './gateways/hl7v2/feed/endpoints.ts';
import { createV2Exchange, outcomeOf } from './gateways/hl7v2/feed/exchange.ts';
import { formatEvent } from './gateways/hl7v2/feed/format-event.ts';
import { batchMark, laneOf, sendJob } from './gateways/hl7v2/feed/queue-message.ts';
import { readAnswer } from './gateways/hl7v2/feed/read-answer.ts';
import { createFeedRelay } from './gateways/hl7v2/feed/relay.ts';
import { type FeedTlsConfig, openFeedTls } from './hl7v2-feed-tls.ts';
import { createV2BatchJobs } from './jobs/hl7v2-batch-jobs.ts';
import { createV2SendJobs } from './jobs/hl7v2-send-jobs.ts';
import type { JobSet } from './jobs/runner.ts';
import { serviceCaller } from './policy/service-caller.ts';
import type { Caller } from './ports/caller.ts';
import type { Clock } from './ports/clock.ts';
import type { NewJob } from './ports/jobs.ts';
import type { Log } from './ports/log.ts';
import type { LoggedMessage, MessageFilter } from './ports/message-log.ts';
import type { ProcessingStop } from './ports/subject-rights.ts';
import type { Feed, FormatV2 } from './ports/v2-feed.ts';
import type { OpenStore } from './postgres/store.ts';
import type { Requeued } from './rest/message-desk.ts';
import type { SearchRequest } from './standards/fhir/search/request.ts';

export interface V2FeedParts {
  readonly config: FeedTlsConfig & Pick<Config, 'messageTimeZone' | 'hl7v2FeedTargets' | 'hl7v2AnswerTimeoutMs'>;
  readonly store: OpenStore;
  readonly searchOf: (type: string, query: string) => SearchRequest;
  /** What a receiver (`GPSYS|X26`) may be sent, by its mapping file. */
  readonly sentTo?: (receiver: string) => ReadonlySet<string> | undefined;
  /** Whose data may not be sent. */
  readonly stop?: ProcessingStop;
  /** Writes messages from FHIR. */
  readonly format?: FormatV2;
  readonly now: Clock;
  readonly log: Log;
}

export interface V2Feeds {
  readonly jobs: readonly JobSet[];
  /** Begins to follow the change log. */
  start(): void;
  /** An application acknowledgement that came on another connection than the message went. True when it was one of ours. */
  acknowledge(raw: Buffer): Promise<boolean>;
  /** The job that sends a message again; undefined where there is no such feed. */
  jobOf(message: LoggedMessage): Promise<NewJob | undefined>;
  /** Queues dead letters of the filter again, oldest first. */
  resendMany(caller: Caller, filter: MessageFilter): Promise<Requeued>;
  stop(): Promise<void>;
}

/** Dead letters that one call queues again. */
const RESEND_MAX = 10_000;
const RESEND_PAGE = 500;
const CALLER = serviceCaller('gateway');
/** How soon partners are told of a change. */
const POLL_MS = 500;
/** A file has a thousand messages, which its receiver may work one after another before it answers. */
const BATCH_ANSWER_TIMEOUT_MS = 300_000;

/** Undefined where HL7V2_FEED_TARGETS names nobody. Throws `TlsFileError` when its files cannot be used. */
export function openV2Feeds(parts: V2FeedParts): V2Feeds | undefined {
  const { config, store, searchOf, now, log } = parts;
  const targets = config.hl7v2FeedTargets;
  if (targets === undefined) return undefined;
  const { messages, changes, jobs } = store;
  const feeds = createFeedEndpoints({
    store,
    caller: CALLER,
    searchOf,
    targets,
    ...(parts.sentTo && { sentTo: parts.sentTo }),
    now,
    log,
  });
  const tls = openFeedTls(config, log);
  const exchange = createV2Exchange({ tls: tls.options, answerTimeoutMs: config.hl7v2AnswerTimeoutMs, now, log });
  const format = parts.format ?? formatEvent;
  const relay = createFeedRelay({
    store,
    changes,
    messages,
    jobs,
    feeds,
    format,
    caller: CALLER,
    timeZone: config.messageTimeZone,
    now,
    log,
  });
  const delivery = createBatchDelivery({
    tls: tls.options,
    answerTimeoutMs: Math.max(config.hl7v2AnswerTimeoutMs, BATCH_ANSWER_TIMEOUT_MS),
    now,
  });
  const hasBatches = [...targets].some((target) => !target.startsWith('mllp'));
  const batchJobs = (stop: ProcessingStop): JobSet =>
    createV2BatchJobs({ messages, jobs, store, delivery, feeds, markOf: batchMark, stop, now, log });
  let stopRelay: (() => Promise<void>) | undefined;
  async function jobOf({ id, receiver, resources, correlation }: LoggedMessage): Promise<NewJob | undefined> {
    const isOf = ({ id: feedId, profile, batch }: Feed): boolean =>
      batch === undefined
        ? correlation === undefined && `${profile.receivingApplication}|${profile.receivingFacility}` === receiver
        : correlation === batchMark(feedId);
    const feed = (await feeds.list()).find(isOf);
    const patientId = resources.find((one) => one.startsWith('Patient/'))?.split('/')[1];
    return feed && sendJob(feed.id, laneOf(feed, patientId), id, patientId, now());
  }
  return {
    jobs: [
      createV2SendJobs({ messages, exchange, feeds, now, log }),
      ...(parts.stop && hasBatches ? [batchJobs(parts.stop)] : []),
    ],
    start() {
      stopRelay = every(POLL_MS, relay.turn, (error) => log.warn('partners could not be told of changes', { error }));
    },
    async acknowledge(raw) {
      const answer = readAnswer(raw);
      if (answer === undefined || answer.controlId === '') return false;
      const filter = { direction: 'out', dialect: 'hl7v2', controlId: answer.controlId } as const;
      const { messages: found } = await messages.list(CALLER, filter, 1);
      const [message] = found;
      // Nobody answers for another.
      if (message?.receiver !== answer.sender) return false;
      const outcome = outcomeOf(answer, raw);
      const { resources } = message;
      if (outcome.kind === 'accepted' && answer.code === 'AA')
        await messages.settle(message.id, { state: 'acknowledged', answer: raw, resources });
      if (outcome.kind === 'rejected') {
        log.warn('a partner does not take a message: it is a dead letter', {
          messageId: message.id,
          cause: answer.error,
        });
        await messages.settle(message.id, { state: 'dead', answer: raw, error: answer.error, resources });
      }
      return true;
    },
    jobOf,
    async resendMany(caller, filter) {
      const dead = { ...filter, direction: 'out', dialect: 'hl7v2', state: 'dead', oldestFirst: true } as const;
      const found: NewJob[] = [];
      let cursor: string | undefined;
      do {
        const page = await messages.list(caller, dead, RESEND_PAGE, cursor);
        for (const message of page.messages) {
          const job = await jobOf(message);
          if (job) found.push(job);
        }
        cursor = page.next;
      } while (cursor !== undefined && found.length < RESEND_MAX);
      await store.jobs.add(found);
      return { queued: found.length, ...(cursor !== undefined && { more: true }) };
    },
    async stop() {
      await stopRelay?.();
      exchange.close();
      delivery.close();
      tls.stop();
    },
  };
}
