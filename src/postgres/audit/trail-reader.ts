/** Reads entries back as records: who, what, which patients, with what was sealed opened. */
import type { Cipher } from '../../ports/cipher.ts';
import type { AuditAgent, AuditRecord } from '../../standards/fhir/audit-event/record.ts';
import { toBigInt } from '../hash.ts';
import type { Lanes } from '../keys.ts';
import type { Pipeline, Row } from '../pools.ts';
import type { RidCodec } from '../rid.ts';
import { Params } from '../search/sql.ts';
import { STORED_TYPES } from '../tables.ts';
import { agentContext } from './agents.ts';
import type { EntryRow } from './entry.ts';
import { ENTRY_COLUMNS, toEntry } from './entry-sql.ts';
import { formatEventId } from './event-id.ts';
import { findKind } from './kinds.ts';
import { detailContext, type EntryDetail } from './log.ts';
import { type TrailPart, type TrailPosition, trailWhere } from './trail-filter.ts';

export interface TrailEntry {
  readonly record: AuditRecord;
  /** Of the entry, as a decimal. */
  readonly id: string;
  /** Of the record's patients, in their order. */
  readonly patientRids: readonly string[];
}

export interface TrailPage {
  readonly parts: readonly TrailPart[];
  readonly position: TrailPosition | undefined;
  readonly descending: boolean;
  /** ms UTC: the instant of the first page, so that later pages do not see what paging itself adds. */
  readonly until: number;
  readonly count: number;
}

export interface TrailReader {
  find(page: TrailPage): Promise<readonly TrailEntry[]>;
  /** How many AuditEvents the entries of these parts are; `each`: one an entry, as only one patient's are asked for. */
  count(parts: readonly TrailPart[], until: number, each: boolean): Promise<number>;
}

const AGENTS_MAX = 10_000;
const NOBODY: AuditAgent = { kind: 'anonymous', name: 'unknown' };

export function createTrailReader(options: {
  readonly reads: Pipeline;
  readonly rids: RidCodec;
  readonly cipher: Cipher;
}): TrailReader {
  const { reads, rids, cipher } = options;
  const agents = new Map<string, AuditAgent>();

  async function loadAgents(entries: readonly EntryRow[]): Promise<void> {
    const missing = [...new Set(entries.map(({ agent }) => agent.toString('hex')))].filter((id) => !agents.has(id));
    if (missing.length === 0) return;
    if (agents.size > AGENTS_MAX) agents.clear();
    const rows = await reads.query({
      name: 'audit-agents',
      text: 'select id, content from audit.agent where id = any($1::uuid[])',
      values: [missing],
    });
    for (const [id, content] of rows) {
      const hex = (id as string).replaceAll('-', '');
      agents.set(hex, openAgent(cipher, Buffer.from(hex, 'hex'), content as Buffer));
    }
  }

  /** Ids of patients whose rid does not tell it. */
  async function loadPatients(entries: readonly EntryRow[]): Promise<ReadonlyMap<string, string>> {
    const asked = new Set<string>();
    for (const { pat, pats } of entries)
      for (const lanes of pats ?? (pat ? [pat] : [])) if (lanes.hi < 0) asked.add(decimal(lanes));
    if (asked.size === 0) return new Map();
    const rows = await reads.query({
      name: 'audit-patients',
      text: 'select rid::text, id from fhir.patient where rid = any($1::bigint[])',
      values: [[...asked]],
    });
    return new Map(rows as [string, string][]); // two texts
  }

  async function toEntries(rows: readonly Row[]): Promise<TrailEntry[]> {
    const entries = rows.map((row) => toEntry(row));
    const [patients] = await Promise.all([loadPatients(entries), loadAgents(entries)]);
    return entries.map((entry) => {
      const { pat, pats } = entry;
      const lanes = pats ?? (pat ? [pat] : []);
      const patientIds = lanes.map((one) =>
        one.hi < 0 ? (patients.get(decimal(one)) ?? `unresolved-${hex(one)}`) : rids.id(one.hi, one.lo),
      );
      const agent = agents.get(entry.agent.toString('hex')) ?? NOBODY;
      return {
        record: toRecord(entry, agent, patientIds, rids, cipher),
        id: decimal(entry.id),
        patientRids: lanes.map(decimal),
      };
    });
  }

  return {
    async find({ parts, count, ...page }) {
      const params = new Params();
      const order = page.descending ? 'desc' : 'asc';
      const text = `select ${ENTRY_COLUMNS}
from audit.entry e
where ${trailWhere(parts, params, page)}
order by e.at ${order}, e.id ${order}
limit ${params.add(count, 'int')}`;
      return toEntries(await reads.query({ text, values: params.values }));
    },

    async count(parts, until, each) {
      const params = new Params();
      const where = trailWhere(parts, params, { position: undefined, descending: true, until });
      const events = each
        ? 'count(*)'
        : 'coalesce(sum(case when cardinality(e.pats) between 2 and 100 then cardinality(e.pats) else 1 end), 0)';
      const [row] = await reads.query({
        text: `select ${events}::float8 from audit.entry e where ${where}`,
        values: params.values,
      });
      return row?.[0] as number;
    },
  };
}

const decimal = ({ hi, lo }: Lanes): string => String(toBigInt(hi, lo));
const hex = ({ hi, lo }: Lanes): string => BigInt.asUintN(64, toBigInt(hi, lo)).toString(16).padStart(16, '0');

function openAgent(cipher: Cipher, id: Buffer, content: Buffer): AuditAgent {
  try {
    return JSON.parse(cipher.open(content, agentContext(id)).toString()) as AuditAgent; // sealed by us
  } catch {
    return NOBODY; // its key was destroyed, or it was changed: verify-audit tells which
  }
}

function openDetail(cipher: Cipher, { detail, at, id }: EntryRow): EntryDetail {
  if (!detail) return {};
  try {
    return JSON.parse(cipher.open(detail, detailContext(at, id)).toString()) as EntryDetail; // sealed by us
  } catch {
    return {};
  }
}

function toRecord(
  entry: EntryRow,
  agent: AuditAgent,
  patientIds: readonly string[],
  rids: RidCodec,
  cipher: Cipher,
): AuditRecord {
  const { rule, operation, correlation, address, token, purpose, rid, ver } = entry;
  const { query, detail, targets } = openDetail(cipher, entry);
  const type = entry.type === undefined ? undefined : STORED_TYPES[entry.type];
  const id = rid && (entry.ref ?? (rid.hi < 0 ? undefined : rids.id(rid.hi, rid.lo)));
  return {
    id: formatEventId(entry.at, entry.id),
    at: entry.at,
    kind: findKind(entry.kind) ?? `kind-${entry.kind}`,
    outcome: entry.outcome,
    agent,
    patientIds,
    ...(rule !== undefined && { rule }),
    ...(operation !== undefined && { operation }),
    ...(correlation !== undefined && { correlationId: correlation }),
    ...(address !== undefined && { address }),
    ...(token !== undefined && { tokenId: token }),
    ...(purpose !== undefined && { purpose }),
    ...(type !== undefined && { type }),
    ...(type !== undefined &&
      id !== undefined && { target: { type, id, ...(ver !== undefined && { versionId: ver }) } }),
    ...(query !== undefined && { query }),
    ...(detail !== undefined && { detail }),
    ...(targets !== undefined && { targets }),
  };
}
