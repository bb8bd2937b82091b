/**
 * What a transaction writes: rows are locked, the rights of everybody who writes are judged, and all statements travel
 * together. SECURITY AZ-05, AU-06
 */
import { isPatientsOwn } from '../policy/consent-writing.ts';
import type { Caller } from '../ports/caller.ts';
import type { NewResource, Resource, StoredVersion, TransactionWrite, WriteResult } from '../ports/resource-store.ts';
import { mapInTurns } from '../standards/turns.ts';
import type { Access } from './access.ts';
import type { WriteAudit } from './audit/log.ts';
import { int8Array } from './binary.ts';
import { CUSTOM_TYPE } from './custom-store.ts';
import type { Shield } from './encryption/shield.ts';
import { toBigInt } from './hash.ts';
import { isKnownType } from './known-profiles.ts';
import { letMoreTokensWait, MANY_WRITES } from './pending-tokens.ts';
import type { Row, Statement } from './pools.ts';
import { guardWrites } from './privileged-meta.ts';
import { toVersion } from './reader.ts';
import type { RidCodec } from './rid.ts';
import type { SearchRow } from './row.ts';
import type { SearchOptions } from './search/search.ts';
import type { Run } from './search/search-tools.ts';
import { tableOf } from './tables.ts';
import { opOf } from './versions.ts';
import { createWriteChecks, type WriteChecks } from './write-checks.ts';
import { createWriteSender } from './write-sender.ts';
import type { NewVersion, OldVersion } from './write-sql.ts';
import {
  checkIfMatch,
  deletion,
  newVersion,
  nextVersion,
  oldRow,
  type RowBuilder,
  type RowOfVersion,
  storedVersion,
} from './writer.ts';

/** One of those whose transaction it is; `search` sees what they may. */
export interface Party {
  readonly access: Access;
  readonly search: SearchOptions;
  /** `Type/id` of what was found for them in this transaction. */
  readonly found: Set<string>;
}

export interface WriteTools {
  readonly baseUrl: string;
  readonly rids: RidCodec;
  readonly rowOf: RowBuilder;
  readonly audit: WriteAudit | undefined;
  readonly shield: Shield | undefined;
  readonly now: () => number;
  readonly partyOf: (caller: Caller | undefined) => Party;
  readonly send: (statement: Statement) => Promise<readonly Row[]>;
  /** What is asked in the same tick in the same words goes as one. */
  readonly together: Run;
}

/** Below this many types each is locked at once: asking first would be one more statement. */
const ASK_TYPES_MIN = 3;
/** Writes that are made ready at once: some milliseconds. */
const TURN = 16;

/** Those who keep what is defined read it from the results. */
const isDefinition = (type: string): boolean => isKnownType(type) || type === CUSTOM_TYPE;

/** The checks of one party, and which of the writes are its own. */
interface PartyChecks {
  readonly places: readonly number[];
  readonly checks: WriteChecks;
}

