/**
 * An ID token for an access token: an app of the NHS profile that signed its user in at the provider itself. RFC 8693;
 * NHS API platform, "user-restricted, separate authentication". SECURITY NH-03
 */
import { actAs } from '../../policy/acting.ts';
import type { Client } from '../../ports/clients.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Grants, UserGrant } from '../../ports/grants.ts';
import type { UpstreamStore } from '../../ports/upstream.ts';
import { formatScopes, parseGranted, type Scope, type ScopeVocabulary } from '../../standards/smart/scope.ts';
import { peekIssuers } from '../oauth/assertion.ts';
import { chooseGrantable } from '../oauth/grantable.ts';
import { LIFETIMES, type TokenAnswer } from '../oauth/issue-tokens.ts';
import { invalidGrant, invalidRequest, invalidScope, OAuthError, unauthorizedClient } from '../oauth/oauth-error.ts';
import { readParameter } from '../oauth/parameters.ts';
import { grantUserOf } from '../oauth/people.ts';
import type { Exchange } from '../oauth/token-endpoint.ts';
import type { Trail } from '../oauth/trail.ts';
import { personOf } from './create-upstream.ts';
import { createIdTokenMemory } from './id-token-memory.ts';
import type { Provider } from './provider.ts';
import { UpstreamRefusal } from './refusal.ts';

export const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const ID_TOKEN = 'urn:ietf:params:oauth:token-type:id_token';
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';

export interface ExchangeOptions {
  readonly providers: readonly Provider[];
  readonly store: Pick<UpstreamStore, 'findOrAddPerson' | 'addActing'>;
  readonly grants: Pick<Grants, 'rememberAssertion' | 'createToken'>;
  readonly vocabulary: ScopeVocabulary;
  readonly fhirBaseUrl: string;
  readonly tokenMs?: number;
  readonly now: Clock;
}

/** The grant of the token endpoint, in the form of the NHS platform; throws `OAuthError`. */
export function createTokenExchange(options: ExchangeOptions) {
  const { providers, store, grants, now, fhirBaseUrl, vocabulary, tokenMs = LIFETIMES.nhsTokenMs } = options;
  const isNew = createIdTokenMemory(grants);

  async function exchange(trail: Trail, { req, client, parameters, cnf }: Exchange): Promise<TokenAnswer> {
    if (client.profile !== 'nhs' || client.kind !== 'asymmetric')
      throw unauthorizedClient('this grant is for clients of the NHS profile', 'exchange-profile');
    if (readParameter(parameters, 'subject_token_type') !== ID_TOKEN)
      throw invalidRequest(`subject_token_type must be ${ID_TOKEN}`, 'exchange-type');
    const token = readParameter(parameters, 'subject_token');
    const provider = providers.find(({ party }) => peekIssuers(token).includes(party.issuer));
    if (!provider) throw invalidGrant('subject_token is of no issuer that is known here', 'exchange-issuer');
    const idToken = await provider.party.verify(token);
    const { vouched, role } = provider.vouchFor(idToken);
    if (vouched.roles.length > 0 && !role)
      throw invalidGrant('subject_token names several roles and none that was selected', 'exchange-role');
    const acting = await provider.act(vouched, role);
    const scope = scopeFor(client, parameters.get('scope'), acting.patientIds.length > 0, vocabulary);
    // Only what is right otherwise is used up.
    if (!(await isNew(provider.party.issuer, idToken)))
      throw invalidGrant('subject_token was used before', 'exchange-used');
    const person = await personOf(store, vouched);
    const user = actAs(person, acting);
    const sessionId = await store.addActing(person.id, acting);
    const [patientId, ...more] = acting.patientIds;
    const { authTime, amr } = vouched;
    const grant: UserGrant = {
      clientId: client.id,
      scope,
      audience: fhirBaseUrl,
      ...(patientId !== undefined && more.length === 0 && { patientId }),
      ...(cnf && { cnf }),
      user: grantUserOf(user, { sessionId, authTime, amr, acr: 'urn:mortar:aal2' }),
    };
    await trail({
      kind: 'login',
      req,
      clientId: client.id,
      rule: `${provider.id}-exchanged`,
      detail: { account: person.id },
    });
    const issuedAt = now();
    const accessToken = await grants.createToken({ grant, issuedAt, expiresAt: issuedAt + tokenMs });
    return {
      access_token: accessToken,
      expires_in: String(tokenMs / 1000),
      token_type: 'Bearer',
      issued_token_type: ACCESS_TOKEN,
      issued_at: String(issuedAt),
    };
  }

  return async ({ trail }: { readonly trail: Trail }, asked: Exchange): Promise<TokenAnswer> => {
    try {
      return await exchange(trail, asked);
    } catch (error) {
      if (!(error instanceof UpstreamRefusal)) throw error;
      if (error.rule === 'unavailable')
        throw new OAuthError(503, 'temporarily_unavailable', 'the issuer cannot be reached', { rule: error.detail });
      throw invalidGrant(`subject_token is refused: ${error.detail}`, `exchange-${error.detail}`);
    }
  };
}

/** All that the client is registered for that a person can give it, or what it asks for of that. */
function scopeFor(client: Client, asked: string | undefined, hasRecord: boolean, vocabulary: ScopeVocabulary): string {
  const isForPerson = ({ text, resource }: Scope): boolean =>
    resource ? resource.level === 'user' || (resource.level === 'patient' && hasRecord) : !NOT_HERE.has(text);
  const scopes = asked === undefined ? parseGranted(client.scope) : chooseGrantable(client, asked, 'app', vocabulary);
  const given = scopes.filter(isForPerson);
  if (given.length === 0) throw invalidScope('none of the scopes can be granted', 'exchange-scope');
  return formatScopes(given);
}

/** There is neither a refresh token nor a launch in this way. */
const NOT_HERE: ReadonlySet<string> = new Set([
  'offline_access',
  'online_access',
  'launch',
  'launch/patient',
  'launch/encounter',
  'openid',
]);
