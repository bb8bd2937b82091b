/**
 * What is left of patients where others were told of them, showed their tokens or took their data out. The controlled
 * drugs register keeps its lines, as the law on it requires. SECURITY DP-04, docs/data-protection.md
 */
import { namingSystemUrl } from '../../standards/fhir/canonical.ts';
import type { Send } from '../in-transaction.ts';
import type { Statement } from '../pools.ts';
import { tableOf } from '../tables.ts';

/** Events for subscribers: those of what goes; in the others the patients are no longer named. */
const removeEvents = (patientIds: readonly string[], references: readonly string[]): Statement => ({
  text: `with gone as (
  delete from mortar.subscription_event where resource = any($2::text[]) or (patients <> '{}' and patients <@ $1::text[])
)
update mortar.subscription_event e set patients = array(select unnest(e.patients) except select unnest($1::text[]))
where e.patients && $1::text[] and not e.patients <@ $1::text[] and e.resource <> all($2::text[])`,
  values: [patientIds, references],
});

/** The log of who showed the tokens that these Tasks carry, and the codes that were sent for them. */
const removeAttempts = (taskRids: readonly string[]): Statement => ({
  text: `with shown as materialized (
  select i ->> 'value' as token from ${tableOf('Task').main} m, jsonb_path_query(m.content::jsonb, '$.identifier[*]') i
  where m.rid = any($1::bigint[]) and i ->> 'system' = $2
), codes as (
  delete from mortar.collection_code where token in (select token from shown)
)
delete from mortar.prescription_attempt where token in (select token from shown)`,
  values: [taskRids, namingSystemUrl('prescription-token')],
});

/**
 * Exports that are kept or under way, and results of requests that were answered later: nobody knows who is in them, so
 * all of them end, with their keys. Whoever needs one asks again.
 */
const END_RESULTS: Statement = {
  text: `with ended as (
  update mortar.async_request
  set state = 'gone', key = null, payload = null, checkpoint = null, outcome = null,
    ended_at = coalesce(ended_at, now()), expires_at = now()
  where (kind = 'export' and state in ('running', 'done')) or (kind = 'interaction' and state = 'done')
  returning id
)
delete from mortar.async_piece p using ended e where p.request_id = e.id`,
  values: [],
};

export interface TracesOf {
  readonly patientIds: readonly string[];
  readonly references: readonly string[];
  /** Of their Tasks. */
  readonly taskRids: readonly string[];
}

/** Before the Tasks go, which tell the tokens. */
export async function removeTraces(send: Send, { patientIds, references, taskRids }: TracesOf): Promise<void> {
  await send(removeEvents(patientIds, references));
  await send(removeAttempts(taskRids));
}

/** After the last of the record has gone. */
export const endResults = async (send: Send): Promise<void> => void (await send(END_RESULTS));
