/** The trail as it is read: by FHIR, by the audit API, and by patients who ask who looked at their record. */
import type { AuditRow, AuditRowPage, AuditRows, RecordVisit, TrailQuery } from '../../ports/audit.ts';
import type { Cipher } from '../../ports/cipher.ts';
import { kindsWhere, patternOf } from '../../standards/fhir/audit-event/patterns.ts';
import type { AuditRecord } from '../../standards/fhir/audit-event/record.ts';
import type { Pools } from '../pools.ts';
import { createCursors } from '../search/cursor.ts';
import { findTable } from '../tables.ts';
import type { AuditEventSource } from './audited-store.ts';
import { isAuditKind, kindNumber } from './kinds.ts';
import type { AuditTrail } from './log.ts';
import type { TrailPart, TrailPosition } from './trail-filter.ts';
import { createTrailReader, type TrailEntry } from './trail-reader.ts';
import { createTrailSearch, type TrailSearchOptions } from './trail-search.ts';

export interface OpenTrailOptions
  extends Pick<TrailSearchOptions, 'server' | 'pageSizeDefault' | 'dateParameter' | 'mayRead' | 'now'> {
  readonly pools: Pick<Pools, 'reads'>;
  readonly trail: Pick<AuditTrail, 'rids'>;
  readonly cipher: Cipher;
}

export interface TrailView extends AuditRows {
  /** For `auditedStore`. */
  readonly events: AuditEventSource;
}

/** Opens the reading side of the trail. */
export async function openTrail(options: OpenTrailOptions): Promise<TrailView> {
  const { pools, trail, cipher, now } = options;
  const [row] = await pools.reads.query({
    text: "select value from mortar.meta where name = 'link-key'",
    values: [],
  });
  const cursors = createCursors(Buffer.from(String(row?.[0]), 'hex'), now);
  const { rids } = trail;
  const reader = createTrailReader({ reads: pools.reads, rids, cipher });

  async function pageOf(
    scope: string,
    parts: readonly TrailPart[],
    count: number,
    cursor: string | undefined,
  ): Promise<{ readonly entries: readonly TrailEntry[]; readonly next: string | undefined }> {
    const from = cursor === undefined ? undefined : (cursors.parse(scope, cursor) as Position); // signed
    const until = from?.until ?? now();
    const page = { parts, position: from?.position, descending: true, until, count: count + 1 };
    const found = await reader.find(page);
    const last = found[count];
    const position = last && { at: last.record.at, id: last.id, n: 0 };
    return {
      entries: found.slice(0, count),
      next: position && cursors.format(scope, { position, until } satisfies Position),
    };
  }

  return {
    events: createTrailSearch({ ...options, reader, rids, cursors }),

    async list(query, count, cursor): Promise<AuditRowPage> {
      const { entries, next } = await pageOf(`rows ${JSON.stringify(query)}`, partsOf(query, rids), count, cursor);
      return { rows: entries.map(({ record }) => toRow(record)), ...(next !== undefined && { next }) };
    },

    async entriesOfPatient(patientId, count, cursor) {
      const parts: TrailPart[] = [
        { kind: 'patients', rids: [String(rids.rid(patientId))] },
        { kind: 'outcomes', codes: [0] },
        { kind: 'kinds', numbers: VISITS },
      ];
      const { entries, next } = await pageOf(`patient ${patientId}`, parts, count, cursor);
      return { visits: entries.map(({ record }) => toVisit(record)), ...(next !== undefined && { next }) };
    },
  };
}

interface Position {
  readonly position: TrailPosition;
  readonly until: number;
}

function partsOf(query: TrailQuery, rids: AuditTrail['rids']): TrailPart[] {
  const { from, until, kinds, outcome, type, id, patientId, userId, fhirUser, clientId } = query;
  const parts: TrailPart[] = [];
  if (from !== undefined) parts.push({ kind: 'time', ranges: [{ prefix: 'ge', low: from, high: from }] });
  if (until !== undefined) parts.push({ kind: 'time', ranges: [{ prefix: 'lt', low: until, high: until }] });
  if (kinds) parts.push({ kind: 'kinds', numbers: kinds.filter(isAuditKind).map(kindNumber) });
  if (outcome !== undefined) parts.push({ kind: 'outcomes', codes: [outcome] });
  const table = type === undefined ? undefined : findTable(type);
  if (type !== undefined && id === undefined) parts.push({ kind: 'types', numbers: [table?.number ?? -1] });
  if (type !== undefined && id !== undefined)
    parts.push({ kind: 'targets', targets: [{ type: table?.number ?? -1, rid: String(rids.rid(id)) }] });
  if (patientId !== undefined) parts.push({ kind: 'patients', rids: [String(rids.rid(patientId))] });
  if (userId !== undefined) parts.push({ kind: 'agents', agents: [{ by: 'user_id', value: userId }] });
  if (fhirUser !== undefined) parts.push({ kind: 'agents', agents: [{ by: 'fhir_user', value: fhirUser }] });
  if (clientId !== undefined) parts.push({ kind: 'agents', agents: [{ by: 'client_id', value: clientId }] });
  return parts;
}

function toRow({ agent, target, at, ...record }: AuditRecord): AuditRow {
  const { user } = agent;
  const { rule, operation, query, purpose, address, correlationId, type } = record;
  return {
    id: record.id,
    at,
    kind: record.kind,
    outcome: record.outcome,
    callerKind: agent.kind,
    caller: agent.name,
    patientIds: record.patientIds,
    ...(user && { userId: user.id, userName: user.name, roles: user.roles }),
    ...(user?.fhirUser !== undefined && { fhirUser: user.fhirUser }),
    ...(agent.clientId !== undefined && { clientId: agent.clientId }),
    ...(type !== undefined && { type }),
    ...(target && {
      target: `${target.type}/${target.id}${target.versionId === undefined ? '' : `/_history/${target.versionId}`}`,
    }),
    ...(query !== undefined && { query }),
    ...(rule !== undefined && { rule }),
    ...(operation !== undefined && { operation }),
    ...(purpose !== undefined && { purpose }),
    ...(address !== undefined && { address }),
    ...(correlationId !== undefined && { correlationId }),
  };
}

/** All but looks at the trail itself. */
const VISITS = kindsWhere(() => true)
  .filter(isAuditKind)
  .filter((kind) => kind !== 'audit-read')
  .map(kindNumber);

/** What a patient may know of it: nothing of the machines, the requests or other patients. */
function toVisit({ at, kind, agent, purpose }: AuditRecord): RecordVisit {
  const { user } = agent;
  return {
    at,
    action: patternOf(kind).action,
    name: user?.name ?? agent.name,
    roles: user?.roles ?? [],
    organizationIds: user?.organizationIds ?? [],
    ...(purpose !== undefined && { purpose }),
  };
}
