/** Rows of `auth.family` and `auth.access_token` as the port has them. */
import type {
  Family,
  Grant,
  GrantUser,
  LaunchContext,
  RefreshKind,
  StoredCode,
  StoredRefresh,
  StoredToken,
  UserGrant,
} from '../../ports/grants.ts';
import type { Row } from '../pools.ts';

/** What both tables hold of a grant. */
export const GRANT_COLUMNS = `client_id, user_id, security_version, session_id, scope, audience, patient_id,
  encounter_id, context, auth_time, amr, acr, cnf`;
export const GRANT_COUNT = 13;

type GrantRow = readonly [
  clientId: string,
  userId: string | null,
  securityVersion: number | null,
  sessionId: string | null,
  scope: string,
  audience: string,
  patientId: string | null,
  encounterId: string | null,
  context: LaunchContext | null,
  authTime: Date | null,
  amr: string[],
  acr: string | null,
  cnf: Record<string, string> | null,
];

export const grantValues = ({ user, ...grant }: Grant): unknown[] => [
  grant.clientId,
  user?.id ?? null,
  user?.securityVersion ?? null,
  user?.sessionId ?? null,
  grant.scope,
  grant.audience,
  grant.patientId ?? null,
  grant.encounterId ?? null,
  grant.context ? JSON.stringify(grant.context) : null,
  user ? new Date(user.authTime) : null,
  user?.amr ?? [],
  user?.acr ?? null,
  grant.cnf ? JSON.stringify(grant.cnf) : null,
];

function toGrant(row: Row): Grant {
  const [clientId, userId, version, sessionId, scope, audience, patientId, encounterId, context, ...rest] =
    row as GrantRow; // in the order of GRANT_COLUMNS
  const [authTime, amr, acr, cnf] = rest;
  const user: GrantUser | undefined =
    userId === null
      ? undefined
      : {
          id: userId,
          securityVersion: version ?? -1,
          ...(sessionId !== null && { sessionId }),
          authTime: authTime?.getTime() ?? 0,
          amr,
          ...(acr !== null && { acr }),
        };
  return {
    clientId,
    scope,
    audience,
    ...(patientId !== null && { patientId }),
    ...(encounterId !== null && { encounterId }),
    ...(context !== null && { context }),
    ...(cnf !== null && { cnf }),
    ...(user && { user }),
  };
}

/** A family always has its user: the column is not null. */
const toUserGrant = (row: Row): UserGrant => toGrant(row) as UserGrant;

export const FAMILY_COLUMNS = `${GRANT_COLUMNS}, id, refresh, nonce, created_at, last_used_at, expires_at,
  revoked_at is not null`;
const FAMILY_COUNT = GRANT_COUNT + 7;

export function toFamily(row: Row): Family {
  const [id, refresh, nonce, createdAt, lastUsedAt, expiresAt, isRevoked] = row.slice(GRANT_COUNT) as [
    string,
    RefreshKind | null,
    string | null,
    Date,
    Date,
    Date,
    boolean,
  ];
  return {
    id,
    grant: toUserGrant(row),
    ...(refresh !== null && { refresh }),
    ...(nonce !== null && { nonce }),
    createdAt: createdAt.getTime(),
    lastUsedAt: lastUsedAt.getTime(),
    expiresAt: expiresAt.getTime(),
    isRevoked,
  };
}

export const CODE_COLUMNS = `${GRANT_COLUMNS}, id, redirect_uri, challenge, nonce, code_expires_at,
  code_used_at is not null`;

export function toCode(row: Row): StoredCode {
  const [familyId, redirectUri, challenge, nonce, expiresAt, isUsed] = row.slice(GRANT_COUNT) as [
    string,
    string,
    string,
    string | null,
    Date,
    boolean,
  ];
  return {
    familyId,
    grant: toUserGrant(row),
    binding: { redirectUri, challenge, ...(nonce !== null && { nonce }) },
    expiresAt: expiresAt.getTime(),
    isUsed,
  };
}

export const REFRESH_COLUMNS = `${FAMILY_COLUMNS}, current_hash, previous_hash, rotated_at, refresh_expires_at`;

export function toRefresh(row: Row, hash: Buffer): StoredRefresh {
  const [current, previous, rotatedAt, expiresAt] = row.slice(FAMILY_COUNT) as [
    Buffer,
    Buffer | null,
    Date | null,
    Date,
  ];
  return {
    family: toFamily(row),
    generation: current.equals(hash) ? 'current' : previous?.equals(hash) ? 'previous' : 'older',
    ...(rotatedAt !== null && { rotatedAt: rotatedAt.getTime() }),
    expiresAt: expiresAt.getTime(),
  };
}

export function toToken(row: Row): StoredToken {
  const [familyId, issuedAt, expiresAt] = row.slice(GRANT_COUNT) as [string | null, Date, Date];
  return {
    grant: toGrant(row),
    ...(familyId !== null && { familyId }),
    issuedAt: issuedAt.getTime(),
    expiresAt: expiresAt.getTime(),
  };
}
