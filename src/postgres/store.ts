/** The FHIR store on Postgres: puts the parts of this folder together. docs/decisions/0003-storage.md */

import type { Scan } from '../ports/bulk.ts';
import type { Caller } from '../ports/caller.ts';
import type { ChangeFeed, ChangeTail } from '../ports/change-feed.ts';
import type { Cipher } from '../ports/cipher.ts';
import type { CollectionCodes } from '../ports/collection-codes.ts';
import type { DispenseQueue } from '../ports/dispense-queue.ts';
import type { ControlledRegister, TokenAttempts } from '../ports/dispensing.ts';
import type { JobTable } from '../ports/jobs.ts';
import type { Log } from '../ports/log.ts';
import type { MessageLog } from '../ports/message-log.ts';
import type { Policy } from '../ports/policy.ts';
import type { KeptAnswers } from '../ports/request-answers.ts';
import type { ResourceStore, StoredVersion, StoreTransaction } from '../ports/resource-store.ts';
import type { SourceTimePurge } from '../ports/source-times.ts';
import type { SearchParameters, TypeParameters } from '../standards/fhir/search/parameter.ts';
import type { Condition } from '../standards/fhir/search/request.ts';
import type { Extractor } from '../standards/fhir/search/sink.ts';
import { type Access, createAccess, createReaches } from './access.ts';
import type { WriteAudit } from './audit/log.ts';
import { createChangeFeed } from './change-feed.ts';
import { readStoredConsents } from './consent-rules.ts';
import { type CustomParameterBook, createCustomParameterBook } from './custom-parameters.ts';
import { createTokenAttempts } from './dispensing/attempts.ts';
import { createCollectionCodes } from './dispensing/collection-codes.ts';
import { createDispenseQueue } from './dispensing/queue.ts';
import { createControlledRegister } from './dispensing/register.ts';
import { createKeyRotation, type KeyRotation } from './encryption/key-rotation.ts';
import { type EncryptionOptions, openEncryption } from './encryption/open-encryption.ts';
import { type ProtectedSearch, withProtectedSearch } from './encryption/protected-search.ts';
import { noteFullText } from './full-text-setting.ts';
import { createGroupCommit } from './group-commit.ts';
import { createInteractions } from './interactions.ts';
import { createJobs } from './jobs.ts';
import { createKeys } from './keys.ts';
import { createMessageLog } from './message-log.ts';
import type { Pools } from './pools.ts';
import type { ContactTools } from './protection/last-contact.ts';
import { createOwnership } from './protection/ownership.ts';
import { createRemoval, type Removal } from './protection/removal.ts';
import { createReindex, type Reindex } from './reindex.ts';
import { createKeptAnswers } from './request-answers.ts';
import { createRidSource, type RidSource } from './rid.ts';
import { createRowBuilder } from './row.ts';
import { createScan } from './scan.ts';
import { createCommonRanges } from './search/common-ranges.ts';
import { createCursors } from './search/cursor.ts';
import { createFrequencies, type Frequencies } from './search/frequencies.ts';
import { textVector } from './search/full-text.ts';
import { isMatch } from './search/judge.ts';
import { createRun, createShapeNames, type SearchOptions } from './search/search.ts';
import type { Differences } from './search/shared-run.ts';
import { createSourceTimePurge } from './source-times.ts';
import { runTransaction } from './transaction.ts';
import type { Party } from './transaction-write.ts';
import { leaseWorker } from './worker.ts';
import { createWriter, oldRow } from './writer.ts';

export interface StoreOptions {
  readonly pools: Pools;
  readonly policy: Policy;
  readonly parameters: SearchParameters;
  /** Parameters by which types outside the Patient compartment name patients: `patientParametersBeside`. */
  readonly beside: ReadonlyMap<string, readonly string[]>;
  /** Parses search parameters of a type, without controls. */
  readonly conditionsOf: (type: string, query: string) => readonly Condition[];
  readonly extractorOf: (type: string) => Extractor;
  /** Absolute references below it are local, e.g. `http://127.0.0.1:8080/fhir/R4`. */
  readonly baseUrl: string;
  readonly pageSizeDefault: number;
  /** Names this process in the worker lease. */
  readonly holder: string;
  /** Seals raw messages. */
  readonly cipher: Cipher;
  /** Elements that are stored encrypted; absent: none. */
  readonly encryption?: EncryptionOptions;
  /** Makes the entries of writes; without it writes leave none. */
  readonly audit?: WriteAudit;
  readonly now: () => number;
  readonly log: Log;
  /** How common tokens are; from the database's own statistics unless given. */
  readonly frequencies?: Frequencies;
}

