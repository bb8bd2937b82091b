/** What has been deleted of a patient's record, from the change log. SECURITY DP-03 */
import type { DeletedRecords } from '../../ports/subject-access.ts';
import { translated } from '../database-error.ts';
import type { Pipeline, Row } from '../pools.ts';
import type { RidCodec } from '../rid.ts';
import { STORED_TYPES, tableOf } from '../tables.ts';

interface Deletion {
  readonly rid: string;
  readonly at: number;
  readonly type: number;
}

/** Of types that belong to one patient; what several shared is not the deletion of one's record. */
export function createDeletedRecords(reads: Pipeline, rids: Pick<RidCodec, 'rid'>): DeletedRecords {
  /** Ids of those that are deleted still. */
  async function idsOf(type: string, keys: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const rows = await reads.query({
      name: `deleted-ids:${type}`,
      text: `select rid::text, id from ${tableOf(type).main} where rid = any($1::bigint[]) and op = 'D'`,
      values: [keys],
    });
    return new Map(rows as unknown as [string, string][]); // two texts
  }

  return {
    list: (patientId, limit, cursor) =>
      translated(async () => {
        const [at = '-1', rid = '0'] = cursor?.split(' ') ?? [];
        const rows = await reads.query({
          name: 'deleted-of-patient',
          // change (pat, at) where op = 'D'
          text: `select rid::text, at::float8, type::int from mortar.change
where pat = $1::bigint and op = 'D' and (at, rid) > ($2::bigint, $3::bigint)
order by at, rid limit $4`,
          values: [String(rids.rid(patientId)), at, rid, limit],
        });
        const deletions = rows.map(toDeletion);
        const byType = Map.groupBy(deletions, ({ type }) => STORED_TYPES[type] ?? '');
        const ids = new Map<string, string>();
        for (const [type, of] of byType)
          for (const [key, id] of await idsOf(
            type,
            of.map((one) => one.rid),
          ))
            ids.set(`${type} ${key}`, id);
        // One that was deleted, brought back and deleted again is listed where it was deleted last on this page.
        const last = new Map(deletions.map((one) => [`${STORED_TYPES[one.type]} ${one.rid}`, one]));
        const records = [...last].flatMap(([key, one]) => {
          const id = ids.get(key);
          return id === undefined ? [] : [{ type: STORED_TYPES[one.type] ?? '', id, deletedAt: one.at }];
        });
        const end = deletions.length === limit ? deletions.at(-1) : undefined;
        return { records, ...(end && { next: `${end.at} ${end.rid}` }) };
      }),
  };
}

const toDeletion = ([rid, at, type]: Row): Deletion => ({ rid: rid as string, at: at as number, type: type as number });
