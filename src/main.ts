/** The program: reads the environment and the command line, handles signals, says what went wrong in one line. */
import { existsSync } from 'node:fs';
import { enableCompileCache } from 'node:module';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { endWithNpm } from './command.ts';
import type { Config } from './config.ts';
import type { ContextLog } from './log.ts';
import type { RunningServer } from './server.ts';

/** docs/troubleshooting.md lists them. */
const EXIT = {
  other: 1,
  configuration: 2,
  port: 3,
  folder: 4,
  'folder-in-use': 4,
  unreachable: 5,
  unsuitable: 6,
  migration: 7,
} as const;

const HELP = `Mortar, a FHIR R4 server.

  npm start                 start on http://127.0.0.1:8080, data in .data
  npm start -- --demo       the same, with demo data
  npm start -- --help       this text

Settings are environment variables: docs/configuration.md.
`;

if (Number(process.versions.node.split('.')[0]) < 24) {
  console.error(`Mortar needs Node 24 or later; this is ${process.version}. npm start after npm ci brings its own.`);
  process.exit(EXIT.other);
}
await main();

async function main(): Promise<void> {
  const flags = parseFlags();
  if (flags.help) {
    process.stdout.write(HELP);
    return;
  }
  const config = await loadConfig();
  keepCompiledCode(config);
  // Loaded late, so that a wrong setting is answered at once.
  const { createLog } = await import('./log.ts');
  const log = createLog({ level: config.logLevel });
  const stopSignal = handleSignals(log);
  try {
    const { startServer } = await import('./server.ts');
    const clock = await openClock(config, log);
    process.stdout.write('Mortar is starting (the first start makes the database and takes some seconds) …\n');
    const server = await startServer(config, log, { signal: stopSignal.signal, ...clock });
    stopSignal.attach(server);
    const demo = flags.demo ? await server.loadDemo() : undefined;
    process.stdout.write(formatWelcome(server, demo));
  } catch (error) {
    if (stopSignal.signal.aborted) process.exit(0);
    await fail(error, log);
  }
}

function parseFlags(): { readonly demo: boolean; readonly help: boolean } {
  try {
    const { values } = parseArgs({
      options: { demo: { type: 'boolean', default: false }, help: { type: 'boolean', short: 'h', default: false } },
    });
    return values;
  } catch (error) {
    process.stderr.write(`mortar: ${(error as Error).message}\n\n${HELP}`);
    process.exit(EXIT.configuration);
  }
}

async function loadConfig(): Promise<Config> {
  const { ConfigError, readConfig } = await import('./config.ts');
  const { findMisspellings } = await import('./config-misspellings.ts');
  if (existsSync('.env')) process.loadEnvFile('.env');
  for (const { name, meant } of findMisspellings(process.env))
    process.stderr.write(`mortar: ${name} is not a setting and has no effect; did you mean ${meant}?\n`);
  try {
    return readConfig(process.env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`mortar: ${error.message}\n`);
    process.exit(EXIT.configuration);
  }
}

/** Another clock than the machine's, when there is a file for it. */
async function openClock({ clockFile: file }: Config, log: ContextLog): Promise<{ readonly now?: () => number }> {
  if (file === undefined) return {};
  const { createClock } = await import('./clock.ts');
  log.warn('the clock runs by CLOCK_FILE');
  return { now: createClock({ file, log }).now };
}

/** What Node makes of our sources is kept from the second start on: half of a start is reading them. */
function keepCompiledCode({ dataDir }: Config): void {
  // The server itself makes the folder, with the rights it needs.
  if (existsSync(dataDir)) enableCompileCache(resolve(dataDir, 'cache', 'code'));
}

interface StopSignal {
  /** Aborted by the first signal. */
  readonly signal: AbortSignal;
  /** From here on a signal stops this server. */
  attach(server: RunningServer): void;
}

