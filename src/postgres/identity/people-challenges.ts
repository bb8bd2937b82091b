/** Steps that somebody must still take, by the hash of what they were given. */
import type { Challenge, ChallengeKind, ChallengeStore } from '../../ports/people.ts';
import { translated } from '../database-error.ts';
import type { Row } from '../pools.ts';
import { type IdentityOptions, type Send, toMs } from './people-statements.ts';

const OF_A_KIND_MAX = 10;
const COLUMNS = 'hash, kind, person_id, security_version, failures, data, expires_at';

export function createChallenges({ writes, now }: IdentityOptions): ChallengeStore {
  const query: Send = (statement) => translated(() => writes.query(statement));
  const at = (): Date => new Date(now());
  const first = ([row]: readonly Row[]): Challenge | undefined => row && toChallenge(row);

  return {
    add: async ({ kind, hash, personId, securityVersion, data, expiresAt }) =>
      void (await query({
        name: 'challenge-add',
        text: `with kept as (
  select hash from auth.challenge where person_id = $3 and kind = $2 order by created_at desc limit $8
), gone as (
  delete from auth.challenge where person_id = $3 and kind = $2 and hash not in (select hash from kept)
)
insert into auth.challenge (hash, kind, person_id, security_version, data, created_at, expires_at)
values ($1, $2, $3, $4, $5, $6, $7)`,
        values: [
          hash,
          kind,
          personId ?? null,
          securityVersion ?? null,
          JSON.stringify(data ?? {}),
          at(),
          new Date(expiresAt),
          OF_A_KIND_MAX - 1,
        ],
      })),

    find: async (kind, hash) =>
      first(
        await query({
          name: 'challenge-find',
          text: `select ${COLUMNS} from auth.challenge where hash = $1 and kind = $2 and expires_at > $3`,
          values: [hash, kind, at()],
        }),
      ),

    take: async (kind, hash) =>
      first(
        await query({
          name: 'challenge-take',
          text: `delete from auth.challenge where hash = $1 and kind = $2 and expires_at > $3 returning ${COLUMNS}`,
          values: [hash, kind, at()],
        }),
      ),

    async attempt(kind, hash, max) {
      const found = first(
        await query({
          name: 'challenge-attempt',
          text: `update auth.challenge set failures = failures + 1
where hash = $1 and kind = $2 and expires_at > $3 returning ${COLUMNS}`,
          values: [hash, kind, at()],
        }),
      );
      if (!found || found.failures <= max) return found;
      await query({
        name: 'challenge-remove',
        text: 'delete from auth.challenge where hash = $1',
        values: [hash],
      });
      return undefined;
    },

    setData: async (hash, data) =>
      void (await query({
        name: 'challenge-data',
        text: 'update auth.challenge set data = data || $2::jsonb where hash = $1',
        values: [hash, JSON.stringify(data)],
      })),

    removeAll: async (kind, personId) =>
      void (await query({
        name: 'challenge-remove-all',
        text: 'delete from auth.challenge where kind = $1 and person_id is not distinct from $2::uuid',
        values: [kind, personId ?? null],
      })),
  };
}

function toChallenge(row: Row): Challenge {
  const [hash, kind, personId, securityVersion, failures, data, expiresAt] = row as [
    Buffer,
    ChallengeKind,
    string | null,
    number | null,
    number,
    Record<string, unknown>,
    Date,
  ];
  return {
    hash,
    kind,
    ...(personId !== null && { personId }),
    ...(securityVersion !== null && { securityVersion }),
    failures,
    data,
    expiresAt: toMs(expiresAt),
  };
}
