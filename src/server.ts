/** Composition root: builds everything once, in the order it is needed, and takes it down in the other. */
import { accessSync, constants, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type pg from 'pg';
import { type Certificates, openCertificates } from './certificates.ts';
import type { Config } from './config.ts';
import { hostInUrl, listenAddresses } from './config-checks.ts';
import { loadDefinitions } from './definitions-cache.ts';
import { createFhirApi, type FhirApi } from './fhir-api.ts';
import type { FhirParts } from './fhir-store.ts';
import type { Gateway } from './gateway.ts';
import type { Identity } from './identity.ts';
import { ListenError } from './listen-error.ts';
import { type LocalPayer, openLocalPayer, withLocalPayer } from './local-payer.ts';
import { type LocalSpine, openLocalSpine } from './local-spine.ts';
import type { ContextLog } from './log.ts';
import type { AuditLog } from './ports/audit.ts';
import type { Clock } from './ports/clock.ts';
import { checkDatabaseClock } from './postgres/database-clock.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from './postgres/embedded.ts';
import { prepareDatabase } from './postgres/migrate.ts';
import { createPools } from './postgres/pools.ts';
import { StartError } from './postgres/start-error.ts';
import { createAddressOf } from './rest/address.ts';
import { createDoorLimiter } from './rest/door-limits.ts';
import { createGuard } from './rest/guard.ts';
import { type HttpServer, listen, type RequestHandler } from './rest/http-server.ts';
import { createMetrics } from './rest/metrics.ts';
import { createOperatorAccess } from './rest/operator-access.ts';
import { createRateLimits } from './rest/rate-limit.ts';
import { createReadiness } from './rest/readiness.ts';
import { sendOutcome } from './rest/send-outcome.ts';
import { createShell, type ServerStatus } from './rest/shell.ts';
import { unavailable } from './standards/fhir/outcome.ts';

export type CreateFhirApi = (parts: FhirParts) => FhirApi | Promise<FhirApi>;

export interface ServerOptions {
  readonly createFhirApi?: CreateFhirApi;
  readonly now?: Clock;
  readonly migrationsDir?: string;
  /** Aborted when the process is told to stop before the start has come to its end. */
  readonly signal?: AbortSignal;
}

export interface RunningServer {
  /** How clients reach the server, without a trailing slash. */
  readonly url: string;
  readonly fhirBaseUrl: string;
  readonly port: number;
  /** Where TLS is spoken; undefined when it is not. */
  readonly httpsPort: number | undefined;
  /** Where HL7 v2 senders connect; undefined when the listener is off. */
  readonly mllpPort: number | undefined;
  /** Where partners send HL7 v2 over mutual TLS; undefined when that listener is off. */
  readonly mllpsPort: number | undefined;
  /** Where people sign in with smart cards; undefined when that listener is off. */
  readonly cardPort: number | undefined;
  /** The Spine that was started with the server; undefined where there is another, or none. */
  readonly spine: Pick<LocalSpine, 'url' | 'stateUrl' | 'remark'> | undefined;
  /** The payer that was started with the server; undefined where there is another, or none. */
  readonly payer: Pick<LocalPayer, 'url' | 'remark'> | undefined;
  readonly dataDir: string;
  /** In words, for the operator. */
  readonly database: string;
  /** Milliseconds each phase of the start took. */
  readonly phasesMs: Readonly<Record<string, number>>;
  /** A one-time link to make the first administrator; undefined when there is one. Shown to the operator, never logged. */
  readonly setupLink: string | undefined;
  loadDemo(): Promise<string>;
  /** Graceful: says not ready, ends requests under way, then the pools, the embedded Postgres last. Safe to call twice. */
  stop(): Promise<void>;
  /** Tells the embedded Postgres to end without waiting for it, for a process that is about to exit. */
  requestStop(): void;
}

const MIGRATIONS = join(import.meta.dirname, '../migrations');
const FHIR_PATH = '/fhir/R4';

/** Starts the server. Rejects with `ListenError`, `StartError` or the signal's reason, and then nothing is left running. */
export async function startServer(
  config: Config,
  log: ContextLog,
  options: ServerOptions = {},
): Promise<RunningServer> {
  await using stack = new AsyncDisposableStack();
  const phases = createPhases();
  const now = options.now ?? Date.now;
  const dataDir = makeDataDir(config.dataDir);

  const metrics = createMetrics();
  stack.defer(metrics.stop);
  let audit: AuditLog | undefined;
  const trust = await openCertificates({ config, dataDir, audit: () => audit, now, log });
  stack.defer(trust.stop);
  const http = await bindPort(config, log, metrics, trust);
  let closed: Promise<number> | undefined;
  const closeHttp = (timeoutMs: number): Promise<number> => (closed ??= http.close(timeoutMs));
  stack.defer(async () => void (await closeHttp(0)));
  const url = config.publicUrl ?? publicUrlOf(config, http);
  const fhirBaseUrl = url + FHIR_PATH;

  let status: ServerStatus = { phase: 'starting', databaseAnswers: false, schema: undefined };
  let identity: Identity | undefined;
  const guard = createGuard({
    port: http.port,
    httpsPort: http.httpsPort,
    publicUrl: url,
    isRegisteredOrigin: (origin) => identity?.isRegisteredOrigin(origin) === true,
  });
  const addressOf = createAddressOf(config.trustedProxies);
  const shared = await openSharedRates(config, url, log);
  stack.defer(() => shared?.stop());
  const limits = createRateLimits({
    now,
    ...(config.rateLimits && { rates: config.rateLimits }),
    ...(shared && { store: shared }),
  });
  const limit = createDoorLimiter({ limits, addressOf });
  const isOperator = createOperatorAccess(config.metricsToken);
  const shell = createShell({ status: () => status, metrics, fhirBaseUrl, isOperator, log });
  http.setHandlers({ guard, shell, fhir: (_req, res) => sendOutcome(res, unavailable('The server is starting')) });
  phases.end('listen');

  // The definitions are read while Postgres starts; a failure of either is seen where both are awaited.
  const definitionsLoading = loadDefinitions(join(dataDir, 'cache'));
  definitionsLoading.catch(() => {});
  // So is the local Spine, which never fails.
  const spineOpening = openLocalSpine(config, dataDir, now, log);
  stack.defer(async () => (await spineOpening)?.stop());
  const payerOpening = openLocalPayer(config, log);
  stack.defer(async () => (await payerOpening)?.stop());
  const database = await openDatabase(config, log, dataDir, stack);
  phases.end('postgres');
  options.signal?.throwIfAborted();
  const prepared = await prepareDatabase({
    connection: database.owner,
    migrationsDir: options.migrationsDir ?? MIGRATIONS,
    log,
    allowUnsafe: config.unsafeDatabase === 'allow',
  });
  if (config.nodeEnv === 'production') await checkDatabaseClock(database.app, now);
  phases.end('migrations');
  options.signal?.throwIfAborted();
  const definitions = await definitionsLoading;
  phases.end('definitions');

  const pools = createPools({ ...poolSizes(config), connection: database.app, log });
  stack.defer(() => pools.end());
  metrics.watchPools(() => pools.stats());
  const create = options.createFhirApi ?? createFhirApi;
  const spine = await spineOpening;
  const payer = await payerOpening;
  phases.end('localSpine');
  const fhir = await create({
    config: withLocalPayer(spine?.config ?? config, payer),
    log,
    definitions,
    pools,
    owner: database.owner,
    baseUrl: fhirBaseUrl,
    now,
    addressOf,
    limits,
    observeMessage: metrics.observeMessage,
    ...(trust.partners && { partners: trust.partners }),
    card: trust.cards?.options,
  });
  stack.defer(async () => fhir.stop?.());
  const readiness = createReadiness({
    probe: () => pools.reads.query({ text: 'select 1', values: [] }),
    onChange: (ready) => log[ready ? 'info' : 'error'](ready ? 'the database answers again' : 'the database is down'),
  });
  stack.defer(readiness.stop);
  const { gateway } = fhir;
  identity = fhir.identity;
  audit = fhir.audit;
  if (identity?.cardApp) trust.cards?.listener.setHandler(identity.cardApp);
  const doors = new Map<string, RequestHandler>([
    ...(gateway
      ? ([
          ['ncpdp', gateway.script],
          ['hl7v2', gateway.hl7v2],
          ['gateway', gateway.messages],
        ] as const)
      : []),
    ...(identity?.doors ?? []),
  ]);
  const wellKnown = identity?.wellKnown;
  const { upgrade } = fhir;
  http.setHandlers({
    guard,
    limit,
    shell,
    fhir: fhir.handle,
    ...(wellKnown && { wellKnown }),
    ...(upgrade && { upgrade: (req, socket, head) => upgrade(guard, req, socket, head) }),
    doors,
  });
  if (gateway) metrics.watchGateway(gateway.stats);
  stack.defer(async () => gateway?.stop(config.shutdownTimeoutMs));
  const { mllpPort, mllpsPort } = gateway ? await startGateway(gateway, config) : {};
  status = {
    phase: 'ready',
    schema: prepared.schema,
    get databaseAnswers() {
      return readiness.isReady();
    },
  };
  phases.end('api');
  options.signal?.throwIfAborted();

  const setupLink = await identity?.setupLink();
  const portsFile = join(dataDir, 'ports.json');
  const ports = {
    http: http.port,
    https: http.httpsPort,
    mllp: mllpPort,
    mllps: mllpsPort,
    card: trust.cards?.listener.port,
    spine: portOf(spine?.url),
    spineState: portOf(spine?.stateUrl),
    payer: portOf(payer?.url),
  };
  writePorts(portsFile, { pid: process.pid, ...ports, url, fhir: fhirBaseUrl });
  stack.defer(() => rmSync(portsFile, { force: true }));
  log.info('ready', { ...ports, schema: prepared.schema, ...phases.ms });

  const everything = stack.move();
  let stopping: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    log.info('stopping');
    status = { ...status, phase: 'stopping' };
    http.startDraining();
    await delay(config.shutdownDelayMs);
    const brokenOff = await closeHttp(config.shutdownTimeoutMs);
    if (brokenOff > 0) log.warn('requests under way were broken off', { count: brokenOff });
    await everything.disposeAsync();
    log.info('stopped');
  };
  return {
    url,
    fhirBaseUrl,
    port: http.port,
    httpsPort: http.httpsPort,
    mllpPort,
    mllpsPort,
    cardPort: trust.cards?.listener.port,
    spine,
    payer,
    dataDir,
    database: `${database.name} (PostgreSQL ${prepared.majorVersion})`,
    phasesMs: phases.ms,
    setupLink,
    loadDemo: async () => (await fhir.loadDemo?.()) ?? 'This build carries no demo data.',
    stop: () => (stopping ??= stop()),
    requestStop: () => database.embedded?.requestStop(),
  };
}

