/** The way to partners that are sent HL7 v2: their connections, their acknowledgements, and a breaker for each. */
import { readFileSync } from 'node:fs';
import { connect as connectPlain } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import type { Clock } from '../../../ports/clock.ts';
import type { Log } from '../../../ports/log.ts';
import type { Feed, V2Exchange, V2Outcome } from '../../../ports/v2-feed.ts';
import { parseMessage } from '../../../standards/hl7v2/parse.ts';
import { type CircuitBreaker, createCircuitBreaker } from '../../circuit-breaker.ts';
import { createLines } from '../../lines.ts';
import {
  createMllpClient,
  type MllpClient,
  type MllpClientOptions,
  type SendResult,
  type Weighed,
} from './mllp-client.ts';
import { type ReadAnswer, readAnswer } from './read-answer.ts';

export interface V2ExchangeOptions {
  /** Certificates for `mllps:` and this feed; another object once they have changed. */
  readonly tls: (feed: Feed) => ConnectionOptions;
  readonly connectTimeoutMs?: number;
  readonly answerTimeoutMs: number;
  readonly idleTimeoutMs?: number;
  readonly breaker?: { readonly failuresMax: number; readonly pauseMs: number; readonly pauseMaxMs: number };
  readonly now: Clock;
  readonly log: Log;
}

const CONNECT_TIMEOUT_MS = 10_000;
const IDLE_TIMEOUT_MS = 5 * 60_000;
const BREAKER = { failuresMax: 3, pauseMs: 1000, pauseMaxMs: 60_000 };

interface Line {
  readonly address: string;
  readonly tls: ConnectionOptions | undefined;
  readonly client: MllpClient;
}

export function createV2Exchange(options: V2ExchangeOptions): V2Exchange & { close(): void } {
  const { answerTimeoutMs, now, log } = options;
  const lines = createLines<Line>({ now, close: ({ client }) => client.close() });
  const breakers = createLines<CircuitBreaker>({ now, close: () => {} });

  /** Of a feed's partner and lane; made anew where the address or our certificate has changed. */
  function clientOf(feed: Feed, lane: number): MllpClient {
    const { id, address } = feed;
    const key = `${id} ${lane}`;
    const tls = address.startsWith('mllps:') ? options.tls(feed) : undefined;
    const known = lines.find(key);
    if (known && known.address === address && known.tls === tls) return known.client;
    const client = createMllpClient({
      open: () => openSocket(address, tls),
      connectTimeoutMs: options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
      answerTimeoutMs,
      idleTimeoutMs: options.idleTimeoutMs ?? IDLE_TIMEOUT_MS,
      log,
    });
    lines.keep(key, { address, tls, client });
    return client;
  }

  function breakerOf(address: string): CircuitBreaker {
    const known = breakers.find(address);
    if (known) return known;
    const made = createCircuitBreaker({ ...BREAKER, ...options.breaker, now });
    breakers.keep(address, made);
    return made;
  }

  return {
    async send(feed, lane, raw, signal) {
      const breaker = breakerOf(feed.address);
      const until = breaker.closedUntil();
      if (until !== undefined) return { kind: 'not-sent', cause: 'the partner is left alone for a while', until };
      const wants = readWants(raw);
      const result = await clientOf(feed, lane).send(raw, (frame) => weigh(frame, wants), signal);
      // Any answer is a way.
      if (result.kind === 'answered') breaker.succeeded();
      else if (signal?.aborted !== true) breaker.failed();
      return conclude(result);
    },
    close: lines.close,
  };
}

function openSocket(address: string, tls: ConnectionOptions | undefined): ReturnType<MllpClientOptions['open']> {
  const { hostname, port } = new URL(address);
  const host = hostname.replace(/^\[|\]$/g, '');
  if (tls === undefined) return { socket: connectPlain({ host, port: Number(port) }), ready: 'connect' };
  const name = /^[\d.]+$|:/.test(host) ? {} : { servername: host };
  return { socket: connectTls({ ...tls, host, port: Number(port), ...name }), ready: 'secureConnect' };
}

/** Certificates that are believed and none of ours; read again for each connection, so that a renewed file counts. */
export function caOnly(caFile: string | undefined): () => ConnectionOptions {
  const base: ConnectionOptions = { minVersion: 'TLSv1.2', rejectUnauthorized: true };
  let made: ConnectionOptions = base;
  let text: string | undefined;
  return () => {
    if (caFile === undefined) return base;
    const read = readFileSync(caFile, 'latin1');
    if (read !== text) made = { ...base, ca: read };
    text = read;
    return made;
  };
}

interface Wants {
  readonly controlId: string;
  /** Two answers: that it was taken, and what became of it. */
  readonly isTwoStep: boolean;
}

function readWants(raw: Buffer): Wants {
  const header = parseMessage(raw).value?.header;
  const [accept = '', application = ''] = [header?.value(15), header?.value(16)];
  return { controlId: header?.value(10) ?? '', isTwoStep: isWanted(accept) && isWanted(application) };
}

const isWanted = (condition: string): boolean => condition !== '' && condition !== 'NE';

/** A partner that answers AA at once, whatever was agreed, has answered. */
function weigh(frame: Buffer, { controlId, isTwoStep }: Wants): Weighed {
  const answer = readAnswer(frame);
  if (answer?.controlId !== controlId) return 'other';
  return answer.code === 'CA' && isTwoStep ? 'more' : 'last';
}

function conclude(result: SendResult): V2Outcome {
  if (result.kind === 'failed')
    return result.isSent
      ? { kind: 'unknown', cause: result.cause }
      : { kind: 'not-sent', cause: `the partner cannot be reached: ${result.cause}` };
  const answer = result.frames.at(-1) as Buffer; // an answer has a frame
  if (!result.isWhole) return { kind: 'pending', answer };
  return outcomeOf(readAnswer(answer) as ReadAnswer, answer); // weighed
}

/** Of the last word on a message. */
export function outcomeOf({ code, error }: ReadAnswer, answer: Buffer): V2Outcome {
  switch (code) {
    case 'AA':
    case 'CA':
      return { kind: 'accepted', code, answer };
    case 'AE':
    case 'CE':
      return { kind: 'rejected', code, answer, error };
    case 'AR':
    case 'CR':
      return { kind: 'refused', code, answer, error };
  }
}
