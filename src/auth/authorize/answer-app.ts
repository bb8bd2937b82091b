/** Answers that go back to the app. RFC 6749 section 4.1.2, RFC 9207, OAuth 2.0 Form Post Response Mode. SECURITY SL-03, SL-15 */
import type { Request, Response } from 'express';
import type { ResponseMode } from '../../ports/authorization-requests.ts';
import type { OAuthError } from '../oauth/oauth-error.ts';
import { formPostPage } from '../pages/form-post.ts';
import { allowFormTargets } from '../pages/headers.ts';
import { sendPage } from '../pages/kit.ts';
import { formTarget, withParameters } from './redirect-uri.ts';

export interface ReturnAddress {
  readonly redirectUri: string;
  readonly responseMode: ResponseMode;
  readonly state?: string;
}

/** Sends the browser back with these parameters, the state and our name. */
export function answerApp(
  req: Request,
  res: Response,
  { redirectUri, responseMode, state }: ReturnAddress,
  answer: Readonly<Record<string, string>>,
  issuer: string,
): void {
  const parameters = { ...answer, ...(state !== undefined && { state }), iss: issuer };
  if (responseMode === 'form_post') {
    allowFormTargets(req, res, [formTarget(redirectUri)]);
    sendPage(res, formPostPage(redirectUri, parameters), 200);
    return;
  }
  // 303: whatever was posted here is not posted there.
  res.status(303).set('Location', withParameters(redirectUri, parameters)).end();
}

export const answerError = (
  req: Request,
  res: Response,
  address: ReturnAddress,
  { code, message }: OAuthError,
  issuer: string,
): void => answerApp(req, res, address, { error: code, error_description: message }, issuer);
