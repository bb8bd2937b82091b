/** Errors of the endpoints on the wire. RFC 6749 section 5.2. SECURITY A6, error table */
import type { ErrorRequestHandler, Request, Response } from 'express';
import type { Log } from '../../ports/log.ts';
import { FhirError, operationOutcome } from '../../standards/fhir/outcome.ts';
import { correlationIdOf } from '../../standards/fhir/request-id.ts';
import { NhsOAuthError } from './client-authentication.ts';
import { API_PATHS, PATHS } from './discovery.ts';
import { invalidRequest, OAuthError } from './oauth-error.ts';
import type { Trail } from './trail.ts';

/** Answers with an OperationOutcome where tokens are used, with an OAuth error where they are got. */
const speaksFhir = (path: string): boolean =>
  path === PATHS.userinfo || API_PATHS.some((prefix) => path.startsWith(prefix));

/** The last handler of the app. */
export const answerErrors = (trail: Trail, log: Log): ErrorRequestHandler => {
  /** What kept the refusal from being recorded, which is then the answer. */
  async function recordRefusal(error: unknown, req: Request): Promise<unknown> {
    const rule = ruleOf(error, req.path);
    if (rule === undefined) return undefined;
    const kind = speaksFhir(req.path) ? 'access-refused' : 'token';
    return trail({ kind, req, outcome: 4, rule, detail: detailOf(req) }).then(
      () => undefined,
      (cause: unknown) => cause,
    );
  }

  return async (error: unknown, req, res, _next) => {
    const fault = await recordRefusal(error, req);
    const told = fault ?? error;
    if (told instanceof FhirError && speaksFhir(req.path)) return sendFhir(res, told);
    const shown = toOAuthError(told, req, log);
    res.status(shown.status).set(shown.headers);
    res.json({
      error: shown.code,
      error_description: shown.message,
      ...(shown instanceof NhsOAuthError && { message_id: shown.messageId }),
    });
  };
};

/** What refused; undefined where that was recorded already, nothing was refused, or a flood would flood the trail. */
function ruleOf(error: unknown, path: string): string | undefined {
  if (error instanceof FhirError) return error.status === 401 && speaksFhir(path) ? 'credentials' : undefined;
  if (error instanceof OAuthError)
    return error.status < 500 && error.status !== 429 && !speaksFhir(path) ? error.rule : undefined;
  return bodyFaultOf(error) !== undefined && !speaksFhir(path) ? 'body' : undefined;
}

function sendFhir(res: Response, { status, headers, issues }: FhirError): void {
  res.status(status).set(headers).type('application/fhir+json');
  res.send(JSON.stringify(operationOutcome(issues)));
}

function toOAuthError(error: unknown, req: Request, log: Log): OAuthError {
  if (error instanceof OAuthError) return error;
  if (error instanceof FhirError && error.status === 503)
    return new OAuthError(503, 'temporarily_unavailable', 'try again', { headers: error.headers });
  const status = bodyFaultOf(error);
  if (status === 413) return new OAuthError(413, 'invalid_request', 'the body is too long');
  if (status !== undefined) return invalidRequest('the request cannot be read', 'body');
  log.error('an OAuth request failed', { correlationId: correlationIdOf(req), error });
  return new OAuthError(500, 'server_error', 'something went wrong here, not with your request');
}

/** What Express's body parsers throw has a status and says that it may be shown; its router throws a path that cannot be decoded. */
function bodyFaultOf(error: unknown): number | undefined {
  if (error instanceof URIError) return 400;
  if (!(error instanceof Error) || !('status' in error) || !('expose' in error) || error.expose !== true)
    return undefined;
  return typeof error.status === 'number' && error.status < 500 ? error.status : undefined;
}

/** Who it claims to be, where that can be nothing but an id. */
function detailOf({ path, body }: Request): Record<string, string> {
  const claimed: unknown = (body as Record<string, unknown> | undefined)?.['client_id'];
  const isId = typeof claimed === 'string' && /^[A-Za-z0-9-]{1,64}$/.test(claimed);
  const endpoint = Object.entries(PATHS).find(([, known]) => path.startsWith(known))?.[0] ?? 'unknown';
  return { endpoint, ...(isId && { claimed }) };
}