/** `StoreTransaction.write`; `commit` sends the commit, after all else has been sent. */
export async function writeTogether(
  tools: WriteTools,
  asked: readonly TransactionWrite[],
  last: ((results: readonly WriteResult[]) => Promise<void>) | undefined,
  beside: ((results: readonly WriteResult[]) => readonly NewResource[]) | undefined,
  commit: () => void,
): Promise<readonly WriteResult[]> {
  const { audit, shield, rowOf, partyOf, together, send } = tools;
  const whoOf = (caller: Caller | undefined): Caller => caller ?? partyOf(undefined).access.caller;
  const admit = (of: readonly { readonly caller?: Caller }[]) =>
    all([...new Set(of.map(({ caller }) => whoOf(caller)))].map(async (caller) => audit?.admit(caller)));
  await admit(asked);
  const writes = asked.flatMap((write) => guardWrites(partyOf(write.caller).access, [write]));
  /** Made for the writing, and asked for again where rights are judged. */
  const rows = new Map<StoredVersion, SearchRow>();
  const judges = judgesOf(tools, writes, (version) => rows.get(version) ?? oldRow(rowOf, version));
  const isRestricted = judges.some(({ checks }) => checks.isRestricted);
  const stored = (made: NewVersion): StoredVersion => {
    const version = storedVersion(made);
    if (isRestricted) rows.set(version, made.row);
    return version;
  };
  if (writes.length >= MANY_WRITES) await send(letMoreTokensWait);
  const old = await lockCurrent(tools, writes);
  await all(judges.map(({ checks }) => checks.checkBefore(together)));
  const now = tools.now();
  const sender = createWriteSender({ send, shield, isEarly: !isRestricted });
  const audited = (caller: Caller | undefined, version: NewVersion, replaced?: OldVersion): NewVersion => {
    const given = withGiver(tools.rids, whoOf(caller), version);
    return audit ? audit.audited(whoOf(caller), given, replaced?.row.pat) : given;
  };
  /** Without its content, where that is not asked for. */
  const shortened = ({ isBrief, type }: { isBrief?: boolean; type: string }, version: StoredVersion): StoredVersion =>
    isBrief === true && !isRestricted && !isDefinition(type) ? { ...version, content: '' } : version;
  const create = (id: string, resource: Resource, caller: Caller | undefined): WriteResult => {
    const created = newVersion(rowOf, resource.resourceType, id, resource, 1, now, 'C');
    sender.insert(audited(caller, created));
    return { version: stored(created), outcome: 'created' };
  };
  const writeOne = (write: TransactionWrite): WriteResult => {
    if (write.kind === 'create') return create(write.id, write.resource, write.caller);
    if (write.kind === 'make') {
      const { version, outcome } = create(write.id, write.make(), write.caller);
      return { version: shortened(write, version), outcome };
    }
    const reference = `${write.type}/${write.id}`;
    const before = old.get(reference);
    checkIfMatch(reference, before, write.ifMatch);
    if (write.kind === 'delete') {
      if (!before || before.operation === 'delete')
        return { version: before ?? neverExisted(write.type, write.id), outcome: 'unchanged' };
      const deleted = deletion(tools.rids, write.type, write.id, before, now);
      const replaced = { ver: before.versionId, row: oldRow(rowOf, before) };
      sender.replace({ made: audited(write.caller, deleted, replaced), replaced });
      return { version: storedVersion(deleted), outcome: 'deleted' };
    }
    const next = nextVersion(rowOf, write.type, write.id, before, write.change, opOf(write.operation), now);
    if (next === 'unchanged') return { version: shortened(write, before as StoredVersion), outcome: 'unchanged' };
    const { replaced } = next;
    if (replaced) sender.replace({ made: audited(write.caller, next.made, replaced), replaced });
    else sender.insert(audited(write.caller, next.made));
    return {
      version: shortened(write, stored(next.made)),
      outcome: before && before.operation !== 'delete' ? 'updated' : 'created',
    };
  };
  const writeOrLeave = (write: TransactionWrite): WriteResult => {
    if (write.kind === 'create' || write.kind === 'delete' || !write.leaveOut) return writeOne(write);
    try {
      return writeOne(write);
    } catch (error) {
      if (!write.leaveOut(error)) throw error;
      return { version: neverExisted(write.type, write.id), outcome: 'left-out' };
    }
  };
  try {
    const results = await mapInTurns(writes, writeOrLeave, TURN, () => sender.room());
    const more = beside?.(results) ?? [];
    if (more.length > 0) await admit(more);
    const everything = [...results, ...more.map(({ id, resource, caller }) => create(id, resource, caller))];
    if (isRestricted) {
      const own = (places: readonly number[]): WriteResult[] => places.map((i) => results[i] as WriteResult); // one a write
      await all(judges.map(({ checks, places }) => checks.checkReferences(own(places), old, together)));
      // Rights to what is about a new patient need the patient to be there.
      await sender.flush('Patient');
      await sender.settled();
      await all(judges.map(({ checks, places }) => checks.checkContents(own(places), old, together)));
    }
    const sending = sender.finish();
    if (sending) await sending;
    const ending = last?.(everything);
    if (last) commit();
    await all<unknown>(ending ? [sender.settled(), ending] : [sender.settled()]);
    return everything;
  } catch (error) {
    // Nothing is left running on a connection that goes back to the pool; what was asked first is told.
    await sender.settled();
    throw error;
  }
}

