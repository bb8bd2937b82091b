/**
 * The audit log: events become rows. Those of one tick share a statement, and many of them a row, which is durable
 * before they resolve; the row of a write goes into the write's own statement. DESIGN 6a; SECURITY AU-06
 */
import { createSecretKey, type KeyObject, randomInt } from 'node:crypto';
import type { AuditEvent, AuditKind, AuditLog } from '../../ports/audit.ts';
import type { Caller } from '../../ports/caller.ts';
import type { Cipher } from '../../ports/cipher.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import { unavailable } from '../../standards/fhir/outcome.ts';
import { createKeys, type Lanes } from '../keys.ts';
import type { Pools } from '../pools.ts';
import type { RidCodec } from '../rid.ts';
import type { NewVersion, Op } from '../write-sql.ts';
import { createAgents } from './agents.ts';
import { callerFields, draftOf, type EntryDraft } from './drafts.ts';
import { type EntryRow, SHARD, signEntry } from './entry.ts';
import { kindNumber } from './kinds.ts';
import { createQueue } from './queue.ts';
import { fitsSheet, packSheet, SHEET_MAX, SHEET_MIN } from './sheet.ts';

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
  /** The patient's rid as a decimal. */
  patientRidOf(patientId: string): string;
  /** How ids become the keys that entries hold, and back. */
  readonly rids: RidCodec;
  /** Events that wait to be written. */
  waiting(): number;
}

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

function createAuditLog(options: AuditLogOptions & { readonly rids: RidCodec }): AuditTrail {
  const { pools, cipher, now, rids, watch } = options;
  const key = createSecretKey(options.macKey);
  const agents = createAgents({ writes: pools.writes, key, cipher, now });
  const nextId = createIds();
  const queue = createQueue({
    writes: pools.writes,
    toRows: (drafts) => rowsOf(drafts, { key, cipher, at: now(), nextId }),
    onFailure(error) {
      options.log.error('the audit trail cannot be written', { cause: (error as Error).message });
      watch?.sinkFailed();
    },
  });
  return {
    async record(asked) {
      const event = withRids(asked, rids);
      const draft = draftOf(event, agents, rids);
      watch?.see(event);
      await failClosed(async () => agents.admit(event.caller));
      await failClosed(() => queue.add(draft));
    },
    audited(caller, version, pat) {
      watch?.see(eventOf(caller, version, pat));
      const entry = signEntry(key, {
        ...entryOfWrite(version, pat),
        id: nextId(1),
        ...callerFields(agents, caller),
      });
      return { ...version, entry };
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

/** Patients who were told by their ids are looked for by their rids. */
function withRids(event: AuditEvent, rids: RidCodec): AuditEvent {
  const { patientIds = [], patientRids = [] } = event;
  if (patientIds.length === 0) return event;
  return { ...event, patientRids: [...patientRids, ...patientIds.map((id) => String(rids.rid(id)))] };
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

const entryOfWrite = ({ row, table, op, lu, ver, id }: NewVersion, pat: Lanes | undefined) => ({
  shard: SHARD,
  at: lu,
  kind: kindNumber(KIND_OF_OP[op]),
  outcome: 0,
  type: table.number,
  rid: { hi: row.ridHi, lo: row.ridLo },
  ver,
  ref: row.ridHi < 0 ? id : undefined,
  pat: row.pat ?? pat,
  pats: undefined,
  rule: undefined,
  operation: undefined,
  detail: undefined,
});

interface RowTools {
  readonly key: KeyObject;
  readonly cipher: Cipher;
  readonly at: number;
  readonly nextId: (count: number) => Lanes;
}

/** A row each, or sheets where many came together. */
function rowsOf(drafts: readonly EntryDraft[], { key, cipher, at, nextId }: RowTools): readonly EntryRow[] {
  const seal = (content: Buffer, id: Lanes): Buffer => cipher.seal(content, detailContext(at, id));
  const rows: EntryRow[] = [];
  const together: EntryDraft[] = [];
  const others: EntryDraft[] = [];
  for (const draft of drafts) (drafts.length >= SHEET_MIN && fitsSheet(draft) ? together : others).push(draft);
  const isSheet = together.length >= SHEET_MIN;
  for (let from = 0; isSheet && from < together.length; from += SHEET_MAX) {
    const some = together.slice(from, from + SHEET_MAX);
    const id = nextId(some.length);
    rows.push(
      signEntry(
        key,
        packSheet(some, at, id, (content) => seal(content, id)),
      ),
    );
  }
  for (const draft of isSheet ? others : drafts) {
    const id = nextId(1);
    const detail = draft.detail && seal(Buffer.from(JSON.stringify(draft.detail)), id);
    rows.push(signEntry(key, { ...draft, at, id, detail }));
  }
  return rows;
}

/** Binds a sealed detail to its row. */
export const detailContext = (at: number, id: Lanes): string => `audit entry ${at} ${id.hi} ${id.lo}`;

/** Numbers of this process: a random start, then one after another. With the ms they name an entry. */
function createIds(): (count: number) => Lanes {
  let hi = randomInt(2 ** 31);
  let lo = randomInt(2 ** 32);
  return (count) => {
    if (lo + count > 2 ** 32) {
      lo = 0;
      hi = (hi + 1) % 2 ** 31;
    }
    const first = { hi, lo: lo | 0 };
    lo += count;
    return first;
  };
}
