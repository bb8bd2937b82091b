/** Single writes: create, update, patch, delete. Optimistic: no lock is held between reading and writing. */
import type { Caller } from '../ports/caller.ts';
import type { Resource, StoredVersion, WriteResult } from '../ports/resource-store.ts';
import { parseJson } from '../standards/fhir/json.ts';
import { conflict, gone, notFound, versionConflict } from '../standards/fhir/outcome.ts';
import type { WriteAudit } from './audit/log.ts';
import { errorCode, UNIQUE_VIOLATION } from './database-error.ts';
import { sealedWith, writeHeld } from './encryption/held-keys.ts';
import type { Shield } from './encryption/shield.ts';
import type { GroupCommit } from './group-commit.ts';
import type { Pipeline } from './pools.ts';
import { readStatement, toVersion } from './reader.ts';
import type { RidCodec } from './rid.ts';
import type { SearchRow } from './row.ts';
import { tableOf } from './tables.ts';
import { formatVersion, operationOf, opOf, stampMeta } from './versions.ts';
import { insertStatement, type NewVersion, type OldVersion, type Op, updateStatement } from './write-sql.ts';

/** Tries of an unconditional update that loses against others. */
const TRIES_MAX = 20;

export type RowBuilder = (
  resource: Readonly<Record<string, unknown>>,
  type: string,
  id: string,
  lastUpdated: number,
) => SearchRow;

export interface Writer {
  create(caller: Caller, resource: Resource, id: string): Promise<WriteResult>;
  update(
    caller: Caller,
    type: string,
    id: string,
    change: (current: Resource | undefined) => Resource,
    options?: {
      readonly ifMatch?: number;
      readonly operation?: 'update' | 'patch';
      /** Of a Consent: it stays its patient's own, whoever writes it. */
      readonly isByPatient?: boolean;
    },
  ): Promise<WriteResult>;
  delete(caller: Caller, type: string, id: string, ifMatch?: number): Promise<WriteResult | undefined>;
}

export function createWriter(options: {
  readonly writes: Pipeline;
  readonly group: GroupCommit;
  readonly rids: RidCodec;
  readonly rowOf: RowBuilder;
  /** Absent: what is written is not audited. */
  readonly audit: WriteAudit | undefined;
  /** Absent: nothing is stored encrypted. */
  readonly shield: Shield | undefined;
  readonly now: () => number;
}): Writer {
  const { writes, group, rids, rowOf, audit, shield, now } = options;

  async function findForWrite(type: string, id: string): Promise<StoredVersion | undefined> {
    rids.lanes(id);
    const rows = await writes.query(readStatement(tableOf(type), rids.hi, rids.lo));
    const row = rows[0];
    if (!row) return undefined;
    if (row[0] !== id) throw conflict(`The id '${id}' cannot be used for ${type}: choose another`);
    return toVersion(type, row);
  }

  return {
    async create(caller, resource, id) {
      const made = newVersion(rowOf, resource.resourceType, id, resource, 1, now(), 'C');
      await audit?.admit(caller);
      await sealedWith(shield, async () => {
        const sealed = shield ? await shield.seal(made) : made;
        await group.insert(audit ? audit.audited(caller, sealed) : sealed);
      });
      return { version: storedVersion(made), outcome: 'created' };
    },

    async update(caller, type, id, change, { ifMatch, operation = 'update', isByPatient } = {}) {
      await audit?.admit(caller);
      for (let tries = 1; ; tries++) {
        const old = await findForWrite(type, id);
        checkIfMatch(`${type}/${id}`, old, ifMatch);
        const next = nextVersion(rowOf, type, id, old, change, opOf(operation), now());
        if (next === 'unchanged') return { version: old as StoredVersion, outcome: 'unchanged' };
        const { replaced } = next;
        const written = isByPatient ? { ...next.made, row: { ...next.made.row, isByPatient } } : next.made;
        try {
          const [row] = await sealedWith(shield, async () => {
            const sealed = shield ? await shield.seal(written) : written;
            const made = audit ? audit.audited(caller, sealed, replaced?.row.pat) : sealed;
            return writeHeld(writes, made, replaced ? updateStatement(made, replaced) : insertStatement(made));
          });
          const version = storedVersion(next.made);
          if (!replaced) return { version, outcome: 'created' };
          if (row?.[0] === 1) return { version, outcome: old?.operation === 'delete' ? 'created' : 'updated' };
        } catch (error) {
          if (errorCode(error) !== UNIQUE_VIOLATION) throw error;
        }
        if (tries === TRIES_MAX) throw conflict(`${type}/${id} is being changed by many others; try again`);
      }
    },

    async delete(caller, type, id, ifMatch) {
      await audit?.admit(caller);
      for (let tries = 1; ; tries++) {
        const old = await findForWrite(type, id);
        checkIfMatch(`${type}/${id}`, old, ifMatch);
        if (!old) return undefined;
        if (old.operation === 'delete') return { version: old, outcome: 'unchanged' };
        const row = oldRow(rowOf, old);
        const deleted = deletion(rids, type, id, old, now());
        const made = audit ? audit.audited(caller, deleted, row.pat) : deleted;
        const rows = await writes.query(updateStatement(made, { ver: old.versionId, row }));
        if (rows[0]?.[0] === 1) return { version: storedVersion(made), outcome: 'deleted' };
        if (tries === TRIES_MAX) throw conflict(`${type}/${id} is being changed by many others; try again`);
      }
    },
  };
}

