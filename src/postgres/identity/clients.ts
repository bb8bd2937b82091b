/** Registered clients and their secrets. SECURITY A5, SR-03 */
import { randomUUID, timingSafeEqual } from 'node:crypto';
import type { Client, Clients, JwkSet, NewClient } from '../../ports/clients.ts';
import type { Clock } from '../../ports/clock.ts';
import type { SigningAlg } from '../../ports/signing-keys.ts';
import { translated } from '../database-error.ts';
import type { Pipeline, Row } from '../pools.ts';
import { hashOf, makeOpaque } from './secrets.ts';

export interface ClientsOptions {
  readonly writes: Pipeline;
  readonly now: Clock;
}

const SECRETS_MAX = 2;
const LIST_MAX = 500;

/** Other texts are nobody's, and some of them no statement takes. */
const isClientId = (text: string): boolean => /^[\x21-\x7e]{1,100}$/.test(text);

const COLUMNS = `name, publisher, kind, redirect_uris, post_logout_uris, launch_url, scope, jwks, jwks_uri,
  certificate_subject, profile, may_introspect, is_legacy_audience, is_verified, needs_pushed_requests, id_token_alg, certificate_name`;
const SELECT = `id, is_disabled, created_at, ${COLUMNS}`;
/** $1 is the id, $2 the time. */
const PLACES = Array.from({ length: 17 }, (_, i) => `$${i + 3}`).join(', ');

export function createClients({ writes, now }: ClientsOptions): Clients {
  const query = (name: string, text: string, values: readonly unknown[]): Promise<readonly Row[]> =>
    translated(() => writes.query({ name: `client-${name}`, text, values }));
  const time = (): Date => new Date(now());

  async function insert(id: string, client: NewClient): Promise<Client> {
    const [row] = await query(
      'add',
      `insert into auth.client (id, created_at, updated_at, ${COLUMNS}) values ($1, $2, $2, ${PLACES}) returning ${SELECT}`,
      [id, time(), ...valuesOf(client)],
    );
    return toClient(row!); // one row was inserted
  }

  async function change(id: string, client: NewClient): Promise<Client | undefined> {
    const [row] = await query(
      'change',
      `update auth.client set (updated_at, ${COLUMNS}) = ($2, ${PLACES}) where id = $1 returning ${SELECT}`,
      [id, time(), ...valuesOf(client)],
    );
    return row && toClient(row);
  }

  return {
    async find(id) {
      if (!isClientId(id)) return undefined;
      const [row] = await query('find', `select ${SELECT} from auth.client where id = $1`, [id]);
      return row && toClient(row);
    },

    async list({ after, limit }) {
      const rows = await query(
        'list',
        `select ${SELECT} from auth.client
where $1::text is null or (name, id) > (select name, id from auth.client where id = $1)
order by name, id limit $2`,
        [after !== undefined && isClientId(after) ? after : null, Math.min(limit, LIST_MAX)],
      );
      return rows.map(toClient);
    },

    add: (client) => insert(randomUUID(), client),

    async put(id, client) {
      const [row] = await query(
        'put',
        `insert into auth.client (id, created_at, updated_at, ${COLUMNS}) values ($1, $2, $2, ${PLACES})
on conflict (id) do update set (updated_at, ${COLUMNS}) = ($2, ${PLACES}) returning ${SELECT}`,
        [id, time(), ...valuesOf(client)],
      );
      return toClient(row!); // inserted or updated
    },

    change,

    async setDisabled(id, isDisabled) {
      const rows = await query(
        'disable',
        'update auth.client set is_disabled = $2, updated_at = $3 where id = $1 returning 1',
        [id, isDisabled, time()],
      );
      return rows.length > 0;
    },

    async remove(id) {
      return (await query('remove', 'delete from auth.client where id = $1 returning 1', [id])).length > 0;
    },

    async addSecret(id, expiresAt) {
      const secret = makeOpaque();
      await query(
        'add-secret',
        'insert into auth.client_secret (client_id, hash, created_at, expires_at) values ($1, $2, $3, $4)',
        [id, hashOf(secret), time(), expiresAt === undefined ? null : new Date(expiresAt)],
      );
      await query(
        'end-secrets',
        `delete from auth.client_secret where client_id = $1 and (expires_at <= $2 or hash in (
  select hash from auth.client_secret where client_id = $1 order by created_at desc, hash = $3 desc offset ${SECRETS_MAX}))`,
        [id, time(), hashOf(secret)],
      );
      return secret;
    },

    async isSecret(id, secret) {
      if (!isClientId(id)) return false;
      const rows = await query(
        'secrets',
        `select hash from auth.client_secret where client_id = $1 and (expires_at is null or expires_at > $2)
order by created_at desc limit ${SECRETS_MAX}`,
        [id, time()],
      );
      return isOneOf(rows, secret);
    },

    async addRegistrationToken(id) {
      const token = makeOpaque();
      await query('registration', 'update auth.client set registration_hash = $2 where id = $1', [id, hashOf(token)]);
      return token;
    },

    async isRegistrationToken(id, token) {
      if (!isClientId(id)) return false;
      const rows = await query(
        'is-registration',
        'select registration_hash from auth.client where id = $1 and registration_hash is not null and not is_disabled',
        [id],
      );
      return isOneOf(rows, token);
    },

    async addInitialToken(madeBy, lifetimeMs) {
      const token = makeOpaque();
      await query(
        'add-initial',
        'insert into auth.initial_token (hash, made_by, created_at, expires_at) values ($1, $2, $3, $4)',
        [hashOf(token), madeBy, time(), new Date(now() + lifetimeMs)],
      );
      return token;
    },

    async isInitialToken(token) {
      const rows = await query('is-initial', 'select 1 from auth.initial_token where hash = $1 and expires_at > $2', [
        hashOf(token),
        time(),
      ]);
      return rows.length > 0;
    },

    async useInitialToken(token) {
      const rows = await query(
        'use-initial',
        'delete from auth.initial_token where hash = $1 and expires_at > $2 returning 1',
        [hashOf(token), time()],
      );
      return rows.length > 0;
    },

    async origins() {
      const rows = await query(
        'origins',
        `select distinct substring(uri from '^https?://[^/?#]+') from auth.client, unnest(redirect_uris) as uri
where not is_disabled and uri ~ '^https?://' limit 10000`,
        [],
      );
      return rows.map(([origin]) => new URL(origin as string).origin);
    },
  };
}

