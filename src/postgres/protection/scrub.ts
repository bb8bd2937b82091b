/** Takes references to what goes out of a resource that stays: a new version of it, and its old versions rewritten. SECURITY DP-04 */
import { serviceCaller } from '../../policy/service-caller.ts';
import type { Resource } from '../../ports/resource-store.ts';
import { keyIdsOf } from '../../standards/fhir/encryption/sealed-text.ts';
import { gone } from '../../standards/fhir/outcome.ts';
import { holdKeys } from '../encryption/held-keys.ts';
import type { Shield } from '../encryption/shield.ts';
import type { Send } from '../in-transaction.ts';
import type { Pipeline } from '../pools.ts';
import { tableOf } from '../tables.ts';
import { formatVersion, opOf } from '../versions.ts';
import type { NewVersion } from '../write-sql.ts';
import type { RowBuilder, Writer } from '../writer.ts';
import { eraseReferences } from './erase-references.ts';
import type { Plan } from './plan.ts';
import { contentOf, type Held, versionsOf } from './record.ts';

export interface ScrubTools {
  /** In plaintext. */
  readonly reads: Pipeline;
  readonly rowOf: RowBuilder;
  readonly shield: Shield | undefined;
  readonly writer: Pick<Writer, 'update'>;
}

const CALLER = serviceCaller('protection');

/**
 * Whether anything was changed. The plan's data keys are about to be destroyed: what they sealed is sealed anew. The new version is
 * written as every other is, with its audit entry; `send` rewrites the old ones.
 */
export async function scrub(
  { reads, rowOf, shield, writer }: ScrubTools,
  send: Send,
  { type, rid, id }: Held,
  { gone: erased, dataKeys, patients }: Pick<Plan, 'gone' | 'dataKeys' | 'patients'>,
): Promise<boolean> {
  const { main, history } = tableOf(type);
  const [current] = await versionsOf(reads, type, rid, 'as-empty');
  let isChanged = false;
  if (current && current.content !== '') {
    const content = contentOf(current);
    if (eraseReferences(content, erased) !== content) {
      await writer.update(CALLER, type, id, (now) => eraseReferences(now ?? deleted(type, id), erased), {
        operation: 'patch',
        isByPatient: type === 'Consent' && (await isByPatient(send, rid, current.versionId)),
      });
      isChanged = true;
    }
  }
  const stored = await send({
    text: `select ver, content, '${main}' from ${main} where rid = $1::bigint and content <> ''
union all
select ver, content, '${history}' from ${history} where rid = $1::bigint and content <> ''`,
    values: [rid],
  });
  const versions = await versionsOf(reads, type, rid, 'as-empty');
  for (const [ver, sealed, table] of stored as readonly (readonly [number, string, string])[]) {
    const version = versions.find(({ versionId }) => versionId === ver);
    if (!version || version.content === '') continue;
    const content = contentOf(version) as Resource;
    const next = table === history && erased.isOwn(content) ? shellOf(content) : eraseReferences(content, erased);
    const isLosingKey = keyIdsOf(sealed).some((key) => dataKeys.has(key));
    if ((next === content || table === main) && !isLosingKey) continue;
    const text = formatVersion(next);
    const again: NewVersion = {
      table: tableOf(type),
      id,
      ver,
      lu: version.lastUpdated,
      op: opOf(version.operation),
      content: text,
      row: rowOf(next, type, id, version.lastUpdated),
    };
    const sealing = shield ? await shield.seal(again) : again;
    const { stored: other = text } = sealing;
    await send({
      text: `update ${table} set content = $3 where rid = $1::bigint and ver = $2::int and content = $4`,
      values: [rid, ver, other, sealed],
    });
    for (const held of holdKeys([sealing])) await send(held);
    isChanged = true;
  }
  // Versions of then were noted as changes of their records.
  await send({
    text: `update mortar.change c set pat = null from unnest($2::bigint[]) v(lu)
where c.at = v.lu and c.rid = $1::bigint and c.pat = any($3::bigint[])`,
    values: [rid, versions.map(({ lastUpdated }) => lastUpdated), patients.map((patient) => patient.rid)],
  });
  return isChanged;
}

/** Whether a Consent came from its patient: taking a name out of it does not change whose word it is. SECURITY FA-09 */
async function isByPatient(send: Send, rid: string, versionId: number): Promise<boolean> {
  const [row] = await send({
    text: 'select from mortar.consent_rule where consent = $1::bigint and ver = $2::int and by_patient limit 1',
    values: [rid, versionId],
  });
  return row !== undefined;
}

const REDACTED = { system: 'http://terminology.hl7.org/CodeSystem/v3-ObservationValue', code: 'REDACTED' };

/** A version that was theirs before it was corrected to be somebody else's: that there was one, and no more. */
const shellOf = ({ resourceType, id, meta }: Resource): Resource => ({
  resourceType,
  id,
  meta: { ...(meta as object | undefined), security: [REDACTED] },
});

function deleted(type: string, id: string): never {
  throw gone(`${type}/${id}`);
}
