/** The way to partners that are sent SCRIPT: HTTPS with a certificate or a password, and a breaker for each. docs/ncpdp.md "Pushing" */
import type { ConnectionOptions } from 'node:tls';
import type { Clock } from '../../../ports/clock.ts';
import type { Log } from '../../../ports/log.ts';
import type { ScriptExchange, ScriptOutcome, ScriptTarget } from '../../../ports/script-push.ts';
import { type CircuitBreaker, createCircuitBreaker } from '../../circuit-breaker.ts';
import { type CallResult, createHttpsCaller, type HttpsCaller } from '../../https-call.ts';
import { createLines } from '../../lines.ts';
import { readPushAnswer } from './read-answer.ts';

/** How we name ourselves there. */
export interface PushCredentials {
  /** Authorities of the partner's server, and our certificate where it wants one; another object once they have changed. */
  readonly tls: () => ConnectionOptions;
  /** `Basic …` */
  readonly authorization?: string;
}

export interface ScriptExchangeOptions {
  readonly credentialsOf: (target: ScriptTarget) => PushCredentials;
  readonly timeoutMs: number;
  readonly breaker?: { readonly failuresMax: number; readonly pauseMs: number; readonly pauseMaxMs: number };
  readonly now: Clock;
  readonly log: Log;
}

const BREAKER = { failuresMax: 3, pauseMs: 10_000, pauseMaxMs: 300_000 };

/** Said by whatever stands at a wrong address, or does not know who calls: a setting is wrong, and no message is. */
const NOT_LET_IN: readonly number[] = [401, 403, 404, 405, 407];
/** Nothing was worked on, whoever says so. */
const NOT_TAKEN: readonly number[] = [429, 503];
/** The request did not arrive whole, or the way gave up on it. */
const OPEN_STATUS: readonly number[] = [408, 425];

interface Line {
  readonly url: string;
  readonly https: HttpsCaller;
  readonly credentials: PushCredentials;
  readonly breaker: CircuitBreaker;
}

export function createScriptExchange(options: ScriptExchangeOptions): ScriptExchange & { close(): void } {
  const { credentialsOf, timeoutMs, now, log } = options;
  const lines = createLines<Line>({ now, close: ({ https }) => https.close() });

  function lineOf(target: ScriptTarget): Line {
    const known = lines.find(target.receiver);
    if (known && known.url === target.url.href) return known;
    const credentials = credentialsOf(target);
    const line: Line = {
      url: target.url.href,
      https: createHttpsCaller({ baseUrl: target.url, tls: credentials.tls, timeoutMs }),
      credentials,
      breaker: createCircuitBreaker({ ...BREAKER, ...options.breaker, now }),
    };
    lines.keep(target.receiver, line);
    return line;
  }

  return {
    async send(target, { controlId, raw }, signal) {
      const { https, credentials, breaker } = lineOf(target);
      const until = breaker.closedUntil();
      if (until !== undefined) return { kind: 'not-sent', cause: 'the partner is left alone for a while', until };
      const { authorization } = credentials;
      const result = await https.call({
        method: 'POST',
        path: target.url.pathname,
        headers: {
          'Content-Type': 'application/xml; charset=utf-8',
          Accept: 'application/xml, text/xml',
          ...(authorization !== undefined && { Authorization: authorization }),
        },
        body: raw,
        signal,
      });
      const outcome = outcomeOf(result, controlId);
      // An answer of any kind is a way.
      if (result.kind === 'response' && (result.status < 500 || outcome.kind === 'again')) breaker.succeeded();
      else if (signal?.aborted !== true) breaker.failed();
      if (outcome.kind === 'unknown' || outcome.kind === 'not-sent')
        log.warn('a partner did not answer a message', { receiver: target.receiver, cause: outcome.cause });
      return outcome;
    },
    close: lines.close,
  };
}

/** What the partner's SCRIPT says counts; the HTTP status where it says nothing. */
function outcomeOf(result: CallResult, controlId: string): ScriptOutcome {
  if (result.kind === 'failed')
    return result.isSent ? { kind: 'unknown', cause: result.cause } : { kind: 'not-sent', cause: result.cause };
  const { status, body } = result;
  const isOk = status >= 200 && status < 300;
  const said = body.length === 0 ? undefined : readPushAnswer(body, controlId);
  // A success beside a status that says the opposite is none.
  if (said && (isOk || said.kind === 'rejected' || said.kind === 'again')) return said;
  if (NOT_LET_IN.includes(status))
    return { kind: 'not-sent', cause: `HTTP ${status}: look at url and credentials in SCRIPT_TARGETS_FILE` };
  if (NOT_TAKEN.includes(status)) return { kind: 'not-sent', cause: `HTTP ${status}` };
  if (status >= 300 && status < 400) return { kind: 'not-sent', cause: `HTTP ${status}: no redirection is followed` };
  if (status >= 400 && status < 500 && !OPEN_STATUS.includes(status))
    return { kind: 'rejected', answer: body, error: `HTTP ${status}` };
  return said?.kind === 'unknown'
    ? said
    : { kind: 'unknown', cause: `HTTP ${status} without an answer that can be read` };
}
