/** Claims about the person of a token. https://openid.net/specs/openid-connect-core-1_0.html#UserInfo SECURITY SO-04 */
import type { Request } from 'express';
import type { Authenticate } from '../../ports/authenticate.ts';
import type { Users } from '../../ports/users.ts';
import { FhirError, issue } from '../../standards/fhir/outcome.ts';
import { correlationIdOf } from '../../standards/fhir/request-id.ts';
import { claimsOf } from './id-token.ts';

export interface UserinfoParts {
  readonly authenticate: Authenticate;
  readonly users: Users;
  readonly fhirBaseUrl: string;
}

export async function userinfo({ authenticate, users, fhirBaseUrl }: UserinfoParts, req: Request): Promise<object> {
  const caller = await authenticate(req, correlationIdOf(req));
  const user = caller.user && (await users.find(caller.user.id, caller.user.sessionId));
  if (!user || !caller.otherScopes.includes('openid'))
    throw new FhirError(403, [issue('forbidden', 'This needs an access token with the scope openid')], {
      headers: { 'WWW-Authenticate': 'Bearer realm="mortar", error="insufficient_scope", scope="openid"' },
    });
  return { sub: user.id, ...claimsOf(user, caller.otherScopes.join(' '), fhirBaseUrl) };
}
