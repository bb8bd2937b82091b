/** Composition of the way to the Spine: certificates, breaker, exchange, jobs, and the sender that hands messages in. */
import type { Config } from './config.ts';
import { createCircuitBreaker } from './gateways/eps/circuit-breaker.ts';
import { createSpineExchange, type SpineTracker } from './gateways/eps/exchange.ts';
import { createHttpsCaller } from './gateways/eps/https-call.ts';
import { createSpineSender, type Queued, type SpineSender } from './gateways/eps/submit.ts';
import { createEpsJobs } from './jobs/eps-jobs.ts';
import type { JobSet } from './jobs/runner.ts';
import { openTlsFiles, TlsFileError } from './pki/tls-files.ts';
import type { Clock } from './ports/clock.ts';
import type { Log } from './ports/log.ts';
import type { MessageLog } from './ports/message-log.ts';

export interface EpsParts {
  readonly config: Pick<Config, 'spineUrl' | 'spineCertFile' | 'spineKeyFile' | 'spineCaFile'>;
  readonly messages: Pick<MessageLog, 'read' | 'settle'>;
  /** Commits a message and its job together. */
  readonly queue: (queued: Queued) => Promise<void>;
  readonly now: Clock;
  readonly log: Log;
}

export interface Eps {
  readonly jobs: JobSet;
  readonly sender: SpineSender;
  readonly tracker: SpineTracker;
  readonly stop: () => void;
}

const TIMEOUT_MS = 30_000;
const FAILURES_MAX = 5;
const PAUSE_MS = 5_000;
const PAUSE_MAX_MS = 5 * 60_000;

/** Undefined when no Spine is configured. Throws `TlsFileError` when its files cannot be used. */
export function openEps({ config, messages, queue, now, log }: EpsParts): Eps | undefined {
  const { spineUrl, spineCertFile, spineKeyFile, spineCaFile } = config;
  if (spineUrl === undefined || spineCertFile === undefined || spineKeyFile === undefined || spineCaFile === undefined)
    return undefined; // they are given together
  const files = openClientFiles(spineCertFile, spineKeyFile, spineCaFile, log);
  const https = createHttpsCaller({ baseUrl: spineUrl, tls: files.current, timeoutMs: TIMEOUT_MS });
  const breaker = createCircuitBreaker({
    failuresMax: FAILURES_MAX,
    pauseMs: PAUSE_MS,
    pauseMaxMs: PAUSE_MAX_MS,
    now,
  });
  const exchange = createSpineExchange({ https, breaker, log });
  const sender = createSpineSender({ messages, queue, now });
  return {
    jobs: createEpsJobs({ messages, exchange, onSettled: sender.settled, log }),
    sender,
    tracker: exchange.tracker,
    stop() {
      files.stop();
      https.close();
    },
  };
}

/** The files are read as those of our own listener are, and are told of by their own settings. */
function openClientFiles(certFile: string, keyFile: string, clientCaFile: string, log: Log) {
  try {
    return openTlsFiles({ certFile, keyFile, clientCaFile, log });
  } catch (error) {
    if (!(error instanceof TlsFileError)) throw error;
    const message = error.message
      .replace('TLS_CLIENT_CA_FILE', 'SPINE_CA_FILE')
      .replace(/\bTLS_(?=CERT|KEY)/, 'SPINE_');
    throw new TlsFileError(message, error);
  }
}
