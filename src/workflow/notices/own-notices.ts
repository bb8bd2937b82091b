/** Whose notices somebody sees and decides on: their own, their practitioner's, and those of an organization they act for. */
import type { CallerUser } from '../../ports/caller.ts';
import { FhirError, issue } from '../../standards/fhir/outcome.ts';

/** References that the caller is told under. Throws 403 for an organization that is not theirs, or where there is none. */
export function recipientsOf(user: CallerUser, organizationId?: string): readonly string[] {
  if (organizationId !== undefined) {
    if (user.organizationIds.includes(organizationId)) return [`Organization/${organizationId}`];
    throw refused('You do not act for this organization', 'organization_id', 'organization');
  }
  const own = [
    ...user.patientIds.map((id) => `Patient/${id}`),
    ...(user.practitionerId === undefined ? [] : [`Practitioner/${user.practitionerId}`]),
  ];
  if (own.length > 0) return own;
  throw refused('Your account has neither a record nor a Practitioner: say organization_id', undefined, 'own-record');
}

const refused = (text: string, at: string | undefined, rule: string): FhirError =>
  new FhirError(403, [issue('forbidden', text, at)], { cause: { rule } });
