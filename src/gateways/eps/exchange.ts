/** The way to the Spine: one message over mutual TLS, its answer at once or by polling. eps/REFERENCE sections 12.2 to 12.6. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from '../../ports/log.ts';
import type { SpineExchange, SpineKnowledge, SpineMessage, SpineOutcome } from '../../ports/spine-exchange.ts';
import type { CircuitBreaker } from '../circuit-breaker.ts';
import type { CallResult, HttpsCaller } from '../https-call.ts';
import { CONTENT_TYPE, soapActionOf } from './envelope.ts';
import { isQuestion, weigh } from './evidence.ts';
import { readSpineReply } from './read-reply.ts';
import { readSentEnvelope, type SentEnvelope } from './sent-message.ts';
import { readTrackerAnswer, type TrackerAnswer } from './tracker.ts';

export interface SpineExchangeOptions {
  readonly https: HttpsCaller;
  readonly breaker: CircuitBreaker;
  readonly polling?: Polling;
  readonly log: Log;
}

export interface Polling {
  /** Before the first poll. */
  readonly firstMs: number;
  readonly delayMs: number;
  /** Waiting that ends it for this time. */
  readonly totalMs: number;
}

export interface TrackerQuery {
  readonly fromAsid: string;
  readonly userId?: string | undefined;
  readonly roleProfileId?: string | undefined;
}

export type Tracked = TrackerAnswer & { readonly text: string };

export interface SpineTracker {
  /** Undefined when it could not be asked. Dates are `YYYYMMDD`; `text` is the JSON as it came. */
  summary(
    who: TrackerQuery,
    query: {
      readonly nhsNumber: string;
      readonly prescriptionStatus?: string;
      readonly earliestDate?: string;
      readonly latestDate?: string;
    },
  ): Promise<Tracked | undefined>;
  details(who: TrackerQuery, prescriptionId: string, issueNumber: number): Promise<Tracked | undefined>;
}

const POLLING: Polling = { firstMs: 500, delayMs: 5000, totalMs: 25_000 };
/** Nothing was worked on, whoever says so. */
const NOT_TAKEN: readonly number[] = [429, 503];
/** Said by whatever stands at a wrong address, or does not know who calls: a setting is wrong, and no message is. */
const NOT_LET_IN: readonly number[] = [401, 403, 404, 405, 407];
/** On the Spine's own host: an answer must not send us elsewhere. */
const POLL_PATH = /^\/?(?!\/)[\w.~%=&?/-]{1,500}$/;

