/** Interactive transactions: everything that decides from what it reads, and bundles. DESIGN "identity lock". */
import type pg from 'pg';
import { isPatientsOwn } from '../policy/consent-writing.ts';
import type { Cipher } from '../ports/cipher.ts';
import type { AddedJob } from '../ports/jobs.ts';
import type {
  Criteria,
  NewResource,
  StoredVersion,
  StoreTransaction,
  TransactionWrite,
  WriteResult,
} from '../ports/resource-store.ts';
import { conflict } from '../standards/fhir/outcome.ts';
import { mapInTurns } from '../standards/turns.ts';
import type { Access } from './access.ts';
import type { WriteAudit } from './audit/log.ts';
import { int8Array } from './binary.ts';
import { createConsumerTransaction } from './change-feed.ts';
import { errorCode, isRetryable, UNIQUE_VIOLATION } from './database-error.ts';
import { createDispensingTransaction } from './dispensing/register.ts';
import { holdKeys, isKeyGone } from './encryption/held-keys.ts';
import type { Shield } from './encryption/shield.ts';
import { byType } from './group-commit.ts';
import { hashDomain, highLane, lowLane, toBigInt } from './hash.ts';
import type { HistoryTools } from './history.ts';
import type { Jobs } from './jobs.ts';
import { createMessageTransaction } from './message-transaction.ts';
import { type Row, type Statement, sendStatement } from './pools.ts';
import { guardWrites } from './privileged-meta.ts';
import { existing, readStatement, toVersion, vreadStatement } from './reader.ts';
import { createRequestAnswers } from './request-answers.ts';
import { resolveChains } from './search/chains.ts';
import { findCurrent } from './search/current.ts';
import { matchingRids, type Run } from './search/page.ts';
import { type NameShape, runSearch, type SearchOptions, searchStatement } from './search/search.ts';
import { createSourceTimes } from './source-times.ts';
import { createSubscriptionTransaction } from './subscriptions.ts';
import { tableOf } from './tables.ts';
import { opOf } from './versions.ts';
import { visibleHistory } from './visible-history.ts';
import { readVisible, vreadVisible } from './visible-reader.ts';
import { createWriteChecks } from './write-checks.ts';
import { insertManyStatement, type NewVersion, type OldVersion, updateStatement } from './write-sql.ts';
import { checkIfMatch, deletion, newVersion, nextVersion, oldRow, type RowBuilder, storedVersion } from './writer.ts';

const TRIES_MAX = 4;

export interface TransactionTools {
  readonly pool: pg.Pool;
  /** Whose transaction it is; `search` sees what they may. */
  readonly access: Access;
  readonly search: SearchOptions;
  readonly nameOf: NameShape;
  readonly rowOf: RowBuilder;
  readonly cipher: Cipher;
  readonly jobs: Jobs;
  /** Makes the entries of writes. */
  readonly audit: WriteAudit | undefined;
  /** Absent: nothing is stored encrypted. */
  readonly shield: Shield | undefined;
  readonly now: () => number;
}

/** Runs `work` in one transaction; the whole of it again when it lost against another. */
export async function runTransaction<T>(
  tools: TransactionTools,
  work: (tx: StoreTransaction) => Promise<T>,
): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await attempt(tools, work);
    } catch (error) {
      if (isKeyGone(error)) tools.shield?.forget();
      const again = isRetryable(error) || errorCode(error) === UNIQUE_VIOLATION || isKeyGone(error);
      if (!again) throw error;
      if (tries === TRIES_MAX)
        throw conflict('Other requests keep changing the same resources; nothing was changed, try again');
    }
  }
}