export interface OpenStore extends ResourceStore {
  readonly messages: MessageLog;
  readonly jobs: JobTable;
  /** When senders last said something of resources, as far as it is old. */
  readonly sourceTimes: SourceTimePurge;
  /** For those who take much at once. */
  readonly scan: Scan;
  /** What was answered to requests that may come again. */
  readonly answers: KeptAnswers;
  /** What pharmacies have to do, what they were shown, and their controlled drugs. */
  readonly dispensing: {
    readonly queue: DispenseQueue;
    readonly attempts: TokenAttempts;
    readonly register: ControlledRegister;
    readonly codes: CollectionCodes;
  };
  /** For those who tell others of changes. */
  readonly changes: ChangeFeed & ChangeTail;
  /** What can be asked of elements that are stored encrypted; absent where there are none. */
  readonly protection?: ProtectedSearch;
  /** Rotates the keys of those elements. */
  readonly rotation?: KeyRotation;
  /** Whether the caller would find a version by these conditions, were it the current one. */
  judge(caller: Caller, version: StoredVersion, conditions: readonly Condition[]): Promise<boolean>;
  /** Makes the search values of what is stored again. */
  readonly reindex: Reindex;
  /** Where the values of posted search parameters stand. */
  readonly customParameters: CustomParameterBook;
  /** Removes whole records, at the end of their time or on request. */
  readonly removal: Removal;
  /** By which it is found when a patient was last in touch. */
  readonly contacts: ContactTools;
  /** Reads the database's statistics again: after a bulk load and ANALYZE. */
  refreshStatistics(): Promise<void>;
  close(): Promise<void>;
}

