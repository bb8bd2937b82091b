/** What sign-in tells the audit trail: codes and ids, never a name, an address that was typed, or a secret. */
import { randomUUID } from 'node:crypto';
import type { AuditEvent, AuditKind, AuditLog } from '../../ports/audit.ts';
import type { Caller } from '../../ports/caller.ts';
import type { User } from '../../ports/users.ts';

export interface PeopleEvent {
  readonly kind: Extract<AuditKind, 'login' | 'logout' | 'mfa' | 'user'>;
  readonly outcome: AuditEvent['outcome'];
  /** What happened, in a word or two: `wrong-password`, `session-ended`. */
  readonly rule: string;
  /** Who did it, once that is known. */
  readonly user?: User;
  readonly amr?: readonly string[];
  readonly authTime?: number;
  readonly address?: string;
  /** Whose account it is about. */
  readonly account?: string;
}

export type RecordPeople = (event: PeopleEvent) => Promise<void>;

export const createPeopleAudit =
  (audit: AuditLog): RecordPeople =>
  ({ kind, outcome, rule, user, amr, authTime, address, account }) =>
    audit.record({
      kind,
      outcome,
      rule,
      caller: user ? personCaller(user, amr ?? [], authTime ?? 0, address) : anonymous(address),
      ...(account !== undefined && { detail: { account } }),
    });

/** A signed-in person without any scope: enough to say who acted, and no right to anything. */
export const personCaller = (
  user: User,
  amr: readonly string[],
  authTime: number,
  address: string | undefined,
): Caller => ({
  kind: 'user',
  name: user.id,
  correlationId: randomUUID(),
  scopes: [],
  otherScopes: [],
  user: {
    id: user.id,
    name: user.name,
    roles: user.roles,
    ...(user.practitionerId !== undefined && { practitionerId: user.practitionerId }),
    practitionerRoleIds: user.practitionerRoleIds,
    organizationIds: user.organizationIds,
    patientIds: user.patientIds,
    authTime,
    amr,
  },
  ...(address !== undefined && { address }),
});

const anonymous = (address: string | undefined): Caller => ({
  kind: 'anonymous',
  name: 'anonymous',
  correlationId: randomUUID(),
  scopes: [],
  otherScopes: [],
  ...(address !== undefined && { address }),
});
