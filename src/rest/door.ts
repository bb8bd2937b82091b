/** What every door asks before it reads anything: who it is, whether they may, how much. SECURITY AZ-02, IN-02 */
import type { IncomingMessage } from 'node:http';
import type { AuditLog } from '../ports/audit.ts';
import type { Authenticate } from '../ports/authenticate.ts';
import type { Caller } from '../ports/caller.ts';
import type { Policy } from '../ports/policy.ts';
import { correlationIdOf } from '../standards/fhir/request-id.ts';
import { checkRight } from './access.ts';
import type { RateLimits } from './rate-limit.ts';
import type { Refusals } from './refusals.ts';

export interface Door {
  readonly authenticate: Authenticate;
  readonly policy: Policy;
  readonly addressOf: (req: IncomingMessage) => string;
  readonly limits: RateLimits;
  readonly refusals: Refusals;
  readonly audit: AuditLog;
}

/** Nobody yet. */
export const anonymousCaller = (correlationId: string, address: string): Caller => ({
  kind: 'anonymous',
  name: 'anonymous',
  correlationId,
  address,
  scopes: [],
  otherScopes: [],
});

/** The same authentication, of which the audit trail hears when it refuses: for doors that ask nothing else of us. */
export const toldAuthenticate =
  ({ authenticate, addressOf, refusals }: Pick<Door, 'authenticate' | 'addressOf' | 'refusals'>): Authenticate =>
  async (req, correlationId) => {
    try {
      return await authenticate(req, correlationId);
    } catch (error) {
      const [path = ''] = (req.url ?? '').split('?');
      await refusals.note(anonymousCaller(correlationId, addressOf(req)), error, `${req.method} ${path}`);
      throw error;
    }
  };

/** The caller, who has the right; throws 401 or 403, and the audit trail knows. */
export async function admit(door: Door, req: IncomingMessage, right: string): Promise<Caller> {
  const correlationId = correlationIdOf(req);
  let caller = anonymousCaller(correlationId, door.addressOf(req));
  try {
    caller = await door.authenticate(req, correlationId);
    checkRight(door.policy, caller, right);
    return caller;
  } catch (error) {
    const [path = ''] = (req.url ?? '').split('?');
    await door.refusals.note(caller, error, `${req.method} ${path}`);
    throw error;
  }
}
