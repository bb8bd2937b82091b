/** Statements that add entries: one beside a write, or many at once; and how a row is read back. */
import {
  byteaNullableArray,
  float8Array,
  int8,
  int8Array,
  int8NullableArray,
  textNullableArray,
  uuidArray,
} from '../binary.ts';
import { highLane, lowLane } from '../hash.ts';
import type { Lanes } from '../keys.ts';
import type { Row, Statement } from '../pools.ts';
import { type EntryRow, SHARD } from './entry.ts';

const COLUMNS =
  'shard, at, id, kind, outcome, agent, type, rid, ver, ref, pat, pats, purpose, rule, operation, correlation, address, token, detail, mac';

/** Where a write's statement has what its entry repeats. */
export interface WritePlaces {
  readonly at: string;
  readonly rid: string;
  readonly ver: string;
  readonly id: string;
  /** Number of the type. */
  readonly type: number;
  /** Table the entry depends on: no row there, no entry. */
  readonly from?: string;
}

/** The entry of a single write, as a common table expression whose parameters begin at number `n`. */
export const writeEntryCte = ({ at, rid, ver, id, type, from }: WritePlaces, n: number): string => `a as (
  insert into audit.entry (shard, at, id, kind, outcome, agent, type, rid, ver, ref, pat, purpose, correlation, address, token, mac)
  select ${SHARD}, ${at}, $${n}::bigint, $${n + 1}::smallint, 0, $${n + 2}::uuid, ${type}, ${rid}, ${ver},
    case when ${rid} < 0 then ${id}::text end, $${n + 3}::bigint, $${n + 4}::text, $${n + 5}::text, $${n + 6}::text,
    $${n + 7}::text, $${n + 8}::bytea${from === undefined ? '' : ` from ${from}`}
)`;

/** Parameters of `writeEntryCte`. */
export const writeEntryValues = (row: EntryRow): unknown[] => [
  int8(row.id.hi, row.id.lo),
  row.kind,
  row.agent,
  row.pat ? int8(row.pat.hi, row.pat.lo) : null,
  row.purpose ?? null,
  row.correlation ?? null,
  row.address ?? null,
  row.token ?? null,
  row.mac,
];

/** Adds many entries; parameters begin at number `n`. */
export function insertEntriesText(n: number): string {
  const p = (i: number): string => `$${n + i}`;
  return `insert into audit.entry (${COLUMNS})
select ${SHARD}, u.at::bigint, u.id, u.kind::smallint, u.outcome::smallint, u.agent, u.type::smallint, u.rid, u.ver::int, u.ref, u.pat,
  case when u.t >= u.f then (${p(9)}::bigint[])[u.f::int : u.t::int] end,
  u.purpose, u.rule, u.operation, u.correlation, u.address, u.token, u.detail, u.mac
from unnest(${p(0)}::float8[], ${p(1)}::bigint[], ${p(2)}::float8[], ${p(3)}::float8[], ${p(4)}::uuid[], ${p(5)}::float8[],
  ${p(6)}::bigint[], ${p(7)}::float8[], ${p(8)}::bigint[], ${p(10)}::float8[], ${p(11)}::float8[], ${p(12)}::text[],
  ${p(13)}::text[], ${p(14)}::text[], ${p(15)}::text[], ${p(16)}::text[], ${p(17)}::text[], ${p(18)}::text[],
  ${p(19)}::bytea[], ${p(20)}::bytea[])
  u(at, id, kind, outcome, agent, type, rid, ver, pat, f, t, ref, purpose, rule, operation, correlation, address, token, detail, mac)`;
}

/** Parameters of `insertEntriesText`. */
export function insertEntriesValues(rows: readonly EntryRow[]): unknown[] {
  const count = rows.length;
  const numbers = (of: (row: EntryRow) => number | undefined): Buffer =>
    float8Array(
      rows.map((row) => of(row) ?? Number.NaN),
      count,
    );
  const texts = (of: (row: EntryRow) => string | undefined): Buffer => textNullableArray(rows.map(of));
  const patients: number[] = [];
  const from: number[] = [];
  const to: number[] = [];
  const ids: number[] = [];
  for (const { id, pats } of rows) {
    ids.push(id.hi, id.lo);
    from.push(patients.length / 2 + 1);
    for (const { hi, lo } of pats ?? []) patients.push(hi, lo);
    to.push(patients.length / 2);
  }
  return [
    numbers((row) => row.at),
    int8Array(ids, count),
    numbers((row) => row.kind),
    numbers((row) => row.outcome),
    uuidArray(rows.map((row) => row.agent)),
    numbers((row) => row.type),
    int8NullableArray(rows.map((row) => row.rid)),
    numbers((row) => row.ver),
    int8NullableArray(rows.map((row) => row.pat)),
    int8Array(patients, patients.length / 2),
    float8Array(from, count),
    float8Array(to, count),
    texts((row) => row.ref),
    texts((row) => row.purpose),
    texts((row) => row.rule),
    texts((row) => row.operation),
    texts((row) => row.correlation),
    texts((row) => row.address),
    texts((row) => row.token),
    byteaNullableArray(rows.map((row) => row.detail)),
    byteaNullableArray(rows.map((row) => row.mac)),
  ];
}

/** One statement for all: each is durable when it has ended. */
export const insertEntriesStatement = (rows: readonly EntryRow[]): Statement => ({
  name: 'audit-entries',
  text: insertEntriesText(1),
  values: insertEntriesValues(rows),
});

/** What `toEntry` reads, of alias `e`. */
export const ENTRY_COLUMNS =
  'e.shard, e.at, e.id, e.kind, e.outcome, e.agent, e.type, e.rid, e.ver, e.ref, e.pat, e.pats::text[], e.purpose, e.rule, e.operation, e.correlation, e.address, e.token, e.detail, e.mac';
export const ENTRY_COLUMN_COUNT = 20;

const lanes = (text: unknown): Lanes => {
  const value = BigInt(text as string);
  return { hi: highLane(value), lo: lowLane(value) };
};
const optional = <T>(value: unknown): T | undefined => (value === null ? undefined : (value as T)); // columns have these types

/** A row of `ENTRY_COLUMNS` from index `i`. */
export const toEntry = (row: Row, i = 0): EntryRow => ({
  shard: row[i] as number,
  at: Number(row[i + 1]),
  id: lanes(row[i + 2]),
  kind: row[i + 3] as number,
  outcome: row[i + 4] as number,
  agent: Buffer.from((row[i + 5] as string).replaceAll('-', ''), 'hex'),
  type: optional<number>(row[i + 6]),
  rid: row[i + 7] === null ? undefined : lanes(row[i + 7]),
  ver: optional<number>(row[i + 8]),
  ref: optional<string>(row[i + 9]),
  pat: row[i + 10] === null ? undefined : lanes(row[i + 10]),
  pats: (row[i + 11] as readonly string[] | null)?.map(lanes),
  purpose: optional<string>(row[i + 12]),
  rule: optional<string>(row[i + 13]),
  operation: optional<string>(row[i + 14]),
  correlation: optional<string>(row[i + 15]),
  address: optional<string>(row[i + 16]),
  token: optional<string>(row[i + 17]),
  detail: optional<Buffer>(row[i + 18]),
  mac: row[i + 19] as Buffer,
});
