/** What goes wrong, in words for the app or for the person. SECURITY SL-03 */
import type { Log } from '../../ports/log.ts';
import { FhirError } from '../../standards/fhir/outcome.ts';
import { OAuthError } from '../oauth/oauth-error.ts';

/** For the app. */
export function toOAuthError(error: unknown, log: Log): OAuthError {
  if (error instanceof OAuthError) return error;
  if (isBusy(error)) return new OAuthError(503, 'temporarily_unavailable', 'the server is busy, try again');
  log.error('an authorization request failed', { error });
  return new OAuthError(500, 'server_error', 'something went wrong here, not with the request');
}

/** Whether it may work a moment later. */
export const isBusy = (error: unknown): boolean => error instanceof FhirError && error.status === 503;
