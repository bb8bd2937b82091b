/**
 * The rules stand in the SQL that selects rows. This looks once more at the text of what leaves, for callers who are
 * bound to a patient: should a fault ever lose the rules, the request fails and the log says so. SECURITY AZ-03
 */
import { BOOKING_TYPES, SHARED_TYPES } from '../policy/types.ts';
import type { Caller } from '../ports/caller.ts';
import type { Log } from '../ports/log.ts';
import type { StoredVersion } from '../ports/resource-store.ts';

/** Throws when one of these may not leave. */
export type Belt = (versions: readonly StoredVersion[]) => void;

export function createBelt(caller: Caller, log: Log): Belt {
  const patientIds = boundTo(caller);
  if (!patientIds) return () => undefined;
  const names = patientIds.flatMap((id) => [`Patient/${id}"`, `Patient/${id}/`]);
  const mayLeave = ({ type, id, content }: StoredVersion): boolean => {
    if (content === '' || SHARED_TYPES.has(type) || BOOKING_TYPES.has(type)) return true;
    // Of a Binary its context tells; that a document of the patient's points to it is not seen in it.
    if (type === 'Binary') return !content.includes('Patient/') || names.some((name) => content.includes(name));
    if (type === 'Patient') return patientIds.includes(id);
    return names.some((name) => content.includes(name)) || (type === 'Device' && !content.includes('"patient":'));
  };
  return (versions) => {
    const stray = versions.find((version) => !mayLeave(version));
    if (!stray) return;
    log.error('a resource of somebody else was about to be sent, and was held back', {
      type: stray.type,
      caller: caller.name,
      correlationId: caller.correlationId,
    });
    throw new Error('a filter of the policy is missing');
  };
}

/** The patients whom all that a caller may see is about; undefined when there are others. */
function boundTo({ kind, user, patientId, scopes }: Caller): readonly string[] | undefined {
  if (kind !== 'user' || !user) return undefined;
  if (scopes.every(({ level }) => level === 'patient')) return patientId === undefined ? [] : [patientId];
  const proxied = (user.proxies ?? []).map(({ patientId: id }) => id);
  return user.roles.every((role) => role === 'PATIENT') ? [...user.patientIds, ...proxied] : undefined;
}
