/** Answers of the token endpoint. RFC 6749 section 5.1, SMART App Launch. SECURITY ST-02 to ST-04, NH-01 */
import type { Client } from '../../ports/clients.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Grant, Grants, RefreshKind, RefreshLifetime, UserGrant } from '../../ports/grants.ts';
import type { User } from '../../ports/users.ts';
import { parseGranted } from '../../standards/smart/scope.ts';
import { hasScope } from '../../standards/smart/scope-set.ts';
import { type IdTokenParts, makeIdToken } from './id-token.ts';
import { tokenTypeOf } from './token-binding.ts';

export interface IssueParts extends IdTokenParts {
  readonly grants: Pick<Grants, 'createToken' | 'openRefresh'>;
  readonly lifetimes: Lifetimes;
  readonly now: Clock;
}

/** Milliseconds; the defaults are the longest. SECURITY ST-04 */
export interface Lifetimes {
  readonly appTokenMs: number;
  readonly serviceTokenMs: number;
  readonly nhsTokenMs: number;
  readonly refresh: Readonly<Record<RefreshKind, RefreshLifetime>>;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

export const LIFETIMES: Lifetimes = {
  appTokenMs: HOUR_MS,
  serviceTokenMs: 300_000,
  nhsTokenMs: 599_000,
  refresh: {
    online: { slidingMs: 12 * HOUR_MS, absoluteMs: 12 * HOUR_MS },
    offline: { slidingMs: 100 * DAY_MS, absoluteMs: 365 * DAY_MS },
  },
};

export type TokenAnswer = Readonly<Record<string, unknown>>;

/** Tokens for an app with a person behind it. */
export async function issueForUser(
  parts: IssueParts,
  asked: {
    readonly client: Pick<Client, 'idTokenAlg'>;
    readonly grant: UserGrant;
    readonly user: User;
    readonly familyId: string;
    readonly refreshToken: string | undefined;
    readonly nonce?: string;
  },
): Promise<TokenAnswer> {
  const { client, grant, user, familyId, refreshToken, nonce } = asked;
  const issuedAt = parts.now();
  const expiresAt = issuedAt + parts.lifetimes.appTokenMs;
  const accessToken = await parts.grants.createToken({ grant, familyId, issuedAt, expiresAt });
  const scopes = parseGranted(grant.scope);
  const idToken = hasScope(scopes, 'openid')
    ? await makeIdToken(
        parts,
        { grant, user, accessToken, issuedAt, expiresAt, ...(nonce !== undefined && { nonce }) },
        client.idTokenAlg,
      )
    : undefined;
  return {
    // Launch context first: what a launch says cannot stand in for a token.
    ...contextOf(grant),
    access_token: accessToken,
    token_type: tokenTypeOf(grant),
    expires_in: (expiresAt - issuedAt) / 1000,
    scope: grant.scope,
    ...(refreshToken !== undefined && { refresh_token: refreshToken }),
    ...(idToken !== undefined && { id_token: idToken }),
  };
}

/** A token for a client that acts for itself. */
export async function issueForService(parts: IssueParts, grant: Grant, client: Client): Promise<TokenAnswer> {
  const { nhsTokenMs, serviceTokenMs } = parts.lifetimes;
  const isNhs = client.profile === 'nhs';
  const lifetimeMs = isNhs ? nhsTokenMs : serviceTokenMs;
  const issuedAt = parts.now();
  const accessToken = await parts.grants.createToken({ grant, issuedAt, expiresAt: issuedAt + lifetimeMs });
  if (isNhs)
    return {
      access_token: accessToken,
      expires_in: String(lifetimeMs / 1000),
      token_type: tokenTypeOf(grant),
      issued_at: String(issuedAt),
    };
  return {
    access_token: accessToken,
    token_type: tokenTypeOf(grant),
    expires_in: lifetimeMs / 1000,
    scope: grant.scope,
  };
}

/** The launch context as it was first issued. SECURITY ST-03, SX-02 */
export const contextOf = ({ patientId, encounterId, context }: Grant): TokenAnswer => ({
  ...context,
  ...(patientId !== undefined && { patient: patientId }),
  ...(encounterId !== undefined && { encounter: encounterId }),
});

/** What kind of refresh token the scopes ask for. */
export function refreshKindOf(scope: string): RefreshKind | undefined {
  const scopes = parseGranted(scope);
  if (hasScope(scopes, 'offline_access')) return 'offline';
  return hasScope(scopes, 'online_access') ? 'online' : undefined;
}
