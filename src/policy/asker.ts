/** Callers as Consents speak of them. SECURITY FA-06 */
import type { Caller, CallerUser, Role } from '../ports/caller.ts';
import type { ConsentAsker, Filter } from '../ports/policy.ts';
import type { Letter } from '../standards/smart/scope.ts';
import { purposesOf } from './consent.ts';
import { all } from './filters.ts';
import { selves } from './relation.ts';

/** Who asks, whatever for. */
export type Asker = Omit<ConsentAsker, 'action'>;

/** What each letter is in the words of Consents. Who changes something learns what it says: an update is both. */
const ACTIONS: Readonly<Record<Letter, readonly ConsentAsker['action'][]>> = {
  r: ['access'],
  s: ['access'],
  c: ['collect'],
  u: ['access', 'correct'],
  d: ['correct'],
};

/** What holds for each kind of use that a letter is. */
export const forEach = (letter: Letter, asker: Asker, filterOf: (asker: ConsentAsker) => Filter): Filter =>
  all(...ACTIONS[letter].map((action) => filterOf({ ...asker, action })));

/** Whatever no Consent keeps from who asks. */
export const undenied = (asker: Asker, letter: Letter): Filter =>
  forEach(letter, asker, (one) => ({ kind: 'undenied', asker: one }));

/** What people are here for, where they do not say. */
const USUAL: Partial<Record<Role, readonly string[]>> = {
  DOCTOR: ['TREAT'],
  PRESCRIBER: ['TREAT'],
  PHARMACIST: ['TREAT'],
  RECEPTIONIST: ['TREAT', 'PATADMIN'],
  STAFF: ['TREAT', 'PATADMIN'],
};

/** A person, for a purpose or for that of their roles. */
export function personAsks(user: CallerUser, purpose?: string): Asker {
  const given = purpose === undefined ? user.roles.flatMap((role) => USUAL[role] ?? []) : [purpose];
  const actors = [...selves(user), ...user.organizationIds.map((id) => `Organization/${id}`), user.fhirUser];
  return {
    actors: [...new Set(actors.filter((actor) => actor !== undefined))],
    ...(given.length > 0 && { purposes: [...new Set(given.flatMap(purposesOf))] }),
  };
}

/** A program for itself, or of the organisation whose it is. */
export const programAsks = ({ purpose, organizationId }: Caller): Asker => ({
  actors: ['Device', ...(organizationId === undefined ? [] : [`Organization/${organizationId}`])],
  ...(purpose !== undefined && { purposes: purposesOf(purpose) }),
});
