/**
 * Copies of records, kept in `protection.copy` page by page. Each copy has a key of its own, wrapped by the key file's:
 * when its time is over the key is destroyed with the pages. SECURITY DP-03, KS-07
 */
import { randomBytes } from 'node:crypto';
import type { Cipher } from '../../ports/cipher.ts';
import type {
  CopyBook,
  CopyCounts,
  CopyForm,
  CopyProgress,
  CopyState,
  SubjectCopy,
} from '../../ports/subject-access.ts';
import { translated } from '../database-error.ts';
import type { Pipeline, Row } from '../pools.ts';

export interface CopyBookOptions {
  readonly reads: Pipeline;
  readonly writes: Pipeline;
  /** Wraps the keys of copies. */
  readonly cipher: Cipher;
  /** A cipher of a key of 32 bytes. */
  readonly cipherOf: (key: Buffer) => Cipher;
}

const keyContext = (id: string): string => `copy ${id} key`;
const reasonContext = (id: string): string => `copy ${id} reason`;
const pageContext = (id: string, form: CopyForm, page: number): string => `copy ${id} ${form} ${page}`;

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const COLUMNS = `id, patient_id, asked_by, encode(reason, 'hex'), state, counts,
  (extract(epoch from asked_at) * 1000)::float8, (extract(epoch from ready_at) * 1000)::float8,
  (extract(epoch from expires_at) * 1000)::float8`;