/** Before anything else, so that the message is about the folder and not about what failed in it. */
function makeDataDir(given: string): string {
  const dataDir = resolve(given);
  try {
    mkdirSync(dataDir, { recursive: true, mode: process.getuid?.() === 0 ? 0o711 : 0o700 });
    accessSync(dataDir, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code ?? 'unknown';
    throw new StartError('folder', `the data folder ${dataDir} cannot be written (${reason}): set DATA_DIR`, cause);
  }
  return dataDir;
}

/** Loaded when there is a Redis. Servers of one public URL count together. */
async function openSharedRates({ redisUrl }: Config, name: string, log: ContextLog) {
  if (redisUrl === undefined) return undefined;
  const { createRedisRates } = await import('./rest/redis-rates.ts');
  return createRedisRates({ redisUrl, name, log });
}

/** How clients reach a server that was not told how. */
function publicUrlOf(config: Config, { port, httpsPort }: HttpServer): string {
  const { plainHost, isPublicOverTls } = listenAddresses(config);
  return isPublicOverTls ? `https://${hostInUrl(config.host)}:${httpsPort}` : `http://${hostInUrl(plainHost)}:${port}`;
}

async function bindPort(
  config: Config,
  log: ContextLog,
  metrics: ReturnType<typeof createMetrics>,
  { source, gate }: Certificates,
): Promise<HttpServer> {
  const { plainHost: host, https } = listenAddresses(config);
  const tls = https && source && { ...https, source, ...(gate && { peers: gate }) };
  try {
    return await listen({ host, port: config.port, tls, metrics, log });
  } catch (cause) {
    const { code, port = config.port } = cause as NodeJS.ErrnoException & { port?: number };
    const setting = port === https?.port ? 'HTTPS_PORT' : 'PORT';
    if (code === 'EADDRINUSE')
      throw new ListenError(`port ${port} is in use by another program: stop it, or set ${setting}`, cause);
    if (code === 'EACCES')
      throw new ListenError(`port ${port} may not be used by this user: set ${setting} to 1024 or higher`, cause);
    throw new ListenError(`${setting === 'PORT' ? host : config.host}:${port} cannot be listened on (${code})`, cause);
  }
}

/** Opens the doors that have sockets of their own. */
async function startGateway(gateway: Gateway, config: Config): ReturnType<Gateway['start']> {
  try {
    return await gateway.start();
  } catch (cause) {
    const { code, port = config.mllpPort } = cause as NodeJS.ErrnoException & { port?: number };
    const setting = port === config.mllpsPort ? 'MLLPS_PORT' : 'MLLP_PORT';
    if (code === 'EADDRINUSE')
      throw new ListenError(
        `port ${port}, for HL7 v2, is in use by another program: stop it, or set ${setting}`,
        cause,
      );
    if (code === 'EACCES')
      throw new ListenError(`port ${port} may not be used by this user: set ${setting} to 1024 or higher`, cause);
    throw cause;
  }
}

interface OpenedDatabase {
  readonly name: string;
  readonly owner: pg.ClientConfig;
  readonly app: pg.ClientConfig;
  readonly embedded: EmbeddedPostgres | undefined;
}

async function openDatabase(
  config: Config,
  log: ContextLog,
  dataDir: string,
  stack: AsyncDisposableStack,
): Promise<OpenedDatabase> {
  if (config.databaseUrl !== undefined) {
    const given = { connectionString: config.databaseUrl };
    return { name: 'the database of DATABASE_URL', owner: given, app: given, embedded: undefined };
  }
  const embedded = await startEmbeddedPostgres({ dataDir, log, uid: config.postgresUid });
  stack.defer(() => embedded.stop());
  return { name: 'embedded', owner: embedded.connection('owner'), app: embedded.connection('app'), embedded };
}

const poolSizes = ({ readConnections, writeConnections, transactionConnections }: Config) => ({
  readConnections,
  writeConnections,
  transactionConnections,
});

function writePorts(file: string, ports: Readonly<Record<string, unknown>>): void {
  writeFileSync(`${file}.tmp`, `${JSON.stringify(ports, undefined, 2)}\n`);
  renameSync(`${file}.tmp`, file);
}

const portOf = (url: string | undefined): number | undefined =>
  url === undefined ? undefined : Number(new URL(url).port);

const delay = (ms: number): Promise<void> =>
  ms === 0 ? Promise.resolve() : new Promise((resolve) => setTimeout(resolve, ms));

function createPhases(): { end(name: string): void; readonly ms: Record<string, number> } {
  const ms: Record<string, number> = {};
  let last = performance.now();
  return {
    ms,
    end(name) {
      const moment = performance.now();
      ms[name] = Math.round(moment - last);
      last = moment;
    },
  };
}
