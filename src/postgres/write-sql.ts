/** Statements of the write path, built once a type and shape. docs/decisions/0003-storage.md */
import type { EntryRow } from './audit/entry.ts';
import { insertEntriesText, insertEntriesValues, writeEntryCte, writeEntryValues } from './audit/entry-sql.ts';
import { float8Array, int8, int8Array, textArray } from './binary.ts';
import { DELETE_CONSENT_RULES, insertConsentRules, joinConsentRules } from './consent-rules.ts';
import { MAIN_ARRAYS, mainArrays, mainRows, ROW_TOKENS, ROW_WORDS } from './main-columns.ts';
import type { Statement } from './pools.ts';
import type { SearchRow } from './row.ts';
import type { TypeTable } from './tables.ts';

/** Letters of `op`: create, update, patch, delete. */
export type Op = 'C' | 'U' | 'P' | 'D';

/** A version about to be written. */
export interface NewVersion {
  readonly table: TypeTable;
  readonly id: string;
  readonly ver: number;
  /** ms */
  readonly lu: number;
  readonly op: Op;
  /** JSON text as served; empty for a deletion. */
  readonly content: string;
  /** What is stored in its place, when leaves of it are encrypted (SECURITY KS-07). */
  readonly stored?: string;
  readonly row: SearchRow;
  /** What the audit trail says of it, written in the same statement (SECURITY AU-06). */
  readonly entry?: EntryRow;
}

/** What is known of the version being replaced. */
export interface OldVersion {
  readonly ver: number;
  readonly row: SearchRow;
}

const texts = new Map<string, string>();
/** The text of a statement, made once. */
export function once(name: string, make: () => string): string {
  let text = texts.get(name);
  if (text === undefined) {
    text = make();
    texts.set(name, text);
  }
  return text;
}

const orNull = (value: number): number | null => (Number.isNaN(value) ? null : value);
export const CHANGE = 'insert into mortar.change (at, rid, pat, ver, type, shard, op)';
const MAIN_COLUMNS = '(rid, pat, lu, sd, se, pm, ver, op, id, tok, content, txt)';

const mainValues = (v: NewVersion): unknown[] => [
  int8(v.row.ridHi, v.row.ridLo),
  v.row.pat ? int8(v.row.pat.hi, v.row.pat.lo) : null,
  v.lu,
  orNull(v.row.sd),
  orNull(v.row.se),
  int8(v.row.pmHi, v.row.pmLo),
  v.ver,
  v.op,
  v.id,
  int8Array(v.row.tok, v.row.tok.length / 2),
  v.stored ?? v.content,
  v.row.text ?? null,
];

/** One new resource in one statement: row, side rows, change. Fails with a unique violation when the rid exists. */
export function insertStatement(v: NewVersion): Statement {
  const { main, numbers, strings, number, type } = v.table;
  const withNumbers = v.row.nv.length > 0;
  const withStrings = v.row.sv.length > 0;
  const name = `c:${type}${withNumbers ? ':n' : ''}${withStrings ? ':s' : ''}${v.entry ? ':a' : ''}${v.row.rules === undefined ? '' : ':k'}`;
  const values = mainValues(v);
  if (withNumbers) values.push(...numberValues(v.row));
  if (withStrings) values.push(...stringValues(v.row));
  const entryAt = values.length + 1;
  if (v.entry) values.push(...writeEntryValues(v.entry));
  const rulesAt = values.length + 1;
  if (v.row.rules !== undefined) values.push(joinConsentRules([v]));
  const text = once(name, () => {
    const n = 13;
    const s = withNumbers ? n + 3 : n;
    return `with c as (
  ${CHANGE} values ($3::bigint, $1::bigint, $2::bigint, $7::int, ${number}, $1::bigint & 15, $8::"char")
)${
      withNumbers
        ? `, n as (
  insert into ${numbers} (h, v, w, rid) select u.h, u.v, u.w, $1::bigint from unnest($${n}::bigint[], $${n + 1}::float8[], $${n + 2}::float8[]) u(h, v, w)
)`
        : ''
    }${
      withStrings
        ? `, s as (
  insert into ${strings} (h, v, rid) select u.h, u.v, $1::bigint from unnest($${s}::bigint[], $${s + 1}::text[]) u(h, v)
)`
        : ''
    }${v.entry ? `, ${writeEntryCte(entryPlaces(number), entryAt)}` : ''}${
      v.row.rules === undefined
        ? ''
        : `, k as (
  ${insertConsentRules(rulesAt)}
)`
    }
insert into ${main} ${MAIN_COLUMNS}
values ($1::bigint, $2::bigint, $3::bigint, $4, $5, $6::bigint, $7::int, $8::"char", $9, $10::bigint[], $11, $12::tsvector)`;
  });
  return { name, text, values };
}

/** Where the statements of one version have what its entry repeats: the places of `mainValues`. */
const entryPlaces = (type: number) => ({ at: '$3::bigint', rid: '$1::bigint', ver: '$7::int', id: '$9', type });