export function createCopyBook({ reads, writes, cipher, cipherOf }: CopyBookOptions): CopyBook {
  const toCopy = (row: Row): SubjectCopy => {
    const [id, patientId, askedBy, reason, state, counts, askedAt, readyAt, expiresAt] = row as [
      string,
      string,
      string,
      string | null,
      CopyState,
      CopyCounts,
      number,
      number | null,
      number | null,
    ];
    return {
      id,
      patientId,
      askedBy,
      ...(reason !== null && { reason: cipher.open(Buffer.from(reason, 'hex'), reasonContext(id)).toString() }),
      state,
      counts,
      askedAt: Math.round(askedAt),
      ...(readyAt !== null && { readyAt: Math.round(readyAt) }),
      ...(expiresAt !== null && { expiresAt: Math.round(expiresAt) }),
    };
  };

  /** The cipher of a copy in this state; undefined when it has none. */
  async function openKey(id: string, state: CopyState): Promise<Cipher | undefined> {
    const [row] = await writes.query({
      name: 'copy-key',
      text: 'select key from protection.copy where id = $1 and state = $2',
      values: [id, state],
    });
    return row && cipherOf(cipher.open(row[0] as Buffer, keyContext(id)));
  }

  async function* pages(id: string, form: CopyForm): AsyncIterable<Buffer> {
    const opened = await translated(() => openKey(id, 'ready'));
    if (!opened) return;
    for (let page = 0; ; page += 1) {
      const [row] = await translated(() =>
        reads.query({
          name: 'copy-page',
          text: `select p.bytes, c.page from protection.copy c
left join protection.copy_page p on p.copy_id = c.id and p.form = $2 and p.page = $3
where c.id = $1 and c.state = 'ready'`,
          values: [id, form, page],
        }),
      );
      if (!row) throw new Error('the copy went while it was read');
      const [bytes, count] = row as [Buffer | null, number];
      if (page === count) return;
      if (bytes === null) throw new Error('a page of the copy is missing');
      yield opened.open(bytes, pageContext(id, form, page));
    }
  }

  return {
    pages,

    ask: ({ id, patientId, askedBy, reason, askedAt }, { max, since }) =>
      translated(async () => {
        const rows = await writes.query({
          name: 'copy-ask',
          text: `insert into protection.copy (id, patient_id, asked_by, reason, asked_at, key)
select $1, $2, $3, $4, $5, $6
where not exists (select from protection.copy where patient_id = $2 and state = 'waiting')
  and (select count(*) from protection.copy where patient_id = $2 and state <> 'failed' and asked_at > $8) < $7
on conflict do nothing
returning 1`,
          values: [
            id,
            patientId,
            askedBy,
            reason === undefined ? null : cipher.seal(Buffer.from(reason), reasonContext(id)),
            new Date(askedAt),
            cipher.seal(randomBytes(32), keyContext(id)),
            max,
            new Date(since),
          ],
        });
        return rows.length === 1;
      }),

    find: (id) =>
      translated(async () => {
        if (!UUID.test(id)) return undefined;
        const [row] = await writes.query({
          name: 'copy-find',
          text: `select ${COLUMNS} from protection.copy where id = $1`,
          values: [id],
        });
        return row && toCopy(row);
      }),

    list: ({ patientIds, askedBy }, limit) =>
      translated(async () => {
        const rows = await reads.query({
          name: 'copy-list',
          text: `select ${COLUMNS} from protection.copy where patient_id = any($1) or asked_by = $2
order by asked_at desc, id limit $3`,
          values: [patientIds, askedBy, limit],
        });
        return rows.map(toCopy);
      }),

    progress: (id) =>
      translated(async () => {
        const [row] = await writes.query({
          name: 'copy-progress',
          text: "select page, step, cursor, counts from protection.copy where id = $1 and state = 'waiting'",
          values: [id],
        });
        if (!row) return undefined;
        const [page, step, cursor, counts] = row as [number, number, string | null, CopyCounts];
        return { page, step, ...(cursor !== null && { cursor }), counts } satisfies CopyProgress;
      }),

    append: (id, done, page) =>
      translated(async () => {
        const own = await openKey(id, 'waiting');
        if (!own) return false;
        const number = done.page - 1;
        const seal = (form: CopyForm): Buffer => own.seal(Buffer.from(page[form]), pageContext(id, form, number));
        const rows = await writes.query({
          name: 'copy-append',
          text: `with moved as (
  update protection.copy set page = $2, step = $3, cursor = $4, counts = $5
  where id = $1 and state = 'waiting' and page = $2 - 1
  returning id
)
insert into protection.copy_page (copy_id, form, page, bytes)
select m.id, p.form, $2 - 1, p.bytes from moved m, (values ('bundle', $6::bytea), ('html', $7::bytea)) p(form, bytes)
returning 1`,
          values: [
            id,
            done.page,
            done.step,
            done.cursor ?? null,
            JSON.stringify(done.counts),
            seal('bundle'),
            seal('html'),
          ],
        });
        return rows.length === 2;
      }),

    restart: (id) =>
      translated(async () => {
        await writes.batch([
          {
            text: `update protection.copy set page = 0, step = 0, cursor = null,
  counts = '{"resources": 0, "messages": 0, "visits": 0}' where id = $1 and state = 'waiting'`,
            values: [id],
          },
          {
            text: `delete from protection.copy_page where copy_id in (
  select id from protection.copy where id = $1 and state = 'waiting' and page = 0)`,
            values: [id],
          },
        ]);
      }),

    finish: (id, { readyAt, expiresAt }) =>
      translated(async () => {
        await writes.query({
          name: 'copy-finish',
          text: "update protection.copy set state = 'ready', ready_at = $2, expires_at = $3 where id = $1 and state = 'waiting'",
          values: [id, new Date(readyAt), new Date(expiresAt)],
        });
      }),

    fail: (id) =>
      translated(async () => {
        await writes.query({
          name: 'copy-fail',
          text: `with failed as (
  update protection.copy set state = 'failed', key = null where id = $1 and state = 'waiting' returning id
)
delete from protection.copy_page p using failed f where p.copy_id = f.id`,
          values: [id],
        });
      }),

    waiting: (limit) =>
      translated(async () => {
        const rows = await reads.query({
          name: 'copy-waiting',
          text: "select id from protection.copy where state = 'waiting' order by asked_at limit $1",
          values: [limit],
        });
        return rows.map(([id]) => id as string);
      }),

    expire: (now, limit) =>
      translated(async () => {
        const rows = await writes.query({
          name: 'copy-expire',
          text: `with due as (
  select id from protection.copy where state = 'ready' and expires_at <= $1 order by expires_at limit $2
  for update skip locked
), gone as (
  update protection.copy c set state = 'gone', key = null from due d where c.id = d.id returning c.id, c.patient_id
), removed as (
  delete from protection.copy_page p using due d where p.copy_id = d.id
)
select id, patient_id from gone`,
          values: [new Date(now), limit],
        });
        return rows.map(([id, patientId]) => ({ id: id as string, patientId: patientId as string }));
      }),
  };
}
