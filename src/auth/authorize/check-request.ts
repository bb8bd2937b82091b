/**
 * The checks of an authorization request, in order. SMART App Launch 2.2, RFC 6749 section 4.1.1, RFC 7636, RFC 9126,
 * OpenID Connect Core section 3.1.2.1; SECURITY SL-02 to SL-06, SL-16, SC-10, SC-13, SC-14
 */
import type { AuthorizationRequest, Prompt, ResponseMode } from '../../ports/authorization-requests.ts';
import type { Cipher } from '../../ports/cipher.ts';
import type { Client } from '../../ports/clients.ts';
import { formatScopes, parseGranted, type Scope } from '../../standards/smart/scope.ts';
import { hasScope } from '../../standards/smart/scope-set.ts';
import { invalidRequest, invalidScope, OAuthError, unauthorizedClient } from '../oauth/oauth-error.ts';
import { type Parameters, readParameter } from '../oauth/parameters.ts';
import { isPkceChallenge } from '../oauth/pkce.ts';
import { isRegisteredRedirect } from './redirect-uri.ts';
import type { AskedParameters } from './request-parameters.ts';

export interface CheckParts {
  /** FHIR base URLs without a trailing slash. */
  readonly audiences: ReadonlySet<string>;
  readonly chooseScopes: (client: Client, text: string) => readonly Scope[];
  readonly cipher: Pick<Cipher, 'seal'>;
}

/** What is asked, by whom, and how it came. */
export interface Asking extends AskedParameters {
  readonly client: Client;
  readonly redirectUri: string;
  readonly isPushed: boolean;
}

type Check = (asking: Asking, parts: CheckParts) => Partial<AuthorizationRequest>;

/** Nobody can be told by redirect: the person sees a page. SECURITY SL-02 */
export class UntrustedRequest extends Error {
  /** For the audit trail. */
  readonly rule: string;

  constructor(rule: string, message: string) {
    super(message);
    this.name = 'UntrustedRequest';
    this.rule = rule;
  }
}

export const launchContext = (clientId: string): string => `launch of ${clientId}`;

const TEXT_CHARS_MAX = 2048;
const RESPONSE_MODES: ReadonlySet<string> = new Set<ResponseMode>(['query', 'form_post']);
const PROMPTS: ReadonlySet<string> = new Set<Prompt>(['none', 'login', 'consent', 'select_account']);
/** From weak to strong. */
export const ACRS: readonly string[] = ['urn:mortar:aal1', 'urn:mortar:aal2'];

const CHECKS: readonly Check[] = [
  checkRepeated,
  checkPushed,
  checkUnsupported,
  checkClientUse,
  checkResponseType,
  checkResponseMode,
  checkState,
  checkPkce,
  checkAudience,
  checkNonce,
  checkDpopKey,
  checkPrompt,
  checkMaxAge,
  checkAcr,
  checkScope,
  checkLaunch,
];

/** The client, as long as it is active. */
export function checkClient(client: Client | undefined): Client {
  if (!client || client.isDisabled)
    throw new UntrustedRequest(client ? 'client-disabled' : 'client-unknown', 'The app is not registered here.');
  return client;
}

export function checkRedirectUri(client: Client, { values, repeated }: AskedParameters): string {
  const uri = values.get('redirect_uri');
  if (uri === undefined || repeated.has('redirect_uri'))
    throw new UntrustedRequest('redirect-missing', 'The app does not say, or says twice, where to return to.');
  if (!isRegisteredRedirect(client, uri))
    throw new UntrustedRequest('redirect-unknown', 'The app wants to return to an address that it has not registered.');
  return uri;
}

/** The request, once every check has passed; throws `OAuthError`, which may go to the redirect URI. */
export function checkRequest(asking: Asking, parts: CheckParts): AuthorizationRequest {
  const { client, redirectUri } = asking;
  const found = CHECKS.map((check) => check(asking, parts));
  // The checks above give every other member.
  return Object.assign({ clientId: client.id, redirectUri }, ...found) as AuthorizationRequest;
}

/** How a fault is answered before all is checked. */
export const responseModeOf = ({ values, repeated }: AskedParameters): ResponseMode =>
  values.get('response_mode') === 'form_post' && !repeated.has('response_mode') ? 'form_post' : 'query';

function checkRepeated({ repeated }: Asking) {
  if (repeated.size > 0) throw invalidRequest('a parameter is given more than once', 'repeated');
  return {};
}

function checkPushed({ client, isPushed }: Asking) {
  if (client.needsPushedRequests && !isPushed)
    throw invalidRequest('this client sends its requests to the pushed authorization request endpoint', 'not-pushed');
  return {};
}

function checkUnsupported({ values }: Asking) {
  if (values.has('request')) throw new OAuthError(400, 'request_not_supported', 'request objects are not supported');
  if (values.has('registration'))
    throw new OAuthError(400, 'registration_not_supported', 'register the client beforehand');
  return {};
}