/** First signal: graceful. Second: at once, which is safe, as what was acknowledged is committed. */
function handleSignals(log: ContextLog): StopSignal {
  const controller = new AbortController();
  let running: RunningServer | undefined;
  const stopAndExit = async (code: number): Promise<void> => {
    controller.abort(new Error('told to stop'));
    if (running === undefined) return; // the start sees the abort, takes down what there is, and exits
    try {
      await running.stop();
    } catch (error) {
      log.error('the stop failed', { error });
      process.exit(EXIT.other);
    }
    process.exit(code);
  };
  const onSignal = (name: NodeJS.Signals): void => {
    if (controller.signal.aborted) {
      log.warn('second signal: exit at once', { signal: name });
      running?.requestStop();
      process.exit(EXIT.other);
    }
    log.info('told to stop', { signal: name });
    void stopAndExit(0);
  };
  const onCrash = (error: unknown): void => {
    log.error('a fault outside any request: the server stops', { error });
    if (controller.signal.aborted) return;
    if (running === undefined) process.exit(EXIT.other);
    void stopAndExit(EXIT.other);
  };
  process.on('SIGTERM', onSignal).on('SIGINT', onSignal);
  endWithNpm('start', () => onSignal('SIGTERM'));
  process.on('uncaughtException', onCrash).on('unhandledRejection', onCrash);
  return {
    signal: controller.signal,
    attach: (server) => {
      running = server;
      if (controller.signal.aborted) void stopAndExit(0);
    },
  };
}

/** One line for what the operator can mend; a logged stack for what is our bug. */
async function fail(error: unknown, log: ContextLog): Promise<never> {
  const { ListenError } = await import('./listen-error.ts');
  const { StartError } = await import('./postgres/start-error.ts');
  const { ClockFileError } = await import('./clock.ts');
  const { TlsFileError } = await import('./pki/tls-files.ts');
  const isAboutSettings = error instanceof ClockFileError || error instanceof TlsFileError;
  const known = error instanceof ListenError || error instanceof StartError || isAboutSettings;
  if (known) {
    log.debug('the start failed', { error });
    process.stderr.write(`mortar: ${error.message}\n`);
  } else log.error('the start failed', { error });
  if (error instanceof ListenError) process.exit(EXIT.port);
  if (isAboutSettings) process.exit(EXIT.configuration);
  process.exit(error instanceof StartError ? EXIT[error.trouble] : EXIT.other);
}

/** Until there is an administrator. */
function formatSetup({ setupLink }: RunningServer): string {
  if (setupLink === undefined) return '';
  return `
Nobody administers this server yet. Open this link once, within a day, to become its administrator:

  ${setupLink}
`;
}

function formatSpine({ spine }: RunningServer): string {
  if (spine === undefined) return '';
  const remark = spine.remark === undefined ? '' : ` (${spine.remark})`;
  return `  EPS        local Spine at ${spine.url}, its state at ${spine.stateUrl}${remark}\n`;
}

function formatPayer({ payer }: RunningServer): string {
  if (payer === undefined) return '';
  const remark = payer.remark === undefined ? '' : ` (${payer.remark})`;
  return `  Claims     local payer at ${payer.url}${remark}\n`;
}

function formatWelcome(server: RunningServer, demo: string | undefined): string {
  const ms = Math.round(performance.now());
  const fhir = server.fhirBaseUrl;
  const peers = formatSpine(server) + formatPayer(server);
  const mllp = server.mllpPort === undefined ? '' : `HL7 v2 on port ${server.mllpPort} (MLLP), `;
  return `
Mortar is ready after ${(ms / 1000).toFixed(1)} s.

  FHIR API   ${fhir}
  Messages   ${mllp}SCRIPT at ${server.url}/ncpdp/script, log at ${server.url}/gateway/messages
${peers}  Health     ${server.url}/readyz   ${server.url}/metrics
  Data       ${server.dataDir}, database: ${server.database}
  People     ${server.url}/sign-in
${demo === undefined ? '' : `  Demo       ${demo}\n`}${demo === undefined ? formatSetup(server) : ''}
Try next:

  curl -s ${fhir}/metadata                      public; all else needs a token:
  export AUTH="Authorization: Bearer $(npm run -s token)"
  curl -s ${fhir}/Patient -H "$AUTH" -H 'Content-Type: application/fhir+json' \\
       -d '{"resourceType":"Patient","name":[{"family":"Example","given":["Ada"]}],"birthDate":"1990-05-17"}'
  curl -s '${fhir}/Patient?family=example&_pretty=true' -H "$AUTH"
  npm run -s tour        real messages of three worlds, in and found again

Ctrl-C stops it.
`;
}
