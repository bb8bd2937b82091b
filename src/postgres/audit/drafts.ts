/** Events as the fields of entries, before an entry has its number. SECURITY AU-05, AU-15 */
import type { AuditEvent } from '../../ports/audit.ts';
import type { Caller } from '../../ports/caller.ts';
import { escapeControls } from '../../standards/fhir/audit-event/escape-controls.ts';
import { highLane, lowLane } from '../hash.ts';
import type { Lanes } from '../keys.ts';
import type { RidCodec } from '../rid.ts';
import { findTable } from '../tables.ts';
import type { Agents } from './agents.ts';
import { type EntryFields, SHARD } from './entry.ts';
import { kindNumber } from './kinds.ts';

/** What of the trail is kept sealed: it may name a person. */
export interface EntryDetail {
  readonly query?: string;
  readonly detail?: Readonly<Record<string, string>>;
  /** Of an event with several: `Type/id` or `Type/id/_history/2`. */
  readonly targets?: readonly string[];
}

/** An entry without its instant and number, to which a sealed detail is bound. */
export interface EntryDraft extends Omit<EntryFields, 'at' | 'id' | 'detail'> {
  readonly detail: EntryDetail | undefined;
}

/** Of an entry, what is the caller's. */
export type CallerFields = Pick<EntryFields, 'agent' | 'purpose' | 'correlation' | 'address' | 'token'>;

const PATIENTS_MAX = 10_000;
const TARGETS_MAX = 1000;
const QUERY_MAX = 8192;
const DETAILS_MAX = 50;

export function callerFields(agents: Agents, caller: Caller): CallerFields {
  return {
    agent: agents.idOf(caller),
    purpose: clean(caller.purpose, 32),
    correlation: clean(caller.correlationId, 128),
    address: clean(caller.address, 64),
    token: clean(caller.tokenId, 64),
  };
}

export function draftOf(event: AuditEvent, agents: Agents, rids: RidCodec): EntryDraft {
  const { targets = [], caller } = event;
  const [target] = targets.length === 1 ? targets : [];
  const table = target && findTable(target.type);
  let rid: Lanes | undefined;
  if (table && target) {
    rids.lanes(target.id);
    rid = { hi: rids.hi | 0, lo: rids.lo | 0 };
  }
  const patients = patientsOf(event, rids);
  return {
    shard: SHARD,
    kind: kindNumber(event.kind),
    outcome: event.outcome,
    type: table?.number ?? findTable(event.type ?? targets[0]?.type ?? '')?.number,
    rid,
    ver: target?.versionId,
    ref: rid && rid.hi < 0 ? clean(target?.id, 64) : undefined,
    pat: patients.length === 1 ? patients[0] : undefined,
    pats: patients.length > 1 ? patients : undefined,
    rule: clean(event.rule, 256),
    operation: clean(event.operation, 64),
    detail: detailOf(event, targets.length > 1 || (target !== undefined && !table)),
    ...callerFields(agents, caller),
  };
}

const clean = (text: string | undefined, max: number): string | undefined =>
  text === undefined ? undefined : escapeControls(text, max);

function patientsOf({ targets = [], patientRids, patientId }: AuditEvent, rids: RidCodec): Lanes[] {
  const found = new Set<string>(patientRids?.slice(0, PATIENTS_MAX));
  for (const { patientRid } of targets)
    if (patientRid !== undefined && found.size < PATIENTS_MAX) found.add(patientRid);
  if (found.size === 0 && patientId !== undefined) found.add(String(rids.rid(patientId)));
  return [...found].map((text) => {
    const value = BigInt(text);
    return { hi: highLane(value), lo: lowLane(value) };
  });
}

function detailOf(event: AuditEvent, withTargets: boolean): EntryDetail | undefined {
  const details = Object.entries(event.detail ?? {}).slice(0, DETAILS_MAX);
  if (event.query === undefined && details.length === 0 && !withTargets) return undefined;
  return {
    ...(event.query !== undefined && { query: escapeControls(event.query, QUERY_MAX) }),
    ...(details.length > 0 && {
      detail: Object.fromEntries(details.map(([name, value]) => [escapeControls(name, 64), escapeControls(value)])),
    }),
    ...(withTargets && {
      targets: (event.targets ?? [])
        .slice(0, TARGETS_MAX)
        .map(({ type, id, versionId }) =>
          escapeControls(`${type}/${id}${versionId === undefined ? '' : `/_history/${versionId}`}`),
        ),
    }),
  };
}
