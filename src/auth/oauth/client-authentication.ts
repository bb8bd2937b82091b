/** Who calls the token endpoint. SECURITY A5 */
import { randomUUID } from 'node:crypto';
import type { Request } from 'express';
import type { Client, ClientKind, Clients } from '../../ports/clients.ts';
import { ASSERTION_TYPE, AssertionError, type AssertionParts, checkAssertion, peekIssuers } from './assertion.ts';
import { type CertificateName, isNamed } from './certificate-names.ts';
import { NHS_ASSERTION, NHS_ASSERTION_TYPE, type NhsFault, nhsFault } from './nhs-profile.ts';
import { invalidClient, invalidRequest, OAuthError } from './oauth-error.ts';
import type { Parameters } from './parameters.ts';

/** Client certificate of a connection. */
export interface Certificate {
  /** As RFC 4514 writes it. */
  readonly subject: string;
  readonly names?: readonly CertificateName[];
  /** SHA-256 of its DER form, base64url. */
  readonly thumbprint: string;
}

export interface ClientAuthenticationOptions extends AssertionParts {
  readonly clients: Pick<Clients, 'find' | 'isSecret'>;
  /** What the `aud` of an assertion may be: the token URL and the issuer. */
  readonly audiences: readonly string[];
  /** The verified certificate of the connection; absent where no listener asks for one. */
  readonly certificateOf?: (req: Request) => Certificate | undefined;
}

/** Resolves to a client that is known, active, and has proved it as it is registered to. Throws `OAuthError`. */
export type AuthenticateClient = (req: Request, parameters: Parameters) => Promise<Client>;

interface Attempt {
  /** The kinds of client that prove themselves this way. */
  readonly kinds: readonly ClientKind[];
  readonly clientId: string | undefined;
  prove(client: Client): Promise<boolean>;
}

/** Methods by their registered names, as discovery lists them. */
export const AUTH_METHODS: readonly (readonly [method: string, kind: ClientKind])[] = [
  ['client_secret_basic', 'symmetric'],
  ['client_secret_post', 'symmetric'],
  ['private_key_jwt', 'asymmetric'],
  ['tls_client_auth', 'mtls'],
  ['none', 'public'],
];

export function createClientAuthentication(options: ClientAuthenticationOptions): AuthenticateClient {
  const { clients, audiences, certificateOf } = options;

  const bySecret = (clientId: string | undefined, secret: string): Attempt => ({
    kinds: ['symmetric'],
    clientId,
    prove: ({ id }) => clients.isSecret(id, secret),
  });

  const byAssertion = (assertion: string, clientId: string | undefined): Attempt => ({
    kinds: ['asymmetric'],
    clientId,
    async prove(client) {
      try {
        await checkAssertion(assertion, client, audiences, options);
        return true;
      } catch (error) {
        if (error instanceof AssertionError) throw refusal(client, error);
        throw error;
      }
    },
  });

  /** Browsers show a certificate that a person has to whoever asks: a public client is none the more for it. */
  const byName = (clientId: string, certificate: Certificate | undefined): Attempt => ({
    kinds: ['public', 'mtls'],
    clientId,
    prove: async (client) => client.kind === 'public' || (certificate !== undefined && isNamed(client, certificate)),
  });

  function findAttempts(req: Request, parameters: Parameters): Attempt[] {
    const basic = readBasic(req.headers.authorization);
    const clientId = parameters.get('client_id');
    const secret = parameters.get('client_secret');
    const assertion = parameters.get('client_assertion');
    const attempts: Attempt[] = [];
    if (basic) attempts.push(bySecret(basic.user, basic.password));
    if (secret !== undefined) attempts.push(bySecret(clientId, secret));
    if (assertion !== undefined) attempts.push(byAssertion(assertion, peekIssuers(assertion)[0]));
    if (attempts.length > 0) return attempts;
    return clientId === undefined ? [] : [byName(clientId, certificateOf?.(req))];
  }

  return async (req, parameters) => {
    const triedBasic = /^basic\b/i.test(req.headers.authorization ?? '');
    await checkAssertionType(parameters, clients);
    const [attempt, ...more] = findAttempts(req, parameters);
    if (more.length > 0) throw invalidRequest('the client authenticates in more than one way');
    if (!attempt) throw invalidClient('no-credentials', triedBasic);
    const given = parameters.get('client_id');
    const client = await clients.find(attempt.clientId ?? '');
    if (!client) await checkNhsIssuer(parameters, clients);
    if (given !== undefined && attempt.clientId !== undefined && given !== attempt.clientId)
      throw invalidClient('client-id-differs', triedBasic);
    // The secret is looked for all the same, so that the time does not tell an unknown client.
    if (!client) await clients.isSecret('', '');
    if (!client || client.isDisabled) throw invalidClient(client ? 'client-disabled' : 'client-unknown', triedBasic);
    if (!attempt.kinds.includes(client.kind)) throw invalidClient('method-not-registered', triedBasic);
    if (!(await attempt.prove(client))) throw invalidClient('credential', triedBasic);
    return client;
  };
}

