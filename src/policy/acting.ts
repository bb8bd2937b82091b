/** Somebody as they act in a session that another provider vouched for. SECURITY NH-05, NH-08 */
import type { Acting } from '../ports/upstream.ts';
import type { User } from '../ports/users.ts';

/** The person with the rights of the session alone; those of the account do not count. */
export function actAs<P extends User>(person: P, acting: Acting): P {
  const { practitionerId: _own, relatedPersonIds: _related, ...plain } = person;
  const { endsAt: _end, ...rights } = acting;
  return { ...plain, ...rights } as P; // of a User's members only the optional practitionerId may be gone
}