async function attempt<T>(tools: TransactionTools, work: (tx: StoreTransaction) => Promise<T>): Promise<T> {
  const client = await tools.pool.connect();
  let broken: Error | undefined;
  try {
    // The pool's connections are pipelined: `begin` travels with the first statement.
    const begun = client.query('begin');
    begun.catch(() => undefined);
    const end: TransactionEnd = { added: [], commit: undefined };
    try {
      const result = await work(createTransaction(tools, client, end));
      await begun;
      const { command } = await (end.commit ?? client.query('commit'));
      if (command !== 'COMMIT') throw new Error('the transaction had failed, and was rolled back');
      tools.jobs.announce(end.added);
      return result;
    } catch (error) {
      await client.query('rollback').catch((failed: Error) => {
        broken = failed;
      });
      throw error;
    }
  } finally {
    client.release(broken);
  }
}

interface TransactionEnd {
  /** Told of once the commit is through. */
  readonly added: AddedJob[];
  /** On its way already. */
  commit: Promise<pg.QueryResult> | undefined;
}

/** Rows of one statement: it is put together without a pause. */
const INSERT_MAX = 500;

const chunksOf = <T>(list: readonly T[], size: number): readonly (readonly T[])[] =>
  Array.from({ length: Math.ceil(list.length / size) }, (_, i) => list.slice(i * size, (i + 1) * size));

/** What is under way while others have their turn; it is seen when all is sent. */
function promised(rows: Promise<readonly Row[]>): { readonly rows: Promise<readonly Row[]> } {
  rows.catch(() => undefined);
  return { rows };
}

/** Below this many types each is locked at once: asking first would be one more statement. */
const ASK_TYPES_MIN = 3;

