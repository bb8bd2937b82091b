/** Reads entries back as records: who, what, which patients, with what was sealed opened. */
import type { Cipher } from '../../ports/cipher.ts';
import type { AuditAgent, AuditRecord } from '../../standards/fhir/audit-event/record.ts';
import { eventCount } from '../../standards/fhir/audit-event/render.ts';
import { tooCostly } from '../../standards/fhir/outcome.ts';
import { toBigInt } from '../hash.ts';
import type { Lanes } from '../keys.ts';
import type { Pipeline } from '../pools.ts';
import type { RidCodec } from '../rid.ts';
import { Params } from '../search/sql.ts';
import { STORED_TYPES } from '../tables.ts';
import { agentContext } from './agents.ts';
import type { EntryDetail } from './drafts.ts';
import type { EntryRow } from './entry.ts';
import { ENTRY_COLUMNS, toEntry } from './entry-sql.ts';
import { formatEventId } from './event-id.ts';
import { findKind } from './kinds.ts';
import { detailContext } from './log.ts';
import { openSheet, type ReadEntry, SHEET } from './sheet.ts';
import {
  agentsSql,
  judgesSheets,
  matchesParts,
  type TrailPart,
  type TrailPosition,
  trailWhere,
} from './trail-filter.ts';

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

  async function toEntries(entries: readonly ReadEntry[]): Promise<TrailEntry[]> {
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

  /** Of each part that names agents, the ids of those. */
  async function loadNamed(parts: readonly TrailPart[]): Promise<ReadonlyMap<TrailPart, ReadonlySet<string>>> {
    const found = new Map<TrailPart, ReadonlySet<string>>();
    for (const part of parts) {
      if (part.kind !== 'agents') continue;
      const params = new Params();
      const text = agentsSql(part, params);
      const rows = await reads.query({ text, values: params.values });
      found.set(part, new Set(rows.map(([id]) => (id as string).replaceAll('-', ''))));
    }
    return found;
  }

  /** Entries one after another, the events of sheets among them; the statement is asked again where few of them fit. */
  async function* walk(
    { parts, count, position, ...page }: TrailPage,
    only: 'all' | 'sheets' = 'all',
  ): AsyncGenerator<ReadEntry> {
    const order = page.descending ? 'desc' : 'asc';
    const named = await loadNamed(parts);
    const isAhead = (entry: EntryRow): boolean => {
      if (!position || entry.at !== position.at) return true;
      const distance = toBigInt(entry.id.hi, entry.id.lo) - BigInt(position.id);
      return page.descending ? distance <= 0n : distance >= 0n;
    };
    let from = position;
    let size = count;
    for (let read = 0; read < ROWS_MAX; read += size, size = Math.max(count, ROWS)) {
      const params = new Params();
      const text = `select ${ENTRY_COLUMNS}
from audit.entry e
where ${only === 'sheets' ? `e.kind = ${SHEET} and ` : ''}${trailWhere(parts, params, { ...page, position: from })}
order by e.at ${order}, e.id ${order}
limit ${params.add(size, 'int')}`;
      const rows = (await reads.query({ text, values: params.values })).map((row) => toEntry(row));
      for (const row of rows) {
        if (row.kind !== SHEET) yield row;
        else {
          const events = (openSheet(row, cipher, detailContext) ?? []).filter(
            (event) => isAhead(event) && matchesParts(event, parts, named),
          );
          yield* page.descending ? events.toReversed() : events;
        }
      }
      const last = rows.at(-1);
      if (!last || rows.length < size) return;
      const after =
        toBigInt(last.id.hi, last.id.lo) + (page.descending ? -1n : last.kind === SHEET ? BigInt(last.ver ?? 1) : 1n);
      from = { at: last.at, id: String(after), n: 0 };
    }
    throw tooCostly('too much of the audit trail would have to be looked through: narrow the time with date');
  }

  async function countSheets(parts: readonly TrailPart[], until: number, each: boolean): Promise<number> {
    if (judgesSheets(parts)) {
      const params = new Params();
      const where = trailWhere(parts, params, { position: undefined, descending: true, until });
      const [row] = await reads.query({
        text: `select coalesce(sum(${each ? 'e.ver' : 'coalesce(e.type, e.ver)'}), 0)::float8 from audit.entry e where e.kind = ${SHEET} and ${where}`,
        values: params.values,
      });
      return row?.[0] as number;
    }
    let count = 0;
    const page = { parts, position: undefined, descending: true, until, count: ROWS };
    for await (const { pats } of walk(page, 'sheets')) count += each ? 1 : eventCount(pats?.length ?? 1);
    return count;
  }

  return {
    async find(page) {
      const found: ReadEntry[] = [];
      if (page.count > 0)
        for await (const entry of walk(page)) {
          found.push(entry);
          if (found.length === page.count) break;
        }
      return toEntries(found);
    },

    async count(parts, until, each) {
      const params = new Params();
      const where = trailWhere(parts, params, { position: undefined, descending: true, until });
      const events = each
        ? 'count(*)'
        : 'coalesce(sum(case when cardinality(e.pats) between 2 and 100 then cardinality(e.pats) else 1 end), 0)';
      const [row] = await reads.query({
        text: `select ${events}::float8 from audit.entry e where e.kind <> ${SHEET} and ${where}`,
        values: params.values,
      });
      return (row?.[0] as number) + (await countSheets(parts, until, each));
    },
  };
}

/** Rows that are read at once, after the first. */
const ROWS = 1000;
/** Rows that one question looks through. */
const ROWS_MAX = 200_000;

const decimal = ({ hi, lo }: Lanes): string => String(toBigInt(hi, lo));
const hex = ({ hi, lo }: Lanes): string => BigInt.asUintN(64, toBigInt(hi, lo)).toString(16).padStart(16, '0');

function openAgent(cipher: Cipher, id: Buffer, content: Buffer): AuditAgent {
  try {
    return JSON.parse(cipher.open(content, agentContext(id)).toString()) as AuditAgent; // sealed by us
  } catch {
    return NOBODY; // its key was destroyed, or it was changed: verify-audit tells which
  }
}

function openDetail(cipher: Cipher, { opened, detail, at, id }: ReadEntry): EntryDetail {
  if (opened || !detail) return opened ?? {};
  try {
    return JSON.parse(cipher.open(detail, detailContext(at, id)).toString()) as EntryDetail; // sealed by us
  } catch {
    return {};
  }
}

function toRecord(
  entry: ReadEntry,
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
