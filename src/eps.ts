/** Composition of the way to the Spine: certificates, breaker, exchange, jobs, and the desk that clients send messages at. */
import type { Config } from './config.ts';
import { createCircuitBreaker } from './gateways/circuit-breaker.ts';
import { createSpineExchange } from './gateways/eps/exchange.ts';
import { readSentEnvelope } from './gateways/eps/sent-message.ts';
import { createSpineSender, prepareSending, sendingId } from './gateways/eps/submit.ts';
import { createHttpsCaller } from './gateways/https-call.ts';
import { createEpsDispensedHandler } from './jobs/eps-dispensed-jobs.ts';
import { createEpsJobs } from './jobs/eps-jobs.ts';
import type { JobSet } from './jobs/runner.ts';
import type { PrescriptionSigner } from './mapping/eps/sign-order.ts';
import { openTlsFiles, TlsFileError } from './pki/tls-files.ts';
import type { AuditLog } from './ports/audit.ts';
import type { Clock } from './ports/clock.ts';
import type { Log } from './ports/log.ts';
import type { MessageLog } from './ports/message-log.ts';
import type { Policy } from './ports/policy.ts';
import type { ResourceStore } from './ports/resource-store.ts';
import { openSigners } from './signers.ts';
import { type ApplyMessageServices, createApplyMessage } from './workflow/apply-message.ts';
import { createJudgePrescriptions, type JudgePrescriptions } from './workflow/eps/check-signatures.ts';
import { createEpsDesk, type EpsDesk } from './workflow/eps/desk.ts';
import { createIdentitiesOf } from './workflow/eps/identities.ts';
import { createCheckPatients, createCheckRelation } from './workflow/eps/relation.ts';
import { createEpsSend } from './workflow/eps/send.ts';
import { createEpsRecord } from './workflow/eps/settle.ts';
import { createEpsTrack } from './workflow/eps/track.ts';
import { createEpsDispensed, releaseJobs } from './workflow/prescribing/eps-dispensed.ts';
import { createEpsFollow } from './workflow/prescribing/eps-follow.ts';
import { createEpsOrders, type EpsOrders } from './workflow/prescribing/eps-orders.ts';

export interface EpsParts extends Omit<ApplyMessageServices, 'newId'> {
  readonly config: Pick<
    Config,
    | 'spineUrl'
    | 'spineCertFile'
    | 'spineKeyFile'
    | 'spineCaFile'
    | 'epsToAsid'
    | 'epsToPartyKey'
    | 'epsFromAsid'
    | 'epsFromPartyKey'
    | 'epsConcurrency'
  >;
  readonly messages: Pick<MessageLog, 'read' | 'settle'>;
  readonly store: Pick<ResourceStore, 'transaction' | 'newId'>;
  readonly policy: Pick<Policy, 'allows'>;
  readonly audit: Pick<AuditLog, 'record'>;
  readonly judge: JudgePrescriptions | undefined;
  /** Signs what is approved here: a key for trying, with the local Spine alone. */
  readonly signer?: PrescriptionSigner | undefined;
  /** Base of links to the answers. */
  readonly baseUrl: string;
  readonly now: Clock;
  readonly log: Log;
}

export interface Eps {
  readonly jobs: JobSet;
  readonly desk: EpsDesk;
  /** For orders that are approved here. */
  readonly orders: EpsOrders;
  readonly stop: () => void;
}

const TIMEOUT_MS = 30_000;
const FAILURES_MAX = 5;
const PAUSE_MS = 5_000;
const PAUSE_MAX_MS = 5 * 60_000;
/** The edge of the national API gives up after 30 s. */
const WAIT_MS = 25_000;

/** Undefined when no Spine is configured. Throws `TlsFileError` when its files cannot be used. */
export function openEps(parts: EpsParts): Eps | undefined {
  const { config, messages, store, policy, audit, judge, baseUrl, criteriaOf, now, log } = parts;
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
  const queue = (): Promise<void> => Promise.reject(new Error('messages are queued with what is stored of them'));
  const sender = createSpineSender({ messages, queue, now });
  const apply = createApplyMessage({ ...parts, newId: store.newId });
  const record = createEpsRecord({
    messages,
    store,
    apply,
    criteriaOf,
    prepareSending,
    validate: parts.validate,
    sendingId,
    readSent: readSentEnvelope,
    follow: createEpsFollow({ criteriaOf, newId: store.newId, now }),
    releaseJobs,
    judge,
    toAsid: config.epsToAsid,
    baseUrl,
    now,
    log,
  });
  const toPartyKey = config.epsToPartyKey;
  const settings = {
    toAsid: config.epsToAsid,
    toPartyKey,
    fromAsid: config.epsFromAsid,
    fromPartyKey: config.epsFromPartyKey,
  };
  const dispensed = createEpsDispensed({ store, messages, criteriaOf, prepareSending, settings, baseUrl, now });
  const checkRelation = createCheckRelation({ store, criteriaOf });
  const sending = { checkRelation, messages, store, apply, criteriaOf, prepareSending, judge, audit, toPartyKey };
  const sends = createEpsJobs({
    messages,
    exchange,
    concurrency: config.epsConcurrency,
    settleFinally: record.settle,
    patientsOf: record.patientsOf,
    onSettled: sender.settled,
    log,
  });
  return {
    jobs: { ...sends, handlers: [...sends.handlers, createEpsDispensedHandler({ dispensed, log })] },
    desk: createEpsDesk({
      send: createEpsSend({ ...sending, patientsOf: record.patientsOf }),
      track: createEpsTrack({ tracker: exchange.tracker, note: record.note }),
      wait: sender.wait,
      messages,
      policy,
      identitiesOf: createIdentitiesOf({ store, criteriaOf }),
      audit,
      patientsOf: record.patientsOf,
      patientsNamed: record.patientsNamed,
      checkPatients: createCheckPatients({ store, criteriaOf }),
      sentOrders: record.sentOrders,
      settings,
      baseUrl,
      waitMs: WAIT_MS,
      now,
    }),
    orders: createEpsOrders({
      prepareSending,
      judge,
      settings,
      ...(parts.signer && { signer: parts.signer }),
    }),
    stop() {
      files.stop();
      https.close();
    },
  };
}

/** Whether prescriptions are truly signed; undefined where no authorities of signers are configured. Throws `TlsFileError`. */
export function openSignerTrust(
  config: Pick<Config, 'epsSignerCaFile' | 'revocation' | 'revocationHosts'>,
  now: Clock,
  log: Log,
): JudgePrescriptions | undefined {
  const { epsSignerCaFile: file } = config;
  if (file === undefined) return undefined;
  return createJudgePrescriptions(openSigners({ setting: 'EPS_SIGNER_CA_FILE', file, config, now, log }), now);
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