/** Opens the store of a migrated database. */
export async function openStore(options: StoreOptions): Promise<OpenStore> {
  const { parameters, cipher, audit, now, log } = options;
  const encryption =
    options.encryption && (await openEncryption(options.encryption, { pools: options.pools, parameters, now, log }));
  const { shield, search: protection } = encryption ?? {};
  const pools = encryption?.pools ?? options.pools;
  const meta = new Map(
    (await pools.reads.query({ text: 'select name, value from mortar.meta', values: [] })) as [string, string][],
  );
  const secret = (name: string): Buffer => {
    const value = meta.get(name);
    if (value === undefined) throw new Error(`the database has no ${name}: its first migration is incomplete`);
    return Buffer.from(value, 'hex');
  };
  const keys = createKeys(secret('hash-key').subarray(0, 16), encryption?.blind);
  const { rids } = keys;
  let source: RidSource | undefined;
  const lease = await leaseWorker(pools.writes, options.holder, () => source?.lastMs ?? 0, log);
  const ridSource = createRidSource(lease.number, now, lease.notBeforeMs);
  source = ridSource;
  const parametersOf = (type: string): TypeParameters => {
    const found = parameters.get(type);
    if (!found) throw new Error(`no search parameters for type ${type}`);
    return found;
  };
  const rowOf = createRowBuilder({
    keys,
    parametersOf,
    extractorOf: options.extractorOf,
    baseUrl: options.baseUrl,
    ...(encryption && { protectedAtomsOf: encryption.protectedAtomsOf }),
    // Where elements of a type are stored encrypted, its narrative may repeat what they say.
    ...(parameters.fullText !== undefined && {
      textOf: (resource, type) =>
        encryption?.elements.has(type) ? undefined : textVector(resource, parameters.fullText === 'all'),
    }),
  });
  const frequencies = options.frequencies ?? createFrequencies(pools.reads, log);
  const cursors = createCursors(secret('link-key'), now);
  const olderRows = { remain: true };
  const searchTools = {
    keys,
    parameters,
    frequencies,
    commonRanges: createCommonRanges(now),
    olderRows,
    now,
    beside: options.beside,
    ...(encryption && { sealedTargets: encryption.sealedTargets }),
    extractorOf: options.extractorOf,
    baseUrl: options.baseUrl,
    cursors,
    pageSizeDefault: options.pageSizeDefault,
    rowOf,
  };
  const conditionsOf: StoreOptions['conditionsOf'] = protection
    ? (type, query) => options.conditionsOf(type, query).map(protection.rewrite)
    : options.conditionsOf;
  const accessOf = createAccess({ policy: options.policy, parameters, conditionsOf, log });
  const reachOf = createReaches(now);
  const nameOf = createShapeNames();
  const run = createRun(pools.reads, nameOf);
  const writer = createWriter({
    writes: pools.writes,
    group: createGroupCommit(pools.writes),
    rids,
    rowOf,
    audit,
    shield,
    now,
  });
  const jobs = createJobs({ writes: pools.writes, session: options.pools.session, now });
  const messages = createMessageLog({ ...pools, cipher });
  const toolsOf = (access: Access): SearchOptions => ({
    ...searchTools,
    visible: access.visible,
    // Its key is made when it is asked for: reads have no use for it.
    asker: access,
  });
  const partyOf = (access: Access): Omit<Party, 'found'> => ({ access, search: toolsOf(access) });
  const differences: Differences = new Map();
  const inTransaction = <T>(access: Access, work: (tx: StoreTransaction) => Promise<T>): Promise<T> =>
    runTransaction(
      {
        pool: pools.transactions,
        ...partyOf(access),
        partyOf: (caller, key) => partyOf(accessOf(caller, reachOf(key))),
        nameOf,
        differences,
        rowOf,
        cipher,
        jobs,
        audit,
        shield,
        now,
      },
      work,
    );
  await frequencies.refresh();
  if (
    await noteFullText(
      pools,
      [parameters.fullText ?? 'off', 'contained', ...(encryption?.elements.keys() ?? [])],
      now(),
    )
  )
    log.info('FULL_TEXT is another than before: what is stored follows in the background');
  const reindex = createReindex({ pools, parameters, rowOf, shield, now, ridOf: rids.rid, olderRows });
  const remade = await reindex.status();
  olderRows.remain = remade !== undefined && remade.finished === undefined;
  await readStoredConsents(pools.transactions, rowOf, async (rows) => (shield ? shield.open(rows) : rows));
  const removal = createRemoval({
    pools,
    reads: pools.reads,
    rawReads: options.pools.reads,
    keys,
    parametersOf,
    ownership: createOwnership({ parametersOf, extractorOf: options.extractorOf, baseUrl: options.baseUrl }),
    baseUrl: options.baseUrl,
    cipher,
    conditionsOf,
    isMatch: (version, conditions) =>
      isMatch({ ...searchTools, visible: () => [] }, (v) => oldRow(rowOf, v), version, conditions, run),
    rowOf,
    shield,
    writer,
    dataKeys: encryption?.keys,
  });
  const store: OpenStore = {
    messages,
    jobs,
    sourceTimes: createSourceTimePurge(pools),
    answers: createKeptAnswers(pools, cipher),
    dispensing: {
      queue: createDispenseQueue({ ...pools, now }),
      attempts: createTokenAttempts(pools),
      register: createControlledRegister(pools, cipher),
      codes: createCollectionCodes(pools),
    },
    changes: createChangeFeed({ writes: pools.writes, run }),
    scan: createScan({
      writes: pools.writes,
      run,
      ...(shield && { rawRun: createRun(options.pools.reads, nameOf) }),
      toolsOf: (caller) => toolsOf(accessOf(caller)),
      checked: (caller, type) => accessOf(caller).conditions(type, 's'),
      history: (caller, request) => store.history(caller, request),
      rewrite: protection?.rewrite ?? ((condition) => condition),
    }),
    removal,
    reindex,
    customParameters: createCustomParameterBook({
      pools,
      rowOf,
      shield,
      worker: lease.number,
      holder: options.holder,
    }),
    contacts: { reads: pools.reads, keys, parametersOf },
    ...(encryption && {
      protection: encryption.search,
      rotation: createKeyRotation({ ...encryption, pools: options.pools, rowOf, now }),
    }),
    newId() {
      ridSource.next();
      return rids.id(ridSource.hi, ridSource.lo);
    },
    ...createInteractions({
      reads: pools.reads,
      rids,
      rowOf,
      writer,
      cursors,
      run,
      accessOf,
      toolsOf,
      inTransaction,
      protection,
    }),
    refreshStatistics: () => frequencies.refresh(),
    async close() {
      frequencies.stop();
      await lease.release();
    },
  };
  return protection ? withProtectedSearch(store, protection) : store;
}