export function createSpineExchange(options: SpineExchangeOptions): SpineExchange & { readonly tracker: SpineTracker } {
  const { https, breaker, log, polling = POLLING } = options;

  /** Counts how the way to the Spine does: an answer of any kind is a way, whatever its status. eps/REFERENCE section 9.1 */
  function note(result: CallResult): CallResult {
    const isWay = result.kind === 'response' && (result.status < 500 || readSpineReply(result.body) !== undefined);
    if (isWay) breaker.succeeded();
    else breaker.failed();
    return result;
  }

  async function poll(message: SpineMessage, pollPath: string, signal?: AbortSignal): Promise<SpineOutcome> {
    return pollFor(readSentEnvelope(message.body), pollPath, signal);
  }

  async function pollFor(sent: SentEnvelope, first: string, signal?: AbortSignal): Promise<SpineOutcome> {
    let path = first;
    let delay = polling.firstMs;
    for (let waited = 0; waited <= polling.totalMs; waited += delay, delay = polling.delayMs) {
      await sleep(delay, undefined, { ...(signal && { signal }) });
      if (!POLL_PATH.test(path)) return { kind: 'unknown', cause: 'the place to poll is not on the Spine' };
      const result = note(
        await https.call({
          method: 'GET',
          path: path.startsWith('/') ? path : `/${path}`,
          headers: { 'nhsd-asid': sent.fromAsid },
          signal,
        }),
      );
      // The message was taken: whatever happens on the way to its answer leaves that open.
      const outcome = toOutcome(result, sent, path);
      if (outcome.kind !== 'waiting')
        return outcome.kind === 'not-sent' ? { kind: 'waiting', pollPath: path } : outcome;
      path = outcome.pollPath;
    }
    return { kind: 'waiting', pollPath: path };
  }

  const get = async (who: TrackerQuery, path: string, signal?: AbortSignal): Promise<Tracked | undefined> => {
    const result = note(
      await https.call({
        method: 'GET',
        path,
        headers: {
          Accept: 'application/json',
          'Spine-From-Asid': who.fromAsid,
          ...(who.userId !== undefined && { 'Spine-UserId': who.userId }),
          ...(who.roleProfileId !== undefined && { 'Spine-RoleProfileId': who.roleProfileId }),
        },
        signal,
      }),
    );
    if (result.kind !== 'response' || result.status !== 200) return undefined;
    const text = result.body.toString('utf8');
    const answer = readTrackerAnswer(text);
    return answer && { ...answer, text };
  };
  const detailsPath = (prescriptionId: string, issueNumber: number): string =>
    `/mm/nhs111itemdetails?${new URLSearchParams({ prescriptionId, issueNumber: String(issueNumber) })}`;

  return {
    async send(message, { signal, onWaiting } = {}) {
      const until = breaker.closedUntil();
      if (until !== undefined)
        return { kind: 'not-sent', cause: `nothing is sent until ${new Date(until).toISOString()}` };
      const sent = readSentEnvelope(message.body);
      const result = note(
        await https.call({
          method: 'POST',
          path: '/Prescription',
          headers: {
            'Content-Type': CONTENT_TYPE,
            SOAPAction: soapActionOf(sent.interaction),
            'NHSD-Request-ID': sent.messageId,
          },
          body: message.body,
          signal,
        }),
      );
      const outcome = toOutcome(result, sent, undefined);
      if (outcome.kind !== 'waiting') {
        if (outcome.kind === 'unknown' || outcome.kind === 'not-sent')
          log.warn('the Spine did not answer a message', { message: sent.messageId, cause: outcome.cause });
        return outcome;
      }
      await onWaiting?.(outcome.pollPath);
      return pollFor(sent, outcome.pollPath, signal);
    },

    poll,

    async ask(message, signal): Promise<SpineKnowledge> {
      const sent = readSentEnvelope(message.body);
      if (isQuestion(sent)) return weigh(sent, { kind: 'found', prescriptions: [] });
      if (sent.prescriptionId === undefined) return { kind: 'undecided', why: 'it names no prescription' };
      const answer = await get(sent, detailsPath(sent.prescriptionId, sent.issue ?? 1), signal);
      return answer === undefined ? { kind: 'undecided', why: 'the tracker did not answer' } : weigh(sent, answer);
    },

    tracker: {
      summary: (who, query) => {
        const parameters = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== undefined));
        return get(who, `/mm/nhs111itemsummary?${parameters}`);
      },
      details: (who, prescriptionId, issueNumber) => get(who, detailsPath(prescriptionId, issueNumber)),
    },
  };
}

/** `path`: where it was polled, which stands when the answer names no other place. */
function toOutcome(result: CallResult, sent: SentEnvelope, path: string | undefined): SpineOutcome {
  if (result.kind === 'failed')
    return result.isSent ? { kind: 'unknown', cause: result.cause } : { kind: 'not-sent', cause: result.cause };
  const { status, headers, body } = result;
  // The status says nothing where there is an answer: eps/REFERENCE section 9.1.
  const reply = body.length === 0 ? undefined : readSpineReply(body);
  // What belongs to somebody else must reach nobody here; what became of our own is asked.
  if (reply?.answers !== undefined && reply.answers !== sent.payloadId && reply.answers !== sent.id)
    return { kind: 'unknown', cause: 'the answer is that of another message' };
  if (reply !== undefined) return { kind: 'answered', reply, body };
  const pollPath = headers.get('content-location') ?? path;
  if ((status === 202 || (status === 200 && body.length === 0)) && pollPath !== undefined)
    return { kind: 'waiting', pollPath };
  if (NOT_TAKEN.includes(status)) return { kind: 'not-sent', cause: `status ${status}` };
  if (NOT_LET_IN.includes(status) && path === undefined)
    return { kind: 'not-sent', cause: `status ${status}: look at SPINE_URL and at the client certificate` };
  if (status >= 400 && status < 500 && status !== 408 && path === undefined) return { kind: 'refused', status, body };
  return { kind: 'unknown', cause: `status ${status} without an answer that can be read` };
}
