/** Codes, refresh tokens and access tokens, as hashes. SECURITY SL-12, SL-13, ST-04 to ST-08, ST-13 */
import { randomUUID } from 'node:crypto';
import type { Clock } from '../../ports/clock.ts';
import type { FamilyFilter, Grants } from '../../ports/grants.ts';
import { translated } from '../database-error.ts';
import type { Pipeline, Row } from '../pools.ts';
import {
  CODE_COLUMNS,
  FAMILY_COLUMNS,
  GRANT_COLUMNS,
  GRANT_COUNT,
  grantValues,
  REFRESH_COLUMNS,
  toCode,
  toFamily,
  toRefresh,
  toToken,
} from './grant-rows.ts';
import { createRequests } from './grants-requests.ts';
import { handleOf, hashOf, makeOpaque, makeRefresh, makeSalt, nextRefresh } from './secrets.ts';

export interface GrantsOptions {
  readonly writes: Pipeline;
  readonly now: Clock;
}

export type Query = (name: string, text: string, values: readonly unknown[]) => Promise<readonly Row[]>;

const CODE_MS = 60_000;
/** What a family without refresh lives beyond its code: the longest an access token does. SECURITY ST-04 */
const ACCESS_MAX_MS = 3_600_000;
const LIST_MAX = 500;

const places = (from: number): string => Array.from({ length: GRANT_COUNT }, (_, i) => `$${i + from}`).join(', ');
/** Which families, with $1 to $4 of `filterValues`. */
const FILTER = `($1::uuid is null or id = $1) and ($2::text is null or user_id = $2)
  and ($3::text is null or client_id = $3) and ($4::text is null or session_id = $4)`;

