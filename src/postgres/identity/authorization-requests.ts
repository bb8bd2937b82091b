/** What apps ask of people, while it is being answered. */
import type {
  AuthorizationProgress,
  AuthorizationRequest,
  AuthorizationRequests,
} from '../../ports/authorization-requests.ts';
import type { Clock } from '../../ports/clock.ts';
import { translated } from '../database-error.ts';
import type { Pipeline, Row } from '../pools.ts';
import { hashOf, makeOpaque } from './secrets.ts';

export interface AuthorizationRequestsOptions {
  readonly writes: Pipeline;
  readonly now: Clock;
}

export function createAuthorizationRequests({ writes, now }: AuthorizationRequestsOptions): AuthorizationRequests {
  const query = (name: string, text: string, values: readonly unknown[]): Promise<readonly Row[]> =>
    translated(() => writes.query({ name: `authorization-${name}`, text, values }));
  const time = (afterMs = 0): Date => new Date(now() + afterMs);

  return {
    async add(request, lifetimeMs) {
      const id = makeOpaque();
      await query(
        'add',
        `insert into auth.authorization_request (hash, client_id, content, created_at, expires_at)
values ($1, $2, $3, $4, $5)`,
        [hashOf(id), request.clientId, JSON.stringify(request), time(), time(lifetimeMs)],
      );
      return id;
    },

    async find(id) {
      const [row] = await query(
        'find',
        `select content, user_id, progress, created_at from auth.authorization_request
where hash = $1 and expires_at > $2`,
        [hashOf(id), time()],
      );
      if (!row) return undefined;
      const [content, userId, progress, createdAt] = row as [
        AuthorizationRequest,
        string | null,
        AuthorizationProgress,
        Date,
      ];
      return { ...content, ...(userId !== null && { userId }), progress, createdAt: createdAt.getTime() };
    },

    async keep(id, userId, progress) {
      const rows = await query(
        'keep',
        `update auth.authorization_request set user_id = $2, progress = $3
where hash = $1 and (user_id is null or user_id = $2) and expires_at > $4 returning 1`,
        [hashOf(id), userId, JSON.stringify(progress), time()],
      );
      return rows.length > 0;
    },

    async take(id) {
      const rows = await query(
        'take',
        'delete from auth.authorization_request where hash = $1 and expires_at > $2 returning 1',
        [hashOf(id), time()],
      );
      return rows.length > 0;
    },

    async purge(limit) {
      const rows = await query(
        'purge',
        `delete from auth.authorization_request where hash in
  (select hash from auth.authorization_request where expires_at < $1 limit $2) returning 1`,
        [time(), limit],
      );
      return rows.length;
    },
  };
}
