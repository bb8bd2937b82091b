/** The audit trail put together: its keys, its log, the chain over it; a piece of the composition root. */
import { join } from 'node:path';
import type { ContextLog } from './log.ts';
import { openAuditKeys } from './pki/audit-key.ts';
import { KeyFileError } from './pki/key-file.ts';
import type { Clock } from './ports/clock.ts';
import { createChainer } from './postgres/audit/chainer.ts';
import { appendCheckpoint } from './postgres/audit/checkpoint-file.ts';
import { type AuditTrail, openAuditLog } from './postgres/audit/log.ts';
import type { Pools } from './postgres/pools.ts';
import { StartError } from './postgres/start-error.ts';

export interface AuditParts {
  readonly dataDir: string;
  readonly pools: Pools;
  /** Names this process. */
  readonly holder: string;
  readonly now: Clock;
  readonly log: ContextLog;
}

export interface Audit {
  readonly trail: AuditTrail;
  /** Links and signs what there is. */
  stop(): Promise<void>;
}

export async function openAudit({ dataDir, pools, holder, now, log }: AuditParts): Promise<Audit> {
  const { macKeys, cipher, checkpointKey } = openKeys(join(dataDir, 'keys', 'audit.key'));
  const trail = await openAuditLog({ pools, macKey: macKeys[0], cipher, now, log });
  const chainer = createChainer({
    pools,
    macKeys,
    checkpointKey,
    emit: (checkpoint) => appendCheckpoint(join(dataDir, 'audit-checkpoints.jsonl'), checkpoint),
    holder,
    now,
    log,
  });
  chainer.start();
  return { trail, stop: () => chainer.stop() };
}

function openKeys(path: string) {
  try {
    return openAuditKeys(path);
  } catch (cause) {
    if (cause instanceof KeyFileError) throw new StartError('folder', cause.message, cause);
    throw cause;
  }
}