export function createGrants({ writes, now }: GrantsOptions): Grants {
  const query: Query = (name, text, values) => translated(() => writes.query({ name: `grant-${name}`, text, values }));
  const time = (afterMs = 0): Date => new Date(now() + afterMs);

  return {
    ...createRequests(query, now),

    async createCode(grant, { redirectUri, challenge, nonce }, lifetimeMs = CODE_MS) {
      const code = makeOpaque();
      await query(
        'add-code',
        `insert into auth.family (id, created_at, last_used_at, expires_at, code_hash, redirect_uri, challenge, nonce,
  code_expires_at, ${GRANT_COLUMNS})
values ($1, $2, $2, $3, $4, $5, $6, $7, $8, ${places(9)})`,
        [
          randomUUID(),
          time(),
          time(lifetimeMs + ACCESS_MAX_MS),
          hashOf(code),
          redirectUri,
          challenge,
          nonce ?? null,
          time(lifetimeMs),
          ...grantValues(grant),
        ],
      );
      return code;
    },

    async findCode(code) {
      const [row] = await query(
        'find-code',
        `select ${CODE_COLUMNS} from auth.family where code_hash = $1`, // family_code
        [hashOf(code)],
      );
      return row && toCode(row);
    },

    async useCode(code) {
      const rows = await query(
        'use-code',
        `update auth.family set code_used_at = $2, last_used_at = $2
where code_hash = $1 and code_used_at is null and code_expires_at > $2 and revoked_at is null returning 1`,
        [hashOf(code), time()],
      );
      return rows.length > 0;
    },

    async createFamily(grant) {
      const id = randomUUID();
      await query(
        'add-family',
        `insert into auth.family (id, created_at, last_used_at, expires_at, ${GRANT_COLUMNS})
values ($1, $2, $2, $3, ${places(4)})`,
        [id, time(), time(ACCESS_MAX_MS), ...grantValues(grant)],
      );
      return id;
    },

    async openRefresh(familyId, kind, { slidingMs, absoluteMs }, cnf) {
      const token = makeRefresh();
      await query(
        'open-refresh',
        `update auth.family set refresh = $2, handle_hash = $3, current_hash = $4, refresh_expires_at = $5,
  expires_at = greatest(expires_at, $6::timestamptz), cnf = coalesce($7::jsonb, cnf)
where id = $1 and refresh is null`,
        [
          familyId,
          kind,
          hashOf(handleOf(token) ?? ''),
          hashOf(token),
          time(Math.min(slidingMs, absoluteMs)),
          time(absoluteMs),
          cnf ? JSON.stringify(cnf) : null,
        ],
      );
      return token;
    },

    async findRefresh(token) {
      const handle = handleOf(token);
      if (handle === undefined) return undefined;
      const [row] = await query(
        'find-refresh',
        `select ${REFRESH_COLUMNS} from auth.family where handle_hash = $1`, // family_handle
        [hashOf(handle)],
      );
      return row && toRefresh(row, hashOf(token));
    },

    async rotateRefresh(token, lifetimeMs) {
      const salt = makeSalt();
      const next = nextRefresh(token, salt);
      const rows = await query(
        'rotate',
        // Of many uses of one token the first changes the row, and the others no longer find it.
        `update auth.family set previous_hash = current_hash, current_hash = $3, salt = $4, rotated_at = $5,
  last_used_at = $5, refresh_expires_at = least($6::timestamptz, expires_at)
where handle_hash = $1 and current_hash = $2 and revoked_at is null and refresh_expires_at > $5 returning 1`,
        [hashOf(handleOf(token) ?? ''), hashOf(token), hashOf(next), salt, time(), time(lifetimeMs)],
      );
      return rows.length > 0 ? next : undefined;
    },

    async successorOf(token) {
      const [row] = await query(
        'successor',
        'select salt from auth.family where handle_hash = $1 and previous_hash = $2 and revoked_at is null',
        [hashOf(handleOf(token) ?? ''), hashOf(token)],
      );
      return row && nextRefresh(token, row[0] as Buffer);
    },

    async createToken({ grant, familyId, issuedAt, expiresAt }) {
      const token = makeOpaque();
      await query(
        'add-token',
        `insert into auth.access_token (hash, family_id, issued_at, expires_at, ${GRANT_COLUMNS})
values ($1, $2, $3, $4, ${places(5)})`,
        [hashOf(token), familyId ?? null, new Date(issuedAt), new Date(expiresAt), ...grantValues(grant)],
      );
      return token;
    },

    async findToken(hash) {
      const columns = GRANT_COLUMNS.replaceAll(/\w+/g, 't.$&');
      const [row] = await query(
        'find-token',
        `select ${columns}, t.family_id, t.issued_at, t.expires_at
from auth.access_token t
join auth.client c on c.id = t.client_id
left join auth.family f on f.id = t.family_id
where t.hash = $1 and t.expires_at > $2 and t.revoked_at is null and f.revoked_at is null and not c.is_disabled`,
        [hash, time()],
      );
      return row && toToken(row);
    },

    async revokeToken(hash) {
      await query(
        'revoke-token',
        'update auth.access_token set revoked_at = $2 where hash = $1 and revoked_at is null',
        [hash, time()],
      );
    },

    async listFamilies(filter, limit) {
      const rows = await query(
        'list',
        `select ${FAMILY_COLUMNS} from auth.family
where ${FILTER} and revoked_at is null and coalesce(refresh_expires_at, expires_at) > $5
  and (code_hash is null or code_used_at is not null)
order by created_at desc limit $6`,
        [...filterValues(filter), time(), Math.min(limit, LIST_MAX)],
      );
      return rows.map(toFamily);
    },

    async revoke(filter, reason) {
      const rows = await query(
        'revoke',
        `with families as (
  update auth.family set revoked_at = $5, revoked_for = $6 where ${FILTER} and revoked_at is null returning 1
), tokens as (
  update auth.access_token set revoked_at = $5
  where family_id is null and $1::uuid is null and ($2::text is null or user_id = $2)
    and ($3::text is null or client_id = $3) and ($4::text is null or session_id = $4)
    and revoked_at is null and expires_at > $5 returning 1
)
select (select count(*) from families)::int + (select count(*) from tokens)::int`,
        [...filterValues(filter), time(), reason],
      );
      return rows[0]?.[0] as number; // counts are one row
    },

    async endSession(sessionId) {
      await query(
        'end-session',
        `update auth.family set revoked_at = $2, revoked_for = 'session ended'
where session_id = $1 and revoked_at is null and refresh is distinct from 'offline'`,
        [sessionId, time()],
      );
    },
  };
}

/** A filter that names nothing would end everything: it must be meant. */
function filterValues({ id, userId, clientId, sessionId }: FamilyFilter): (string | null)[] {
  const values = [id, userId, clientId, sessionId].map((value) => value ?? null);
  if (values.every((value) => value === null)) throw new Error('a filter of families names none of its conditions');
  return values;
}
