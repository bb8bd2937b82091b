/** Reads of current and old versions. Reads that arrive together travel together. */
import type { StoredVersion } from '../ports/resource-store.ts';
import { gone, notFound } from '../standards/fhir/outcome.ts';
import { int8, int8Array } from './binary.ts';
import type { Pipeline, Row, Statement } from './pools.ts';
import type { RidCodec } from './rid.ts';
import { type TypeTable, tableOf } from './tables.ts';
import { operationOf } from './versions.ts';

/** Reads of one type waiting in one tick from which they share a statement. */
const COALESCE_MIN = 4;

/** Columns in the order `toVersion` takes them. */
export const VERSION_COLUMNS = ['id', 'ver', 'lu', 'op', 'content', 'pat'] as const;

/** A row of `VERSION_COLUMNS` from index `at`. */
export const toVersion = (type: string, row: Row, at = 0): StoredVersion => ({
  type,
  id: row[at] as string,
  versionId: row[at + 1] as number,
  lastUpdated: Number(row[at + 2]),
  operation: operationOf(row[at + 3] as string),
  content: row[at + 4] as string,
  ...(typeof row[at + 5] === 'string' && { patientRid: row[at + 5] as string }),
});

interface WaitingRead {
  readonly id: string;
  readonly hi: number;
  readonly lo: number;
  readonly resolve: (version: StoredVersion | undefined) => void;
  readonly reject: (error: unknown) => void;
}

export interface Reader {
  /** The current version, deleted ones included; undefined when there never was one. */
  find(type: string, id: string): Promise<StoredVersion | undefined>;
}

export function createReader(reads: Pipeline, rids: RidCodec): Reader {
  let waiting = new Map<string, WaitingRead[]>();
  let scheduled = false;

  function flush(): void {
    scheduled = false;
    const groups = waiting;
    waiting = new Map();
    for (const [type, group] of groups) {
      const table = tableOf(type);
      if (group.length >= COALESCE_MIN) readMany(table, group);
      else for (const one of group) readOne(table, one);
    }
  }

  function readOne(table: TypeTable, one: WaitingRead): void {
    reads.query(readStatement(table, one.hi, one.lo)).then((rows) => {
      const row = rows[0];
      // Another id may hash to the same rid: the row must bear the id that was asked for.
      one.resolve(row && row[0] === one.id ? toVersion(table.type, row) : undefined);
    }, one.reject);
  }

  function readMany(table: TypeTable, group: readonly WaitingRead[]): void {
    const lanes: number[] = [];
    for (const one of group) lanes.push(one.hi, one.lo);
    const text = `select id, ver, lu, op, content, pat from ${table.main} where rid = any($1::bigint[])`;
    reads.query({ name: `rm:${table.type}`, text, values: [int8Array(lanes, group.length)] }).then(
      (rows) => {
        const found = new Map(rows.map((row) => [row[0] as string, row]));
        for (const one of group) {
          const row = found.get(one.id);
          one.resolve(row && toVersion(table.type, row));
        }
      },
      (error) => {
        for (const one of group) one.reject(error);
      },
    );
  }

  return {
    find: (type, id) =>
      new Promise((resolve, reject) => {
        rids.lanes(id);
        const one = { id, hi: rids.hi, lo: rids.lo, resolve, reject };
        const group = waiting.get(type);
        if (group) group.push(one);
        else waiting.set(type, [one]);
        if (!scheduled) {
          scheduled = true;
          setImmediate(flush);
        }
      }),
  };
}

/** The current version by key. */
export function readStatement(table: TypeTable, hi: number, lo: number): Statement {
  return {
    name: `r:${table.type}`,
    text: `select id, ver, lu, op, content, pat from ${table.main} where rid = $1::bigint`,
    values: [int8(hi, lo)],
  };
}

/** One version, wherever it lies; the id of the resource is checked by the caller. */
export function vreadStatement(table: TypeTable, hi: number, lo: number, versionId: number): Statement {
  return {
    name: `v:${table.type}`,
    text: `select m.id, m.ver, m.lu, m.op, m.content, m.pat
from ${table.main} m
where m.rid = $1::bigint and m.ver = $2::int
union all
select m.id, h.ver, h.lu, h.op, h.content, m.pat
from ${table.history} h
join ${table.main} m on m.rid = h.rid
where h.rid = $1::bigint and h.ver = $2::int`,
    values: [int8(hi, lo), versionId],
  };
}

/** Throws not-found or gone (R4 http: 404, 410). */
export function existing(version: StoredVersion | undefined, type: string, id: string): StoredVersion {
  if (!version) throw notFound(`${type}/${id}`);
  if (version.operation === 'delete') throw gone(`${type}/${id}`);
  return version;
}
