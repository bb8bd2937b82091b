/** Fresh proof of who asks, before what matters. SECURITY LG-12; RFC 9470 */
import type { CallerUser } from '../ports/caller.ts';
import { FhirError, issue } from '../standards/fhir/outcome.ts';

const STEP_UP_MS = 5 * 60 * 1000;

/** Throws 401 unless the person has proved who they are in the last five minutes: the token is good, the proof too old. */
export function checkStepUp({ authTime }: CallerUser, now: number): void {
  if (now - authTime <= STEP_UP_MS) return;
  throw new FhirError(401, [issue('login', 'step_up_required: sign in again, not longer than 5 minutes ago')], {
    headers: { 'WWW-Authenticate': `Bearer error="insufficient_user_authentication", max_age=${STEP_UP_MS / 1000}` },
  });
}
