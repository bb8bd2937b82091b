/** Metadata of a client as RFC 7591 section 2 writes it, and as SMART adds to it. SECURITY SR-02, SA-08 */
import type { Client, ClientKind, JwkSet, NewClient } from '../../ports/clients.ts';
import { formatScopes, type ScopeVocabulary } from '../../standards/smart/scope.ts';
import { CertificateNameError, formatCertificateName, parseCertificateName } from './certificate-names.ts';
import { checkJwks } from './client-keys.ts';
import { readScopes } from './grantable.ts';
import { OAuthError } from './oauth-error.ts';

export type Metadata = Readonly<Record<string, unknown>>;

const URIS_MAX = 20;
const URI_CHARS_MAX = 2000;
const NAME_CHARS_MAX = 100;
const LOOPBACK = new Set(['127.0.0.1', '[::1]', 'localhost']);
const KINDS = new Map<string, ClientKind>([
  ['none', 'public'],
  ['client_secret_basic', 'symmetric'],
  ['client_secret_post', 'symmetric'],
  ['private_key_jwt', 'asymmetric'],
  ['tls_client_auth', 'mtls'],
]);
const METHODS: Record<ClientKind, string> = {
  public: 'none',
  symmetric: 'client_secret_basic',
  asymmetric: 'private_key_jwt',
  mtls: 'tls_client_auth',
};
const APP_GRANTS = ['authorization_code', 'refresh_token'];

/**
 * Reads a registration. Members that are unknown have no effect (RFC 7591 section 2). What only an administrator may
 * say is read when `isAdmin`. Throws `invalid_client_metadata` or `invalid_redirect_uri`.
 */
export function parseMetadata(body: unknown, vocabulary: ScopeVocabulary, isAdmin: boolean): NewClient {
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw badMetadata('the body is not a JSON object');
  const metadata = body as Metadata; // an object
  const kind = readKind(metadata);
  // An administrator may let an app on this machine be for the web, as while it is made.
  const native = isAdmin || isNative(metadata, kind);
  const redirectUris = readUris(metadata, 'redirect_uris', native);
  const launchUrl = readUri(metadata, isAdmin && 'launch_url' in metadata ? 'launch_url' : 'initiate_login_uri');
  const publisher = readText(metadata, 'publisher');
  if (readGrantTypes(metadata, kind).includes('authorization_code') && redirectUris.length === 0 && !isAdmin)
    throw badRedirect('redirect_uris is missing');
  return {
    name: readText(metadata, 'client_name') ?? 'Unnamed app',
    ...(publisher !== undefined && { publisher }),
    kind,
    redirectUris,
    postLogoutUris: readUris(metadata, 'post_logout_redirect_uris', native),
    ...(launchUrl !== undefined && { launchUrl }),
    scope: readScope(metadata, vocabulary),
    ...readKeys(metadata, kind),
    ...(kind === 'mtls' && readCertificateName(metadata)),
    needsPushedRequests: readFlag(metadata, 'require_pushed_authorization_requests'),
    ...readIdTokenAlg(metadata),
    mayIntrospect: isAdmin && readFlag(metadata, 'introspect'),
    isLegacyAudience: isAdmin && readFlag(metadata, 'legacy_audience'),
    isVerified: isAdmin && readFlag(metadata, 'verified', true),
    ...(isAdmin && metadata['profile'] === 'nhs' && { profile: 'nhs' as const }),
  };
}

/** The metadata of a client, as registration and administration show it. */
export const formatMetadata = (client: Client): Metadata => ({
  client_id: client.id,
  client_id_issued_at: Math.floor(client.createdAt / 1000),
  client_name: client.name,
  ...(client.publisher !== undefined && { publisher: client.publisher }),
  token_endpoint_auth_method: METHODS[client.kind],
  grant_types: client.redirectUris.length > 0 ? APP_GRANTS : ['client_credentials'],
  response_types: client.redirectUris.length > 0 ? ['code'] : [],
  redirect_uris: client.redirectUris,
  post_logout_redirect_uris: client.postLogoutUris,
  ...(client.launchUrl !== undefined && { initiate_login_uri: client.launchUrl }),
  scope: client.scope,
  ...(client.jwks && { jwks: client.jwks }),
  ...(client.jwksUri !== undefined && { jwks_uri: client.jwksUri }),
  ...formatCertificateName(client),
  require_pushed_authorization_requests: client.needsPushedRequests,
  id_token_signed_response_alg: client.idTokenAlg ?? 'RS256',
});

/** What an administrator sees besides. */
export const formatAdminMetadata = (client: Client): Metadata => ({
  ...formatMetadata(client),
  introspect: client.mayIntrospect,
  legacy_audience: client.isLegacyAudience,
  verified: client.isVerified,
  disabled: client.isDisabled,
  ...(client.profile !== undefined && { profile: client.profile }),
});

