/** What patients say is wrong in their record, in `protection.rectification`. SECURITY DP-05 */
import type { Cipher } from '../../ports/cipher.ts';
import type { Rectification, RectificationBook } from '../../ports/subject-rights.ts';
import { translated } from '../database-error.ts';
import type { Pipeline, Row } from '../pools.ts';

const wordsContext = (id: string): string => `rectification ${id} words`;
const answerContext = (id: string): string => `rectification ${id} answer`;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

const COLUMNS = `id, patient_id, asked_by, type, ref, version, encode(words, 'hex'), state,
  (extract(epoch from asked_at) * 1000)::float8, encode(answer, 'hex'), answered_by,
  (extract(epoch from answered_at) * 1000)::float8, new_version`;

export function createRectifications(
  { reads, writes }: { readonly reads: Pipeline; readonly writes: Pipeline },
  cipher: Cipher,
): RectificationBook {
  const open = (sealed: string, context: string): string => cipher.open(Buffer.from(sealed, 'hex'), context).toString();
  const toRectification = (row: Row): Rectification => {
    const [id, patientId, askedBy, type, resourceId, version, words, state, askedAt, ...rest] = row as [
      string,
      string,
      string,
      string,
      string,
      number,
      string,
      Rectification['state'],
      number,
      string | null,
      string | null,
      number | null,
      number | null,
    ];
    const [answer, by, at, newVersion] = rest;
    return {
      id,
      patientId,
      askedBy,
      type,
      resourceId,
      version,
      text: open(words, wordsContext(id)),
      state,
      askedAt: Math.round(askedAt),
      ...(by !== null &&
        at !== null && {
          answer: {
            by,
            at: Math.round(at),
            ...(answer !== null && { text: open(answer, answerContext(id)) }),
            ...(newVersion !== null && { newVersion }),
          },
        }),
    };
  };

  return {
    ask: ({ id, patientId, askedBy, type, resourceId, version, text, askedAt }, openMax) =>
      translated(async () => {
        const rows = await writes.query({
          name: 'rectification-ask',
          text: `insert into protection.rectification (id, patient_id, asked_by, type, ref, version, words, asked_at)
select $1, $2, $3, $4, $5, $6, $7, $8
where (select count(*) from protection.rectification where patient_id = $2 and state = 'open') < $9
returning 1`,
          values: [
            id,
            patientId,
            askedBy,
            type,
            resourceId,
            version,
            cipher.seal(Buffer.from(text), wordsContext(id)),
            new Date(askedAt),
            openMax,
          ],
        });
        return rows.length === 1;
      }),

    find: (id) =>
      translated(async () => {
        if (!UUID.test(id)) return undefined;
        const [row] = await writes.query({
          name: 'rectification-find',
          text: `select ${COLUMNS} from protection.rectification where id = $1`,
          values: [id],
        });
        return row && toRectification(row);
      }),

    listOf: (patientIds, limit) =>
      translated(async () => {
        const rows = await reads.query({
          name: 'rectification-list-of',
          text: `select ${COLUMNS} from protection.rectification where patient_id = any($1)
order by asked_at desc, id limit $2`,
          values: [patientIds, limit],
        });
        return rows.map(toRectification);
      }),

    listOpen: (limit) =>
      translated(async () => {
        const rows = await reads.query({
          name: 'rectification-list-open',
          text: `select ${COLUMNS} from protection.rectification where state = 'open' order by asked_at, id limit $1`,
          values: [limit],
        });
        return rows.map(toRectification);
      }),

    answer: (id, { by, at, text, newVersion }) =>
      translated(async () => {
        const rows = await writes.query({
          name: 'rectification-answer',
          text: `update protection.rectification
set state = case when $5::int is null then 'refused' else 'accepted' end, answer = $2, answered_by = $3,
  answered_at = $4, new_version = $5
where id = $1 and state = 'open' and asked_by <> $3 returning 1`,
          values: [
            id,
            text === undefined ? null : cipher.seal(Buffer.from(text), answerContext(id)),
            by,
            new Date(at),
            newVersion ?? null,
          ],
        });
        return rows.length === 1;
      }),
  };
}
