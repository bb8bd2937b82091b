/** Reads a person as they act in a session. SECURITY NH-05 */
import { actAs } from '../../policy/acting.ts';
import type { Person } from '../../ports/people.ts';
import type { Acting } from '../../ports/upstream.ts';
import type { Row } from '../pools.ts';

/** Columns of `auth.acting a` that `toActingPerson` reads. */
export const ACTING_COLUMNS = 'a.content, a.ends_at';

/** The person, as the session says if it says so; undefined once that is over. */
export function toActingPerson(person: Person, row: Row, now: number): Person | undefined {
  const [content, endsAt] = row as [Omit<Acting, 'endsAt'> | null, Date | null];
  if (content === null || endsAt === null) return person;
  return endsAt.getTime() > now ? actAs(person, { ...content, endsAt: endsAt.getTime() }) : undefined;
}
