/** The person of a token: whether they may still be spoken for, and how they are named. SECURITY ST-08, SO-01 */
import type { GrantUser, UserGrant } from '../../ports/grants.ts';
import type { User, Users } from '../../ports/users.ts';

/** The user when nothing has changed that ends what was granted; undefined otherwise. */
export async function findGrantor(
  users: Users,
  { id, securityVersion, sessionId }: GrantUser,
): Promise<User | undefined> {
  const user = await users.find(id, sessionId);
  return user && !user.isDisabled && user.securityVersion === securityVersion ? user : undefined;
}

/** The person's own resource, as a relative reference. */
export function fhirUserOf({ practitionerId, patientIds }: User): string | undefined {
  if (practitionerId !== undefined) return `Practitioner/${practitionerId}`;
  const [patientId] = patientIds;
  return patientId === undefined ? undefined : `Patient/${patientId}`;
}

export const grantUserOf = (user: User, session: Omit<GrantUser, 'id' | 'securityVersion'>): UserGrant['user'] => ({
  id: user.id,
  securityVersion: user.securityVersion,
  ...session,
});
