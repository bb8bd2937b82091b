/** `/oauth2/logout`: an app asks that the person sign out here too. OpenID Connect RP-Initiated Logout 1.0; SECURITY SO-05 */
import type { IncomingMessage } from 'node:http';
import type { Request, Response } from 'express';
import type { Client } from '../../ports/clients.ts';
import type { Session } from '../../ports/users.ts';
import type { Parameters } from '../oauth/parameters.ts';
import type { Trail } from '../oauth/trail.ts';
import { forgedPage } from '../pages/authorize-error.ts';
import { allowFormTargets } from '../pages/headers.ts';
import { fieldOf, seeOther, sendPage } from '../pages/kit.ts';
import { logoutPage, signedOutPage } from '../pages/logout.ts';
import { callerOf } from './caller-of.ts';
import { readIdTokenHint } from './id-token-hint.ts';
import type { AuthorizeOptions } from './options.ts';
import { formTarget, withParameters } from './redirect-uri.ts';

export interface LogoutParts
  extends Pick<AuthorizeOptions, 'clients' | 'grants' | 'sessions' | 'keys' | 'issuer' | 'oauth'> {
  readonly trail: Trail;
  readonly addressOf: (req: IncomingMessage) => string;
}

export const LOGOUT = '/oauth2/logout';
const FIELDS = ['id_token_hint', 'client_id', 'post_logout_redirect_uri', 'state'] as const;

/**
 * Signs out who the hint is about; who comes without one, or with somebody else's, is asked first. Leads back to an
 * address that the client has registered, and to no other.
 */
export async function logout(parts: LogoutParts, req: Request, res: Response, asked: Parameters): Promise<void> {
  const isConfirmed = req.method === 'POST' && fieldOf(req, 'csrf') !== '';
  // A form of another site comes without our cookie; the address that it is led to gets it (SameSite=Lax).
  if (req.method === 'POST' && !isConfirmed) return seeOther(res, withParameters(LOGOUT, keptOf(asked)));
  const hint = await readIdTokenHint(parts.keys, parts.issuer, asked.get('id_token_hint') ?? '');
  const back = await findReturn(parts, asked, hint?.clientId);
  const session = await parts.sessions.find(req);
  if (!session) return leave(res, back);
  if (isConfirmed && !parts.sessions.isGenuine(req, session, fieldOf(req, 'csrf')))
    return sendPage(res, forgedPage, 403);
  if (!isConfirmed && hint?.userId !== session.user.id) {
    if (back !== undefined) allowFormTargets(req, res, [formTarget(back)]);
    return sendPage(res, logoutPage(LOGOUT, session, keptOf(asked)), 200);
  }
  await endSession(parts, req, res, session);
  leave(res, back);
}

/** What the app asked, to be sent along. */
const keptOf = (asked: Parameters): Readonly<Record<string, string>> =>
  Object.fromEntries(
    FIELDS.flatMap((name) => {
      const value = asked.get(name);
      return value === undefined ? [] : [[name, value]];
    }),
  );

function leave(res: Response, back: string | undefined): void {
  if (back === undefined) sendPage(res, signedOutPage, 200);
  else res.status(303).set('Location', back).end();
}

async function endSession(parts: LogoutParts, req: Request, res: Response, session: Session): Promise<void> {
  const caller = callerOf(req, session, parts.addressOf(req));
  await parts.trail({ kind: 'logout', req, caller, rule: 'app-signed-out' });
  await parts.grants.endSession(session.id);
  parts.oauth.forgetTokens();
  await parts.sessions.end(req, res);
}

/** Where to go afterwards, with the state. */
async function findReturn(
  { clients }: LogoutParts,
  asked: Parameters,
  hinted: string | undefined,
): Promise<string | undefined> {
  const uri = asked.get('post_logout_redirect_uri');
  const clientId = asked.get('client_id') ?? hinted;
  if (uri === undefined || clientId === undefined || (hinted !== undefined && hinted !== clientId)) return undefined;
  const client: Client | undefined = await clients.find(clientId);
  if (!client || client.isDisabled || !client.postLogoutUris.includes(uri)) return undefined;
  const state = asked.get('state');
  return state === undefined ? uri : withParameters(uri, { state });
}
