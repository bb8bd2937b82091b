/** Collection codes, in `mortar.collection_code`: each question is one statement, so that of many at once each is counted. MISSION M10 */
import type { CollectionCodes } from '../../ports/collection-codes.ts';
import { translated } from '../database-error.ts';
import type { Pools, Row, Statement } from '../pools.ts';

export const TRIES_MAX = 5;
const SENDINGS_MAX = 3;
/** Of one patient, whatever they collect. */
const PATIENT_SENDINGS_MAX = 10;
const HOUR_MS = 60 * 60_000;

/** Raised by `mortar.use_collection_code`. */
export const NOT_CONFIRMED = 'MC001';

/** Fails, and with it the transaction, where none is confirmed any more. */
export const useStatement = (tokenId: string, pharmacyId: string, at: number): Statement => ({
  name: 'collection-code-use',
  text: 'select mortar.use_collection_code($1, $2, $3)',
  values: [tokenId, pharmacyId, new Date(at)],
});

export function createCollectionCodes({ writes }: Pick<Pools, 'writes'>): CollectionCodes {
  const query = (statement: Statement): Promise<readonly Row[]> => translated(() => writes.query(statement));
  return {
    async keep({ tokenId, pharmacyId, patient, digest, at, expiresAt }) {
      const since = new Date(at - HOUR_MS);
      const kept = await query({
        name: 'collection-code-keep',
        // collection_code_pkey, collection_code_patient
        text: `with theirs as (
  select count(*)::int as n from mortar.collection_code c, unnest(c.sendings) s where c.patient = $3 and s > $7
)
insert into mortar.collection_code as c (token, pharmacy, patient, digest, sent_at, expires_at, sendings)
select $1, $2, $3, $4, $5, $6, array[$5::timestamptz] from theirs where n < ${PATIENT_SENDINGS_MAX}
on conflict (token) do update set pharmacy = excluded.pharmacy, patient = excluded.patient, digest = excluded.digest,
  sent_at = excluded.sent_at, expires_at = excluded.expires_at, tries = 0, confirmed_until = null,
  sendings = array(select s from unnest(c.sendings) s where s > $7) || excluded.sendings
where c.used_at is null and (select count(*) from unnest(c.sendings) s where s > $7) < ${SENDINGS_MAX}
returning 1`,
        values: [tokenId, pharmacyId, patient, digest, new Date(at), new Date(expiresAt), since],
      });
      if (kept.length > 0) return 'kept';
      const [row] = await query({
        name: 'collection-code-sendings',
        text: `select coalesce((select used_at is not null from mortar.collection_code where token = $1), false), (
  select min(s) from mortar.collection_code c, unnest(c.sendings) s where s > $3 and (c.token = $1 or c.patient = $2))`,
        values: [tokenId, patient, since],
      });
      const [isUsed, oldest] = (row ?? []) as [boolean?, Date?];
      return isUsed === true ? 'used' : { tooManyUntil: (oldest?.getTime() ?? at) + HOUR_MS };
    },

    async takeBack(tokenId, at) {
      await query({
        name: 'collection-code-take-back',
        text: `update mortar.collection_code set sendings = array_remove(sendings, $2::timestamptz), expires_at = $2
where token = $1 and sent_at = $2`,
        values: [tokenId, new Date(at)],
      });
    },

    async tryOut({ tokenId, pharmacyId, at, digests }, confirmedUntil) {
      // Keyed hashes are compared: how long that takes tells nothing of the code. The row is locked by the update.
      const [tried] = await query({
        name: 'collection-code-try',
        text: `update mortar.collection_code set
  tries = case when digest = any($4::bytea[]) then tries else tries + 1 end,
  confirmed_until = case when digest = any($4::bytea[]) then $5 else confirmed_until end
where token = $1 and pharmacy = $2 and used_at is null and expires_at > $3 and tries < ${TRIES_MAX}
returning digest = any($4::bytea[]), tries`,
        values: [tokenId, pharmacyId, new Date(at), [...digests], new Date(confirmedUntil)],
      });
      if (tried) {
        const [isRight, tries] = tried as [boolean, number];
        return isRight ? { outcome: 'right' } : { outcome: 'wrong', left: TRIES_MAX - tries };
      }
      const [row] = await query({
        name: 'collection-code-why',
        text: `select used_at is not null, tries >= ${TRIES_MAX} and expires_at > $3
from mortar.collection_code where token = $1 and (pharmacy = $2 or used_at is not null)`,
        values: [tokenId, pharmacyId, new Date(at)],
      });
      const [isUsed, isTried] = (row ?? []) as [boolean?, boolean?];
      if (!row) return { outcome: 'none' };
      return { outcome: isUsed ? 'used' : isTried ? 'tries' : 'expired' };
    },

    async isConfirmed(tokenId, pharmacyId, at) {
      const rows = await query({
        name: 'collection-code-confirmed',
        text: `select 1 from mortar.collection_code
where token = $1 and pharmacy = $2 and used_at is null and confirmed_until > $3`,
        values: [tokenId, pharmacyId, new Date(at)],
      });
      return rows.length > 0;
    },

    async purge(before, limit) {
      const rows = await query({
        name: 'collection-code-purge',
        // collection_code_sent
        text: `delete from mortar.collection_code where token in (
  select token from mortar.collection_code where sent_at < $1 order by sent_at limit $2::int for update skip locked)
returning 1`,
        values: [new Date(before), limit],
      });
      return rows.length;
    },
  };
}
