/**
 * Tasks of a queue whose patient has said something of who asks in a Consent: whether it keeps them from the asker the policy
 * then decides of each. Where nobody has denied anything, this is one look into an empty index. SECURITY FA-06, CP-03
 */
import { ACTIONS } from '../../policy/consent.ts';
import type { QueueRequest } from '../../ports/dispense-queue.ts';
import type { ConsentAsker } from '../../ports/policy.ts';
import type { Statement } from '../pools.ts';

export interface DoubtfulRequest extends Pick<QueueRequest, 'pharmacyId' | 'since' | 'patientIds'> {
  readonly askers: readonly ConsentAsker[];
  /** SQL of whether a row is of the state that is asked for; all are, without it. */
  readonly isOfState?: (add: (value: unknown) => string) => string;
  /** ms UTC */
  readonly now: number;
}

/**
 * Rows of id and rank. Rules may hold for part of a patient's data, and others may be exceptions of them: these are more than
 * what is kept back, and never fewer. A queue's Task names one patient, in `for`.
 */
export function doubtfulStatement(request: DoubtfulRequest): Statement {
  const { pharmacyId, since = 0, patientIds, askers, isOfState, now } = request;
  const values: unknown[] = [pharmacyId, now, since];
  const add = (value: unknown): string => `$${values.push(value)}`;
  const asked = askers.map(({ actors, purposes, action }) =>
    [
      `k.actions & ${add(ACTIONS[action])}::int <> 0`,
      `(k.actors is null or k.actors && ${add([...actors])}::text[])`,
      ...(purposes ? [`(k.purposes is null or k.purposes && ${add([...purposes])}::text[])`] : []),
    ].join(' and '),
  );
  const conditions = [
    't.owner = $1',
    't.rank in (0, 1, 2)',
    't.issued >= $3::bigint',
    ...(isOfState ? [isOfState(add)] : []),
    ...(patientIds ? [`t.patient = any(${add([...patientIds])}::text[])`] : []),
  ];
  return {
    name: `dispense-doubtful ${asked.map((one) => (one.includes('purposes') ? 'p' : 'a')).join('')} ${isOfState ? 's' : ''} ${patientIds ? 'p' : ''}`,
    // consent_rule_denies, patient_pkey, dispense_task_of_patient
    text: `select t.id, t.rank from (
select distinct k.pat from mortar.consent_rule k
where k.effect = 'D' and k.from_ms <= $2::bigint and k.until_ms > $2::bigint and (k.types is null or 'Task' = any(k.types))
  and (${asked.join(' or ')})
) d join fhir.patient p on p.rid = d.pat join mortar.dispense_task t on t.patient = p.id
where ${conditions.join(' and ')}`,
    values,
  };
}
