/**
 * Tokens of people who sign in at Mortar's own JSON doors, `/api/v2/auth` and `/booking/v1/auth`: 15 minutes, with a
 * refresh token that rotates like that of a public client. SECURITY LG-15, ST-06, ST-07
 */
import type { AuditLog } from '../../ports/audit.ts';
import type { Caller } from '../../ports/caller.ts';
import type { Clients, NewClient } from '../../ports/clients.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Family, Grants } from '../../ports/grants.ts';
import type { User, Users } from '../../ports/users.ts';
import { findGrantor, grantUserOf } from './people.ts';

/** The built-in client that such tokens are of. */
export const OWN_DOORS = 'mortar';

export interface OwnTokensOptions {
  readonly clients: Pick<Clients, 'put'>;
  readonly grants: Pick<
    Grants,
    'createFamily' | 'openRefresh' | 'createToken' | 'findRefresh' | 'rotateRefresh' | 'revoke'
  >;
  readonly users: Users;
  readonly fhirBaseUrl: string;
  readonly audit: AuditLog;
  /** Something was revoked: cached tokens are looked up anew. */
  readonly forgetTokens: () => void;
  readonly now: Clock;
}

export interface OwnTokens {
  issue(proof: {
    readonly user: User;
    readonly authTime: number;
    readonly amr: readonly string[];
    readonly scope: string;
  }): Promise<IssuedTokens>;
  /** Undefined when the token is none of ours, is spent, or its family has ended. */
  refresh(refreshToken: string): Promise<IssuedTokens | undefined>;
}

interface IssuedTokens {
  readonly accessToken: string;
  readonly refreshToken: string;
  /** Seconds. */
  readonly expiresIn: number;
}

const ACCESS_MS = 15 * 60 * 1000;
const REFRESH = { slidingMs: 12 * 3_600_000, absoluteMs: 12 * 3_600_000 };

const CLIENT: NewClient = {
  name: 'Mortar',
  kind: 'public',
  redirectUris: [],
  postLogoutUris: [],
  scope:
    'openid fhirUser profile launch/patient patient/*.cruds user/*.cruds prescription:read prescription:write pharmacy:read pharmacy:nominate',
  mayIntrospect: false,
  isLegacyAudience: false,
  isVerified: true,
  needsPushedRequests: false,
};

export async function createOwnTokens(options: OwnTokensOptions): Promise<OwnTokens> {
  const { clients, grants, users, fhirBaseUrl, audit, forgetTokens, now } = options;
  await clients.put(OWN_DOORS, CLIENT);

  async function accessToken(familyId: string, grant: Family['grant']): Promise<string> {
    const issuedAt = now();
    return grants.createToken({ grant, familyId, issuedAt, expiresAt: issuedAt + ACCESS_MS });
  }

  return {
    async issue({ user, authTime, amr, scope }) {
      const [patientId, ...more] = user.patientIds;
      const grant = {
        clientId: OWN_DOORS,
        scope,
        audience: fhirBaseUrl,
        // The record of a person who has one.
        ...(patientId !== undefined && more.length === 0 && { patientId }),
        user: grantUserOf(user, { authTime, amr }),
      };
      const familyId = await grants.createFamily(grant);
      const refreshToken = await grants.openRefresh(familyId, 'online', REFRESH);
      await audit.record({ kind: 'token', caller: callerOf(user), outcome: 0, rule: 'sign-in', detail: { familyId } });
      return { accessToken: await accessToken(familyId, grant), refreshToken, expiresIn: ACCESS_MS / 1000 };
    },

    async refresh(refreshToken) {
      const stored = await grants.findRefresh(refreshToken);
      if (!stored || stored.family.grant.clientId !== OWN_DOORS) return undefined;
      const { family } = stored;
      if (family.isRevoked || stored.expiresAt <= now() || family.expiresAt <= now()) return undefined;
      const user = await findGrantor(users, family.grant.user);
      const next =
        user && stored.generation === 'current'
          ? await grants.rotateRefresh(refreshToken, REFRESH.slidingMs)
          : undefined;
      if (user && next !== undefined)
        return {
          accessToken: await accessToken(family.id, family.grant),
          refreshToken: next,
          expiresIn: ACCESS_MS / 1000,
        };
      // Used before, or granted by somebody who has changed since: nobody keeps it.
      const rule = user ? 'refresh-reuse' : 'user';
      await grants.revoke({ id: family.id }, rule);
      forgetTokens();
      const caller = { ...callerOf(user), name: OWN_DOORS };
      await audit.record({ kind: 'token-reuse', caller, outcome: 8, rule, detail: { familyId: family.id } });
      return undefined;
    },
  };
}

const callerOf = (user: User | undefined): Caller => ({
  kind: user ? 'user' : 'anonymous',
  name: OWN_DOORS,
  correlationId: OWN_DOORS,
  scopes: [],
  otherScopes: [],
  clientId: OWN_DOORS,
  ...(user && {
    user: {
      id: user.id,
      name: user.name,
      roles: user.roles,
      practitionerRoleIds: user.practitionerRoleIds,
      organizationIds: user.organizationIds,
      patientIds: user.patientIds,
      authTime: 0,
      amr: [],
    },
  }),
});
