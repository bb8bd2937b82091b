/** Columns of the main tables, for statements that write many rows of one type: one array each. docs/decisions/0003-storage.md */
import { float8Array, int8Array, int8NullableArray, textArray } from './binary.ts';
import type { NewVersion } from './write-sql.ts';

/** In the order of `MAIN_ROWS`; tokens of all rows in one array, cut by `f` and `t`. */
export function mainArrays(versions: readonly NewVersion[]): unknown[] {
  const count = versions.length;
  const numbersOf = (of: (version: NewVersion) => number): Buffer => float8Array(versions.map(of), count);
  const rids: number[] = [];
  const presence: number[] = [];
  const tok: number[] = [];
  const from: number[] = [];
  const to: number[] = [];
  for (const { row } of versions) {
    from.push(tok.length / 2 + 1);
    for (const lane of row.tok) tok.push(lane);
    to.push(tok.length / 2);
    rids.push(row.ridHi, row.ridLo);
    presence.push(row.pmHi, row.pmLo);
  }
  return [
    int8Array(rids, count),
    int8NullableArray(versions.map(({ row }) => row.pat)),
    numbersOf(({ lu }) => lu),
    numbersOf(({ row }) => row.sd),
    numbersOf(({ row }) => row.se),
    int8Array(presence, count),
    numbersOf(({ ver }) => ver),
    textArray(versions.map(({ op }) => op)),
    textArray(versions.map(({ id }) => id)),
    int8Array(tok, tok.length / 2),
    float8Array(from, count),
    float8Array(to, count),
    textArray(versions.map(({ stored, content }) => stored ?? content)),
    textArray(versions.map(({ row }) => row.text ?? '')),
  ];
}

/** How many parameters `mainArrays` takes. */
export const MAIN_ARRAYS = 14;

/** The rows of `mainArrays` as `u`, where they are the first parameters; `more` are further columns by their parameters. */
export const mainRows = (more: Readonly<Record<string, string>> = {}): string =>
  `unnest($1::bigint[], $2::bigint[], $3::float8[], $4::float8[], $5::float8[], $6::bigint[], $7::float8[],
  $8::text[], $9::text[], $11::float8[], $12::float8[], $13::text[], $14::text[]${Object.values(more)
    .map((parameter) => `, ${parameter}`)
    .join('')})
  u(rid, pat, lu, sd, se, pm, ver, op, id, f, t, content, txt${Object.keys(more)
    .map((name) => `, ${name}`)
    .join('')})`;

/** Tokens and words of a row of `mainRows`. */
export const ROW_TOKENS = '($10::bigint[])[u.f::int : u.t::int]';
export const ROW_WORDS = "nullif(u.txt, '')::tsvector";
