/** The real server in this process, on a free port and a database of its own. */
import { existsSync, mkdirSync, mkdtempSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { requestOperatorToken } from '../../src/auth/oauth/operator-client.ts';
import { type Config, readConfig } from '../../src/config.ts';
import { createFhirApi } from '../../src/fhir-api.ts';
import { type ContextLog, createLog } from '../../src/log.ts';
import type { OpenStore } from '../../src/postgres/store.ts';
import { type RunningServer, type ServerOptions, startServer } from '../../src/server.ts';
import { createDatabase, type TestDatabase } from './database.ts';
import { createWatchedStream } from './log-canaries.ts';
import { makeTempFolder } from './temp-folder.ts';

export interface TestServer extends Omit<RunningServer, 'database'> {
  readonly database: TestDatabase;
  /** Of the operator: `system/*.cruds`. */
  readonly token: string;
  /** The token as a header. */
  readonly bearer: { readonly authorization: string };
}

export interface TestServerOptions extends ServerOptions {
  /** Settings other than those that make it a test server. */
  readonly env?: Readonly<Record<string, string>>;
  readonly log?: ContextLog;
}

let folder: string | undefined;

/** Starts the server; `stop` also drops the database. */
export async function startTestServer({ env, log, ...options }: TestServerOptions = {}): Promise<TestServer> {
  const database = await createDatabase();
  const server = await startServer(testConfig(database, env), log ?? testLog(), options);
  const stop = async (): Promise<void> => {
    await server.stop();
    await database.drop();
  };
  // Without the real API there is no key, and nobody to ask.
  const hasOperator = existsSync(join(server.dataDir, 'operator.key'));
  const token = hasOperator ? await operatorToken(server, options) : '';
  return { ...server, database, token, bearer: { authorization: `Bearer ${token}` }, stop };
}

/** The same, with the store that it works on, for what no route shows. */
export async function startTestServerAndStore(
  options: TestServerOptions = {},
): Promise<{ readonly server: TestServer; readonly store: OpenStore }> {
  let store: OpenStore | undefined;
  const server = await startTestServer({
    ...options,
    async createFhirApi(parts) {
      const api = await createFhirApi(parts);
      store = api.store;
      return api;
    },
  });
  if (store === undefined) throw new Error('the server opened no store');
  return { server, store };
}

/** A token by the key that the server made at its start. */
export async function operatorToken(
  { dataDir }: Pick<RunningServer, 'dataDir'>,
  { now = Date.now, ...request }: Pick<ServerOptions, 'now'> & { readonly scope?: string; readonly user?: string } = {},
): Promise<string> {
  return (await requestOperatorToken({ dataDir, now, ttlS: 86_400, ...request })).token;
}

/** What every server of a test is told: free ports, and nothing beside it that was not asked for. */
export const SERVER_SETTINGS = {
  PORT: '0',
  MLLP_PORT: '0',
  SPINE_PORT: 'off',
  PAYER_PORT: 'off',
  UNSAFE_DATABASE: 'allow', // the tests' Postgres runs with fsync=off
} as const;

/** Settings of a server on port 0 and this database. */
export function testConfig(database: TestDatabase, env: Readonly<Record<string, string>> = {}): Config {
  folder ??= makeTempFolder();
  const dataDir = mkdtempSync(join(folder, 'server-'));
  // One cache for all servers of a run: compiling the definitions takes seconds.
  const cache = join(folder, 'cache');
  mkdirSync(cache, { recursive: true });
  symlinkSync(cache, join(dataDir, 'cache'));
  return readConfig({
    ...SERVER_SETTINGS,
    DATA_DIR: dataDir,
    DATABASE_URL: databaseUrl(database),
    SHUTDOWN_TIMEOUT_MS: '1000',
    ...env,
  });
}

/** Only faults of ours, unless `LOG_LEVEL` asks for more. */
export const testLog = (): ContextLog =>
  createLog({
    level: 'debug',
    stream: createWatchedStream(readConfig({ LOG_LEVEL: 'error', ...process.env }).logLevel),
  });

/** The database as a URL, with the owner's role, as an operator would give it. */
export function databaseUrl(database: TestDatabase): string {
  const { connectionString, host, port, user, password } = database.connection('owner');
  if (connectionString !== undefined) return connectionString;
  const url = new URL(`postgresql://${user}:${String(password)}@localhost/${database.name}`);
  url.searchParams.set('host', host ?? '127.0.0.1');
  url.searchParams.set('port', String(port));
  return url.href;
}
