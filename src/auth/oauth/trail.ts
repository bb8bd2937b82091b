/** What the OAuth endpoints tell the audit trail. SECURITY AU-01 */
import type { IncomingMessage } from 'node:http';
import { isIPv6 } from 'node:net';
import type { AuditKind, AuditLog } from '../../ports/audit.ts';
import type { Caller } from '../../ports/caller.ts';
import type { Clock } from '../../ports/clock.ts';
import { correlationIdOf } from '../../standards/fhir/request-id.ts';
import { neighbourhoodOf } from '../people/throttle.ts';

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

/** Refusals of one address, or one customer's network, in a minute. */
const PER_MINUTE_MAX = 60;
const ADDRESSES_MAX = 10_000;
const MINUTE_MS = 60_000;

/**
 * Records, and resolves when it is durable. Of strangers that are refused the first of each minute are told, so that
 * nobody fills the trail by knocking. SECURITY AU-04
 */
export function createTrail(audit: AuditLog, addressOf: AddressOf, now: Clock): Trail {
  let minute = 0;
  let counts = new Map<string, number>();

  function isFlood(address = ''): boolean {
    const current = Math.floor(now() / MINUTE_MS);
    if (current !== minute || counts.size > ADDRESSES_MAX) {
      minute = current;
      counts = new Map();
    }
    const place = isIPv6(address) ? neighbourhoodOf(address) : address;
    const count = (counts.get(place) ?? 0) + 1;
    counts.set(place, count);
    return count > PER_MINUTE_MAX;
  }

  return async ({ kind, req, clientId, outcome = 0, rule, patientId, detail, caller }) => {
    const isStranger = caller === undefined && clientId === undefined;
    if (isStranger && outcome === 4 && isFlood(addressOf(req))) return;
    await audit.record({
      kind,
      caller: caller ?? requestCaller(req, clientId, addressOf(req)),
      outcome,
      ...(rule !== undefined && { rule }),
      ...(patientId !== undefined && { patientId }),
      ...(detail !== undefined && { detail }),
    });
  };
}

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
