/** Which of the scopes a client asks for it may be granted. SECURITY SC-10, SC-13, SC-14, SR-01 */
import type { Client } from '../../ports/clients.ts';
import { parseGranted, parseScopes, type Scope, type ScopeVocabulary } from '../../standards/smart/scope.ts';
import { ScopeError } from '../../standards/smart/scope-error.ts';
import { chooseAllowed, hasLevel } from '../../standards/smart/scope-set.ts';
import { invalidScope } from './oauth-error.ts';

/** `app`: a person stands behind it. `service`: the client acts for itself. */
export type GrantMode = 'app' | 'service';

/**
 * The scopes of a request, without those that the client is not registered for. Throws `invalid_scope` above the
 * limits, for levels that the way of asking cannot have, and when nothing is left.
 */
export function chooseGrantable(
  client: Client,
  text: string,
  mode: GrantMode,
  vocabulary: ScopeVocabulary,
): readonly Scope[] {
  const asked = readScopes(text, vocabulary);
  if (mode === 'app' && hasLevel(asked, 'system'))
    throw invalidScope('system scopes are for clients that act for themselves', 'level');
  if (mode === 'service' && (hasLevel(asked, 'patient') || hasLevel(asked, 'user')))
    throw invalidScope('patient and user scopes need a person', 'level');
  const allowed = chooseAllowed(asked, parseGranted(client.scope)).filter(
    (scope) => (client.isVerified || !needsVerified(scope)) && (mode === 'app' || isForService(scope)),
  );
  if (allowed.length === 0) throw invalidScope('none of the scopes can be granted to this client', 'nothing-left');
  return allowed;
}

/** Throws `invalid_scope` for what cannot be read. */
export function readScopes(text: string, vocabulary: ScopeVocabulary): readonly Scope[] {
  try {
    return parseScopes(text, vocabulary);
  } catch (error) {
    if (error instanceof ScopeError) throw invalidScope(error.message, 'scope-form');
    throw error;
  }
}

const needsVerified = ({ text, resource }: Scope): boolean =>
  text === 'offline_access' || (resource?.level === 'user' && resource.letters.includes('c'));

/** Launch context and identity are a person's. */
const isForService = ({ text, resource }: Scope): boolean => resource !== undefined || text.includes(':');
