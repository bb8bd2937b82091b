/** Legal holds, retention and erasure put together; a piece of the composition root. docs/data-protection.md */
import { join } from 'node:path';
import type pg from 'pg';
import type { Config } from './config.ts';
import { every } from './every.ts';
import type { ContextLog } from './log.ts';
import { serviceCaller } from './policy/service-caller.ts';
import type { AuditLog } from './ports/audit.ts';
import type { Authenticate } from './ports/authenticate.ts';
import type { Cipher } from './ports/cipher.ts';
import type { Clock } from './ports/clock.ts';
import type { Policy } from './ports/policy.ts';
import type { Erasure, RetentionRule } from './ports/protection.ts';
import { withOwner } from './postgres/owner.ts';
import type { Pools } from './postgres/pools.ts';
import { cleanUp, tablesOf } from './postgres/protection/clean-up.ts';
import { openErasureList } from './postgres/protection/erasure-list.ts';
import { createErasureDesk } from './postgres/protection/erasures.ts';
import { HeldError } from './postgres/protection/guard.ts';
import { createHoldBook } from './postgres/protection/holds.ts';
import { repeatErasures } from './postgres/protection/repeat.ts';
import { createRetention } from './postgres/protection/retention.ts';
import type { OpenStore } from './postgres/store.ts';
import type { RequestHandler } from './rest/http-server.ts';
import { createPersonApi } from './rest/person-api.ts';
import { createProtectionRoutes, type ProtectionOptions } from './rest/protection-api.ts';
import { FhirError } from './standards/fhir/outcome.ts';

export interface ProtectionParts extends Pick<ProtectionOptions, 'checkQuery'> {
  readonly config: Config;
  readonly dataDir: string;
  readonly pools: Pools;
  /** Connects as the role that owns the tables: it cleans up after a removal. */
  readonly owner: pg.ClientConfig;
  /** Seals what may name a person. */
  readonly cipher: Cipher;
  readonly store: Pick<OpenStore, 'read' | 'removal' | 'contacts'>;
  readonly audit: AuditLog;
  readonly policy: Policy;
  readonly now: Clock;
  readonly log: ContextLog;
}

export interface Protection {
  /** By the beginnings of their paths. */
  readonly doors: (authenticate: Authenticate) => readonly (readonly [prefix: string, handle: RequestHandler])[];
  /** Does what there is to do now; one process of a database at a time. */
  work(signal?: AbortSignal): Promise<void>;
  /** Ends what runs; a removal under way goes on at the next start. */
  stop(): Promise<void>;
}

const LOOK_EVERY_MS = 60 * 1000;
const PURGE_EVERY_MS = 24 * 60 * 60 * 1000;
/** Any number that no other session lock of ours has: 'prot' in ASCII. */
const WORK_LOCK = 0x70726f74;
const DEAD_LETTER_DAYS = 365;
const CALLER = serviceCaller('protection');

