/** What the OAuth endpoints tell the audit trail. SECURITY AU-01 */
import type { IncomingMessage } from 'node:http';
import type { AuditKind, AuditLog } from '../../ports/audit.ts';
import type { Caller } from '../../ports/caller.ts';
import { correlationIdOf } from '../../standards/fhir/request-id.ts';

export interface TrailEntry {
  readonly kind: AuditKind;
  readonly req: IncomingMessage;
  readonly clientId?: string;
  readonly outcome?: 0 | 4 | 8;
  readonly rule?: string;
  readonly patientId?: string;
  readonly detail?: Readonly<Record<string, string>>;
  /** Who asks, where a token says so. */
  readonly caller?: Caller;
}

/** Where a request comes from. */
export type AddressOf = (req: IncomingMessage) => string | undefined;

export type Trail = (entry: TrailEntry) => Promise<void>;

/** Records, and resolves when it is durable. */
export const createTrail =
  (audit: AuditLog, addressOf: AddressOf): Trail =>
  ({ kind, req, clientId, outcome = 0, rule, patientId, detail, caller }) =>
    audit.record({
      kind,
      caller: caller ?? requestCaller(req, clientId, addressOf(req)),
      outcome,
      ...(rule !== undefined && { rule }),
      ...(patientId !== undefined && { patientId }),
      ...(detail !== undefined && { detail }),
    });

/** A client, or nobody, that asks for itself: it has no rights on resources. */
function requestCaller(req: IncomingMessage, clientId: string | undefined, address: string | undefined): Caller {
  return {
    kind: clientId === undefined ? 'anonymous' : 'client',
    name: clientId ?? 'anonymous',
    correlationId: correlationIdOf(req),
    scopes: [],
    otherScopes: [],
    ...(clientId !== undefined && { clientId }),
    ...(address !== undefined && { address }),
  };
}
