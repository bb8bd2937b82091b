/**
 * What doors refuse, told to the audit trail: no token, a bad one, or one that does not reach. A flood without a token
 * from one address is told of by the first of each minute, so that nobody fills the trail by knocking. What somebody
 * known tries is always told: no flood hides it. SECURITY AU-01, AU-04, AZ-09
 */
import type { AuditLog } from '../ports/audit.ts';
import type { Caller } from '../ports/caller.ts';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import { FhirError } from '../standards/fhir/outcome.ts';
import { addressGroup } from './address.ts';

export interface Refusals {
  /** Resolves once it is durable, or cannot be; what is no refusal of a door is passed over. `what`: method and path. */
  note(caller: Caller, error: unknown, what: string): Promise<void>;
}

const MINUTE_MS = 60_000;
const PER_MINUTE_MAX = 60;
const ADDRESSES_MAX = 10_000;

export function createRefusals(options: {
  readonly audit: AuditLog;
  readonly now: Clock;
  readonly log: Log;
}): Refusals {
  const { audit, now, log } = options;
  let minute = 0;
  let counts = new Map<string, number>();

  /** Whether this one is among the first of its address in this minute. */
  function isTold(address: string): boolean {
    const current = Math.floor(now() / MINUTE_MS);
    if (current !== minute || counts.size > ADDRESSES_MAX) {
      minute = current;
      counts = new Map();
    }
    const count = (counts.get(address) ?? 0) + 1;
    counts.set(address, count);
    if (count === PER_MINUTE_MAX) log.warn('an address is refused again and again', { address, count });
    return count <= PER_MINUTE_MAX;
  }

  return {
    async note(caller, error, what) {
      const rule = ruleOf(error);
      if (rule === undefined) return;
      if (caller.kind === 'anonymous' && !isTold(addressGroup(caller.address ?? ''))) return;
      try {
        await audit.record({ kind: 'access-refused', caller, outcome: 4, rule, query: what });
      } catch (fault) {
        log.error('a refusal could not be kept in the audit trail', {
          correlationId: caller.correlationId,
          error: fault,
        });
      }
    },
  };
}

/** The rule by which a door refused; what the store refuses is in the trail by itself. */
function ruleOf(error: unknown): string | undefined {
  if (!(error instanceof FhirError)) return undefined;
  if (error.status === 401) return 'login';
  const { cause } = error;
  const isRule = error.status === 403 && typeof cause === 'object' && cause !== null && 'rule' in cause;
  return isRule && typeof cause.rule === 'string' ? cause.rule : undefined;
}
