/** The audit trail put together: its keys, its log, the chain over it; a piece of the composition root. */
import { join } from 'node:path';
import type pg from 'pg';
import type { ClosenessOf } from './closeness.ts';
import { every } from './every.ts';
import type { ContextLog } from './log.ts';
import { openAuditKeys } from './pki/audit-key.ts';
import { KeyFileError } from './pki/secret-file.ts';
import type { Clock } from './ports/clock.ts';
import type { Policy } from './ports/policy.ts';
import { createChainer } from './postgres/audit/chainer.ts';
import { appendCheckpoint } from './postgres/audit/checkpoint-file.ts';
import { type AuditTrail, openAuditLog } from './postgres/audit/log.ts';
import { findPatientId } from './postgres/audit/patient-id.ts';
import { purgeAudit } from './postgres/audit/retention.ts';
import { openTrail, type TrailView } from './postgres/audit/trail.ts';
import { createAuditWatcher } from './postgres/audit/watcher.ts';
import { checkKey } from './postgres/key-check.ts';
import { withOwner } from './postgres/owner.ts';
import type { Pools } from './postgres/pools.ts';
import { isMonthHeld } from './postgres/protection/held-months.ts';
import { StartError } from './postgres/start-error.ts';
import type { SearchParameter } from './standards/fhir/search/parameter.ts';

const RETENTION_EVERY_MS = 6 * 60 * 60 * 1000;

export interface AuditParts {
  /** Connects as the role that owns the tables: the server's own may only add to them. */
  readonly owner: pg.ClientConfig;
  /** How long a month is kept after its end. SECURITY AU-12 */
  readonly years: number;
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
  /** From then on it is looked at how close records are to the staff who read them. SECURITY FA-08 */
  lookWith(closenessOf: ClosenessOf): void;
  /** Links and signs what there is. */
  stop(): Promise<void>;
}

export async function openAudit(parts: AuditParts): Promise<Audit> {
  const { owner, years, dataDir, fhirBaseUrl, policy, dateParameter, pageSizeDefault, pools, holder, now, log } = parts;
  const keyFile = join(dataDir, 'keys', 'audit.key');
  const { macKeys, cipher, checkpointKey } = openKeys(keyFile);
  await checkKey(pools.writes, 'audit', cipher, keyFile);
  let closenessOf: ClosenessOf | undefined;
  const watcher = createAuditWatcher({
    now,
    alert: ({ rule, subject, ...alert }) => log.warn('security alert', { rule, subject, ...alert }),
    patientRidOf: (id) => trail.patientRidOf(id),
    closenessOf: async (user, rid) => {
      try {
        const patientId = await findPatientId(pools.reads, rid);
        return patientId === undefined ? [] : ((await closenessOf?.(user, patientId)) ?? []);
      } catch (error) {
        log.warn('it could not be told how close a record is to who read it', { error });
        return [];
      }
    },
    mark: (rule, caller, rid) => {
      trail
        .record({ kind: 'alert', caller, outcome: 0, rule, patientRids: [rid] })
        .catch((error: unknown) => log.error('an alert is not in the audit trail', { rule, error }));
    },
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
  const stopRetention = every(
    RETENTION_EVERY_MS,
    () =>
      withOwner(owner, async (client) => {
        const isHeld = (month: string): Promise<boolean> => isMonthHeld(client, month);
        for (const { month, count } of await purgeAudit({ client, checkpointKey, now: now(), years, isHeld }))
          log.info('a month of the audit trail was removed, its time had passed', { month, count });
      }),
    (error) => log.error('old months of the audit trail could not be removed', { error }),
  );

  return {
    trail,
    view,
    lookWith(look) {
      closenessOf = look;
    },
    async stop() {
      await stopRetention();
      await chainer.stop();
    },
  };
}

function openKeys(path: string) {
  try {
    return openAuditKeys(path);
  } catch (cause) {
    if (cause instanceof KeyFileError) throw new StartError('folder', cause.message, cause);
    throw cause;
  }
}
