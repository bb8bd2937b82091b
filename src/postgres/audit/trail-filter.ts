/**
 * Which entries are asked for, as SQL over `audit.entry e`. A sheet is found when one of its events may be asked for; its
 * events are then judged one by one.
 */
import type { Prefix } from '../../standards/fhir/search/request.ts';
import { toBigInt } from '../hash.ts';
import { and, or, type Params } from '../search/sql.ts';
import { type EntryRow, SHARD } from './entry.ts';
import { SHEET } from './sheet.ts';

/** Alternatives are ORed within a part; parts are ANDed. */
export type TrailPart =
  | {
      readonly kind: 'time';
      readonly ranges: readonly { readonly prefix: Prefix; readonly low: number; readonly high: number }[];
    }
  | { readonly kind: 'kinds'; readonly numbers: readonly number[] }
  | { readonly kind: 'outcomes'; readonly codes: readonly number[] }
  | { readonly kind: 'types'; readonly numbers: readonly number[] }
  /** rids of patients. */
  | { readonly kind: 'patients'; readonly rids: readonly string[] }
  | {
      readonly kind: 'targets';
      readonly targets: readonly { readonly type: number | undefined; readonly rid: string }[];
    }
  | { readonly kind: 'agents'; readonly agents: readonly AgentPart[] }
  | { readonly kind: 'ids'; readonly ids: readonly { readonly at: number; readonly id: string }[] };

/** A whole reference, an id of any type, a user or a client. */
export interface AgentPart {
  readonly by: 'fhir_user' | 'fhir_user_id' | 'user_id' | 'client_id';
  readonly value: string;
}

/** Position of a page: the entry it goes on from, and which of its events. */
export interface TrailPosition {
  readonly at: number;
  readonly id: string;
  readonly n: number;
}

const COMPARE: Record<Exclude<Prefix, 'ap'>, (at: string, low: () => string, high: () => string) => string> = {
  eq: (at, low, high) => `${at} between ${low()} and ${high()}`,
  po: (at, low, high) => `${at} between ${low()} and ${high()}`,
  ne: (at, low, high) => `${at} not between ${low()} and ${high()}`,
  gt: (at, _low, high) => `${at} > ${high()}`,
  sa: (at, _low, high) => `${at} > ${high()}`,
  lt: (at, low) => `${at} < ${low()}`,
  eb: (at, low) => `${at} < ${low()}`,
  ge: (at, low) => `${at} >= ${low()}`,
  le: (at, _low, high) => `${at} <= ${high()}`,
};

const AGENT_COLUMN: Record<AgentPart['by'], string> = {
  fhir_user: 'a.fhir_user',
  fhir_user_id: "split_part(a.fhir_user, '/', 2)",
  user_id: 'a.user_id',
  client_id: 'a.client_id',
};

function partSql(part: TrailPart, params: Params): string {
  switch (part.kind) {
    case 'time':
      return or(
        part.ranges.map(({ prefix, low, high }) => {
          const compare = COMPARE[prefix === 'ap' ? 'eq' : prefix];
          return compare(
            'e.at',
            () => params.add(low, 'bigint'),
            () => params.add(high, 'bigint'),
          );
        }),
      );
    case 'kinds':
      return `e.kind = any(${params.add([...part.numbers, SHEET], 'bigint[]')})`;
    case 'outcomes':
      return `e.outcome = any(${params.add(part.codes, 'bigint[]')})`;
    case 'types':
      return `e.type = any(${params.add(part.numbers, 'bigint[]')}) or ${IS_SHEET}`;
    case 'patients': {
      const rids = params.add(part.rids, 'bigint[]');
      return `(e.pat = any(${rids}) or e.pats && ${rids})`;
    }
    case 'targets':
      return or([
        ...part.targets.map(({ type, rid }) => {
          const key = `e.rid = ${params.add(rid, 'bigint')}`;
          return type === undefined ? key : `(e.type = ${params.add(type, 'int')} and ${key})`;
        }),
        IS_SHEET,
      ]);
    case 'agents':
      return `e.agent in (${agentsSql(part, params)}) or ${IS_SHEET}`;
    case 'ids':
      return or(
        part.ids.map(({ at, id }) => {
          const number = params.add(id, 'bigint');
          return `(e.at = ${params.add(at, 'bigint')} and (e.id = ${number}
    or ${IS_SHEET} and e.id < ${number} and ${number} - e.id < e.ver))`;
        }),
      );
  }
}

const IS_SHEET = `e.kind = ${SHEET}`;

/** The agents that a part names. */
export const agentsSql = ({ agents }: { readonly agents: readonly AgentPart[] }, params: Params): string =>
  `select a.id from audit.agent a where ${or(
    agents.map(({ by, value }) => `${AGENT_COLUMN[by]} = ${params.add(value, 'text')}`),
  )}`;

/** Whether an event of a sheet is asked for. `agents`: of each part of that kind, what `agentsSql` found, in hex. */
export function matchesParts(
  event: EntryRow,
  parts: readonly TrailPart[],
  agents: ReadonlyMap<TrailPart, ReadonlySet<string>>,
): boolean {
  return parts.every((part) => matchesPart(event, part, agents.get(part)));
}

function matchesPart(event: EntryRow, part: TrailPart, agents: ReadonlySet<string> | undefined): boolean {
  const { type, rid, pat, pats = pat ? [pat] : [] } = event;
  switch (part.kind) {
    case 'kinds':
      return part.numbers.includes(event.kind);
    case 'types':
      return type !== undefined && part.numbers.includes(type);
    case 'patients':
      return pats.some(({ hi, lo }) => part.rids.includes(String(toBigInt(hi, lo))));
    case 'targets': {
      const key = rid && String(toBigInt(rid.hi, rid.lo));
      return part.targets.some((target) => target.rid === key && (target.type ?? type) === type);
    }
    case 'agents':
      return agents?.has(event.agent.toString('hex')) === true;
    case 'ids': {
      const id = String(toBigInt(event.id.hi, event.id.lo));
      return part.ids.some((one) => one.at === event.at && one.id === id);
    }
    // Of these all events of a sheet are alike, and the statement has judged.
    case 'time':
    case 'outcomes':
      return true;
  }
}

/** Whether all events of a sheet that the statement finds are asked for. */
export const judgesSheets = (parts: readonly TrailPart[]): boolean =>
  parts.every(({ kind }) => kind === 'time' || kind === 'outcomes');

/** The `where` of a page, in the order of time. */
export function trailWhere(
  parts: readonly TrailPart[],
  params: Params,
  page: { readonly position: TrailPosition | undefined; readonly descending: boolean; readonly until: number },
): string {
  const { position, descending } = page;
  const all = [
    `e.shard = ${SHARD}`,
    `e.at <= ${params.add(page.until, 'bigint')}`,
    ...parts.map((part) => `(${partSql(part, params)})`),
  ];
  if (position) {
    const at = params.add(position.at, 'bigint');
    const sign = descending ? '<=' : '>=';
    // The first comparison alone picks the partitions.
    all.push(`e.at ${sign} ${at}`);
    const id = params.add(position.id, 'bigint');
    // Going up, a sheet that begins before the position may hold it.
    if (descending) all.push(`(e.at, e.id) <= (${at}, ${id})`);
    else all.push(`(e.at > ${at} or e.id >= ${id} or ${IS_SHEET} and ${id} - e.id < e.ver)`);
  }
  return and(all);
}
