/** Composition of the way to payers: exchange, journal in the message log, adjudication, desk and jobs. docs/ncpdp-telecom.md */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Config, ConfigError } from './config.ts';
import { createTelecomExchange, EXCHANGE_LIMITS } from './gateways/telecom/exchange.ts';
import { createClaimJobs } from './jobs/claim-jobs.ts';
import type { JobSet } from './jobs/runner.ts';
import type { AuditLog } from './ports/audit.ts';
import type { Clock } from './ports/clock.ts';
import type { Log } from './ports/log.ts';
import type { MessageLog } from './ports/message-log.ts';
import type { ResourceStore } from './ports/resource-store.ts';
import { createAdjudication } from './workflow/adjudication/adjudicate.ts';
import { type ClaimDesk, createClaimDesk } from './workflow/adjudication/desk.ts';
import { createMessageLogJournal } from './workflow/adjudication/message-log-journal.ts';
import { type CopayProgramme, parseProgrammes } from './workflow/adjudication/programmes.ts';
import { type ApplyMessageServices, createApplyMessage } from './workflow/apply-message.ts';

export interface ClaimParts extends Omit<ApplyMessageServices, 'newId'> {
  readonly config: Pick<Config, 'telecomUrl' | 'telecomSoftwareId' | 'copayProgrammesFile'>;
  readonly messages: Pick<MessageLog, 'read' | 'settle'>;
  readonly store: Pick<ResourceStore, 'transaction' | 'read' | 'newId'>;
  readonly audit: Pick<AuditLog, 'record'>;
  readonly now: Clock;
  readonly log: Log;
}

export interface Claims {
  readonly desk: ClaimDesk;
  readonly jobs: JobSet;
  readonly stop: () => void;
}

/** Sendings in one go: with the time-out of each, a client waits a minute at most. */
const ATTEMPTS_MAX = 2;
const DELAY_MS = 500;
const CONCURRENCY = 4;

/** Undefined when no payer is configured. */
export function openClaims(parts: ClaimParts): Claims | undefined {
  const { config, messages, store, audit, now, log } = parts;
  if (config.telecomUrl === undefined) return undefined;
  const exchange = createTelecomExchange({ ...EXCHANGE_LIMITS, url: config.telecomUrl, log });
  const journal = createMessageLogJournal({ messages, store, now });
  const wait = (ms: number): Promise<void> => sleep(ms);
  const leg = { exchange, journal, wait, attemptsMax: ATTEMPTS_MAX, delayMs: DELAY_MS };
  const desk = createClaimDesk({
    leg,
    adjudication: createAdjudication(leg),
    journal,
    store,
    apply: createApplyMessage({ ...parts, newId: store.newId }),
    audit,
    programmes: programmesIn(config.copayProgrammesFile),
    softwareId: config.telecomSoftwareId,
    now,
  });
  return { desk, jobs: createClaimJobs({ desk, concurrency: CONCURRENCY, log }), stop: exchange.stop };
}

function programmesIn(file: string | undefined): readonly CopayProgramme[] {
  if (file === undefined) return [];
  try {
    return parseProgrammes(JSON.parse(readFileSync(file, 'utf8')));
  } catch (cause) {
    throw new ConfigError([`COPAY_PROGRAMMES_FILE: ${file} cannot be used (${(cause as Error).message})`]);
  }
}