/** Looks at all of them, so that the time tells nothing. */
function isOneOf(rows: readonly Row[], secret: string): boolean {
  const hash = hashOf(secret);
  return rows.map(([known]) => timingSafeEqual(known as Buffer, hash)).includes(true); // both are SHA-256
}

const valuesOf = (client: NewClient): unknown[] => [
  client.name,
  client.publisher ?? null,
  client.kind,
  client.redirectUris,
  client.postLogoutUris,
  client.launchUrl ?? null,
  client.scope,
  client.jwks ? JSON.stringify(client.jwks) : null,
  client.jwksUri ?? null,
  client.certificateSubject ?? null,
  client.profile ?? null,
  client.mayIntrospect,
  client.isLegacyAudience,
  client.isVerified,
  client.needsPushedRequests,
  client.idTokenAlg ?? null,
  client.certificateName ?? null,
];

type ClientRow = readonly [
  id: string,
  isDisabled: boolean,
  createdAt: Date,
  name: string,
  publisher: string | null,
  kind: Client['kind'],
  redirectUris: string[],
  postLogoutUris: string[],
  launchUrl: string | null,
  scope: string,
  jwks: JwkSet | null,
  jwksUri: string | null,
  certificateSubject: string | null,
  profile: 'nhs' | null,
  mayIntrospect: boolean,
  isLegacyAudience: boolean,
  isVerified: boolean,
  needsPushedRequests: boolean,
  idTokenAlg: SigningAlg | null,
  certificateName: string | null,
];

function toClient(row: Row): Client {
  const [id, isDisabled, createdAt, name, publisher, kind, redirectUris, postLogoutUris, launchUrl, scope, ...rest] =
    row as ClientRow; // in the order of SELECT
  const [jwks, jwksUri, certificateSubject, profile, mayIntrospect, isLegacyAudience, isVerified, ...last] = rest;
  const [needsPushed, idTokenAlg, certificateName] = last;
  return {
    id,
    name,
    ...(publisher !== null && { publisher }),
    kind,
    redirectUris,
    postLogoutUris,
    ...(launchUrl !== null && { launchUrl }),
    scope,
    ...(jwks !== null && { jwks }),
    ...(jwksUri !== null && { jwksUri }),
    ...(certificateSubject !== null && { certificateSubject }),
    ...(certificateName !== null && { certificateName }),
    ...(profile !== null && { profile }),
    ...(idTokenAlg !== null && { idTokenAlg }),
    mayIntrospect,
    isLegacyAudience,
    isVerified,
    needsPushedRequests: needsPushed,
    isDisabled,
    createdAt: createdAt.getTime(),
  };
}
