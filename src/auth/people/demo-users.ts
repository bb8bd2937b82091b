/** One user of each role for the demo data, with passwords made anew: there are no default ones. SECURITY LG-16 */
import { randomInt } from 'node:crypto';
import type { Role } from '../../ports/caller.ts';
import type { PeopleStore } from '../../ports/people.ts';
import { FhirError } from '../../standards/fhir/outcome.ts';
import type { Hashing } from './hashing.ts';

/** To be shown once. */
export interface DemoUser {
  readonly name: string;
  readonly email: string;
  readonly password: string;
  readonly role: Role;
}

interface Plan {
  readonly role: Role;
  readonly name: string;
  readonly patientId?: string;
  readonly practitionerId?: string;
  readonly organizationId?: string;
}

const SURGERY = 'demo-surgery';
const PLANS: readonly Plan[] = [
  { role: 'ADMIN', name: 'Ada Kellner' },
  { role: 'DOCTOR', name: 'Imogen Fairweather', practitionerId: 'demo-gp', organizationId: SURGERY },
  { role: 'PRESCRIBER', name: 'Rhys Abernathy', organizationId: SURGERY },
  { role: 'PHARMACIST', name: 'Piotr Zielinski', organizationId: 'demo-pharmacy' },
  { role: 'RECEPTIONIST', name: 'Gwen Tolland', organizationId: SURGERY },
  { role: 'STAFF', name: 'Samir Dhillon', organizationId: SURGERY },
  { role: 'OPS_AGENT', name: 'Lena Marsh' },
  { role: 'OPS_MANAGER', name: 'Otis Verrall' },
  { role: 'PATIENT', name: 'Nell Ashworth', patientId: 'demo-patient-1' },
];

const SYLLABLES =
  'ba be bo da de do fa fe ga go ka ke ko la le lo ma me mo na ne no pa pe ra re ro sa se so ta te'.split(' ');

/** Makes those that are not there; only they are returned. Throws when the process is one for production. */
export async function loadDemoUsers(people: PeopleStore, hashing: Hashing, isProduction: boolean): Promise<DemoUser[]> {
  if (isProduction) throw new Error('demo users are never made with NODE_ENV=production');
  const made: DemoUser[] = [];
  for (const { role, name, patientId, practitionerId, organizationId } of PLANS) {
    const email = `${role.toLowerCase().replace('_', '-')}@demo.example`;
    if (await people.findByEmail(email)) continue;
    const password = newPassword();
    try {
      await people.add({
        name,
        email,
        roles: [role],
        patientIds: patientId === undefined ? [] : [patientId],
        ...(practitionerId !== undefined && { practitionerId }),
        practitionerRoleIds: [],
        organizationIds: organizationId === undefined ? [] : [organizationId],
        passwordHash: await hashing.hash(password),
        isEmailVerified: true,
      });
      made.push({ name, email, password, role });
    } catch (error) {
      if (!(error instanceof FhirError) || error.status !== 409) throw error; // another process was quicker
    }
  }
  return made;
}

/** Sixteen syllables of 31: 79 bits, and it can be typed. */
const newPassword = (): string =>
  Array.from({ length: 4 }, () =>
    Array.from({ length: 4 }, () => SYLLABLES[randomInt(SYLLABLES.length)] ?? '').join(''),
  ).join('-');
