/** `/oauth2/authorize`: a request is checked, kept, and the browser sent on with nothing but its id. SECURITY SL-01 to SL-06 */
import type { Request, Response } from 'express';
import { invalidRequest, OAuthError } from '../oauth/oauth-error.ts';
import type { Trail } from '../oauth/trail.ts';
import { seeOther } from '../pages/kit.ts';
import { answerError } from './answer-app.ts';
import { checkClient, checkRedirectUri, checkRequest, responseModeOf, UntrustedRequest } from './check-request.ts';
import { toOAuthError } from './faults.ts';
import { readIdTokenHint } from './id-token-hint.ts';
import type { AuthorizeOptions } from './options.ts';
import { type PushedRequestParts, takePushedRequest } from './pushed-requests.ts';
import { type AskedParameters, collectParameters } from './request-parameters.ts';

export interface EndpointParts
  extends PushedRequestParts,
    Pick<AuthorizeOptions, 'clients' | 'requests' | 'keys' | 'issuer' | 'log'> {
  readonly trail: Trail;
}

export const AUTHORIZE = '/oauth2/authorize';
const LIFETIME_MS = 10 * 60_000;

/** Answers a request for authorization; throws `UntrustedRequest` where no app can be told. */
export async function authorize(parts: EndpointParts, req: Request, res: Response): Promise<void> {
  const { client, asked, isPushed } = await identify(parts, req);
  const redirectUri = checkRedirectUri(client, asked);
  try {
    const request = checkRequest({ ...asked, client, redirectUri, isPushed }, parts);
    const hint = await findHintedUser(parts, asked);
    const id = await parts.requests.add({ ...request, ...(hint && { hintedUserId: hint.userId }) }, LIFETIME_MS);
    seeOther(res, `${AUTHORIZE}/${id}`);
  } catch (error) {
    const { values, repeated } = asked;
    const state = repeated.has('state') ? undefined : values.get('state');
    const address = { redirectUri, responseMode: responseModeOf(asked), ...(state !== undefined && { state }) };
    answerError(req, res, address, toOAuthError(error, parts.log), parts.issuer);
  }
}

async function identify(parts: EndpointParts, req: Request) {
  const asked = collect(req);
  const clientId = asked.repeated.has('client_id') ? undefined : asked.values.get('client_id');
  if (clientId === undefined)
    throw new UntrustedRequest('client-missing', 'The request does not say, or says twice, which app it is for.');
  const client = checkClient(await parts.clients.find(clientId));
  const requestUri = asked.values.get('request_uri');
  if (requestUri === undefined) return { client, asked, isPushed: false };
  if (asked.repeated.has('request_uri'))
    throw new UntrustedRequest('pushed-unknown', 'The request of the app cannot be read.');
  return { client, asked: await takePushedRequest(parts, client, requestUri), isPushed: true };
}

/** The hint is no credential: it says for whom the app asks. */
async function findHintedUser({ keys, issuer }: EndpointParts, { values }: AskedParameters) {
  const token = values.get('id_token_hint');
  if (token === undefined) return undefined;
  const hint = await readIdTokenHint(keys, issuer, token);
  if (!hint) throw invalidRequest('id_token_hint is no ID token of this server', 'id-token-hint');
  return hint;
}

function collect(req: Request): AskedParameters {
  try {
    return collectParameters(req);
  } catch (error) {
    if (error instanceof OAuthError)
      throw new UntrustedRequest('unreadable', `The request cannot be read: ${error.message}.`);
    throw error;
  }
}
