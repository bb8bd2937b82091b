/** Emergency access, kept in `auth.break_glass`. SECURITY FA-04 */
import type { BreakGlass, BreakGlassBook } from '../../ports/break-glass.ts';
import type { Cipher } from '../../ports/cipher.ts';
import { translated } from '../database-error.ts';
import type { Pools, Row } from '../pools.ts';
import { inTransaction } from './people-statements.ts';

/** Reasons that law gives, and not the patient's state. */
const LAWFUL_REASONS = ['legal-duty', 'public-safety'];

const context = (id: string): string => `break-glass:${id}`;

export function createBreakGlassBook({ reads, writes, transactions }: Pools, cipher: Cipher): BreakGlassBook {
  const entryOf = (row: Row): BreakGlass => {
    const [id, userId, patientId, reason, explanation, openedAt, expiresAt] = row as [
      string,
      string,
      string,
      string,
      string,
      string,
      string,
    ];
    const sealed = Buffer.from(explanation, 'hex');
    return {
      id,
      userId,
      patientId,
      reason,
      explanation: cipher.open(sealed, context(id)).toString(),
      openedAt: Number(openedAt),
      expiresAt: Number(expiresAt),
    };
  };

  return {
    open: (entry, { max, since }) =>
      inTransaction(transactions, async (send) => {
        // Those of one user count each other: the next statement sees what the holder before has committed.
        await send({
          text: "select pg_advisory_xact_lock(hashtextextended('break-glass ' || $1, 0))",
          values: [entry.userId],
        });
        const opened = await send({
          text: `insert into auth.break_glass (id, user_id, patient_id, reason, explanation, opened_at, expires_at)
select $1, $2, $3, $4, $5, $6, $7
where (select count(*) from auth.break_glass where user_id = $2 and opened_at > $8) < $9 returning id`,
          values: [
            entry.id,
            entry.userId,
            entry.patientId,
            entry.reason,
            cipher.seal(Buffer.from(entry.explanation), context(entry.id)),
            new Date(entry.openedAt),
            new Date(entry.expiresAt),
            new Date(since),
            max,
          ],
        });
        return opened.length === 1;
      }),

    withdraw: (id) =>
      translated(async () => {
        await writes.query({
          name: 'break-glass-withdraw',
          text: 'delete from auth.break_glass where id = $1',
          values: [id],
        });
      }),

    patientsOf: (userId, now) =>
      translated(async () => {
        const rows = await reads.query({
          name: 'break-glass-patients',
          text: `select patient_id, bool_or(reason = any ($3::text[])) from auth.break_glass
where user_id = $1 and opened_at <= $2 and expires_at > $2 group by patient_id`,
          values: [userId, new Date(now), LAWFUL_REASONS],
        });
        return rows.map(([patientId, isLawful]) => ({ patientId: patientId as string, isLawful: isLawful as boolean }));
      }),

    unreviewed: (limit) =>
      translated(async () => {
        const rows = await reads.query({
          name: 'break-glass-unreviewed',
          text: `select id, user_id, patient_id, reason, encode(explanation, 'hex'),
  (extract(epoch from opened_at) * 1000)::bigint, (extract(epoch from expires_at) * 1000)::bigint
from auth.break_glass where reviewed_at is null order by opened_at, id limit $1`,
          values: [limit],
        });
        return rows.map(entryOf);
      }),

    review: (id, reviewerId, at) =>
      translated(async () => {
        const rows = await writes.query({
          name: 'break-glass-review',
          text: `update auth.break_glass set reviewed_by = $2, reviewed_at = $3
where id = $1 and reviewed_at is null and user_id <> $2 returning 1`,
          values: [id, reviewerId, new Date(at)],
        });
        return rows.length === 1;
      }),
  };
}