/** Whom a request says it is from; nothing of it is proved. */
export const claimedIdOf = (req: Request, parameters: Parameters): string | undefined =>
  readBasic(req.headers.authorization)?.user ??
  peekIssuers(parameters.get('client_assertion') ?? '')[0] ??
  parameters.get('client_id');

/** A wrong type is the request's fault, whoever made it. SECURITY SA-09 */
async function checkAssertionType(parameters: Parameters, clients: Pick<Clients, 'find'>): Promise<void> {
  const assertion = parameters.get('client_assertion');
  const type = parameters.get('client_assertion_type');
  if (assertion === undefined && type === undefined) return;
  if (type === ASSERTION_TYPE && assertion !== undefined) return;
  const client = await clients.find(peekIssuers(assertion ?? '')[0] ?? parameters.get('client_id') ?? '');
  if (client?.profile === 'nhs')
    throw toOAuthError(type === ASSERTION_TYPE ? NHS_ASSERTION : NHS_ASSERTION_TYPE, 'assertion-type');
  throw invalidRequest(
    assertion === undefined ? 'client_assertion is missing' : 'client_assertion_type is not the one for JWT',
  );
}

/** The NHS platform says so when `iss` or `sub` is wrong, as far as either, or the request, names one of its clients. */
async function checkNhsIssuer(parameters: Parameters, clients: Pick<Clients, 'find'>): Promise<void> {
  const assertion = parameters.get('client_assertion');
  if (assertion === undefined) return;
  for (const id of [...peekIssuers(assertion), parameters.get('client_id')]) {
    const client = id === undefined ? undefined : await clients.find(id);
    if (client?.profile === 'nhs') throw refusal(client, new AssertionError('issuer'));
  }
}

const refusal = (client: Client, { fault }: AssertionError): OAuthError =>
  client.profile === 'nhs' ? toOAuthError(nhsFault(fault), `assertion-${fault}`) : invalidClient(`assertion-${fault}`);

/** An answer in the words of the NHS platform. */
export class NhsOAuthError extends OAuthError {
  readonly messageId: string = randomUUID();
}

const toOAuthError = ({ status, error, description }: NhsFault, rule: string): NhsOAuthError =>
  new NhsOAuthError(status, error, description, { rule });

/** User and password are form-encoded inside (RFC 6749 section 2.3.1). */
function readBasic(header: string | undefined): { readonly user: string; readonly password: string } | undefined {
  const [, base64] = /^basic +([A-Za-z0-9+/]+={0,2})$/i.exec(header ?? '') ?? [];
  if (base64 === undefined) return undefined;
  const text = Buffer.from(base64, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  if (colon < 0) return undefined;
  try {
    return { user: decodeForm(text.slice(0, colon)), password: decodeForm(text.slice(colon + 1)) };
  } catch {
    return undefined;
  }
}

const decodeForm = (text: string): string => decodeURIComponent(text.replaceAll('+', ' '));
