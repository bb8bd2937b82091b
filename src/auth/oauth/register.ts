/** Dynamic registration and its management. RFC 7591, RFC 7592. SECURITY SR-01 to SR-03 */
import express, { type Request } from 'express';
import type { Authenticate } from '../../ports/authenticate.ts';
import type { Caller } from '../../ports/caller.ts';
import type { Client, Clients } from '../../ports/clients.ts';
import type { Grants } from '../../ports/grants.ts';
import type { Policy } from '../../ports/policy.ts';
import { FhirError } from '../../standards/fhir/outcome.ts';
import { correlationIdOf } from '../../standards/fhir/request-id.ts';
import type { ScopeVocabulary } from '../../standards/smart/scope.ts';
import { badMetadata, formatMetadata, type Metadata, parseMetadata } from './client-metadata.ts';
import { initialTokenId } from './initial-tokens.ts';
import { OAuthError } from './oauth-error.ts';
import type { Trail } from './trail.ts';

export interface RegisterParts {
  readonly clients: Clients;
  /** Where some listener asks for client certificates. */
  readonly certificateOf?: unknown;
  readonly grants: Pick<Grants, 'revoke'>;
  readonly authenticate: Authenticate;
  readonly policy: Pick<Policy, 'allows'>;
  readonly vocabulary: ScopeVocabulary;
  /** Whether anybody may register; otherwise an initial access token is needed, or one with the right `admin:clients`. */
  readonly isRegistrationOpen: boolean;
  readonly registrationUrl: string;
  readonly trail: Trail;
  readonly forgetTokens: () => void;
}

/** Registers an app that nobody has verified. */
export async function register(parts: RegisterParts, req: Request): Promise<Metadata> {
  const { caller, initialToken } = parts.isRegistrationOpen ? {} : await readLeave(parts, req);
  const metadata = parseMetadata(await readJson(req), parts.vocabulary, false);
  // It could never prove who it is: nobody is asked for a certificate.
  if (metadata.kind === 'mtls' && !parts.certificateOf) throw badMetadata('tls_client_auth is not possible here');
  // Used up by what can be registered, and by one of two who come together.
  if (initialToken !== undefined && !(await parts.clients.useInitialToken(initialToken))) throw badToken();
  const client = await parts.clients.add(metadata);
  await parts.trail({
    kind: 'client',
    req,
    ...(caller && { caller }),
    clientId: client.id,
    rule: 'registered',
    detail: { client: client.id, ...(initialToken !== undefined && { token: initialTokenId(initialToken) }) },
  });
  return {
    ...managed(parts, client, await parts.clients.addRegistrationToken(client.id)),
    ...(client.kind === 'symmetric' && {
      client_secret: await parts.clients.addSecret(client.id),
      client_secret_expires_at: 0,
    }),
  };
}

/** Reads, changes or ends a registration, for the bearer of its token. */
export async function manageRegistration(
  parts: RegisterParts,
  req: Request,
  id: string,
): Promise<Metadata | undefined> {
  const token = bearerOf(req);
  const client = (await parts.clients.isRegistrationToken(id, token)) ? await parts.clients.find(id) : undefined;
  if (!client) throw badToken();
  const entry = { kind: 'client', req, clientId: id, detail: { client: id } } as const;
  if (req.method === 'DELETE') {
    await parts.trail({ ...entry, rule: 'registration-ended' });
    await parts.clients.remove(id);
    parts.forgetTokens();
    return undefined;
  }
  if (req.method !== 'PUT') return managed(parts, client, token);
  const body = await readJson(req);
  if ((body as Metadata)?.['client_id'] !== id) throw badMetadata('client_id is not the one of this registration');
  const next = parseMetadata(body, parts.vocabulary, false);
  if (next.kind !== client.kind) throw badMetadata('token_endpoint_auth_method cannot change its kind');
  // What an administrator has said of the client stays; that it was looked at does not, as it is another one now.
  const changed = await parts.clients.change(id, { ...next, mayIntrospect: client.mayIntrospect });
  if (!changed) throw badToken();
  await parts.trail({ ...entry, rule: 'registration-changed' });
  return managed(parts, changed, token);
}

const managed = ({ registrationUrl }: RegisterParts, client: Client, token: string): Metadata => ({
  ...formatMetadata(client),
  registration_access_token: token,
  registration_client_uri: `${registrationUrl}/${client.id}`,
});

const bearerOf = ({ headers }: Request): string =>
  /^bearer +(\S{1,1000})$/i.exec(headers.authorization ?? '')?.[1] ?? '';

const badToken = (): OAuthError =>
  new OAuthError(401, 'invalid_token', 'the registration token is not valid', {
    headers: { 'WWW-Authenticate': 'Bearer error="invalid_token"' },
  });

interface Leave {
  readonly caller?: Caller;
  readonly initialToken?: string;
}

/** By what the request may register an app. */
async function readLeave({ clients, authenticate, policy }: RegisterParts, req: Request): Promise<Leave> {
  const initialToken = bearerOf(req);
  if (initialToken !== '' && (await clients.isInitialToken(initialToken))) return { initialToken };
  try {
    const caller = await authenticate(req, correlationIdOf(req));
    const decision = policy.allows(caller, 'admin:clients');
    if (decision.allowed) return { caller };
    throw new OAuthError(403, 'insufficient_scope', 'the token may not register clients', { rule: decision.rule });
  } catch (error) {
    if (!(error instanceof FhirError) || error.status >= 500) throw error;
    throw new OAuthError(
      error.status === 400 ? 401 : error.status,
      'invalid_token',
      'an initial access token is needed',
      {
        headers: error.headers,
      },
    );
  }
}

const parseJson = express.json({ limit: '64kb', type: 'application/json' });

/** Reads the body, once it is known who sends it. SECURITY IN-02 */
export async function readJson(req: Request): Promise<unknown> {
  if (!req.is('application/json')) throw badMetadata('the body must be application/json');
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  parseJson(req, req.res!, (error?: unknown) => (error === undefined ? resolve() : reject(error))); // Express sets res
  await promise;
  return req.body;
}
