/** Connections: pipelined ones for single statements and batches, a normal pool for interactive transactions. */
import type { Duplex } from 'node:stream';
import pg from 'pg';
import type { Log } from '../ports/log.ts';
import { tooCostly } from '../standards/fhir/outcome.ts';
import { createLanes } from './lanes.ts';
import { PENDING_KIB } from './pending-tokens.ts';

export interface Statement {
  /** Prepared once a connection under this name; absent for shapes too many to keep. */
  readonly name?: string;
  readonly text: string;
  readonly values: readonly unknown[];
  /** Most UTF-16 units of text the rows may hold together; beyond it the statement fails with `tooCostly`. */
  readonly textMax?: number;
  /** What becomes of sealed values that cannot be opened; they are errors unless it says otherwise. */
  readonly unopened?: Unopened;
}

/** In pages of many rows such a text is empty, and the reader leaves the row out. */
export type Unopened = 'as-empty';

/** Rows as arrays, in the order of the select list. */
export type Row = readonly unknown[];

export interface Pipeline {
  query(statement: Statement): Promise<readonly Row[]>;
  /** Sends all on one connection without waiting; resolves to the rows of each, rejects with the first error. */
  batch(statements: readonly Statement[]): Promise<readonly (readonly Row[])[]>;
}

export interface Pools {
  readonly reads: Pipeline;
  readonly writes: Pipeline;
  /** Reads that no request waits for, on one connection: they keep no search waiting. */
  readonly background: Pipeline;
  /** For interactive transactions. */
  readonly transactions: pg.Pool;
  /** A connection of its own, not yet open, that ends with the others. */
  session(): pg.Client;
  /** Connections in use and waiting, for metrics. */
  stats(): { readonly total: number; readonly idle: number; readonly waiting: number };
  end(): Promise<void>;
}

export interface PoolOptions {
  readonly connection: pg.ClientConfig;
  readonly readConnections: number;
  readonly writeConnections: number;
  readonly transactionConnections: number;
  readonly log: Log;
}

const CONNECT_TIMEOUT_MS = 5_000;
const SEARCH_TIMEOUT_MS = 15_000;
const TRANSACTION_TIMEOUT_MS = 30_000;
/**
 * Everything is found by an index, and is planned once: a plan of the day when a table was empty reads all of it ever
 * after, as the queue of jobs, which is empty again and again.
 */
const KEYED_PLANS = ' -c enable_seqscan=off -c plan_cache_mode=force_generic_plan';

export function createPools(options: PoolOptions): Pools {
  // Compiling a search to machine code takes longer than any search we let run; costs of filters lead the planner there.
  const settings = (timeoutMs: number, extra = ''): pg.ClientConfig => ({
    ...options.connection,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    application_name: 'mortar',
    options: `-c statement_timeout=${timeoutMs} -c idle_in_transaction_session_timeout=${timeoutMs} -c search_path=pg_catalog -c jit=off -c gin_pending_list_limit=${PENDING_KIB}${extra}`,
  });
  const sessions = new Set<pg.Client>();
  // Searches: the server chooses the driving index by the shape of the statement, so one plan a shape is right, and
  // planning each time costs more than most searches take.
  const reads = createPipeline(settings(SEARCH_TIMEOUT_MS, KEYED_PLANS), options.readConnections, options.log);
  const writes = createPipeline(settings(TRANSACTION_TIMEOUT_MS, KEYED_PLANS), options.writeConnections, options.log);
  const background = createPipeline(settings(TRANSACTION_TIMEOUT_MS, KEYED_PLANS), 1, options.log);
  const transactions = new pg.Pool({
    ...settings(TRANSACTION_TIMEOUT_MS, KEYED_PLANS),
    pipeline: true,
    max: options.transactionConnections,
    idleTimeoutMillis: 30_000,
  });
  // The pool listens while a connection is idle; one that ends while it is in use must not end the process.
  transactions.on('connect', (client) => client.on('error', () => undefined));
  transactions.on('error', (error) => options.log.warn('an idle database connection ended', { cause: error.message }));
  return {
    reads,
    writes,
    background,
    transactions,
    session() {
      const client = new pg.Client({ ...settings(0), keepAlive: true });
      // Whoever asked for it hears of its end; an error must not end the process.
      client.on('error', () => undefined);
      sessions.add(client);
      client.on('end', () => sessions.delete(client));
      return client;
    },
    stats: () => ({
      total: transactions.totalCount + reads.size() + writes.size() + background.size(),
      idle: transactions.idleCount,
      waiting: transactions.waitingCount,
    }),
    async end() {
      await Promise.all([
        reads.end(),
        writes.end(),
        background.end(),
        transactions.end(),
        ...[...sessions].map((client) => client.end()),
      ]);
    },
  };
}

