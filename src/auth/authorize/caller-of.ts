/** Who acts on these pages, for the audit trail. */
import type { IncomingMessage } from 'node:http';
import type { Caller } from '../../ports/caller.ts';
import type { Session } from '../../ports/users.ts';
import { correlationIdOf } from '../../standards/fhir/request-id.ts';
import { personCaller } from '../people/audit-people.ts';

export const callerOf = (req: IncomingMessage, { user, amr, authTime }: Session, address: string): Caller => ({
  ...personCaller(user, amr, authTime, address),
  correlationId: correlationIdOf(req),
});
