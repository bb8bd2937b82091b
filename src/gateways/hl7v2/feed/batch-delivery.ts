/**
 * The way of files of messages to partners: written into a folder under a name that appears when the file is whole, or
 * posted over HTTPS and answered by a batch of acknowledgements. docs/hl7v2.md "Feeds", HL7 v2.5.1 section 2.10.3
 */
import { randomBytes } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ConnectionOptions } from 'node:tls';
import { fileURLToPath } from 'node:url';
import type { Clock } from '../../../ports/clock.ts';
import type { Feed, V2Batch, V2BatchDelivery, V2BatchOutcome, V2Outcome } from '../../../ports/v2-feed.ts';
import { isBatch, splitBatch } from '../../../standards/hl7v2/batch.ts';
import { formatInstant } from '../../../standards/hl7v2/date-time.ts';
import { formatBatch } from '../../../standards/hl7v2/format-batch.ts';
import { type CircuitBreaker, createCircuitBreaker } from '../../circuit-breaker.ts';
import { type CallResult, createHttpsCaller, type HttpsCaller } from '../../https-call.ts';
import { createLines } from '../../lines.ts';
import { outcomeOf } from './exchange.ts';
import { readAnswer } from './read-answer.ts';

export interface BatchDeliveryOptions {
  /** Certificates for `https:` and this feed; another object once they have changed. */
  readonly tls: (feed: Feed) => ConnectionOptions;
  /** How long the answer to a whole file is waited for. */
  readonly answerTimeoutMs: number;
  readonly now: Clock;
}

const BREAKER = { failuresMax: 3, pauseMs: 10_000, pauseMaxMs: 600_000 };
/** Said by whatever stands at a wrong address, does not know who calls, or has no time: nothing was worked on. */
const NOT_TAKEN: readonly number[] = [401, 403, 404, 405, 407, 429, 503];
/** The request did not arrive whole, or the way gave up on it. */
const OPEN_STATUS: readonly number[] = [408, 425];

interface Line {
  readonly address: string;
  readonly https: HttpsCaller | undefined;
  readonly breaker: CircuitBreaker;
}

export function createBatchDelivery(options: BatchDeliveryOptions): V2BatchDelivery & { close(): void } {
  const { answerTimeoutMs, now } = options;
  const lines = createLines<Line>({ now, close: ({ https }) => https?.close() });

  function lineOf(feed: Feed): Line {
    const known = lines.find(feed.id);
    if (known?.address === feed.address) return known;
    const tls = (): ConnectionOptions => options.tls(feed);
    const baseUrl = new URL(feed.address);
    const https = feed.batch === 'https' ? createHttpsCaller({ baseUrl, tls, timeoutMs: answerTimeoutMs }) : undefined;
    const line = { address: feed.address, https, breaker: createCircuitBreaker({ ...BREAKER, now }) };
    lines.keep(feed.id, line);
    return line;
  }

  return {
    async deliver(feed, batch, signal) {
      const { https, breaker } = lineOf(feed);
      const until = breaker.closedUntil();
      if (until !== undefined) return { kind: 'not-sent', cause: 'the partner is left alone for a while', until };
      const name = nameOf(batch);
      const bytes = formatBatch({ ...feed.profile, at: batch.at, name, id: batch.id }, batch.messages);
      const outcome = https
        ? await post(https, new URL(feed.address), bytes, signal)
        : await write(fileURLToPath(feed.address), name, bytes);
      if (outcome.kind === 'taken' || outcome.kind === 'rejected') breaker.succeeded();
      else if (signal?.aborted !== true) breaker.failed();
      return outcome;
    },
    close: lines.close,
  };
}

/** `20260302101500-4PX….hl7`: files sort by their time. */
const nameOf = ({ id, at }: V2Batch): string => `${formatInstant(at).slice(0, 14)}-${id}.hl7`;

/** The file is there whole or not at all; one that is there already has the same content. */
async function write(folder: string, name: string, bytes: Buffer): Promise<V2BatchOutcome> {
  // Nobody takes a file whose name begins with a dot; what a crash leaves of it is the operator's to delete.
  const temporary = join(folder, `.${name}-${randomBytes(4).toString('hex')}.tmp`);
  try {
    const handle = await open(temporary, 'wx', 0o640);
    try {
      await handle.writeFile(bytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, join(folder, name));
    const place = await open(folder, 'r');
    await place.sync().finally(() => place.close());
    return { kind: 'taken' };
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    return { kind: 'not-sent', cause: `the folder cannot be written to: ${(error as NodeJS.ErrnoException).code}` };
  }
}

async function post(https: HttpsCaller, url: URL, body: Buffer, signal?: AbortSignal): Promise<V2BatchOutcome> {
  const headers = { 'Content-Type': 'application/hl7-v2', Accept: 'application/hl7-v2' };
  return concludeBatch(await https.call({ method: 'POST', path: url.pathname, headers, body, signal }));
}

/** What an answer over HTTPS says of a file. */
function concludeBatch(result: CallResult): V2BatchOutcome {
  if (result.kind === 'failed') {
    const { cause } = result;
    return result.isSent ? { kind: 'unknown', cause } : { kind: 'not-sent', cause: `it cannot be reached: ${cause}` };
  }
  const { status, body } = result;
  const said = `HTTP ${status}`;
  if (status >= 200 && status < 300) {
    if (body.toString('latin1').trim() === '') return { kind: 'taken' };
    const answers = readAnswers(body);
    if (answers.size > 0) return { kind: 'taken', answers };
    return { kind: 'unknown', cause: `${said} with an answer that holds no acknowledgement` };
  }
  if (NOT_TAKEN.includes(status)) return { kind: 'not-sent', cause: said };
  if (status >= 300 && status < 400) return { kind: 'not-sent', cause: `${said}: no redirection is followed` };
  if (status >= 400 && status < 500 && !OPEN_STATUS.includes(status)) return { kind: 'rejected', error: said };
  return { kind: 'unknown', cause: said };
}

/** By MSA-2. One answer, or a batch of them. */
function readAnswers(body: Buffer): ReadonlyMap<string, V2Outcome> {
  const single = isBatch(body) ? (splitBatch(body).value?.messages ?? []) : [body];
  return new Map(
    single.flatMap((raw) => {
      const answer = readAnswer(raw);
      return answer ? [[answer.controlId, outcomeOf(answer, raw)] as const] : [];
    }),
  );
}
