/** `/api/v2/admin/grants`: an administrator sees and ends what people granted. SECURITY SX-04, LG-12 */
import type { Request } from 'express';
import type { Caller } from '../../ports/caller.ts';
import { forbidden } from '../../standards/fhir/outcome.ts';
import { correlationIdOf } from '../../standards/fhir/request-id.ts';
import type { Trail } from '../oauth/trail.ts';
import { Problem, readFields, text } from '../people/problem.ts';
import { requireRecentAuth } from '../people/sessions.ts';
import type { AuthorizeOptions } from './options.ts';

export interface AdminGrantsParts extends Pick<AuthorizeOptions, 'clients' | 'grants' | 'oauth' | 'policy' | 'now'> {
  readonly trail: Trail;
}

export const ADMIN_GRANTS = '/api/v2/admin/grants';
const LIST_MAX = 200;
const PAGE = 100;

const name = (about: string) => ({ ...text(about, 100), isOptional: true as const });
const FIELDS = {
  user: name('the id of a user'),
  client: name('a client_id'),
  all: { about: 'true', parse: (value: unknown) => (value === true ? value : undefined), isOptional: true as const },
};

/** Grants of a user, of a client, or of a user to a client: no token, no code. */
export async function listGrants(parts: AdminGrantsParts, req: Request): Promise<object> {
  await checkRight(parts, req);
  const { user, client } = filterOf(req.query['user'], req.query['client']);
  const families = await parts.grants.listFamilies({ ...user, ...client }, LIST_MAX);
  return {
    grants: families.map(({ id, grant, refresh, createdAt, lastUsedAt, expiresAt }) => ({
      id,
      client: grant.clientId,
      user: grant.user.id,
      scope: grant.scope,
      refresh: refresh ?? null,
      created: new Date(createdAt).toISOString(),
      lastUsed: new Date(lastUsedAt).toISOString(),
      expires: new Date(expiresAt).toISOString(),
    })),
  };
}

/** Ends grants with all their tokens, and forgets the consents, so that the next request asks the person again. */
export async function revokeGrants(parts: AdminGrantsParts, req: Request): Promise<object> {
  const caller = await checkRight(parts, req);
  if (caller.user) requireRecentAuth(caller.user, parts.now());
  const asked = readFields(req, FIELDS);
  if ((asked.all === true) === (asked.user !== undefined || asked.client !== undefined))
    throw new Problem(400, 'invalid_request', 'Name a user, a client or both, or send all: true');
  const { user, client } = asked;
  await parts.trail({
    kind: 'token-revoked',
    req,
    caller,
    rule: 'revoked-by-administrator',
    detail: { user: user ?? '*', client: client ?? '*' },
  });
  const revoked = asked.all ? await revokeAll(parts) : await revokeSome(parts, filterOf(user, client));
  parts.oauth.forgetTokens();
  return { revoked };
}

interface GrantFilter {
  readonly user?: { readonly userId: string };
  readonly client?: { readonly clientId: string };
}

function filterOf(user: unknown, client: unknown): GrantFilter {
  for (const id of [user, client])
    if (typeof id === 'string' && id.includes('\0'))
      throw new Problem(400, 'invalid_request', 'An id holds a character that no id has');
  const filter = {
    ...(typeof user === 'string' && user !== '' && { user: { userId: user } }),
    ...(typeof client === 'string' && client !== '' && { client: { clientId: client } }),
  };
  if (Object.keys(filter).length === 0) throw new Problem(400, 'invalid_request', 'Name a user, a client, or both');
  return filter;
}

async function revokeSome({ grants }: AdminGrantsParts, { user, client }: GrantFilter): Promise<number> {
  await grants.forgetConsents({ ...user, ...client });
  return grants.revoke({ ...user, ...client }, 'administrator');
}

async function revokeAll(parts: AdminGrantsParts): Promise<number> {
  let revoked = 0;
  let after: string | undefined;
  for (;;) {
    const page = await parts.clients.list({ limit: PAGE, ...(after !== undefined && { after }) });
    for (const { id } of page) revoked += await revokeSome(parts, { client: { clientId: id } });
    after = page.at(-1)?.id;
    if (page.length < PAGE || after === undefined) return revoked;
  }
}

async function checkRight({ oauth, policy, trail }: AdminGrantsParts, req: Request): Promise<Caller> {
  const caller = await oauth.authenticate(req, correlationIdOf(req));
  const decision = policy.allows(caller, 'admin:clients');
  if (decision.allowed) return caller;
  await trail({ kind: 'access-refused', req, caller, outcome: 4, rule: decision.rule });
  throw forbidden();
}
