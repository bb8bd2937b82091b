/** The search values of a stored row, written again: its columns and side rows, and nothing of the version itself. */
import { float8Array, int8, int8Array, textArray } from './binary.ts';
import type { Send } from './in-transaction.ts';
import type { SearchRow } from './row.ts';
import type { TypeTable } from './tables.ts';

const orNull = (value: number): number | null => (Number.isNaN(value) ? null : value);

/** The table must be locked against writers: one that waited for the row would add to side rows it has not seen. */
export async function replaceSearchValues(send: Send, table: TypeTable, rid: string, row: SearchRow): Promise<void> {
  await send({
    text: `update ${table.main} set tok = $2::bigint[], sd = $3, se = $4, pm = $5::bigint, pat = $6::bigint, txt = $7::tsvector where rid = $1::bigint`,
    values: [
      rid,
      int8Array(row.tok, row.tok.length / 2),
      orNull(row.sd),
      orNull(row.se),
      int8(row.pmHi, row.pmLo),
      row.pat ? int8(row.pat.hi, row.pat.lo) : null,
      row.text ?? null,
    ],
  });
  await send({ text: `delete from ${table.numbers} where rid = $1::bigint`, values: [rid] });
  await send({ text: `delete from ${table.strings} where rid = $1::bigint`, values: [rid] });
  if (row.nv.length > 0)
    await send({
      text: `insert into ${table.numbers} (h, v, w, rid)
select u.h, u.v, u.w, $1::bigint from unnest($2::bigint[], $3::float8[], $4::float8[]) u(h, v, w)`,
      values: [
        rid,
        int8Array(row.nh, row.nv.length),
        float8Array(row.nv, row.nv.length),
        float8Array(row.nw, row.nv.length),
      ],
    });
  if (row.sv.length > 0)
    await send({
      text: `insert into ${table.strings} (h, v, rid)
select u.h, u.v, $1::bigint from unnest($2::bigint[], $3::text[]) u(h, v)`,
      values: [rid, int8Array(row.sh, row.sv.length), textArray(row.sv)],
    });
}
