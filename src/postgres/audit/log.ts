/**
 * The audit log: events become rows. Those of one tick share one statement, which is durable before they resolve; the
 * row of a write goes into the write's own statement. DESIGN 6a; SECURITY AU-06
 */
import { createSecretKey, type KeyObject, randomInt } from 'node:crypto';
import type { AuditEvent, AuditKind, AuditLog } from '../../ports/audit.ts';
import type { Caller } from '../../ports/caller.ts';
import type { Cipher } from '../../ports/cipher.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import { escapeControls } from '../../standards/fhir/audit-event/escape-controls.ts';
import { unavailable } from '../../standards/fhir/outcome.ts';
import { highLane, lowLane } from '../hash.ts';
import { createKeys, type Lanes } from '../keys.ts';
import type { Pipeline, Pools } from '../pools.ts';
import type { RidCodec } from '../rid.ts';
import { findTable } from '../tables.ts';
import type { NewVersion, Op } from '../write-sql.ts';
import { type Agents, createAgents } from './agents.ts';
import { type EntryRow, SHARD, signEntry } from './entry.ts';
import { insertEntriesStatement } from './entry-sql.ts';
import { kindNumber } from './kinds.ts';

/** What of the trail is kept sealed: it may name a person. */
export interface EntryDetail {
  readonly query?: string;
  readonly detail?: Readonly<Record<string, string>>;
  /** Of an event with several: `Type/id` or `Type/id/_history/2`. */
  readonly targets?: readonly string[];
}

export interface AuditLogOptions {
  readonly pools: Pick<Pools, 'reads' | 'writes'>;
  /** 32 bytes, used for nothing else. */
  readonly macKey: Buffer;
  /** Seals what may name a person. */
  readonly cipher: Cipher;
  readonly now: Clock;
  readonly log: Log;
  /** Told of every event before it is stored, and of a trail that cannot be written. */
  readonly watch?: AuditWatch;
}

export interface AuditWatch {
  see(event: AuditEvent): void;
  sinkFailed(): void;
}

/** How the write path makes the rows of its writes. */
export interface WriteAudit {
  /** Resolves when entries may name this caller; undefined when they may already. */
  admit(caller: Caller): Promise<void> | undefined;
  /** The version with the entry that goes into its statement; `pat`: the patient when the version itself names none. */
  audited(caller: Caller, version: NewVersion, pat?: Lanes): NewVersion;
}

export interface AuditTrail extends AuditLog, WriteAudit {
  /** The row of an event, for use in a statement of one's own; `admit` its caller first. */
  entryRow(event: AuditEvent): EntryRow;
  /** The patient's rid as a decimal. */
  patientRidOf(patientId: string): string;
  /** How ids become the keys that entries hold, and back. */
  readonly rids: RidCodec;
  /** Events that wait to be written. */
  waiting(): number;
}

const QUEUE_MAX = 20_000;
const BATCH_MAX = 1000;
const IN_FLIGHT_MAX = 2;
const PATIENTS_MAX = 10_000;
const TARGETS_MAX = 1000;
const QUERY_MAX = 8192;
const DETAILS_MAX = 50;

const KIND_OF_OP: Record<Op, AuditKind> = { C: 'create', U: 'update', P: 'patch', D: 'delete' };

/** Opens the trail of a migrated database. */
export async function openAuditLog(options: AuditLogOptions): Promise<AuditTrail> {
  const [row] = await options.pools.reads.query({
    text: "select value from mortar.meta where name = 'hash-key'",
    values: [],
  });
  if (typeof row?.[0] !== 'string') throw new Error('the database has no hash-key: its first migration is incomplete');
  const { rids } = createKeys(Buffer.from(row[0], 'hex').subarray(0, 16));
  return createAuditLog({ ...options, rids });
}

