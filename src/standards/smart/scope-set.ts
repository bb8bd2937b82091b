/** Scopes compared: for refresh (RFC 6749 section 6), remembered consent and the allow list of a client. */
import { isConstraintWithin } from './constraint.ts';
import { covers, type Level, type ResourceScope, type Scope } from './scope.ts';

/** Whether nothing is asked for that was not granted. */
export const isWithin = (asked: readonly Scope[], granted: readonly Scope[]): boolean =>
  asked.every((scope) => isScopeWithin(scope, granted));

/** Those of the asked ones that the list allows. SECURITY SC-14 */
export const chooseAllowed = (asked: readonly Scope[], allowed: readonly Scope[]): readonly Scope[] =>
  asked.filter((scope) => isScopeWithin(scope, allowed));

/** Whether some scope is about resources at this level. */
export const hasLevel = (scopes: readonly Scope[], level: Level): boolean =>
  scopes.some(({ resource }) => resource?.level === level);

/** Whether the app needs a patient: it says so, or a `patient/` scope does. SECURITY SL-08 */
export const needsPatient = (scopes: readonly Scope[]): boolean =>
  scopes.some(({ text }) => text === 'launch/patient') || hasLevel(scopes, 'patient');

export const needsEncounter = (scopes: readonly Scope[]): boolean =>
  scopes.some(({ text }) => text === 'launch/encounter');

export const hasScope = (scopes: readonly Scope[], text: string): boolean =>
  scopes.some((scope) => scope.text === text);

/** Each letter by itself: `rs` is within `r` and `s` granted apart. */
function isScopeWithin({ text, resource }: Scope, granted: readonly Scope[]): boolean {
  if (!resource) return hasScope(granted, text);
  return resource.letters.every((letter) =>
    granted.some(({ resource: wide }) => wide !== undefined && isResourceWithin(resource, wide, letter)),
  );
}

const isResourceWithin = (
  narrow: ResourceScope,
  wide: ResourceScope,
  letter: ResourceScope['letters'][number],
): boolean =>
  narrow.level === wide.level &&
  covers(wide, narrow.type, letter) &&
  isConstraintWithin(narrow.constraint, wide.constraint);
