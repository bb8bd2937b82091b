/** Errors of the OAuth endpoints, as RFC 6749 section 5.2 names them. SECURITY A6, error table */

/** `description` is for developers: ASCII without quotes or backslash, no user data. */
export class OAuthError extends Error {
  readonly status: number;
  readonly code: string;
  readonly headers: Readonly<Record<string, string>>;
  /** What refused, for the audit trail; never sent. */
  readonly rule: string;

  constructor(
    status: number,
    code: string,
    description: string,
    { headers = {}, rule = code }: { readonly headers?: Readonly<Record<string, string>>; readonly rule?: string } = {},
  ) {
    super(description);
    this.name = 'OAuthError';
    this.status = status;
    this.code = code;
    this.headers = headers;
    this.rule = rule;
  }
}

const one =
  (code: string) =>
  (description: string, rule?: string): OAuthError =>
    new OAuthError(400, code, description, rule === undefined ? {} : { rule });

export const invalidRequest = one('invalid_request');
export const invalidGrant = one('invalid_grant');
export const invalidScope = one('invalid_scope');
export const unauthorizedClient = one('unauthorized_client');
export const unsupportedGrantType = one('unsupported_grant_type');

/** The same for an unknown client and for a wrong credential. SECURITY SA-09 */
export const invalidClient = (rule: string, triedBasic = false): OAuthError =>
  new OAuthError(401, 'invalid_client', 'client authentication failed', {
    rule,
    ...(triedBasic && { headers: { 'WWW-Authenticate': 'Basic realm="mortar"' } }),
  });
