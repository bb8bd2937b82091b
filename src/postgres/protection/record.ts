/** The record of patients: their resources and those they share with others, found by the search keys of their rows. SECURITY DP-04 */
import type { StoredVersion } from '../../ports/resource-store.ts';
import { parseJson } from '../../standards/fhir/json.ts';
import type { TypeParameters } from '../../standards/fhir/search/parameter.ts';
import { toBigInt } from '../hash.ts';
import type { Keys } from '../keys.ts';
import type { Pipeline, Unopened } from '../pools.ts';
import { toVersion, VERSION_COLUMNS } from '../reader.ts';
import { tableOf } from '../tables.ts';
import type { Ownership } from './ownership.ts';
import { usedTypes } from './used-types.ts';

/** A resource by its key; `id` as clients know it. */
export interface Held {
  readonly type: string;
  readonly rid: string;
  readonly id: string;
}

export interface RecordTools {
  /** In plaintext. */
  readonly reads: Pipeline;
  readonly keys: Keys;
  readonly parametersOf: (type: string) => TypeParameters;
  readonly ownership: Ownership;
}

const PAGE = 100;
const LOWEST = String(-(2n ** 63n));

export type Content = Readonly<Record<string, unknown>>;

/** A stored text as resource; it was checked when it came. */
export const contentOf = ({ content }: Pick<StoredVersion, 'content'>): Content => parseJson(content) as Content;

/**
 * Calls `visit` with the current version of every resource that refers to one of these patients by a search parameter or
 * is in its compartment, the patients last. Deleted ones have no keys: `findMentions` finds those. The text of one that
 * cannot be opened is empty.
 */
export async function visitRecord(
  { reads, keys, parametersOf }: RecordTools,
  patientIds: readonly string[],
  visit: (held: Held, version: StoredVersion) => void | Promise<void>,
): Promise<void> {
  const rids = patientIds.map((id) => String(keys.rids.rid(id)));
  const { current } = await usedTypes(reads);
  for (const type of [...current.filter((one) => one !== 'Patient'), 'Patient']) {
    const tokens = tokensOf(keys, parametersOf(type), patientIds);
    for (let after = LOWEST; ; ) {
      const rows = await reads.query({
        // The token index and the primary key serve it.
        text: `select ${VERSION_COLUMNS.map((column) => `m.${column}`).join(', ')}, m.rid::text
from ${tableOf(type).main} m
where (m.tok && $1::bigint[]${type === 'Patient' ? ' or m.rid = any($3::bigint[])' : ''}) and m.rid > $2::bigint
order by m.rid limit ${PAGE}`,
        values: [tokens.map(String), after, ...(type === 'Patient' ? [rids] : [])],
        unopened: 'as-empty',
      });
      await Promise.all(
        rows.map(async (row) => {
          const version = toVersion(type, row);
          const rid = row[VERSION_COLUMNS.length] as string;
          if (version.operation !== 'delete') await visit({ type, rid, id: version.id }, version);
        }),
      );
      const last = rows.at(-1);
      if (!last || rows.length < PAGE) break;
      after = last[VERSION_COLUMNS.length] as string;
    }
  }
}

/** Under which a row of a type refers to one of the patients. */
export function tokensOf(keys: Keys, { resourceType, atoms }: TypeParameters, patientIds: readonly string[]): bigint[] {
  const masks = [
    keys.compartment('Patient'),
    ...atoms.filter(({ type }) => type === 'reference').map((atom) => keys.atom(resourceType, atom).target('Patient')),
  ];
  return patientIds.flatMap((id) => {
    keys.rids.lanes(id);
    const { hi, lo } = keys.rids;
    return masks.map((mask) => toBigInt(hi ^ mask.hi, lo ^ mask.lo));
  });
}

/**
 * All versions of one resource, newest first; the first is the current one. Texts in plaintext; one that cannot be opened
 * is an error, unless it is to be empty like that of a deletion.
 */
export async function versionsOf(
  reads: Pipeline,
  type: string,
  rid: string,
  unopened?: Unopened,
): Promise<readonly StoredVersion[]> {
  const { main, history } = tableOf(type);
  const rows = await reads.query({
    text: `select m.id, m.ver, m.lu, m.op, m.content, m.pat from ${main} m where m.rid = $1::bigint
union all
select m.id, h.ver, h.lu, h.op, h.content, m.pat from ${history} h join ${main} m on m.rid = h.rid where h.rid = $1::bigint
order by 2 desc`,
    values: [rid],
    ...(unopened && { unopened }),
  });
  return rows.map((row) => toVersion(type, row));
}
