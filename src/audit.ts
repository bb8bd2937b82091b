/** The audit trail put together: its keys, its log, the chain over it; a piece of the composition root. */
import { join } from 'node:path';
import type { ContextLog } from './log.ts';
import { openAuditKeys } from './pki/audit-key.ts';
import { KeyFileError } from './pki/key-file.ts';
import type { Clock } from './ports/clock.ts';
import type { Policy } from './ports/policy.ts';
import { createChainer } from './postgres/audit/chainer.ts';
import { appendCheckpoint } from './postgres/audit/checkpoint-file.ts';
import { type AuditTrail, openAuditLog } from './postgres/audit/log.ts';
import { openTrail, type TrailView } from './postgres/audit/trail.ts';
import { createAuditWatcher } from './postgres/audit/watcher.ts';
import type { Pools } from './postgres/pools.ts';
import { StartError } from './postgres/start-error.ts';
import type { SearchParameter } from './standards/fhir/search/parameter.ts';

export interface AuditParts {
  readonly dataDir: string;
  readonly fhirBaseUrl: string;
  readonly policy: Policy;
  /** `date` of AuditEvent. */
  readonly dateParameter: SearchParameter;
  readonly pageSizeDefault: number;
  readonly pools: Pools;
  /** Names this process. */
  readonly holder: string;
  readonly now: Clock;
  readonly log: ContextLog;
}

export interface Audit {
  readonly trail: AuditTrail;
  readonly view: TrailView;
  /** Links and signs what there is. */
  stop(): Promise<void>;
}

export async function openAudit(parts: AuditParts): Promise<Audit> {
  const { dataDir, fhirBaseUrl, policy, dateParameter, pageSizeDefault, pools, holder, now, log } = parts;
  const { macKeys, cipher, checkpointKey } = openKeys(join(dataDir, 'keys', 'audit.key'));
  const watcher = createAuditWatcher({
    now,
    alert: ({ rule, subject, ...alert }) => log.warn('security alert', { rule, subject, ...alert }),
    patientRidOf: (id) => trail.patientRidOf(id),
  });
  const trail: AuditTrail = await openAuditLog({ pools, macKey: macKeys[0], cipher, watch: watcher, now, log });
  const view = await openTrail({
    pools,
    trail,
    cipher,
    now,
    pageSizeDefault,
    server: { name: 'Mortar', baseUrl: fhirBaseUrl },
    mayRead: (caller) => policy.allows(caller, 'audit:read').allowed,
    dateParameter,
  });
  const chainer = createChainer({
    pools,
    macKeys,
    checkpointKey,
    emit: (checkpoint) => appendCheckpoint(join(dataDir, 'audit-checkpoints.jsonl'), checkpoint),
    holder,
    onBreak: watcher.chainBroken,
    now,
    log,
  });
  chainer.start();
  return { trail, view, stop: () => chainer.stop() };
}

function openKeys(path: string) {
  try {
    return openAuditKeys(path);
  } catch (cause) {
    if (cause instanceof KeyFileError) throw new StartError('folder', cause.message, cause);
    throw cause;
  }
}
