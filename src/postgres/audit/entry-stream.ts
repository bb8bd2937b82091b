/** Rows of the trail page by page, in the order of commits. */
import type { Row } from '../pools.ts';
import { type EntryRow, SHARD } from './entry.ts';
import { ENTRY_COLUMN_COUNT, ENTRY_COLUMNS, toEntry } from './entry-sql.ts';
import type { Proof } from './proof.ts';

const PAGE = 5000;

export interface EntryStream {
  /** The next in the order of commits. */
  next(): Promise<EntryRow | undefined>;
}

/** Entries after the link that ends at `seq`, or the last before it that is left. */
export async function entriesFrom({ run }: Proof, seq: number): Promise<EntryStream> {
  const [link] = await run(
    'select l.xid::text, l.id::text from audit.link l where l.shard = $1 and l.seq <= $2 order by l.seq desc limit 1',
    [SHARD, seq],
  );
  const [xid, id] = (link ?? ['0', '0']) as [string, string];
  const rows = paged(
    PAGE,
    [xid, id] as const,
    ([afterXid, afterId]) =>
      run(
        `select ${ENTRY_COLUMNS}, e.xid::text, e.id::text from audit.entry e
where e.shard = $1 and (e.xid, e.id) > ($2::xid8, $3::bigint)
order by e.xid, e.id
limit ${PAGE}`,
        [SHARD, afterXid, afterId],
      ),
    (row) => [row[ENTRY_COLUMN_COUNT] as string, row[ENTRY_COLUMN_COUNT + 1] as string] as const,
  );
  return {
    async next() {
      const { value } = await rows.next();
      return value && toEntry(value);
    },
  };
}

/** Rows page by page; the database looks up the next page while this one is proved. */
export async function* paged<P>(
  size: number,
  start: P,
  read: (after: P) => Promise<readonly Row[]>,
  positionOf: (row: Row) => P,
): AsyncGenerator<Row, undefined> {
  const ahead = (after: P): Promise<readonly Row[]> => {
    const rows = read(after);
    rows.catch(() => undefined); // seen where it is awaited, if it still is
    return rows;
  };
  for (let coming: Promise<readonly Row[]> | undefined = ahead(start); coming; ) {
    const rows: readonly Row[] = await coming;
    const last = rows.at(-1);
    coming = rows.length === size && last ? ahead(positionOf(last)) : undefined;
    yield* rows;
  }
  return undefined;
}
