/** The scopes of a request cannot be granted as they are: `invalid_scope` (RFC 6749 section 5.2). */
export class ScopeError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ScopeError';
  }
}
