/** Whether a request of an administrator is one. SECURITY AZ-01, LG-12 */
import type { Request } from 'express';
import type { AuditKind } from '../../ports/audit.ts';
import type { Authenticate } from '../../ports/authenticate.ts';
import type { Caller } from '../../ports/caller.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Policy } from '../../ports/policy.ts';
import { forbidden } from '../../standards/fhir/outcome.ts';
import { correlationIdOf } from '../../standards/fhir/request-id.ts';
import { requireRecentAuth } from '../people/sessions.ts';
import type { Metadata } from './client-metadata.ts';
import type { Trail } from './trail.ts';

export interface AdminRightParts {
  readonly authenticate: Authenticate;
  readonly policy: Pick<Policy, 'allows'>;
  readonly trail: Trail;
  readonly now: Clock;
}

export interface AdminAnswer {
  readonly status: number;
  readonly body?: Metadata | readonly Metadata[];
}

export interface AdminNeed {
  readonly right: 'admin:clients' | 'admin:keys';
  /** What a refusal is in the trail. */
  readonly kind: Extract<AuditKind, 'client' | 'key'>;
  /** A person who changes something has proved who they are in the last five minutes. */
  readonly isChange: boolean;
}

/** Throws `FhirError` 401 and 403; the latter is in the trail. */
export async function checkAdmin(
  parts: AdminRightParts,
  req: Request,
  { right, kind, isChange }: AdminNeed,
): Promise<Caller> {
  const caller = await parts.authenticate(req, correlationIdOf(req));
  const decision = parts.policy.allows(caller, right);
  if (!decision.allowed) {
    await parts.trail({ kind, req, caller, outcome: 4, rule: decision.rule });
    throw forbidden();
  }
  if (isChange && caller.user) requireRecentAuth(caller.user, parts.now());
  return caller;
}