const numberValues = (row: SearchRow): unknown[] => [
  int8Array(row.nh, row.nv.length),
  float8Array(row.nv, row.nv.length),
  float8Array(row.nw, row.nw.length),
];
const stringValues = (row: SearchRow): unknown[] => [int8Array(row.sh, row.sv.length), textArray(row.sv)];

/** Many new resources of one type in one statement; all of them have an entry, or none. */
export function insertManyStatement(versions: readonly NewVersion[]): Statement {
  const first = versions[0];
  if (!first) throw new Error('nothing to insert');
  const { main, numbers, strings, number, type } = first.table;
  const nh: number[] = [];
  const nv: number[] = [];
  const nw: number[] = [];
  const nr: number[] = [];
  const sh: number[] = [];
  const sv: string[] = [];
  const sr: number[] = [];
  for (const { row } of versions) {
    for (let i = 0; i < row.nv.length; i++) {
      nh.push(row.nh[2 * i] as number, row.nh[2 * i + 1] as number);
      nv.push(row.nv[i] as number);
      nw.push(row.nw[i] as number);
      nr.push(row.ridHi, row.ridLo);
    }
    for (let i = 0; i < row.sv.length; i++) {
      sh.push(row.sh[2 * i] as number, row.sh[2 * i + 1] as number);
      sv.push(row.sv[i] as string);
      sr.push(row.ridHi, row.ridLo);
    }
  }
  const count = versions.length;
  const entries = versions.flatMap(({ entry }) => entry ?? []);
  if (entries.length !== 0 && entries.length !== count) throw new Error('a write without its audit entry');
  const withRules = versions.some(({ row }) => row.rules !== undefined);
  const name = `cm:${type}${nv.length > 0 ? ':n' : ''}${sv.length > 0 ? ':s' : ''}${entries.length > 0 ? ':a' : ''}${withRules ? ':k' : ''}`;
  const values = mainArrays(versions);
  if (nv.length > 0)
    values.push(
      int8Array(nh, nv.length),
      float8Array(nv, nv.length),
      float8Array(nw, nv.length),
      int8Array(nr, nv.length),
    );
  if (sv.length > 0) values.push(int8Array(sh, sv.length), textArray(sv), int8Array(sr, sv.length));
  const entryAt = values.length + 1;
  if (entries.length > 0) values.push(...insertEntriesValues(entries));
  const rulesAt = values.length + 1;
  if (withRules) values.push(joinConsentRules(versions));
  const text = once(name, () => {
    const n = MAIN_ARRAYS + 1;
    const s = nv.length > 0 ? n + 4 : n;
    return `with c as (
  ${CHANGE}
  select u.lu::bigint, u.rid, u.pat, u.ver::int, ${number}, u.rid & 15, u.op::"char"
  from unnest($1::bigint[], $2::bigint[], $3::float8[], $7::float8[], $8::text[]) u(rid, pat, lu, ver, op)
)${
      nv.length > 0
        ? `, n as (
  insert into ${numbers} (h, v, w, rid)
  select u.h, u.v, u.w, u.rid from unnest($${n}::bigint[], $${n + 1}::float8[], $${n + 2}::float8[], $${n + 3}::bigint[]) u(h, v, w, rid)
)`
        : ''
    }${
      sv.length > 0
        ? `, s as (
  insert into ${strings} (h, v, rid)
  select u.h, u.v, u.rid from unnest($${s}::bigint[], $${s + 1}::text[], $${s + 2}::bigint[]) u(h, v, rid)
)`
        : ''
    }${
      entries.length > 0
        ? `, a as (
  ${insertEntriesText(entryAt)}
)`
        : ''
    }${
      withRules
        ? `, k as (
  ${insertConsentRules(rulesAt)}
)`
        : ''
    }
insert into ${main} ${MAIN_COLUMNS}
select u.rid, u.pat, u.lu::bigint, u.sd::bigint, u.se::bigint, u.pm, u.ver::int, u.op::"char", u.id,
  ${ROW_TOKENS}, u.content, ${ROW_WORDS}
from ${mainRows()}`;
  });
  return { name, text, values };
}

interface SideDifference {
  readonly deleteNumbers: SideNumbers;
  readonly insertNumbers: SideNumbers;
  readonly deleteStrings: SideStrings;
  readonly insertStrings: SideStrings;
}
interface SideNumbers {
  readonly h: number[];
  readonly v: number[];
  readonly w: number[];
}
interface SideStrings {
  readonly h: number[];
  readonly v: string[];
}

/** Side rows only in the old and only in the new version. */
export function sideDifference(old: SearchRow, next: SearchRow): SideDifference {
  return {
    deleteNumbers: numbersMissing(old, next),
    insertNumbers: numbersMissing(next, old),
    deleteStrings: stringsMissing(old, next),
    insertStrings: stringsMissing(next, old),
  };
}