export function createAuditLog(options: AuditLogOptions & { readonly rids: RidCodec }): AuditTrail {
  const { pools, cipher, now, rids, watch } = options;
  const key = createSecretKey(options.macKey);
  const agents = createAgents({ writes: pools.writes, key, cipher, now });
  const rows = createRows({ key, agents, cipher, now, rids });
  const queue = createQueue(pools.writes, (error) => {
    options.log.error('the audit trail cannot be written', { cause: (error as Error).message });
    watch?.sinkFailed();
  });
  return {
    async record(event) {
      const row = rows.entryRow(event);
      watch?.see(event);
      await failClosed(async () => agents.admit(event.caller));
      await failClosed(() => queue.add(row));
    },
    entryRow: rows.entryRow,
    audited(caller, version, pat) {
      watch?.see(eventOf(caller, version, pat));
      return rows.audited(caller, version, pat);
    },
    admit(caller) {
      const storing = agents.admit(caller);
      return storing && failClosed(() => storing);
    },
    patientRidOf: (id) => String(rids.rid(id)),
    rids,
    waiting: queue.waiting,
  };
}

const eventOf = (caller: Caller, version: NewVersion, pat: Lanes | undefined): AuditEvent => {
  const patient = version.row.pat ?? pat;
  const patientRid = patient && String((BigInt(patient.hi) << 32n) | BigInt(patient.lo >>> 0));
  const target = { type: version.table.type, id: version.id, versionId: version.ver };
  return {
    kind: KIND_OF_OP[version.op],
    caller,
    outcome: 0,
    targets: [{ ...target, ...(patientRid !== undefined && { patientRid }) }],
  };
};

/** What cannot be audited must not be answered: 503. */
async function failClosed<T>(work: () => Promise<T> | undefined): Promise<void> {
  try {
    await work();
  } catch (error) {
    throw unavailable('The audit trail cannot be written just now, so nothing is answered; try again', error);
  }
}

interface Rows {
  entryRow(event: AuditEvent): EntryRow;
  audited(caller: Caller, version: NewVersion, pat?: Lanes): NewVersion;
}

function createRows(tools: {
  readonly key: KeyObject;
  readonly agents: Agents;
  readonly cipher: Cipher;
  readonly now: Clock;
  readonly rids: RidCodec;
}): Rows {
  const { key, agents, cipher, now, rids } = tools;
  const nextId = createIds();

  function callerFields(caller: Caller) {
    return {
      agent: agents.idOf(caller),
      purpose: clean(caller.purpose, 32),
      correlation: clean(caller.correlationId, 128),
      address: clean(caller.address, 64),
      token: clean(caller.tokenId, 64),
    };
  }

  return {
    audited(caller, version, pat) {
      const { row, table } = version;
      const entry = signEntry(key, {
        shard: SHARD,
        at: version.lu,
        id: nextId(),
        kind: kindNumber(KIND_OF_OP[version.op]),
        outcome: 0,
        type: table.number,
        rid: { hi: row.ridHi, lo: row.ridLo },
        ver: version.ver,
        ref: row.ridHi < 0 ? version.id : undefined,
        pat: row.pat ?? pat,
        pats: undefined,
        rule: undefined,
        operation: undefined,
        detail: undefined,
        ...callerFields(caller),
      });
      return { ...version, entry };
    },

    entryRow(event) {
      const { targets = [], caller } = event;
      const [target] = targets.length === 1 ? targets : [];
      const table = target && findTable(target.type);
      let rid: Lanes | undefined;
      if (table && target) {
        rids.lanes(target.id);
        rid = { hi: rids.hi | 0, lo: rids.lo | 0 };
      }
      const patients = patientsOf(event, rids);
      const at = now();
      const id = nextId();
      return signEntry(key, {
        shard: SHARD,
        at,
        id,
        kind: kindNumber(event.kind),
        outcome: event.outcome,
        type: table?.number ?? findTable(event.type ?? targets[0]?.type ?? '')?.number,
        rid,
        ver: target?.versionId,
        ref: rid && rid.hi < 0 ? clean(target?.id, 64) : undefined,
        pat: patients.length === 1 ? patients[0] : undefined,
        pats: patients.length > 1 ? patients : undefined,
        rule: clean(event.rule, 256),
        operation: clean(event.operation, 64),
        detail: seal(cipher, detailOf(event, targets.length > 1 || (target !== undefined && !table)), at, id),
        ...callerFields(caller),
      });
    },
  };
}

