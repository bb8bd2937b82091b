/** The FHIR store on Postgres: puts the parts of this folder together. docs/decisions/0003-storage.md */
import type { Cipher } from '../ports/cipher.ts';
import type { JobTable } from '../ports/jobs.ts';
import type { Log } from '../ports/log.ts';
import type { MessageLog } from '../ports/message-log.ts';
import type { ResourceStore } from '../ports/resource-store.ts';
import type { SearchParameters, TypeParameters } from '../standards/fhir/search/parameter.ts';
import type { Extractor } from '../standards/fhir/search/sink.ts';
import { translated } from './database-error.ts';
import { createGroupCommit } from './group-commit.ts';
import { readHistory } from './history.ts';
import { createJobs } from './jobs.ts';
import { createKeys } from './keys.ts';
import { createMessageLog } from './message-log.ts';
import type { Pools } from './pools.ts';
import { createReader, existing, toVersion, vreadStatement } from './reader.ts';
import { createRidSource, type RidSource } from './rid.ts';
import { createRowBuilder } from './row.ts';
import { createCursors } from './search/cursor.ts';
import { createFrequencies, type Frequencies } from './search/frequencies.ts';
import { createRun, createShapeNames, runSearch, type SearchOptions } from './search/search.ts';
import { tableOf } from './tables.ts';
import { runTransaction } from './transaction.ts';
import { leaseWorker } from './worker.ts';
import { createWriter } from './writer.ts';

export interface StoreOptions {
  readonly pools: Pools;
  readonly parameters: SearchParameters;
  readonly extractorOf: (type: string) => Extractor;
  /** Absolute references below it are local, e.g. `http://127.0.0.1:8080/fhir/R4`. */
  readonly baseUrl: string;
  readonly pageSizeDefault: number;
  /** Names this process in the worker lease. */
  readonly holder: string;
  /** Seals raw messages. */
  readonly cipher: Cipher;
  readonly now: () => number;
  readonly log: Log;
  /** How common tokens are; from the database's own statistics unless given. */
  readonly frequencies?: Frequencies;
}

export interface OpenStore extends ResourceStore {
  readonly messages: MessageLog;
  readonly jobs: JobTable;
  /** Reads the database's statistics again: after a bulk load and ANALYZE. */
  refreshStatistics(): Promise<void>;
  close(): Promise<void>;
}

/** Opens the store of a migrated database. */
export async function openStore(options: StoreOptions): Promise<OpenStore> {
  const { pools, parameters, cipher, now, log } = options;
  const meta = new Map(
    (await pools.reads.query({ text: 'select name, value from mortar.meta', values: [] })) as [string, string][],
  );
  const secret = (name: string): Buffer => {
    const value = meta.get(name);
    if (value === undefined) throw new Error(`the database has no ${name}: its first migration is incomplete`);
    return Buffer.from(value, 'hex');
  };
  const keys = createKeys(secret('hash-key').subarray(0, 16));
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
  const rowOf = createRowBuilder({ keys, parametersOf, extractorOf: options.extractorOf, baseUrl: options.baseUrl });
  const frequencies = options.frequencies ?? createFrequencies(pools.reads, log);
  const cursors = createCursors(secret('link-key'), now);
  const search: SearchOptions = {
    keys,
    parameters,
    frequencies,
    now,
    extractorOf: options.extractorOf,
    baseUrl: options.baseUrl,
    cursors,
    pageSizeDefault: options.pageSizeDefault,
  };
  const nameOf = createShapeNames();
  const run = createRun(pools.reads, nameOf);
  const reader = createReader(pools.reads, rids);
  const writer = createWriter({ writes: pools.writes, group: createGroupCommit(pools.writes), rids, rowOf, now });
  const jobs = createJobs({ ...pools, now });
  const messages = createMessageLog({ ...pools, cipher });
  const transactions = { pool: pools.transactions, search, nameOf, rowOf, cipher, jobs, now };
  await frequencies.refresh();
  return {
    messages,
    jobs,
    newId() {
      ridSource.next();
      return rids.id(ridSource.hi, ridSource.lo);
    },
    create: (_caller, resource, id) => translated(() => writer.create(resource, id)),
    read: (_caller, type, id) => translated(async () => existing(await reader.find(type, id), type, id)),
    vread: (_caller, type, id, versionId) =>
      translated(async () => {
        rids.lanes(id);
        const [row] = await pools.reads.query(vreadStatement(tableOf(type), rids.hi, rids.lo, versionId));
        return existing(row && row[0] === id ? toVersion(type, row) : undefined, type, `${id}/_history/${versionId}`);
      }),
    update: (_caller, type, id, change, updateOptions) =>
      translated(() => writer.update(type, id, change, updateOptions)),
    delete: (_caller, type, id, ifMatch) => translated(() => writer.delete(type, id, ifMatch)),
    search: (_caller, request) => translated(() => runSearch(search, request, run)),
    history: (_caller, request) => translated(() => readHistory({ rids, cursors }, request, run)),
    transaction: (_caller, work) => translated(() => runTransaction(transactions, work)),
    refreshStatistics: () => frequencies.refresh(),
    async close() {
      frequencies.stop();
      await lease.release();
    },
  };
}