function numbersMissing(from: SearchRow, other: SearchRow): SideNumbers {
  const missing: SideNumbers = { h: [], v: [], w: [] };
  next: for (let i = 0; i < from.nv.length; i++) {
    for (let j = 0; j < other.nv.length; j++)
      if (
        from.nh[2 * i] === other.nh[2 * j] &&
        from.nh[2 * i + 1] === other.nh[2 * j + 1] &&
        from.nv[i] === other.nv[j] &&
        Object.is(from.nw[i], other.nw[j])
      )
        continue next;
    missing.h.push(from.nh[2 * i] as number, from.nh[2 * i + 1] as number);
    missing.v.push(from.nv[i] as number);
    missing.w.push(from.nw[i] as number);
  }
  return missing;
}

function stringsMissing(from: SearchRow, other: SearchRow): SideStrings {
  const missing: SideStrings = { h: [], v: [] };
  next: for (let i = 0; i < from.sv.length; i++) {
    for (let j = 0; j < other.sv.length; j++)
      if (
        from.sv[i] === other.sv[j] &&
        from.sh[2 * i] === other.sh[2 * j] &&
        from.sh[2 * i + 1] === other.sh[2 * j + 1]
      )
        continue next;
    missing.h.push(from.sh[2 * i] as number, from.sh[2 * i + 1] as number);
    missing.v.push(from.sv[i] as string);
  }
  return missing;
}

/**
 * Replaces one version, guarded by `ver = old.ver`: the old one goes to history, side rows that differ are exchanged.
 * Returns one row with the number of rows updated (0: somebody else was first).
 */
export function updateStatement(v: NewVersion, old: OldVersion): Statement {
  const { main, history, numbers, strings, number, type } = v.table;
  const side = sideDifference(old.row, v.row);
  const values = mainValues(v);
  values.push(old.ver);
  let shape = '';
  const ctes: ((at: number) => string)[] = [];
  const add = (letter: string, params: unknown[], cte: (at: number) => string): void => {
    shape += letter;
    const at = values.length + 1;
    values.push(...params);
    ctes.push(() => cte(at));
  };
  const dn = side.deleteNumbers;
  if (dn.v.length > 0)
    add(
      'd',
      [int8Array(dn.h, dn.v.length), float8Array(dn.v, dn.v.length)],
      (at) =>
        `dn as (
  delete from ${numbers} n using u, unnest($${at}::bigint[], $${at + 1}::float8[]) d(h, v)
  where n.h = d.h and n.v = d.v and n.rid = u.rid
)`,
    );
  const n = side.insertNumbers;
  if (n.v.length > 0)
    add(
      'n',
      [int8Array(n.h, n.v.length), float8Array(n.v, n.v.length), float8Array(n.w, n.v.length)],
      (at) =>
        `n as (
  insert into ${numbers} (h, v, w, rid)
  select i.h, i.v, i.w, u.rid from u, unnest($${at}::bigint[], $${at + 1}::float8[], $${at + 2}::float8[]) i(h, v, w)
)`,
    );
  const ds = side.deleteStrings;
  if (ds.v.length > 0)
    add(
      'e',
      [int8Array(ds.h, ds.v.length), textArray(ds.v)],
      (at) =>
        `ds as (
  delete from ${strings} s using u, unnest($${at}::bigint[], $${at + 1}::text[]) d(h, v)
  where s.h = d.h and s.v = d.v and s.rid = u.rid
)`,
    );
  const s = side.insertStrings;
  if (s.v.length > 0)
    add(
      's',
      [int8Array(s.h, s.v.length), textArray(s.v)],
      (at) =>
        `s as (
  insert into ${strings} (h, v, rid)
  select i.h, i.v, u.rid from u, unnest($${at}::bigint[], $${at + 1}::text[]) i(h, v)
)`,
    );
  if (type === 'Consent') add('-', [], () => `dk as (${DELETE_CONSENT_RULES})`);
  if (v.row.rules !== undefined)
    add('k', [joinConsentRules([v])], (at) => `k as (\n  ${insertConsentRules(at)}\n  where exists (select from u)\n)`);
  const { entry } = v;
  if (entry) add('a', writeEntryValues(entry), (at) => writeEntryCte({ ...entryPlaces(number), from: 'u' }, at));
  const name = `u:${type}:${shape}`;
  const text = once(
    name,
    () => `with u as (
  update ${main}
  set pat = $2::bigint, lu = $3::bigint, sd = $4, se = $5, pm = $6, ver = $7::int, op = $8::"char", id = $9, tok = $10, content = $11, txt = $12::tsvector
  where rid = $1::bigint and ver = $13::int
  returning rid
), h as (
  insert into ${history} (rid, ver, lu, op, content)
  select o.rid, o.ver, o.lu, o.op, o.content from ${main} o, u where o.rid = u.rid
), c as (
  ${CHANGE}
  select $3::bigint, u.rid, coalesce($2::bigint, o.pat), $7::int, ${number}, u.rid & 15, $8::"char"
  from ${main} o, u where o.rid = u.rid
)${ctes.map((cte) => `, ${cte(0)}`).join('')}
select count(*)::int from u`,
  );
  return { name, text, values };
}