/** Opens it, and repeats erasures that a restored database does not know of: nothing is answered before. */
export async function openProtection(parts: ProtectionParts): Promise<Protection> {
  const { config, pools, cipher, store, audit, owner, now, log } = parts;
  const { removal, contacts } = store;
  const list = await openErasureList({ path: join(parts.dataDir, 'erasures.jsonl'), writes: pools.writes, cipher });
  const erasures = createErasureDesk({ pools, cipher, list });
  const repeated = await repeatErasures({ pools, list, erasures, removal, now });
  if (repeated > 0) log.warn('the database is older than its erasures: they were repeated', { count: repeated });
  const retention = createRetention({
    ...contacts,
    pools,
    removal,
    years: config.retentionYears,
    mode: config.purge,
    deadLetterDays: DEAD_LETTER_DAYS,
    now,
  });
  const stopping = new AbortController();
  let isAgain = false;
  let under: Promise<void> | undefined;

  async function erase(erasure: Erasure, patientId: string, client: pg.ClientBase, signal: AbortSignal): Promise<void> {
    const { id, state, basis, patientHash } = erasure;
    const tell = (outcome: 0 | 4, rule: string): Promise<void> =>
      audit.record({
        kind: 'operation',
        operation: 'erasure',
        caller: CALLER,
        outcome,
        rule,
        patientId,
        detail: { erasure: id },
      });
    if (state === 'held' && (await removal.review(patientId)).holds.length > 0) return;
    try {
      await removal.remove([patientId], {
        signal,
        endsResults: true,
        note: (send, counts) => erasures.note(send, id, counts),
      });
      const at = now();
      list.append({ id, patient: patientHash, at, basis });
      await erasures.finish(id, at);
      await tell(0, 'erased');
      const counts = (await erasures.find(id))?.counts;
      await cleanUp(client, counts ? tablesOf(counts) : [], (table, { message }) =>
        log.warn('a table could not be cleaned after a removal', { table, cause: message }),
      );
    } catch (error) {
      if (!(error instanceof HeldError)) throw error;
      await erasures.setHeld(id, true);
      await tell(4, 'legal-hold');
    }
  }

  async function purge(signal: AbortSignal): Promise<void> {
    const last = await retention.lastRun();
    if (last !== undefined && last + PURGE_EVERY_MS > now()) return;
    const run = await retention.run(signal);
    const { resources, ...counts } = run.counts;
    const detail = Object.entries({ ...counts, ...resources }).map(([name, count]) => [name, String(count)]);
    await audit.record({
      kind: 'operation',
      operation: 'retention-purge',
      caller: CALLER,
      outcome: 0,
      rule: run.mode,
      detail: { run: run.id, ...Object.fromEntries(detail) },
    });
    log.info('records were looked through for their time', {
      mode: run.mode,
      due: counts.due,
      removed: counts.removed,
    });
  }

  async function work(signal: AbortSignal): Promise<void> {
    const open = await erasures.open();
    const last = await retention.lastRun();
    if (open.length === 0 && last !== undefined && last + PURGE_EVERY_MS > now()) return;
    await withOwner(owner, async (client) => {
      // Of the session: it goes with the process that holds it.
      const { rows } = await client.query<{ got: boolean }>('select pg_try_advisory_lock($1) as got', [WORK_LOCK]);
      if (rows[0]?.got !== true) return;
      for (const erasure of await erasures.open())
        if (erasure.patientId !== undefined) await erase(erasure, erasure.patientId, client, signal);
      await purge(signal);
    });
  }

  /** One after another in this process; whoever asks while one is under way has another follow it. */
  function run(): Promise<void> {
    isAgain = true;
    under ??= (async () => {
      while (isAgain && !stopping.signal.aborted) {
        isAgain = false;
        await work(stopping.signal);
      }
    })().finally(() => {
      under = undefined;
    });
    return under;
  }
  const failed = (error: unknown): void => {
    if (!stopping.signal.aborted) log.error('data could not be removed; it is tried again', { error: error as Error });
  };
  const stopLooking = every(LOOK_EVERY_MS, run, failed);
  // What the last stop broke off.
  if ((await erasures.open()).length > 0) void run().catch(failed);

  const routes = createProtectionRoutes({
    holds: createHoldBook({ pools, cipher, rids: contacts.keys.rids }),
    erasures,
    review: (patientId) => removal.review(patientId),
    report: async (limit) => ({ rules: rulesOf(config), runs: await retention.runs(limit) }),
    exists: (type, id) => exists(store, type, id),
    checkQuery: parts.checkQuery,
    begin: () => void run().catch(failed),
    now,
  });
  return {
    doors(authenticate) {
      const onError = (error: unknown): void => log.error('a request failed', { error: error as Error });
      const api = createPersonApi({ routes, authenticate, policy: parts.policy, audit, now, onError });
      return ['holds', 'erasures', 'retention'].map((name) => [`/api/v2/${name}`, api]);
    },
    work: run,
    async stop() {
      stopping.abort(new Error('the server stops'));
      await under?.catch(() => undefined);
      await stopLooking();
    },
  };
}

/** How long what is kept. */
function rulesOf(config: Config): readonly RetentionRule[] {
  return [
    {
      category: 'patient records',
      keeps: `${config.retentionYears} years after the last contact or death${config.purge === 'on' ? '' : '; nothing is removed yet'}`,
      setting: 'RETENTION_YEARS, PURGE',
    },
    { category: 'audit trail', keeps: `${config.auditRetentionYears} years`, setting: 'AUDIT_RETENTION_YEARS' },
    {
      category: 'messages',
      keeps: `${config.messageRetentionDays} days once settled`,
      setting: 'MESSAGE_RETENTION_DAYS',
    },
    { category: 'dead letters', keeps: `${DEAD_LETTER_DAYS} days` },
    { category: 'jobs', keeps: 'until they are done' },
    { category: 'sessions, tokens, codes and links', keeps: 'until they end, 30 days at most' },
    { category: 'proofs of erasure', keeps: 'for ever; they name nobody' },
  ];
}

/** Also one that is deleted: its versions are there. */
async function exists(store: ProtectionParts['store'], type: string, id: string): Promise<boolean> {
  try {
    await store.read(CALLER, type, id);
    return true;
  } catch (error) {
    if (error instanceof FhirError && error.status === 404) return false;
    if (error instanceof FhirError && error.status === 410) return true;
    throw error;
  }
}
