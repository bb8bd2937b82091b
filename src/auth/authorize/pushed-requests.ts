/** Requests sent beforehand, by the app itself instead of through the browser. RFC 9126; SECURITY SL-17 */
import type { Request } from 'express';
import type { Client } from '../../ports/clients.ts';
import type { Grants } from '../../ports/grants.ts';
import type { AuthenticateClient } from '../oauth/client-authentication.ts';
import { invalidRequest } from '../oauth/oauth-error.ts';
import type { Parameters } from '../oauth/parameters.ts';
import type { Trail } from '../oauth/trail.ts';
import { type CheckParts, checkRedirectUri, checkRequest, UntrustedRequest } from './check-request.ts';
import type { AskedParameters } from './request-parameters.ts';

export interface PushedRequestParts extends CheckParts {
  readonly grants: Pick<Grants, 'createPushedRequest' | 'findPushedRequest' | 'usePushedRequest'>;
  readonly authenticateClient: AuthenticateClient;
  readonly trail: Trail;
}

export interface PushedAnswer {
  readonly request_uri: string;
  readonly expires_in: number;
}

/** In which the kept parameters hold the launch. */
const SEALED_LAUNCH = 'sealed_launch';
const LIFETIME_MS = 90_000;
/** What is kept; a launch handle is kept sealed, credentials are not kept. */
const KEPT = [
  'response_type',
  'response_mode',
  'redirect_uri',
  'scope',
  'state',
  'aud',
  'resource',
  'code_challenge',
  'code_challenge_method',
  'nonce',
  'dpop_jkt',
  'prompt',
  'max_age',
  'acr_values',
  'id_token_hint',
] as const;

/** Checks a request as the authorization endpoint would, and keeps it. Throws `OAuthError`. */
export async function pushRequest(
  parts: PushedRequestParts,
  req: Request,
  parameters: Parameters,
): Promise<PushedAnswer> {
  const client = await parts.authenticateClient(req, parameters);
  if (parameters.has('request_uri')) throw invalidRequest('request_uri has no place in a pushed request');
  const asked: AskedParameters = { values: parameters, repeated: new Set() };
  const request = checkRequest({ ...asked, client, redirectUri: trusted(client, asked), isPushed: true }, parts);
  const kept = Object.fromEntries(
    KEPT.flatMap((name) => {
      const value = parameters.get(name);
      return value === undefined ? [] : [[name, value]];
    }),
  );
  const { sealedLaunch } = request;
  const requestUri = await parts.grants.createPushedRequest(
    {
      clientId: client.id,
      parameters: { ...kept, ...(sealedLaunch !== undefined && { [SEALED_LAUNCH]: sealedLaunch }) },
    },
    LIFETIME_MS,
  );
  await parts.trail({ kind: 'token', req, clientId: client.id, rule: 'request-pushed' });
  return { request_uri: requestUri, expires_in: LIFETIME_MS / 1000 };
}

/** The pushed request in place of what came through the browser, which counts no more. It is used up. */
export async function takePushedRequest(
  { grants }: Pick<PushedRequestParts, 'grants'>,
  client: Client,
  requestUri: string,
): Promise<AskedParameters> {
  const pushed = await grants.findPushedRequest(requestUri, client.id);
  if (!pushed || !(await grants.usePushedRequest(requestUri, client.id)))
    throw new UntrustedRequest('pushed-unknown', 'The request of the app is unknown, was used, or is too old.');
  const values = new Map(Object.entries(pushed.parameters));
  const sealedLaunch = values.get(SEALED_LAUNCH);
  return { values, repeated: new Set(), ...(sealedLaunch !== undefined && { sealedLaunch }) };
}

function trusted(client: Client, asked: AskedParameters): string {
  try {
    return checkRedirectUri(client, asked);
  } catch (error) {
    if (error instanceof UntrustedRequest) throw invalidRequest('redirect_uri is not registered', error.rule);
    throw error;
  }
}