interface ManagedPipeline extends Pipeline {
  size(): number;
  end(): Promise<void>;
}

/** Pipelined connections; a broken one is replaced when there is work for it. */
function createPipeline(config: pg.ClientConfig, size: number, log: Log): ManagedPipeline {
  const lanes = createLanes({
    size,
    async open(lost) {
      const client = new pg.Client({ ...config, pipeline: true });
      client.on('error', (error) => {
        log.warn('a database connection ended', { cause: error.message });
        lost();
      });
      client.on('end', lost);
      try {
        await client.connect();
      } catch (error) {
        client.end().catch(() => undefined);
        throw error;
      }
      return client;
    },
  });
  return {
    size: lanes.size,
    query: (statement) => lanes.run((on) => sendStatement(on, statement)),
    batch: (statements) =>
      lanes.run(async (on) => {
        const settled = await Promise.allSettled(statements.map((statement) => sendStatement(on, statement)));
        const failed = settled.find((s) => s.status === 'rejected');
        if (failed) throw failed.reason;
        return settled.map((s) => (s as PromiseFulfilledResult<readonly Row[]>).value); // none is rejected
      }),
    async end() {
      await Promise.all((await lanes.end()).map((client) => client.end()));
    },
  };
}

/** Sends one statement and reads its rows as arrays. */
export async function sendStatement(on: pg.ClientBase, statement: Statement): Promise<readonly Row[]> {
  const { name, text, values, textMax } = statement;
  const limit = textMax === undefined ? undefined : createTextLimit(textMax);
  holdWrites(on);
  const query = {
    ...(name !== undefined && { name }),
    text,
    values: values as unknown[],
    rowMode: 'array' as const,
    ...(limit && { types: limit.types }),
  };
  // By a callback: the promises of `pg` lead from each query to the next, so that one dead query in the old heap keeps the
  // rows of all that follow it from every collection of the young one.
  const result = await new Promise<pg.QueryArrayResult>((resolve, reject) => {
    on.query(query, (error: Error | null, found: pg.QueryArrayResult) => (error ? reject(error) : resolve(found)));
  });
  if (limit?.isOver()) throw tooLargePage(textMax as number); // it has a limit
  return result.rows;
}

/** Streams that are held until the end of the tick. */
const held = new WeakSet<Duplex>();

/** All statements of one tick leave in one system call, instead of one each. */
function holdWrites(on: pg.ClientBase): void {
  const stream = (on as { connection?: { stream?: Duplex } }).connection?.stream;
  if (!stream || held.has(stream)) return;
  held.add(stream);
  stream.cork();
  process.nextTick(() => {
    held.delete(stream);
    stream.uncork();
  });
}

const TEXT_OID = 25;
const INT8_OID = 20;

// A bigint stays the text it is: `pg` gives it as text too, but looks at each of its digits first.
pg.types.setTypeParser(INT8_OID, (text) => text);

/** Lets go of text while it arrives, once there is too much: a page of large resources must not fill the memory. */
function createTextLimit(max: number): { readonly types: pg.CustomTypesConfig; isOver(): boolean } {
  let length = 0;
  const count = (text: string): string => {
    length += text.length;
    return length > max ? '' : text;
  };
  return {
    isOver: () => length > max,
    types: {
      getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
        oid === TEXT_OID && format !== 'binary'
          ? count
          : pg.types.getTypeParser(oid, format as 'text')) as typeof pg.types.getTypeParser,
    },
  };
}

const tooLargePage = (max: number): Error =>
  tooCostly(
    `The answer would be larger than ${Math.floor(max / 1024 / 1024)} MiB: ask for fewer resources with _count, or for parts of them with _elements`,
  );