/** An app that may only act for itself has nothing to ask of a person. */
function checkClientUse({ client }: Asking) {
  if (parseGranted(client.scope).every(({ resource }) => resource?.level === 'system'))
    throw unauthorizedClient('this client is registered to act for itself only');
  return {};
}

function checkResponseType({ values }: Asking) {
  if (readParameter(values, 'response_type') !== 'code')
    throw new OAuthError(400, 'unsupported_response_type', 'the response_type is code');
  return {};
}

function checkResponseMode({ values }: Asking) {
  const mode = values.get('response_mode') ?? 'query';
  if (!RESPONSE_MODES.has(mode)) throw invalidRequest('response_mode is query or form_post', 'response-mode');
  return { responseMode: mode as ResponseMode }; // one of them
}

function checkState({ values }: Asking) {
  return { state: readShort(values, 'state') };
}

function checkPkce({ values }: Asking) {
  const challenge = readParameter(values, 'code_challenge');
  if (readParameter(values, 'code_challenge_method') !== 'S256')
    throw invalidRequest('code_challenge_method is S256', 'pkce-method');
  if (!isPkceChallenge(challenge))
    throw invalidRequest('code_challenge is not 43 characters of base64url', 'pkce-challenge');
  return { challenge };
}

/** `resource` is the name that RFC 8707 gives it. */
function checkAudience({ values }: Asking, { audiences }: CheckParts) {
  const [aud, resource] = [values.get('aud'), values.get('resource')];
  const given = aud ?? resource;
  if (given === undefined) throw invalidRequest('aud is missing', 'aud-missing');
  const audience = withoutSlash(given);
  if (!audiences.has(audience) || (resource !== undefined && withoutSlash(resource) !== audience))
    throw invalidRequest('aud is not the FHIR base URL of this server', 'aud');
  return { audience };
}

function checkNonce({ values }: Asking) {
  return values.has('nonce') ? { nonce: readShort(values, 'nonce') } : {};
}

/** RFC 9449 section 10: a SHA-256 thumbprint, as a challenge is one. */
function checkDpopKey({ values }: Asking) {
  const dpopJkt = values.get('dpop_jkt');
  if (dpopJkt === undefined) return {};
  if (!isPkceChallenge(dpopJkt)) throw invalidRequest('dpop_jkt is not 43 characters of base64url', 'dpop-jkt');
  return { dpopJkt };
}

function checkPrompt({ values }: Asking) {
  const prompts = (values.get('prompt') ?? '').split(' ').filter((prompt) => prompt !== '');
  if (prompts.some((prompt) => !PROMPTS.has(prompt))) throw invalidRequest('prompt is not known', 'prompt');
  if (prompts.includes('none') && prompts.length > 1) throw invalidRequest('prompt none stands alone', 'prompt');
  return { prompts: prompts as Prompt[] }; // each is one of them
}

function checkMaxAge({ values }: Asking) {
  const text = values.get('max_age');
  if (text === undefined) return {};
  if (!/^\d{1,9}$/.test(text)) throw invalidRequest('max_age is a number of seconds', 'max-age');
  return { maxAgeMs: Number(text) * 1000 };
}

/** The weakest class that is asked for; classes of other servers mean nothing here. */
function checkAcr({ values }: Asking) {
  const asked = (values.get('acr_values') ?? '').split(' ');
  const acr = ACRS.find((known) => asked.includes(known));
  return acr === undefined ? {} : { acr };
}

function checkScope({ values, sealedLaunch, client }: Asking, { chooseScopes }: CheckParts) {
  const asked = values.get('scope');
  if (asked === undefined) throw invalidScope('scope is missing', 'scope-missing');
  const hasLaunch = values.has('launch') || sealedLaunch !== undefined;
  // Without a launch there is no context that the scope `launch` could speak of.
  const scopes = chooseScopes(client, asked).filter(({ text }) => hasLaunch || text !== 'launch');
  if (scopes.length === 0) throw invalidScope('none of the scopes can be granted', 'nothing-left');
  return { scope: formatScopes(scopes) };
}

/** The handle of a launch is kept sealed. SECURITY ST-13 */
function checkLaunch({ values, sealedLaunch, client }: Asking, { cipher, chooseScopes }: CheckParts) {
  const handle = values.get('launch');
  if (sealedLaunch !== undefined) return { sealedLaunch };
  if (handle === undefined) return {};
  if (!hasScope(chooseScopes(client, values.get('scope') ?? ''), 'launch'))
    throw invalidRequest('launch needs the scope launch', 'launch-scope');
  return { sealedLaunch: cipher.seal(Buffer.from(handle), launchContext(client.id)).toString('base64') };
}

function readShort(values: Parameters, name: string): string {
  const value = readParameter(values, name);
  if (value.length > TEXT_CHARS_MAX) throw invalidRequest(`${name} is too long`);
  return value;
}

const withoutSlash = (url: string): string => url.replace(/\/$/, '');