function judgesOf(
  { partyOf, baseUrl }: WriteTools,
  writes: readonly TransactionWrite[],
  rowOf: RowOfVersion,
): PartyChecks[] {
  const places = Map.groupBy(writes.keys(), (i) => partyOf(writes[i]?.caller));
  return [...places].map(([{ access, search, found }, own]) => ({
    places: own,
    checks: createWriteChecks(
      { search, baseUrl, rowOf, found },
      access,
      own.map((i) => writes[i] as TransactionWrite), // a place in them
    ),
  }));
}

/** A Consent, with whether it comes from its patient. SECURITY FA-09 */
function withGiver(rids: RidCodec, caller: Caller, made: NewVersion): NewVersion {
  const { pat, rules } = made.row;
  if (rules === undefined || !pat) return made;
  const own = (caller.user?.patientIds ?? []).filter((id) => isPatientsOwn(caller, id));
  const isByPatient = own.some((id) => rids.rid(id) === toBigInt(pat.hi, pat.lo));
  return { ...made, row: { ...made.row, isByPatient } };
}

/** The current versions of what is changed, by `Type/id`, locked. */
async function lockCurrent(
  { rids, together, send }: WriteTools,
  writes: readonly TransactionWrite[],
): Promise<Map<string, StoredVersion>> {
  const ids = new Map<string, string[]>();
  for (const write of writes) {
    if (write.kind === 'create' || write.kind === 'make') continue;
    const list = ids.get(write.type);
    if (list) list.push(write.id);
    else ids.set(write.type, [write.id]);
  }
  const found = new Map<string, StoredVersion>();
  // In one order, whoever writes: nobody waits in a circle.
  const groups = [...ids]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([type, list]) => ({ type, rids: ridsOf(rids, list) }));
  const there = groups.length < ASK_TYPES_MIN ? groups : await withRows(together, groups);
  await all(
    there.map(async (group) => {
      const rows = await send({
        name: `rl:${group.type}`,
        text: `select id, ver, lu, op, content, pat from ${tableOf(group.type).main} where rid = any($1::bigint[]) order by rid for update`,
        values: [group.rids],
      });
      for (const row of rows) found.set(`${group.type}/${row[0]}`, toVersion(group.type, row));
    }),
  );
  return found;
}

/**
 * Those of which there is a row at all: a message brings mostly new resources, and one question tells. A row that is
 * made after it was asked for meets the insert, which fails, and the transaction is tried again.
 */
async function withRows<G extends { readonly type: string; readonly rids: Buffer }>(
  run: Run,
  groups: readonly G[],
): Promise<G[]> {
  const parts = groups.map(
    ({ type }, i) => `(select ${i} from ${tableOf(type).main} where rid = any($${i + 1}::bigint[]) limit 1)`,
  );
  const rows = await run(
    parts.join('\nunion all\n'),
    groups.map(({ rids }) => rids),
  );
  return rows.flatMap(([i]) => groups[i as number] ?? []);
}

function ridsOf(rids: RidCodec, ids: readonly string[]): Buffer {
  const lanes = ids.flatMap((id) => {
    rids.lanes(id);
    return [rids.hi, rids.lo];
  });
  return int8Array(lanes, ids.length);
}

/** Waits for all, then throws the first error: nothing is left running on a connection that goes back to the pool. */
export async function all<T>(work: readonly Promise<T>[]): Promise<T[]> {
  const settled = await Promise.allSettled(work);
  return settled.map((s) => {
    if (s.status === 'rejected') throw s.reason;
    return s.value;
  });
}

const neverExisted = (type: string, id: string): StoredVersion => ({
  type,
  id,
  versionId: 0,
  lastUpdated: 0,
  operation: 'delete',
  content: '',
});
