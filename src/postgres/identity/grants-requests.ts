/** What lies between an app's request and the grant: launches, pushed requests, consents, assertions; and the broom. */
import type { Clock } from '../../ports/clock.ts';
import type { Grants, LaunchContext, PushedRequest } from '../../ports/grants.ts';
import type { Query } from './grants.ts';
import { hashOf, makeOpaque } from './secrets.ts';

type Requests = Pick<
  Grants,
  | 'createLaunch'
  | 'useLaunch'
  | 'createPushedRequest'
  | 'findPushedRequest'
  | 'usePushedRequest'
  | 'findConsent'
  | 'rememberConsent'
  | 'withdrawConsent'
  | 'forgetConsents'
  | 'rememberAssertion'
  | 'rememberProof'
  | 'purge'
>;

const LAUNCH_MS = 5 * 60_000;
const DAY_MS = 24 * 60 * 60_000;
const REQUEST_URI = 'urn:ietf:params:oauth:request_uri:';

/** Tables in the order of cleaning, with what says that a row is over, and for how long it is kept after. */
const OVER: readonly (readonly [table: string, key: string, over: string, keptMs?: number])[] = [
  ['auth.access_token', 'hash', 'expires_at < $1'],
  ['auth.family', 'id', 'expires_at < $1 or refresh_expires_at < $1 or revoked_at < $1'],
  ['auth.pushed_request', 'hash', 'expires_at < $1'],
  ['auth.launch', 'hash', 'expires_at < $1'],
  ['auth.remembered_consent', '(user_id, client_id, patient_id)', 'expires_at < $1'],
  ['auth.assertion', '(issuer, jti_hash)', 'expires_at < $1'],
  ['auth.initial_token', 'hash', 'expires_at < $1'],
  // One a request: it goes as soon as no clock can take its proof for a new one.
  ['auth.dpop_proof', 'hash', 'expires_at < $1', 2 * 60_000],
];

export function createRequests(query: Query, now: Clock): Requests {
  const time = (afterMs = 0): Date => new Date(now() + afterMs);
  const pushedHash = (requestUri: string): Buffer => hashOf(requestUri.slice(REQUEST_URI.length));

  return {
    async createLaunch({ clientId, userId, patientId, encounterId, context }, lifetimeMs = LAUNCH_MS) {
      const handle = makeOpaque();
      await query(
        'add-launch',
        `insert into auth.launch (hash, client_id, user_id, patient_id, encounter_id, context, expires_at)
values ($1, $2, $3, $4, $5, $6, $7)`,
        [
          hashOf(handle),
          clientId,
          userId,
          patientId ?? null,
          encounterId ?? null,
          context ? JSON.stringify(context) : null,
          time(lifetimeMs),
        ],
      );
      return handle;
    },

    async useLaunch(handle, { clientId, userId }) {
      const [row] = await query(
        'use-launch',
        `delete from auth.launch where hash = $1 and client_id = $2 and user_id = $3 and expires_at > $4
returning patient_id, encounter_id, context`,
        [hashOf(handle), clientId, userId, time()],
      );
      if (!row) return undefined;
      const [patientId, encounterId, context] = row as [string | null, string | null, LaunchContext | null];
      return {
        clientId,
        userId,
        ...(patientId !== null && { patientId }),
        ...(encounterId !== null && { encounterId }),
        ...(context !== null && { context }),
      };
    },

    async createPushedRequest({ clientId, parameters }, lifetimeMs) {
      const name = makeOpaque();
      await query(
        'add-pushed',
        'insert into auth.pushed_request (hash, client_id, parameters, expires_at) values ($1, $2, $3, $4)',
        [hashOf(name), clientId, JSON.stringify(parameters), time(lifetimeMs)],
      );
      return REQUEST_URI + name;
    },

    async findPushedRequest(requestUri, clientId) {
      const [row] = await query(
        'find-pushed',
        'select parameters from auth.pushed_request where hash = $1 and client_id = $2 and expires_at > $3',
        [pushedHash(requestUri), clientId, time()],
      );
      return row && { clientId, parameters: row[0] as PushedRequest['parameters'] };
    },

    async usePushedRequest(requestUri, clientId) {
      const rows = await query(
        'use-pushed',
        'delete from auth.pushed_request where hash = $1 and client_id = $2 and expires_at > $3 returning 1',
        [pushedHash(requestUri), clientId, time()],
      );
      return rows.length > 0;
    },

    async findConsent({ userId, clientId, patientId }) {
      const [row] = await query(
        'find-consent',
        `select scope from auth.remembered_consent
where user_id = $1 and client_id = $2 and patient_id = $3 and expires_at > $4`,
        [userId, clientId, patientId ?? '', time()],
      );
      return row && { userId, clientId, ...(patientId !== undefined && { patientId }), scope: row[0] as string };
    },

    async rememberConsent({ userId, clientId, patientId, scope }, lifetimeMs) {
      await query(
        'remember-consent',
        `insert into auth.remembered_consent (user_id, client_id, patient_id, scope, given_at, expires_at)
values ($1, $2, $3, $4, $5, $6)
on conflict (user_id, client_id, patient_id)
do update set scope = excluded.scope, given_at = excluded.given_at, expires_at = excluded.expires_at`,
        [userId, clientId, patientId ?? '', scope, time(), time(lifetimeMs)],
      );
    },

    async withdrawConsent(userId, clientId) {
      await query(
        'withdraw-consent',
        `with forgotten as (delete from auth.remembered_consent where user_id = $1 and client_id = $2)
update auth.family set revoked_at = $3, revoked_for = 'consent withdrawn'
where user_id = $1 and client_id = $2 and revoked_at is null`,
        [userId, clientId, time()],
      );
    },

    async forgetConsents({ userId, clientId }) {
      if (userId === undefined && clientId === undefined) throw new Error('a filter of consents names nothing');
      await query(
        'forget-consents',
        `delete from auth.remembered_consent
where ($1::text is null or user_id = $1) and ($2::text is null or client_id = $2)`,
        [userId ?? null, clientId ?? null],
      );
    },

    async rememberAssertion(issuer, jti, until) {
      const rows = await query(
        'assertion',
        // One that is over may be used again: the new assertion has times of its own.
        `insert into auth.assertion (issuer, jti_hash, expires_at) values ($1, $2, $3)
on conflict (issuer, jti_hash) do update set expires_at = excluded.expires_at
where auth.assertion.expires_at < $4 returning 1`,
        [issuer, hashOf(jti), new Date(until), time()],
      );
      return rows.length > 0;
    },

    async rememberProof(jkt, jti, until) {
      const rows = await query(
        'proof',
        `insert into auth.dpop_proof (hash, expires_at) values ($1, $2)
on conflict (hash) do update set expires_at = excluded.expires_at where auth.dpop_proof.expires_at < $3 returning 1`,
        [hashOf(`${jkt} ${jti}`), new Date(until), time()],
      );
      return rows.length > 0;
    },

    async purge(limit) {
      let count = 0;
      for (const [table, key, over, keptMs = DAY_MS] of OVER) {
        const rows = await query(
          `purge-${table}`,
          `delete from ${table} where ${key} in (select ${key.replaceAll(/[()]/g, '')} from ${table} where ${over} limit $2)
returning 1`,
          [time(-keptMs), limit],
        );
        count += rows.length;
      }
      return count;
    },
  };
}
