/** Which patients a member of staff has to do with. SECURITY FA-01, FA-02 */
import type { CallerUser } from '../ports/caller.ts';
import type { Filter } from '../ports/policy.ts';
import { all, any, referredBy, refersTo, search } from './filters.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
const OPEN_ENCOUNTER = 'status=arrived,triaged,in-progress,onleave';
/** A period without an end is one that never ends. */
const ENDS_SOME_DAY = 'eb9999';
const OPEN_TASK = 'status=requested,received,accepted,ready,in-progress,on-hold';

const organizations = (user: CallerUser): string[] => user.organizationIds.map((id) => `Organization/${id}`);

/** The person as clinical resources name them. */
export const selves = (user: CallerUser): string[] => [
  ...(user.practitionerId === undefined ? [] : [`Practitioner/${user.practitionerId}`]),
  ...user.practitionerRoleIds.map((id) => `PractitionerRole/${id}`),
];

/** Patients of the caller's facility: managed by it, or with a general practitioner there. */
export const patientsOfFacility = (user: CallerUser): Filter =>
  any(refersTo('organization', organizations(user)), refersTo('general-practitioner', organizations(user)));

/**
 * Patients whom a clinician reaches: those of the facility, those whose general practitioner or care team they are, those
 * with an encounter with them or at their facility that is open or has closed within the days given, and those for whom
 * their facility has an open task.
 */
export function relatedPatients(user: CallerUser, nowMs: number, closedEncounterDays: number): Filter {
  // To the second, rounded down: all that is asked within one asks the same, and is parsed once.
  const sinceMs = nowMs - closedEncounterDays * DAY_MS;
  const since = new Date(sinceMs - (sinceMs % 1000)).toISOString();
  // Closed since then; of one whose end nobody wrote down, begun since then.
  const recent = any(
    search(OPEN_ENCOUNTER),
    search(`status=finished&date=gt${since}&date=${ENDS_SOME_DAY}`),
    search(`status=finished&date=sa${since}`),
  );
  const here = any(refersTo('participant', selves(user)), refersTo('service-provider', organizations(user)));
  return any(
    patientsOfFacility(user),
    refersTo('general-practitioner', selves(user)),
    referredBy('Encounter', 'patient', all(here, recent)),
    referredBy(
      'CareTeam',
      'patient',
      all(search('status=active'), refersTo('participant', [...selves(user), ...organizations(user)])),
    ),
    referredBy('Task', 'patient', all(search(OPEN_TASK), refersTo('owner', [...organizations(user), ...selves(user)]))),
  );
}

/** Prescriptions that a pharmacy is to dispense. */
export const ordersForFacility = (user: CallerUser): Filter => refersTo('intended-dispenser', organizations(user));
export const tasksOfFacility = (user: CallerUser): Filter =>
  refersTo('owner', [...organizations(user), ...selves(user)]);
export const dispensesOfFacility = (user: CallerUser): Filter =>
  refersTo('performer', [...organizations(user), ...selves(user)]);
/** What is sent to them, or to where they work. */
export const told = (user: CallerUser): Filter => refersTo('recipient', [...organizations(user), ...selves(user)]);
/** What is sent to them, and to nobody else where they work. */
export const toldThemselves = (user: CallerUser): Filter => refersTo('recipient', selves(user));
