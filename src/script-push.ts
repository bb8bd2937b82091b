/** Composition of outbound SCRIPT: to whom messages are brought, with which credentials, and the jobs that do. docs/ncpdp.md "Pushing" */
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Config, ConfigError } from './config.ts';
import { createScriptExchange, type PushCredentials } from './gateways/script/push/exchange.ts';
import { parseScriptTargets, type ScriptTargetRow } from './gateways/script/push/targets.ts';
import type { JobSet } from './jobs/runner.ts';
import { createScriptSendJobs, type ScriptSendJobsOptions, scriptSendJob } from './jobs/script-send-jobs.ts';
import { type OutboundTls, openOutboundTls, verifiedTls } from './pki/outbound-tls.ts';
import type { NewJob } from './ports/jobs.ts';
import type { LoggedMessage } from './ports/message-log.ts';

export interface ScriptPushParts
  extends Pick<ScriptSendJobsOptions, 'messages' | 'isPartner' | 'take' | 'now' | 'log'> {
  readonly config: Pick<Config, 'scriptTargetsFile' | 'scriptAnswerTimeoutMs'>;
}

export interface ScriptPush {
  readonly jobs: JobSet;
  /** The job that brings a message to its receiver; undefined where that one fetches its messages. */
  jobOf(message: Pick<LoggedMessage, 'id' | 'receiver'>): NewJob | undefined;
  stop(): void;
}

const SETTING = 'SCRIPT_TARGETS_FILE';

/** Undefined where SCRIPT_TARGETS_FILE is not given. Throws `ConfigError`, and `TlsFileError` when its files cannot be used. */
export function openScriptPush({ config, ...parts }: ScriptPushParts): ScriptPush | undefined {
  const { scriptTargetsFile: file, scriptAnswerTimeoutMs: timeoutMs } = config;
  if (file === undefined) return undefined;
  const { now, log } = parts;
  const rows = new Map(readRows(file).map((row) => [row.receiver, row]));
  const opened: OutboundTls[] = [];
  const credentials = new Map<string, PushCredentials>();
  for (const row of rows.values()) {
    const { user, password, ca } = row;
    const tls = ownTls(row);
    if (tls) opened.push(tls);
    const authorities = ca === undefined ? undefined : readFileSync(ca, 'utf8');
    const verified = verifiedTls(authorities);
    credentials.set(row.receiver, {
      tls: tls?.options ?? (() => verified),
      ...(user !== undefined && {
        authorization: `Basic ${Buffer.from(`${user}:${password ?? ''}`).toString('base64')}`,
      }),
    });
  }
  function ownTls({ cert: certFile, key: keyFile, ca: caFile }: ScriptTargetRow): OutboundTls | undefined {
    if (certFile === undefined || keyFile === undefined || caFile === undefined) return undefined;
    return openOutboundTls({ certFile, keyFile, caFile, settings: { cert: SETTING, key: SETTING, ca: SETTING }, log });
  }
  const exchange = createScriptExchange({
    credentialsOf: ({ receiver }) => credentials.get(receiver) as PushCredentials, // of each row
    timeoutMs,
    now,
    log,
  });
  return {
    jobs: createScriptSendJobs({ ...parts, exchange, targets: { find: (receiver) => rows.get(receiver) } }),
    jobOf: ({ id, receiver }) =>
      receiver !== undefined && rows.has(receiver) ? scriptSendJob(id, receiver, now()) : undefined,
    stop() {
      exchange.close();
      for (const { stop } of opened) stop();
    },
  };
}

function readRows(file: string): readonly ScriptTargetRow[] {
  try {
    return parseScriptTargets(readFileSync(file, 'utf8'), dirname(file));
  } catch (error) {
    throw new ConfigError([`${SETTING}: ${file} cannot be used: ${(error as Error).message}`]);
  }
}
