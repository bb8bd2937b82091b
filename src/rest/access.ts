/** Whether a caller may use a route at all, before anything is read or looked up. SECURITY CP-02, SC-03, AZ-01 */
import type { Caller } from '../ports/caller.ts';
import type { Policy } from '../ports/policy.ts';
import { FhirError, issue } from '../standards/fhir/outcome.ts';
import type { Letter } from '../standards/smart/scope.ts';
import type { FhirRequest } from './exchange.ts';
import type { Route } from './route.ts';

/** Letters that a request needs on its type: those of the route, and search where a header makes it conditional. */
export function lettersOf(route: Route, { headers }: Pick<FhirRequest, 'headers'>): readonly Letter[] {
  if (typeof route.access === 'string' || !('letters' in route.access)) return [];
  const letters = [...route.access.letters] as Letter[]; // the table holds nothing else
  return route.interaction === 'create' && headers['if-none-exist'] !== undefined ? [...letters, 's'] : letters;
}

/** Throws 403 with the rule that refused as its cause. */
export function checkAccess(
  policy: Policy,
  route: Route,
  request: Pick<FhirRequest, 'caller' | 'segments' | 'headers'>,
): void {
  const { access } = route;
  if (typeof access === 'string') return;
  if ('right' in access) checkRight(policy, request.caller, access.right);
  else if ('rights' in access) checkAnyRight(policy, request.caller, access.rights);
  else if (!('orRight' in access) || !policy.allows(request.caller, access.orRight).allowed)
    checkLetters(policy, route, request);
}

function checkLetters(
  policy: Policy,
  route: Route,
  request: Pick<FhirRequest, 'caller' | 'segments' | 'headers'>,
): void {
  const type = route.path.startsWith('/:compartment') ? request.segments[2] : request.segments[0];
  for (const letter of lettersOf(route, request)) {
    // On system level every type is met: what may not be seen is left out by the store.
    if (route.level === 'system') return;
    const decision = policy.decide(request.caller, type as string, letter); // a route with letters has a type
    if (!decision.allowed) throw refused(decision.rule);
  }
}

function checkAnyRight(policy: Policy, caller: Caller, rights: readonly string[]): void {
  const decisions = rights.map((right) => policy.allows(caller, right));
  const [first] = decisions;
  if (!decisions.some(({ allowed }) => allowed)) throw refused(first && !first.allowed ? first.rule : 'right');
}

/** Throws 403 unless the caller has the right. */
export function checkRight(policy: Policy, caller: Caller, right: string): void {
  const decision = policy.allows(caller, right);
  if (!decision.allowed) throw refused(decision.rule);
}

/** SECURITY ST-11: the token is good, and does not reach this. The rule is for the audit trail alone. */
const refused = (rule: string): FhirError =>
  new FhirError(403, [issue('forbidden', 'You may not do this: your rights do not reach it')], {
    cause: { rule },
    headers: { 'WWW-Authenticate': 'Bearer error="insufficient_scope"' },
  });