const clean = (text: string | undefined, max: number): string | undefined =>
  text === undefined ? undefined : escapeControls(text, max);

function patientsOf({ targets = [], patientRids, patientId }: AuditEvent, rids: RidCodec): Lanes[] {
  const found = new Set<string>(patientRids?.slice(0, PATIENTS_MAX));
  for (const { patientRid } of targets)
    if (patientRid !== undefined && found.size < PATIENTS_MAX) found.add(patientRid);
  if (found.size === 0 && patientId !== undefined) found.add(String(rids.rid(patientId)));
  return [...found].map((text) => {
    const value = BigInt(text);
    return { hi: highLane(value), lo: lowLane(value) };
  });
}

function detailOf(event: AuditEvent, withTargets: boolean): EntryDetail | undefined {
  const details = Object.entries(event.detail ?? {}).slice(0, DETAILS_MAX);
  if (event.query === undefined && details.length === 0 && !withTargets) return undefined;
  return {
    ...(event.query !== undefined && { query: escapeControls(event.query, QUERY_MAX) }),
    ...(details.length > 0 && {
      detail: Object.fromEntries(details.map(([name, value]) => [escapeControls(name, 64), escapeControls(value)])),
    }),
    ...(withTargets && {
      targets: (event.targets ?? [])
        .slice(0, TARGETS_MAX)
        .map(({ type, id, versionId }) =>
          escapeControls(`${type}/${id}${versionId === undefined ? '' : `/_history/${versionId}`}`),
        ),
    }),
  };
}

const seal = (cipher: Cipher, detail: EntryDetail | undefined, at: number, id: Lanes): Buffer | undefined =>
  detail && cipher.seal(Buffer.from(JSON.stringify(detail)), detailContext(at, id));

/** Binds a sealed detail to its row. */
export const detailContext = (at: number, id: Lanes): string => `audit entry ${at} ${id.hi} ${id.lo}`;

/** Numbers of this process: a random start, then one after another. With the ms they name an entry. */
function createIds(): () => Lanes {
  let hi = randomInt(2 ** 31);
  let lo = randomInt(2 ** 32);
  return () => {
    lo += 1;
    if (lo === 2 ** 32) {
      lo = 0;
      hi = (hi + 1) % 2 ** 31;
    }
    return { hi, lo: lo | 0 };
  };
}

interface Waiting {
  readonly row: EntryRow;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Under load the next batch grows while two are on their way. */
function createQueue(writes: Pipeline, onFailure: (error: unknown) => void) {
  let waiting: Waiting[] = [];
  let inFlight = 0;
  let scheduled = false;

  function pump(): void {
    scheduled = false;
    while (waiting.length > 0 && inFlight < IN_FLIGHT_MAX) {
      const batch = waiting.slice(0, BATCH_MAX);
      waiting = waiting.slice(BATCH_MAX);
      inFlight++;
      void send(batch);
    }
  }

  async function send(batch: readonly Waiting[]): Promise<void> {
    try {
      await writes.query(insertEntriesStatement(batch.map((one) => one.row)));
      for (const one of batch) one.resolve();
    } catch (error) {
      onFailure(error);
      for (const one of batch) one.reject(error);
    } finally {
      inFlight--;
      pump();
    }
  }

  return {
    waiting: () => waiting.length,
    add: (row: EntryRow): Promise<void> =>
      new Promise((resolve, reject) => {
        if (waiting.length >= QUEUE_MAX) {
          reject(new Error('too many audit events wait to be written'));
          return;
        }
        waiting.push({ row, resolve, reject });
        if (scheduled) return;
        scheduled = true;
        setImmediate(pump);
      }),
  };
}
