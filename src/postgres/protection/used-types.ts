/** Of which types anything is kept: most of them never are, and asking each table costs more than what there is to do. */
import type { Pipeline } from '../pools.ts';
import { STORED_TYPES, tableOf } from '../tables.ts';

/** Types of which the trail is made: it stays as it is. */
const KEPT_TYPES: ReadonlySet<string> = new Set(['AuditEvent']);

export interface UsedTypes {
  /** Types with current versions. */
  readonly current: readonly string[];
  /** Types with versions of any age. */
  readonly all: readonly string[];
}

/** Those whose tables have a page, apart from those that are kept as they are. A row that was committed before has one. */
export async function usedTypes(reads: Pick<Pipeline, 'query'>): Promise<UsedTypes> {
  const rows = await reads.query({
    name: 'used-types',
    text: `select 'fhir.' || relname from pg_class
where relnamespace = 'fhir'::regnamespace and relkind = 'r' and relname !~ '_[ns]$' and pg_relation_size(oid) > 0`,
    values: [],
  });
  const used = new Set(rows.map(([name]) => name as string));
  const types = STORED_TYPES.filter((type) => !KEPT_TYPES.has(type));
  return {
    current: types.filter((type) => used.has(tableOf(type).main)),
    all: types.filter((type) => used.has(tableOf(type).main) || used.has(tableOf(type).history)),
  };
}
