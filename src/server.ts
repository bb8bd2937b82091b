/** Composition root: builds everything once, in the order it is needed, and takes it down in the other. */
import { join } from 'node:path';
import type { Config } from './config.ts';
import { makeDataDir, writePorts } from './data-folder.ts';
import { migrateDatabase, openDatabase, openPools } from './database.ts';
import { loadDefinitions } from './definitions-cache.ts';
import { createFhirApi, type FhirApi } from './fhir-api.ts';
import type { FhirParts } from './fhir-store.ts';
import { type Front, openFront } from './front.ts';
import type { Gateway } from './gateway.ts';
import { explainListening } from './listen-error.ts';
import { type LocalPayer, openLocalPayer, withLocalPayer } from './local-payer.ts';
import { type LocalSpine, openLocalSpine } from './local-spine.ts';
import type { ContextLog } from './log.ts';
import type { Clock } from './ports/clock.ts';
import type { Pools } from './postgres/pools.ts';
import { createReadiness } from './rest/readiness.ts';

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

/** Starts the server. Rejects with `ListenError`, `StartError` or the signal's reason, and then nothing is left running. */
export async function startServer(
  config: Config,
  log: ContextLog,
  options: ServerOptions = {},
): Promise<RunningServer> {
  await using stack = new AsyncDisposableStack();
  const { signal, now = Date.now } = options;
  const phases = createPhases();
  const dataDir = makeDataDir(config.dataDir);
  const front = await openFront({ config, dataDir, now, log }, stack);
  phases.end('listen');

  // The definitions are read while Postgres starts; a failure of either is seen where both are awaited.
  const definitionsLoading = loadDefinitions(join(dataDir, 'cache'));
  definitionsLoading.catch(() => {});
  // So are the local Spine and payer, which never fail.
  const peersOpening = openPeers(config, dataDir, now, log);
  stack.defer(async () => (await peersOpening).stop());
  const database = await openDatabase(config, log, dataDir, stack);
  phases.end('postgres');
  signal?.throwIfAborted();
  const prepared = await migrateDatabase(database, config, { migrationsDir: options.migrationsDir, now, log });
  phases.end('migrations');
  signal?.throwIfAborted();
  const definitions = await definitionsLoading;
  phases.end('definitions');

  const pools = openPools(database, config, log, stack);
  front.metrics.watchPools(() => pools.stats());
  const peers = await peersOpening;
  phases.end('localSpine');
  const fhir = await (options.createFhirApi ?? createFhirApi)({
    ...partsOf(front),
    config: peers.config,
    log,
    definitions,
    pools,
    owner: database.owner,
    now,
  });
  stack.defer(async () => fhir.stop?.());
  const readiness = watchReadiness(pools, log, stack);
  front.open(fhir);
  const { mllpPort, mllpsPort } = fhir.gateway ? await startGateway(fhir.gateway, front, config, stack) : {};
  front.status = {
    phase: 'ready',
    schema: prepared.schema,
    get databaseAnswers() {
      return readiness.isReady();
    },
  };
  phases.end('api');
  signal?.throwIfAborted();

  const { url, fhirBaseUrl } = front;
  const setupLink = await fhir.identity?.setupLink();
  const ports = { ...portsOf(front, peers), mllp: mllpPort, mllps: mllpsPort };
  stack.defer(writePorts(dataDir, { pid: process.pid, ...ports, url, fhir: fhirBaseUrl }));
  log.info('ready', { ...ports, schema: prepared.schema, ...phases.ms });
  const stop = stopper(front, config, log, stack.move());
  return {
    url,
    fhirBaseUrl,
    port: ports.http,
    httpsPort: ports.https,
    mllpPort,
    mllpsPort,
    cardPort: ports.card,
    spine: peers.spine,
    payer: peers.payer,
    dataDir,
    database: `${database.name} (PostgreSQL ${prepared.majorVersion})`,
    phasesMs: phases.ms,
    setupLink,
    loadDemo: async () => (await fhir.loadDemo?.()) ?? 'This build carries no demo data.',
    stop,
    requestStop: () => database.embedded?.requestStop(),
  };
}

/** What the API is told of the ways to it. */
const partsOf = ({ fhirBaseUrl, addressOf, limits, metrics, trust }: Front) => ({
  baseUrl: fhirBaseUrl,
  addressOf,
  limits,
  observeMessage: metrics.observeMessage,
  ...(trust.partners && { partners: trust.partners }),
  card: trust.cards?.options,
});

/** Peers for development that start with the server. */
interface Peers {
  readonly spine: LocalSpine | undefined;
  readonly payer: LocalPayer | undefined;
  /** The settings with the way to them. */
  readonly config: Config;
  stop(): Promise<void>;
}

async function openPeers(config: Config, dataDir: string, now: Clock, log: ContextLog): Promise<Peers> {
  const [spine, payer] = await Promise.all([openLocalSpine(config, dataDir, now, log), openLocalPayer(config, log)]);
  return {
    spine,
    payer,
    config: withLocalPayer(spine?.config ?? config, payer),
    async stop() {
      await payer?.stop();
      await spine?.stop();
    },
  };
}

function watchReadiness(pools: Pools, log: ContextLog, stack: AsyncDisposableStack) {
  const readiness = createReadiness({
    probe: () => pools.reads.query({ text: 'select 1', values: [] }),
    onChange: (ready) => log[ready ? 'info' : 'error'](ready ? 'the database answers again' : 'the database is down'),
  });
  stack.defer(readiness.stop);
  return readiness;
}

/** Opens the doors that have sockets of their own, and begins to work. */
async function startGateway(
  gateway: Gateway,
  { metrics }: Front,
  config: Config,
  stack: AsyncDisposableStack,
): ReturnType<Gateway['start']> {
  metrics.watchGateway(gateway.stats);
  stack.defer(() => gateway.stop(config.shutdownTimeoutMs));
  try {
    return await gateway.start();
  } catch (cause) {
    const { code, port = config.mllpPort } = cause as NodeJS.ErrnoException & { port?: number };
    if (code !== 'EADDRINUSE' && code !== 'EACCES') throw cause;
    const setting = port === config.mllpsPort ? 'MLLPS_PORT' : 'MLLP_PORT';
    throw explainListening(cause, { port: Number(port), host: config.host, setting, what: 'HL7 v2' });
  }
}

/** Where each of them listens; undefined: it does not. */
const portsOf = ({ http, trust }: Front, { spine, payer }: Peers) => ({
  http: http.port,
  https: http.httpsPort,
  card: trust.cards?.listener.port,
  spine: portOf(spine?.url),
  spineState: portOf(spine?.stateUrl),
  payer: portOf(payer?.url),
});

const portOf = (url: string | undefined): number | undefined =>
  url === undefined ? undefined : Number(new URL(url).port);

/** Graceful, and once: says not ready, ends requests under way, then everything else. */
function stopper(front: Front, config: Config, log: ContextLog, everything: AsyncDisposableStack): () => Promise<void> {
  let stopping: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    log.info('stopping');
    front.status = { ...front.status, phase: 'stopping' };
    front.http.startDraining();
    await delay(config.shutdownDelayMs);
    const brokenOff = await front.close(config.shutdownTimeoutMs);
    if (brokenOff > 0) log.warn('requests under way were broken off', { count: brokenOff });
    await everything.disposeAsync();
    log.info('stopped');
  };
  return () => (stopping ??= stop());
}

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
