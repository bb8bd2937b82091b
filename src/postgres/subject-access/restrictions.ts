/** Patients whose data may only be stored, in `protection.restriction`. SECURITY DP-05 */
import type { Cipher } from '../../ports/cipher.ts';
import type { Restriction, RestrictionBook } from '../../ports/subject-rights.ts';
import { translated } from '../database-error.ts';
import type { Pipeline, Row } from '../pools.ts';

const reasonContext = (id: string): string => `restriction ${id} reason`;
const liftContext = (id: string): string => `restriction ${id} lift`;

const COLUMNS = `id, patient_id, encode(reason, 'hex'), placed_by, (extract(epoch from placed_at) * 1000)::float8,
  encode(lift_reason, 'hex'), lift_by, (extract(epoch from lift_at) * 1000)::float8,
  lifted_by, (extract(epoch from lifted_at) * 1000)::float8`;

export function createRestrictions(
  { reads, writes }: { readonly reads: Pipeline; readonly writes: Pipeline },
  cipher: Cipher,
): RestrictionBook {
  const open = (sealed: string, context: string): string => cipher.open(Buffer.from(sealed, 'hex'), context).toString();
  const toRestriction = (row: Row): Restriction => {
    const [id, patientId, reason, placedBy, placedAt, liftReason, liftBy, liftAt, liftedBy, liftedAt] = row as [
      string,
      string,
      string,
      string,
      number,
      string | null,
      string | null,
      number | null,
      string | null,
      number | null,
    ];
    return {
      id,
      patientId,
      reason: open(reason, reasonContext(id)),
      placedBy,
      placedAt: Math.round(placedAt),
      ...(liftReason !== null &&
        liftBy !== null &&
        liftAt !== null && {
          lift: { by: liftBy, at: Math.round(liftAt), reason: open(liftReason, liftContext(id)) },
        }),
      ...(liftedBy !== null && liftedAt !== null && { lifted: { by: liftedBy, at: Math.round(liftedAt) } }),
    };
  };
  const find = (patientId: string): Promise<Restriction | undefined> =>
    translated(async () => {
      const [row] = await writes.query({
        name: 'restriction-find',
        // restriction_open
        text: `select ${COLUMNS} from protection.restriction where patient_id = $1 and lifted_at is null`,
        values: [patientId],
      });
      return row && toRestriction(row);
    });

  return {
    find,

    // Of the writing connections: what was stopped a moment ago must not go out.
    restrictedAmong: (patientIds) =>
      translated(async () => {
        if (patientIds.length === 0) return new Set<string>();
        const rows = await writes.query({
          name: 'restriction-among',
          text: 'select patient_id from protection.restriction where patient_id = any($1) and lifted_at is null',
          values: [patientIds],
        });
        return new Set(rows.map(([id]) => id as string));
      }),

    isAnyRestricted: () =>
      translated(async () => {
        const rows = await writes.query({
          name: 'restriction-any',
          text: 'select 1 from protection.restriction where lifted_at is null limit 1', // restriction_open
          values: [],
        });
        return rows.length > 0;
      }),

    async place({ id, patientId, reason, placedBy, placedAt }) {
      const rows = await translated(() =>
        writes.query({
          name: 'restriction-place',
          text: `insert into protection.restriction (id, patient_id, reason, placed_by, placed_at)
values ($1, $2, $3, $4, $5) on conflict (patient_id) where lifted_at is null do nothing returning 1`,
          values: [id, patientId, cipher.seal(Buffer.from(reason), reasonContext(id)), placedBy, new Date(placedAt)],
        }),
      );
      const restriction = await find(patientId);
      if (!restriction) throw new Error('a restriction that was just met is gone');
      return { restriction, isNew: rows.length === 1 };
    },

    list: (limit) =>
      translated(async () => {
        const rows = await reads.query({
          name: 'restriction-list',
          text: `select ${COLUMNS} from protection.restriction where lifted_at is null order by placed_at, id limit $1`,
          values: [limit],
        });
        return rows.map(toRestriction);
      }),

    async askLift(patientId, { by, at, reason }) {
      const restriction = await find(patientId);
      if (!restriction) return false;
      const rows = await translated(() =>
        writes.query({
          name: 'restriction-ask-lift',
          text: `update protection.restriction set lift_reason = $2, lift_by = $3, lift_at = $4
where id = $1 and lifted_at is null and lift_at is null returning 1`,
          values: [restriction.id, cipher.seal(Buffer.from(reason), liftContext(restriction.id)), by, new Date(at)],
        }),
      );
      return rows.length === 1;
    },

    lift: (patientId, by, at) =>
      translated(async () => {
        const rows = await writes.query({
          name: 'restriction-lift',
          text: `update protection.restriction set lifted_by = $2, lifted_at = $3
where patient_id = $1 and lifted_at is null and lift_by is not null and lift_by <> $2 returning 1`,
          values: [patientId, by, new Date(at)],
        });
        return rows.length === 1;
      }),
  };
}