function createTransaction(tools: TransactionTools, client: pg.PoolClient, end: TransactionEnd): StoreTransaction {
  const { search, rowOf, access, shield } = tools;
  const { keys } = search;
  const historyTools = (): HistoryTools => ({ rids: keys.rids, cursors: search.cursors, callerKey: access.callerKey });
  const send = shield
    ? async (statement: Statement): Promise<readonly Row[]> =>
        shield.open(await sendStatement(client, statement), statement.unopened)
    : (statement: Statement): Promise<readonly Row[]> => sendStatement(client, statement);
  const run: Run = (text, values, unopened) => send(searchStatement(tools.nameOf, text, values, unopened));
  let written = false;
  /** A Consent, with whether it comes from its patient. SECURITY FA-09 */
  const given = (made: NewVersion): NewVersion => {
    const { pat, rules } = made.row;
    if (rules === undefined || !pat) return made;
    const own = (access.caller.user?.patientIds ?? []).filter((id) => isPatientsOwn(access.caller, id));
    const isByPatient = own.some((id) => keys.rids.rid(id) === toBigInt(pat.hi, pat.lo));
    return { ...made, row: { ...made.row, isByPatient } };
  };
  const audited = (made: NewVersion, old?: OldVersion): NewVersion =>
    tools.audit ? tools.audit.audited(access.caller, given(made), old?.row.pat) : given(made);

  const passed = (version: StoredVersion): StoredVersion => {
    access.belt([version]);
    return version;
  };

  function ridsOf(ids: readonly string[]): Buffer {
    const lanes = ids.flatMap((id) => {
      keys.rids.lanes(id);
      return [keys.rids.hi, keys.rids.lo];
    });
    return int8Array(lanes, ids.length);
  }

  /**
   * Those of which there is a row at all: a message brings mostly new resources, and one question tells. A row that is
   * made after it was asked for meets the insert, which fails, and the transaction is tried again.
   */
  async function withRows<G extends { readonly type: string; readonly rids: Buffer }>(
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

  async function current(writes: readonly TransactionWrite[]): Promise<Map<string, StoredVersion>> {
    const ids = new Map<string, string[]>();
    for (const write of writes) {
      if (write.kind === 'create') continue;
      const list = ids.get(write.type);
      if (list) list.push(write.id);
      else ids.set(write.type, [write.id]);
    }
    const found = new Map<string, StoredVersion>();
    // In one order, whoever writes: nobody waits in a circle.
    const groups = [...ids]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([type, list]) => ({ type, rids: ridsOf(list) }));
    const there = groups.length < ASK_TYPES_MIN ? groups : await withRows(groups);
    await all(
      there.map(async ({ type, rids }) => {
        const rows = await send({
          name: `rl:${type}`,
          text: `select id, ver, lu, op, content, pat from ${tableOf(type).main} where rid = any($1::bigint[]) order by rid for update`,
          values: [rids],
        });
        for (const row of rows) found.set(`${type}/${row[0]}`, toVersion(type, row));
      }),
    );
    return found;
  }

  return {
    async lockIdentity(criteria) {
      const locks = [...new Set(criteria.flatMap((c) => identityKeys(tools, c)))].sort((a, b) => (a < b ? -1 : 1));
      const lanes = locks.flatMap((key) => [highLane(key), lowLane(key)]);
      await send({
        name: 'lock',
        text: 'select pg_advisory_xact_lock(k) from unnest($1::bigint[]) k',
        values: [int8Array(lanes, locks.length)],
      });
    },

    async find(criteria, limit) {
      const visible = access.conditions(criteria.type, 's');
      access.checkChains(criteria.conditions);
      const conditions = await resolveChains(search, criteria.type, [...criteria.conditions, ...visible], run);
      const rows = await matchingRids(search, criteria.type, conditions, limit, run);
      return rows.map((row) => row[1] as string);
    },

    async findCurrent(criteria, limit) {
      for (const { type, conditions } of criteria) {
        access.conditions(type, 's');
        access.checkChains(conditions);
      }
      const found = await findCurrent(search, criteria, limit, run);
      access.belt(found.flat());
      return found;
    },

    async write(asked, last, beside) {
      if (written) throw new Error('a transaction writes once');
      written = true;
      await tools.audit?.admit(access.caller);
      const writes = guardWrites(access, asked);
      const checks = createWriteChecks({ search, baseUrl: search.baseUrl, rowOf }, access, writes);
      const old = await current(writes);
      await checks.checkBefore(run);
      const now = tools.now();
      const made: NewVersion[] = [];
      const changed: { readonly made: NewVersion; readonly replaced: OldVersion }[] = [];
      const create = ({ id, resource }: NewResource): WriteResult => {
        const created = newVersion(rowOf, resource.resourceType, id, resource, 1, now, 'C');
        made.push(audited(created));
        return { version: storedVersion(created), outcome: 'created' };
      };
      const results = await mapInTurns(writes, (write): WriteResult => {
        if (write.kind === 'create') return create(write);
        const reference = `${write.type}/${write.id}`;
        const before = old.get(reference);
        checkIfMatch(reference, before, write.ifMatch);
        if (write.kind === 'delete') {
          if (!before || before.operation === 'delete')
            return { version: before ?? neverExisted(write.type, write.id), outcome: 'unchanged' };
          const deleted = deletion(keys.rids, write.type, write.id, before, now);
          const replaced = { ver: before.versionId, row: oldRow(rowOf, before) };
          changed.push({ made: audited(deleted, replaced), replaced });
          return { version: storedVersion(deleted), outcome: 'deleted' };
        }
        const next = nextVersion(rowOf, write.type, write.id, before, write.change, opOf(write.operation), now);
        if (next === 'unchanged') return { version: before as StoredVersion, outcome: 'unchanged' };
        const { replaced } = next;
        if (replaced) changed.push({ made: audited(next.made, replaced), replaced });
        else made.push(audited(next.made));
        return {
          version: storedVersion(next.made),
          outcome: before && before.operation !== 'delete' ? 'updated' : 'created',
        };
      });
      const everything = beside ? [...results, ...beside(results).map(create)] : results;
      const inserts = shield ? await all(made.map((version) => shield.seal(version))) : made;
      const replacing = shield
        ? await all(changed.map(async (c) => ({ ...c, made: await shield.seal(c.made) })))
        : changed;
      const updates = replacing.map((c) => updateStatement(c.made, c.replaced));
      // Rights to what is about a new patient need the patient to be there.
      const isFirst = ({ table }: NewVersion): boolean => checks.isRestricted && table.type === 'Patient';
      if (checks.isRestricted) {
        await checks.checkReferences(results, old, run);
        await all(byType(inserts.filter(isFirst)).map(insertManyStatement).map(send));
        await checks.checkContents(results, old, run);
      }
      const rest = inserts.filter((made) => !isFirst(made));
      const held = holdKeys([...inserts, ...replacing.map(({ made }) => made)]);
      const groups = byType(rest).flatMap((of) => chunksOf(of, INSERT_MAX));
      const turn = rest.length > INSERT_MAX ? 1 : groups.length;
      const inserting = await mapInTurns(groups, (of) => promised(send(insertManyStatement(of))), turn);
      const sending = all([...inserting.map(({ rows }) => rows), ...[...updates, ...held].map(send)]);
      const ending = last?.(everything);
      if (last) {
        end.commit = client.query('commit');
        end.commit.catch(() => undefined); // seen where the transaction ends
      }
      await all<unknown>(ending ? [sending, ending] : [sending]);
      const sent = await sending;
      for (const rows of sent.slice(groups.length, groups.length + updates.length))
        if (rows[0]?.[0] !== 1) throw new Error('a locked row changed under its lock');
      return everything;
    },

    async read(type, id) {
      const conditions = access.conditions(type, 'r');
      if (conditions.length > 0) return passed(await readVisible(search, type, id, conditions, run));
      keys.rids.lanes(id);
      const [row] = await send(readStatement(tableOf(type), keys.rids.hi, keys.rids.lo));
      return passed(existing(row && row[0] === id ? toVersion(type, row) : undefined, type, id));
    },

    async vread(type, id, versionId) {
      const conditions = access.conditions(type, 'r');
      if (conditions.length > 0)
        return passed(await vreadVisible({ search, rowOf, rids: keys.rids }, type, id, versionId, conditions, run));
      keys.rids.lanes(id);
      const [row] = await send(vreadStatement(tableOf(type), keys.rids.hi, keys.rids.lo, versionId));
      const version = row && row[0] === id ? toVersion(type, row) : undefined;
      return passed(existing(version, type, `${id}/_history/${versionId}`));
    },

    async search(request) {
      access.conditions(request.type, 's');
      access.checkChains(request.conditions);
      const page = await runSearch(search, request, run);
      access.belt([...page.matches, ...page.included]);
      return page;
    },
    async history(request) {
      const page = await visibleHistory({ history: historyTools(), search, rowOf }, access, request, run);
      access.belt(page.versions);
      return page;
    },
    messages: createMessageTransaction(tools.cipher, send),
    jobs: tools.jobs.transaction(send, (jobs) => void end.added.push(...jobs)),
    consumers: createConsumerTransaction(send),
    subscriptions: createSubscriptionTransaction(send, tools.cipher, tools.now),
    sourceTimes: createSourceTimes(send, tools.now),
    requestAnswers: createRequestAnswers(send, tools.cipher, tools.now),
    dispensing: createDispensingTransaction(tools.cipher, send),
  };
}

/** Waits for all, then throws the first error: nothing is left running on a connection that goes back to the pool. */
async function all<T>(work: readonly Promise<T>[]): Promise<T[]> {
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

/** Locks for a decision: one for each identifier value named, else one for the criteria as a whole. */
function identityKeys(tools: TransactionTools, criteria: Criteria): bigint[] {
  const { hash } = tools.search.keys;
  const domain = hashDomain(hash, `identity\u0001${criteria.type}`);
  const keyOf = (text: string): bigint => {
    hash.hash(domain.hi, domain.lo, text);
    return toBigInt(hash.hi, hash.lo);
  };
  const identifiers = criteria.conditions.flatMap((c) =>
    c.kind === 'token' && c.parameter.code === 'identifier' && c.modifier === undefined
      ? c.values.map((v) => keyOf(v.code ?? ''))
      : [],
  );
  if (identifiers.length > 0) return identifiers;
  const normalised = criteria.conditions
    .map((c) =>
      JSON.stringify(c, (key, value) =>
        key === 'parameter' ? value.code : typeof value === 'bigint' ? String(value) : value,
      ),
    )
    .sort();
  return [keyOf(normalised.join('&'))];
}
