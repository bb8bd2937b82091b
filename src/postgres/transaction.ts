/** Interactive transactions: everything that decides from what it reads, and bundles. DESIGN "identity lock". */
import type pg from 'pg';
import type { Caller } from '../ports/caller.ts';
import type { Cipher } from '../ports/cipher.ts';
import type { AddedJob } from '../ports/jobs.ts';
import type { Criteria, StoredVersion, StoreTransaction } from '../ports/resource-store.ts';
import { conflict } from '../standards/fhir/outcome.ts';
import type { Access } from './access.ts';
import type { WriteAudit } from './audit/log.ts';
import { int8Array } from './binary.ts';
import { createConsumerTransaction } from './change-feed.ts';
import { errorCode, isRetryable, UNIQUE_VIOLATION } from './database-error.ts';
import { createDispensingTransaction } from './dispensing/register.ts';
import { isKeyGone } from './encryption/held-keys.ts';
import type { Shield } from './encryption/shield.ts';
import { hashDomain, highLane, lowLane, toBigInt } from './hash.ts';
import type { HistoryTools } from './history.ts';
import type { Jobs } from './jobs.ts';
import { createMessageTransaction } from './message-transaction.ts';
import { createNoticeTransaction } from './notices.ts';
import { type Row, type Statement, sendStatement } from './pools.ts';
import { existing, readStatement, toVersion, vreadStatement } from './reader.ts';
import { createRequestAnswers } from './request-answers.ts';
import { resolveChains } from './search/chains.ts';
import { findCurrent } from './search/current.ts';
import { matchingRids } from './search/page.ts';
import { type NameShape, runSearch, type SearchOptions, searchStatement } from './search/search.ts';
import type { Run } from './search/search-tools.ts';
import { createSharedRun, type Differences } from './search/shared-run.ts';
import { runSystemSearch } from './search/system-search.ts';
import { createSourceTimes } from './source-times.ts';
import { createSubscriptionTransaction } from './subscriptions.ts';
import { tableOf } from './tables.ts';
import { all, type Party, writeTogether } from './transaction-write.ts';
import { visibleHistory } from './visible-history.ts';
import { readVisible, vreadVisible } from './visible-reader.ts';
import type { RowBuilder } from './writer.ts';

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
  /** Another who shares the transaction. */
  readonly partyOf: (caller: Caller, rights: string) => Omit<Party, 'found'>;
  readonly differences: Differences;
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

function createTransaction(tools: TransactionTools, client: pg.PoolClient, end: TransactionEnd): StoreTransaction {
  const { search, rowOf, access, shield, audit, now } = tools;
  const { keys } = search;
  const historyTools = (): HistoryTools => ({ rids: keys.rids, cursors: search.cursors, callerKey: access.callerKey });
  const send = shield
    ? async (statement: Statement): Promise<readonly Row[]> =>
        shield.open(await sendStatement(client, statement), statement.unopened)
    : (statement: Statement): Promise<readonly Row[]> => sendStatement(client, statement);
  const run: Run = (text, values, unopened) => send(searchStatement(tools.nameOf, text, values, unopened));
  const together = createSharedRun(run, tools.differences);
  const own: Party = { access, search, found: new Set() };
  /** Others who share it, by what their rights hang on. */
  const parties = new Map<string, Party>();
  const partyOf = (caller: Caller | undefined): Party => {
    if (!caller) return own;
    const key = rightsKey(caller);
    const party = parties.get(key) ?? { ...tools.partyOf(caller, key), found: new Set() };
    parties.set(key, party);
    return party;
  };
  let written = false;
  const passed = (version: StoredVersion): StoredVersion => {
    access.belt([version]);
    return version;
  };

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
      for (const { type, conditions, caller } of criteria) {
        partyOf(caller).access.conditions(type, 's');
        partyOf(caller).access.checkChains(conditions);
      }
      const places = Map.groupBy(criteria.keys(), (i) => partyOf(criteria[i]?.caller));
      const found: (readonly StoredVersion[])[] = criteria.map(() => []);
      await all(
        [...places].map(async ([party, indices]) => {
          const asked = indices.map((i) => criteria[i] as Criteria); // a place in them
          const versions = await findCurrent(party.search, asked, limit, together);
          party.access.belt(versions.flat());
          for (const { type, id } of versions.flat()) party.found.add(`${type}/${id}`);
          for (const [n, i] of indices.entries()) found[i] = versions[n] ?? [];
        }),
      );
      return found;
    },

    async write(asked, last, beside) {
      if (written) throw new Error('a transaction writes once');
      written = true;
      const tools = { baseUrl: search.baseUrl, rids: keys.rids, rowOf, audit, shield, now, partyOf, send, together };
      return writeTogether(tools, asked, last, beside, () => {
        end.commit = client.query('commit');
        end.commit.catch(() => undefined); // seen where the transaction ends
      });
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
    async searchSystem(request) {
      const page = await runSystemSearch(search, access, request, run);
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
    notices: createNoticeTransaction(send, tools.now),
    sourceTimes: createSourceTimes(send, tools.now),
    requestAnswers: createRequestAnswers(send, tools.cipher, tools.now),
    dispensing: createDispensingTransaction(tools.cipher, send),
  };
}

const rightsKeys = new WeakMap<Caller, string>();

/** Everything about a caller but what names the one request: callers alike in it may do the same. */
function rightsKey(caller: Caller): string {
  const known = rightsKeys.get(caller);
  if (known !== undefined) return known;
  const key = JSON.stringify({ ...caller, correlationId: undefined, address: undefined });
  rightsKeys.set(caller, key);
  return key;
}

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
