/** Callers as Consents speak of them. SECURITY FA-06 */
import type { Caller, CallerUser, Role } from '../ports/caller.ts';
import type { ConsentAsker } from '../ports/policy.ts';
import type { Letter } from '../standards/smart/scope.ts';
import { purposesOf } from './consent.ts';
import { selves } from './relation.ts';

/** What each letter is in the words of Consents. */
export const ACTION = { r: 'access', s: 'access', c: 'collect', u: 'correct', d: 'correct' } as const satisfies Record<
  Letter,
  ConsentAsker['action']
>;

/** What people are here for, where they do not say. */
const USUAL: Partial<Record<Role, readonly string[]>> = {
  DOCTOR: ['TREAT'],
  PRESCRIBER: ['TREAT'],
  PHARMACIST: ['TREAT'],
  RECEPTIONIST: ['TREAT', 'PATADMIN'],
  STAFF: ['TREAT', 'PATADMIN'],
};

/** A person, for a purpose or for that of their roles. */
export function personAsks(user: CallerUser, letter: Letter, purpose?: string): ConsentAsker {
  const given = purpose === undefined ? user.roles.flatMap((role) => USUAL[role] ?? []) : [purpose];
  const actors = [...selves(user), ...user.organizationIds.map((id) => `Organization/${id}`), user.fhirUser];
  return {
    actors: [...new Set(actors.filter((actor) => actor !== undefined))],
    ...(given.length > 0 && { purposes: [...new Set(given.flatMap(purposesOf))] }),
    action: ACTION[letter],
  };
}

/** A program for itself. */
export const programAsks = ({ purpose }: Caller, letter: Letter): ConsentAsker => ({
  actors: ['Device'],
  ...(purpose !== undefined && { purposes: purposesOf(purpose) }),
  action: ACTION[letter],
});
