/** What clients can find out about this server. SMART App Launch, OpenID Connect Discovery, RFC 8414. SECURITY A1 */
import { AUTH_METHODS } from './client-authentication.ts';
import { ASSERTION_ALGS } from './client-keys.ts';
import { DPOP_ALGS } from './dpop.ts';
import { GRANT_TYPES } from './token-endpoint.ts';

/** What needs pages for people: authorization, consent, launch. Whoever routes them says what works. SECURITY SD-04 */
export interface Interactive {
  readonly authorizationUrl: string;
  /** Where a person sees and ends what was granted. */
  readonly managementUrl?: string;
  readonly pushedRequestUrl?: string;
  readonly endSessionUrl?: string;
  readonly responseModes: readonly string[];
  /** SMART capabilities besides those of the token endpoint: `launch-ehr`, `context-ehr-patient` … */
  readonly capabilities: readonly string[];
}

export interface DiscoveryOptions {
  /** Public base URL, without a trailing slash. */
  readonly issuer: string;
  readonly interactive?: Interactive;
  /** Whether some listener asks for client certificates. */
  readonly hasCertificates: boolean;
  /** Grants of other parts. */
  readonly moreGrantTypes?: readonly string[];
}

/** Paths of the endpoints, below the issuer. The app routes by them. */
export const PATHS = {
  token: '/oauth2/token',
  introspect: '/oauth2/introspect',
  revoke: '/oauth2/revoke',
  register: '/oauth2/register',
  userinfo: '/oauth2/userinfo',
  operatorToken: '/oauth2/operator-token',
  jwks: '/.well-known/jwks.json',
  openid: '/.well-known/openid-configuration',
  oauth: '/.well-known/oauth-authorization-server',
  style: '/.well-known/smart-style.json',
  adminClients: '/api/v2/admin/clients',
  adminKeys: '/api/v2/admin/keys',
  adminRegistrationTokens: '/api/v2/admin/registration-tokens',
} as const;

/** Beginnings of the paths below `/api` that the app answers. */
export const API_PATHS: readonly string[] = [PATHS.adminClients, PATHS.adminKeys, PATHS.adminRegistrationTokens];

/** Where clients find the SMART configuration, below the FHIR base. */
export const SMART_PATH = '/.well-known/smart-configuration';

/** Scopes that need a person are listed once people can sign in. */
const SCOPES: readonly string[] = [
  'openid',
  'fhirUser',
  'profile',
  'launch',
  'launch/patient',
  'launch/encounter',
  'offline_access',
  'online_access',
  'patient/*.rs',
  'patient/*.cruds',
  'user/*.rs',
  'user/*.cruds',
  'system/*.rs',
  'patient/*.read',
  'user/*.read',
  'system/*.read',
];

/** Capabilities of the token endpoint, and whether they mean anything before people can sign in. */
const CAPABILITIES: readonly (readonly [name: string, needs: 'nothing' | 'people'])[] = [
  ['client-confidential-asymmetric', 'nothing'],
  ['permission-v1', 'nothing'],
  ['permission-v2', 'nothing'],
  ['client-public', 'people'],
  ['client-confidential-symmetric', 'people'],
  ['sso-openid-connect', 'people'],
  ['permission-offline', 'people'],
  ['permission-online', 'people'],
  ['permission-patient', 'people'],
  ['permission-user', 'people'],
];

type Document = Readonly<Record<string, unknown>>;

/** `{fhirBase}/.well-known/smart-configuration`. */
export function smartConfiguration(options: DiscoveryOptions): Document {
  const { interactive } = options;
  return {
    ...endpoints(options),
    ...(interactive?.managementUrl !== undefined && { management_endpoint: interactive.managementUrl }),
    ...abilities(options),
    capabilities: [
      ...CAPABILITIES.filter(([, needs]) => needs === 'nothing' || interactive).map(([name]) => name),
      ...(interactive?.capabilities ?? []),
    ],
  };
}

/** `/.well-known/openid-configuration` and `/.well-known/oauth-authorization-server`. */
export function openidConfiguration(options: DiscoveryOptions): Document {
  const { issuer, interactive } = options;
  const methods = authMethods(options);
  return {
    ...endpoints(options),
    userinfo_endpoint: issuer + PATHS.userinfo,
    ...(interactive?.pushedRequestUrl !== undefined && {
      pushed_authorization_request_endpoint: interactive.pushedRequestUrl,
    }),
    ...(interactive?.endSessionUrl !== undefined && { end_session_endpoint: interactive.endSessionUrl }),
    ...abilities(options),
    dpop_signing_alg_values_supported: DPOP_ALGS,
    tls_client_certificate_bound_access_tokens: options.hasCertificates,
    introspection_endpoint_auth_methods_supported: methods.filter((method) => method !== 'none'),
    revocation_endpoint_auth_methods_supported: methods,
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['RS256', 'ES256'],
    claims_supported: ['iss', 'sub', 'aud', 'exp', 'iat', 'auth_time', 'nonce', 'acr', 'amr', 'name', 'fhirUser'],
    request_parameter_supported: false,
    request_uri_parameter_supported: false,
    claims_parameter_supported: false,
  };
}

/** Endpoints by their names in the extension `oauth-uris` of a CapabilityStatement, for apps of SMART 1.0. SECURITY SD-07 */
export function oauthUris({ issuer, interactive }: Pick<DiscoveryOptions, 'issuer' | 'interactive'>) {
  return {
    ...(interactive && { authorize: interactive.authorizationUrl }),
    token: issuer + PATHS.token,
    register: issuer + PATHS.register,
    introspect: issuer + PATHS.introspect,
    revoke: issuer + PATHS.revoke,
    ...(interactive?.managementUrl !== undefined && { manage: interactive.managementUrl }),
  };
}

const endpoints = ({ issuer, interactive }: DiscoveryOptions): Document => ({
  issuer,
  jwks_uri: issuer + PATHS.jwks,
  ...(interactive && { authorization_endpoint: interactive.authorizationUrl }),
  token_endpoint: issuer + PATHS.token,
  registration_endpoint: issuer + PATHS.register,
  introspection_endpoint: issuer + PATHS.introspect,
  revocation_endpoint: issuer + PATHS.revoke,
});

function abilities(options: DiscoveryOptions): Document {
  const { interactive, moreGrantTypes = [] } = options;
  return {
    grant_types_supported: [...(interactive ? GRANT_TYPES : ['client_credentials']), ...moreGrantTypes],
    response_types_supported: interactive ? ['code'] : [],
    response_modes_supported: interactive?.responseModes ?? [],
    token_endpoint_auth_methods_supported: authMethods(options),
    token_endpoint_auth_signing_alg_values_supported: ASSERTION_ALGS,
    code_challenge_methods_supported: ['S256'],
    authorization_response_iss_parameter_supported: interactive !== undefined,
    scopes_supported: SCOPES.filter((scope) => interactive || scope.startsWith('system/')),
  };
}

const authMethods = ({ hasCertificates }: DiscoveryOptions): readonly string[] =>
  AUTH_METHODS.filter(([, kind]) => kind !== 'mtls' || hasCertificates).map(([method]) => method);
