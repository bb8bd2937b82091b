/** A code or a refresh token that comes again. RFC 9700 sections 2.1.1 and 4.14. SECURITY SL-13, ST-07 */
import type { Request } from 'express';
import type { Client } from '../../ports/clients.ts';
import type { Grants, GrantUser } from '../../ports/grants.ts';
import type { Users } from '../../ports/users.ts';
import { correlationIdOf } from '../../standards/fhir/request-id.ts';
import type { Tell } from '../people/tell.ts';
import { toCallerUser } from './authenticate.ts';
import { invalidGrant, type OAuthError } from './oauth-error.ts';
import type { AddressOf, Trail } from './trail.ts';

export interface ReuseParts {
  readonly grants: Pick<Grants, 'revoke'>;
  readonly users: Users;
  readonly trail: Trail;
  readonly addressOf: AddressOf;
  /** Tells the person; nobody waits for it. */
  readonly tell: Tell;
  readonly forgetTokens: () => void;
}

export interface Reuse {
  readonly req: Request;
  readonly client: Client;
  readonly familyId: string;
  /** Who granted it. */
  readonly grantor: GrantUser;
  readonly rule: 'code-reuse' | 'refresh-reuse';
}

/** Somebody else has what only the client should have: nobody keeps it. Records it as an alert; returns what to throw. */
export async function endReused(parts: ReuseParts, reuse: Reuse): Promise<OAuthError> {
  const { req, client, familyId, grantor, rule } = reuse;
  await parts.grants.revoke({ id: familyId }, rule);
  parts.forgetTokens();
  const user = await parts.users.find(grantor.id);
  const address = parts.addressOf(req);
  await parts.trail({
    kind: 'token-reuse',
    req,
    outcome: 8,
    rule,
    clientId: client.id,
    detail: { familyId, user: grantor.id },
    // By the person, so that alerts about one do not hide those about another of the same app.
    ...(user && {
      caller: {
        kind: 'user',
        name: client.id,
        correlationId: correlationIdOf(req),
        scopes: [],
        otherScopes: [],
        clientId: client.id,
        user: toCallerUser(user, grantor, { organizationIds: user.organizationIds }),
        ...(address !== undefined && { address }),
      },
    }),
  });
  if (user) parts.tell({ kind: 'app-access-ended', to: user.email, name: user.name, app: client.name });
  return invalidGrant('it was used before: all that was granted with it has ended', rule);
}