/** 412 when a version is asked for that is not the current one. https://hl7.org/fhir/R4/http.html#concurrency */
export function checkIfMatch(reference: string, old: StoredVersion | undefined, ifMatch: number | undefined): void {
  if (ifMatch === undefined) return;
  const current = old && old.operation !== 'delete' ? old.versionId : undefined;
  if (current !== ifMatch)
    throw versionConflict(
      current === undefined
        ? `${reference} has no current version, but If-Match asks for version ${ifMatch}`
        : `The current version of ${reference} is ${current}, not ${ifMatch}: read it again and repeat the change on it`,
    );
}

const lastUpdatedAfter = (old: StoredVersion | undefined, now: number): number =>
  old ? Math.max(now, old.lastUpdated + 1) : now;

export function newVersion(
  rowOf: RowBuilder,
  type: string,
  id: string,
  resource: Resource,
  ver: number,
  lu: number,
  op: Op,
): NewVersion {
  const stamped = stampMeta(resource, id, ver, lu);
  return { table: tableOf(type), id, ver, lu, op, content: formatVersion(stamped), row: rowOf(stamped, type, id, lu) };
}

/** The version an update makes and the row it replaces, or `unchanged` when its content would equal the current one's. */
export function nextVersion(
  rowOf: RowBuilder,
  type: string,
  id: string,
  old: StoredVersion | undefined,
  change: (current: Resource | undefined) => Resource,
  op: Op,
  now: number,
): { readonly made: NewVersion; readonly replaced: OldVersion | undefined } | 'unchanged' {
  const live = old && old.operation !== 'delete' ? old : undefined;
  if (op === 'P' && !live) throw old ? gone(`${type}/${id}`) : notFound(`${type}/${id}`);
  const current = live && (parseJson(live.content) as Resource); // stored text was checked when it came
  const resource = change(current);
  const made = newVersion(rowOf, type, id, resource, (old?.versionId ?? 0) + 1, lastUpdatedAfter(old, now), op);
  if (live && isUnchanged(live, made, resource)) return 'unchanged';
  const replaced = old && {
    ver: old.versionId,
    row:
      live && current
        ? rowOf(current, type, id, live.lastUpdated)
        : { ...made.row, nh: [], nv: [], nw: [], sh: [], sv: [] },
  };
  return { made, replaced };
}

/** The texts are compared with the same version and time in them, and only when their lengths leave it possible. */
function isUnchanged(live: StoredVersion, made: NewVersion, resource: Resource): boolean {
  const grown = String(made.ver).length - String(live.versionId).length;
  if (made.content.length - grown !== live.content.length) return false;
  return formatVersion(stampMeta(resource, live.id, live.versionId, live.lastUpdated)) === live.content;
}

/** The version that marks a deletion: found by nothing but its key. */
export function deletion(rids: RidCodec, type: string, id: string, old: StoredVersion, now: number): NewVersion {
  return {
    table: tableOf(type),
    id,
    ver: old.versionId + 1,
    lu: lastUpdatedAfter(old, now),
    op: 'D',
    content: '',
    row: deletedRow(rids, id),
  };
}

/** Search row of a version. */
export type RowOfVersion = (version: StoredVersion) => SearchRow;

/** Search row of a stored version, made again from its content. */
export function oldRow(rowOf: RowBuilder, old: StoredVersion): SearchRow {
  return rowOf(parseJson(old.content) as Resource, old.type, old.id, old.lastUpdated); // stored text was checked
}

/** A deleted version has no side rows. */
function deletedRow(rids: RidCodec, id: string): SearchRow {
  rids.lanes(id);
  const none = { pat: undefined, sd: Number.NaN, se: Number.NaN, pmHi: 0, pmLo: 0 };
  return { ridHi: rids.hi, ridLo: rids.lo, ...none, tok: [], nh: [], nv: [], nw: [], sh: [], sv: [] };
}

export const storedVersion = (v: NewVersion): StoredVersion => ({
  type: v.table.type,
  id: v.id,
  versionId: v.ver,
  lastUpdated: v.lu,
  operation: operationOf(v.op),
  content: v.content,
});