/** Why an address cannot be a redirect URI; undefined for one that can. */
export function redirectFault(uri: string, native: boolean): string | undefined {
  if (uri.length > URI_CHARS_MAX) return 'a URI is too long';
  const url = URL.canParse(uri) ? new URL(uri) : undefined;
  if (!url || /[\s\\<>"\p{Cc}]/u.test(uri)) return 'a URI is not absolute';
  if (uri.includes('#')) return 'a URI has a fragment';
  if (uri.includes('*')) return 'a URI has a wildcard';
  if (url.username !== '' || url.password !== '') return 'a URI has a user name';
  if (url.protocol === 'https:') return undefined;
  if (url.protocol === 'http:') return native && LOOPBACK.has(url.hostname) ? undefined : 'a URI is not https';
  // RFC 8252 section 7.1: a private scheme is a domain name in reverse, which keeps out javascript and data.
  return native && /^[a-z][a-z0-9-]*(\.[a-z0-9-]+)+:$/.test(url.protocol) ? undefined : 'a URI is not https';
}

export const badMetadata = (description: string): OAuthError =>
  new OAuthError(400, 'invalid_client_metadata', description);
const badRedirect = (description: string): OAuthError => new OAuthError(400, 'invalid_redirect_uri', description);

/** Apps on a device, which are public unless they say that they are for the web. */
const isNative = ({ application_type: type }: Metadata, kind: ClientKind): boolean =>
  type === 'native' || (type === undefined && kind === 'public');

function readKind(metadata: Metadata): ClientKind {
  const method = metadata['token_endpoint_auth_method'] ?? 'client_secret_basic';
  const kind = typeof method === 'string' ? KINDS.get(method) : undefined;
  if (!kind) throw badMetadata('token_endpoint_auth_method is not supported');
  return kind;
}

function readGrantTypes(metadata: Metadata, kind: ClientKind): readonly string[] {
  const types = metadata['grant_types'] ?? ['authorization_code'];
  if (!Array.isArray(types) || types.length > 10) throw badMetadata('grant_types is not a list');
  for (const type of types)
    if (![...APP_GRANTS, 'client_credentials'].includes(type)) throw badMetadata('a grant type is not supported');
  if (types.includes('client_credentials') && kind !== 'asymmetric' && kind !== 'mtls')
    throw badMetadata('client_credentials needs a key or a certificate');
  return types as readonly string[]; // each is one of the three
}

/** OpenID Connect Dynamic Client Registration section 2 */
function readIdTokenAlg({ id_token_signed_response_alg: alg }: Metadata): Pick<NewClient, 'idTokenAlg'> {
  if (alg === undefined || alg === null) return {};
  if (alg !== 'RS256' && alg !== 'ES256') throw badMetadata('id_token_signed_response_alg is not RS256 or ES256');
  return { idTokenAlg: alg };
}

function readScope(metadata: Metadata, vocabulary: ScopeVocabulary): string {
  const text = readText(metadata, 'scope', 8 * 1024);
  if (text === undefined) throw badMetadata('scope is missing');
  const scopes = readScopes(text, vocabulary);
  if (scopes.length === 0) throw badMetadata('scope names nothing that can be granted');
  return formatScopes(scopes);
}

function readKeys(metadata: Metadata, kind: ClientKind): { readonly jwks?: JwkSet; readonly jwksUri?: string } {
  if (kind !== 'asymmetric') return {};
  const { jwks, jwks_uri: jwksUri } = metadata;
  if ((jwks === undefined) === (jwksUri === undefined)) throw badMetadata('one of jwks and jwks_uri is needed');
  if (jwksUri !== undefined) {
    const uri = readUri(metadata, 'jwks_uri') ?? '';
    return { jwksUri: uri };
  }
  try {
    checkJwks(jwks);
  } catch (error) {
    throw badMetadata((error as Error).message);
  }
  return { jwks: jwks as JwkSet }; // checked
}

function readCertificateName(metadata: Metadata) {
  try {
    return parseCertificateName(metadata);
  } catch (error) {
    if (error instanceof CertificateNameError) throw badMetadata(error.message);
    throw error;
  }
}

function readUris(metadata: Metadata, name: string, native: boolean): readonly string[] {
  const uris = metadata[name] ?? [];
  if (!Array.isArray(uris) || uris.length > URIS_MAX) throw badRedirect(`${name} is not a list of at most ${URIS_MAX}`);
  for (const uri of uris) {
    const fault = typeof uri === 'string' ? redirectFault(uri, native) : 'a URI is not a string';
    if (fault !== undefined) throw badRedirect(`${name}: ${fault}`);
  }
  return uris as readonly string[]; // strings
}

/** An https address, or one of this machine. */
function readUri(metadata: Metadata, name: string): string | undefined {
  const uri = metadata[name];
  if (uri === undefined || uri === null) return undefined;
  const fault = typeof uri === 'string' ? redirectFault(uri, true) : 'it is not a string';
  if (fault !== undefined || !/^https?:/i.test(String(uri)))
    throw badMetadata(`${name}: ${fault ?? 'a URI is not https'}`);
  return String(uri);
}

function readText(metadata: Metadata, name: string, charsMax = NAME_CHARS_MAX): string | undefined {
  const text = metadata[name];
  if (text === undefined || text === null || text === '') return undefined;
  if (typeof text !== 'string' || text.length > charsMax || /\p{Cc}|[\u202a-\u202e\u2066-\u2069]/u.test(text))
    throw badMetadata(`${name} is not a text of at most ${charsMax} characters`);
  return text;
}

function readFlag(metadata: Metadata, name: string, fallback = false): boolean {
  const flag = metadata[name] ?? fallback;
  if (typeof flag !== 'boolean') throw badMetadata(`${name} is neither true nor false`);
  return flag;
}
