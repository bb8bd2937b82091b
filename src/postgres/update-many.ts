/** Many replaced versions of one type in one statement, as `updateStatement` replaces one. docs/decisions/0003-storage.md */
import { insertEntriesText, insertEntriesValues } from './audit/entry-sql.ts';
import { float8Array, int8Array, textArray } from './binary.ts';
import { MAIN_ARRAYS, mainArrays, mainRows, ROW_TOKENS, ROW_WORDS } from './main-columns.ts';
import type { Statement } from './pools.ts';
import { CHANGE, type NewVersion, type OldVersion, once, sideDifference } from './write-sql.ts';

export interface Replaced {
  readonly made: NewVersion;
  readonly replaced: OldVersion;
}

/** Whether versions of a type go together: the rules of a Consent are exchanged with each by itself. */
export const mayGoTogether = (type: string): boolean => type !== 'Consent';

/**
 * Each guarded by the version it replaces; all of one type, of different resources, with an audit entry each or none.
 * Returns one row with the number of rows updated: fewer than asked for, and nothing of it may be kept.
 */
export function updateManyStatement(changes: readonly Replaced[]): Statement {
  const first = changes[0];
  if (!first || !mayGoTogether(first.made.table.type)) throw new Error('nothing that is updated together');
  const { main, history, numbers, strings, number, type } = first.made.table;
  const versions = changes.map(({ made }) => made);
  const entries = versions.flatMap(({ entry }) => entry ?? []);
  if (entries.length !== 0 && entries.length !== versions.length) throw new Error('a write without its audit entry');
  const values: unknown[] = [
    ...mainArrays(versions),
    float8Array(
      changes.map(({ replaced }) => replaced.ver),
      changes.length,
    ),
  ];
  let shape = '';
  const parts: string[] = [];
  const add = (letter: string, params: readonly unknown[], part: (at: number) => string): void => {
    shape += letter;
    parts.push(part(values.length + 1));
    values.push(...params);
  };
  const side = sideRows(changes);
  const { deletedNumbers: dn, newNumbers: nn, deletedStrings: ds, newStrings: ns } = side;
  if (dn.v.length > 0)
    add(
      'd',
      [int8Array(dn.h, dn.v.length), float8Array(dn.v, dn.v.length), int8Array(dn.r, dn.v.length)],
      (at) => `dn as (
  delete from ${numbers} x using u, unnest($${at}::bigint[], $${at + 1}::float8[], $${at + 2}::bigint[]) d(h, v, r)
  where x.h = d.h and x.v = d.v and x.rid = u.rid and d.r = u.rid
)`,
    );
  if (nn.v.length > 0)
    add(
      'n',
      [
        int8Array(nn.h, nn.v.length),
        float8Array(nn.v, nn.v.length),
        float8Array(nn.w, nn.v.length),
        int8Array(nn.r, nn.v.length),
      ],
      (at) => `n as (
  insert into ${numbers} (h, v, w, rid)
  select i.h, i.v, i.w, u.rid
  from u, unnest($${at}::bigint[], $${at + 1}::float8[], $${at + 2}::float8[], $${at + 3}::bigint[]) i(h, v, w, r) where i.r = u.rid
)`,
    );
  if (ds.v.length > 0)
    add(
      'e',
      [int8Array(ds.h, ds.v.length), textArray(ds.v), int8Array(ds.r, ds.v.length)],
      (at) => `ds as (
  delete from ${strings} x using u, unnest($${at}::bigint[], $${at + 1}::text[], $${at + 2}::bigint[]) d(h, v, r)
  where x.h = d.h and x.v = d.v and x.rid = u.rid and d.r = u.rid
)`,
    );
  if (ns.v.length > 0)
    add(
      's',
      [int8Array(ns.h, ns.v.length), textArray(ns.v), int8Array(ns.r, ns.v.length)],
      (at) => `s as (
  insert into ${strings} (h, v, rid)
  select i.h, i.v, u.rid from u, unnest($${at}::bigint[], $${at + 1}::text[], $${at + 2}::bigint[]) i(h, v, r) where i.r = u.rid
)`,
    );
  if (entries.length > 0) add('a', insertEntriesValues(entries), (at) => `a as (\n  ${insertEntriesText(at)}\n)`);
  const name = `um:${type}:${shape}`;
  const text = once(
    name,
    () => `with g as (
  select u.rid, u.pat, u.lu::bigint as lu, u.sd::bigint as sd, u.se::bigint as se, u.pm, u.ver::int as ver, u.op::"char" as op, u.id,
    ${ROW_TOKENS} as tok, u.content, ${ROW_WORDS} as txt, u.old::int as old
  from ${mainRows({ old: `$${MAIN_ARRAYS + 1}::float8[]` })}
), u as (
  update ${main} m
  set pat = g.pat, lu = g.lu, sd = g.sd, se = g.se, pm = g.pm, ver = g.ver, op = g.op, id = g.id, tok = g.tok, content = g.content,
    txt = g.txt
  from g where m.rid = g.rid and m.ver = g.old
  returning m.rid
), h as (
  insert into ${history} (rid, ver, lu, op, content)
  select o.rid, o.ver, o.lu, o.op, o.content from u join ${main} o on o.rid = u.rid
), c as (
  ${CHANGE}
  select g.lu, u.rid, coalesce(g.pat, o.pat), g.ver, ${number}, u.rid & 15, g.op
  from u join g on g.rid = u.rid join ${main} o on o.rid = u.rid
)${parts.map((part) => `, ${part}`).join('')}
select count(*)::int from u`,
  );
  return { name, text, values };
}

interface SideRows<V> {
  readonly h: number[];
  readonly v: V[];
  readonly w: number[];
  /** Whose they are: lanes. */
  readonly r: number[];
}

const noRows = <V>(): SideRows<V> => ({ h: [], v: [], w: [], r: [] });

function sideRows(changes: readonly Replaced[]) {
  const all = {
    deletedNumbers: noRows<number>(),
    newNumbers: noRows<number>(),
    deletedStrings: noRows<string>(),
    newStrings: noRows<string>(),
  };
  for (const { made, replaced } of changes) {
    const { ridHi, ridLo } = made.row;
    const take = <V>(to: SideRows<V>, of: { readonly h: number[]; readonly v: V[]; readonly w?: number[] }): void => {
      to.h.push(...of.h);
      to.v.push(...of.v);
      to.w.push(...(of.w ?? []));
      for (const _ of of.v) to.r.push(ridHi, ridLo);
    };
    const side = sideDifference(replaced.row, made.row);
    take(all.deletedNumbers, side.deleteNumbers);
    take(all.newNumbers, side.insertNumbers);
    take(all.deletedStrings, side.deleteStrings);
    take(all.newStrings, side.insertStrings);
  }
  return all;
}
