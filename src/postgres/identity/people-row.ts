/** Rows of `auth.person`. */
import type { Role } from '../../ports/caller.ts';
import type { Person } from '../../ports/people.ts';
import type { User } from '../../ports/users.ts';
import type { Row } from '../pools.ts';

/** Columns of `auth.person p` that `toPerson` reads. */
export const PERSON_COLUMNS = `p.id, p.name, p.email, p.roles, p.is_disabled, p.patient_ids, p.practitioner_id,
  p.practitioner_role_ids, p.organization_ids, p.security_version, p.password_hash, p.totp,
  p.email_verified_at is not null, p.related_person_ids, p.must_enrol,
  (select count(*)::int from auth.security_key k where k.person_id = p.id),
  (select count(*)::int from auth.recovery_code c where c.person_id = p.id)`;
export const PERSON_WIDTH = 17;

type Columns = [
  id: string,
  name: string,
  email: string,
  roles: Role[],
  isDisabled: boolean,
  patientIds: string[],
  practitionerId: string | null,
  practitionerRoleIds: string[],
  organizationIds: string[],
  securityVersion: number,
  passwordHash: string | null,
  totp: Buffer | null,
  isEmailVerified: boolean,
  relatedPersonIds: string[],
  mustEnrol: boolean,
  securityKeyCount: number,
  recoveryCodeCount: number,
];

export function toPerson(row: Row): Person {
  const [
    id,
    name,
    email,
    roles,
    isDisabled,
    patientIds,
    practitionerId,
    practitionerRoleIds,
    organizationIds,
    securityVersion,
    passwordHash,
    totp,
    isEmailVerified,
    relatedPersonIds,
    mustEnrol,
    securityKeyCount,
    recoveryCodeCount,
  ] = row as unknown as Columns;
  return {
    id,
    name,
    email,
    roles,
    isDisabled,
    patientIds,
    ...(practitionerId !== null && { practitionerId }),
    practitionerRoleIds,
    organizationIds,
    ...(relatedPersonIds.length > 0 && { relatedPersonIds }),
    securityVersion,
    ...(passwordHash !== null && { passwordHash }),
    ...(totp !== null && { totp }),
    isEmailVerified,
    ...(mustEnrol && { mustEnrol: true }),
    securityKeyCount,
    recoveryCodeCount,
  };
}

/** A person without what they prove themselves with. */
export function toUser(person: Person): User {
  const { passwordHash, totp, isEmailVerified, mustEnrol, securityKeyCount, recoveryCodeCount, ...user } = person;
  return user;
}

/** One spelling for every way to write an address: SECURITY and MISSION M7 want it unique. */
export const emailKey = (email: string): string => email.normalize('NFKC').trim().toLowerCase();
