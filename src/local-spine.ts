/** A Spine of our own for a server that is told of no other: on this machine, for development and trying. docs/eps.md */
import { createPrivateKey, sign, X509Certificate } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from './config.ts';
import type { ContextLog } from './log.ts';
import type { PrescriptionSigner } from './mapping/eps/sign-order.ts';
import type { RunningSpine } from './peers/spine/start.ts';

export interface LocalSpine {
  /** `https://localhost:9443` */
  readonly url: string;
  readonly stateUrl: string;
  /** What the operator should know of it; undefined when all is as the settings say. */
  readonly remark: string | undefined;
  /** The settings with the way to it. */
  readonly config: Config;
  stop(): Promise<void>;
}

/** Who the server is at its own Spine, unless the settings say otherwise. */
const FROM_ASID = '200000001285';
const FROM_PARTY_KEY = 'T9991-800001';

type Started = Pick<LocalSpine, 'url' | 'stateUrl' | 'remark' | 'stop'>;

/** Undefined when another Spine is configured, or none is wanted. What stops it from starting is logged: the server does without. */
export async function openLocalSpine(
  config: Config,
  dataDir: string,
  now: () => number,
  log: ContextLog,
): Promise<LocalSpine | undefined> {
  if (config.spineUrl !== undefined || config.spinePort === 'off' || config.nodeEnv === 'production') return undefined;
  const folder = join(dataDir, 'spine');
  try {
    const started = await start(folder, config.spinePort, config.spineStatePort, now);
    if (started.remark !== undefined) log.warn('the local Spine is not where it should be', { why: started.remark });
    return { ...started, config: settingsFor(config, dataDir, started.url) };
  } catch (error) {
    log.warn('there is no local Spine', { cause: (error as Error).message });
    return undefined;
  }
}

async function start(folder: string, port: number, statePort: number, now: () => number): Promise<Started> {
  const { startSpine } = await import('./peers/spine/start.ts');
  const { FolderInUse } = await import('./peers/spine/journal.ts');
  const told = ({ url, stateUrl, stop }: RunningSpine, remark?: string): Started => ({ url, stateUrl, stop, remark });
  try {
    return told(await startSpine({ folder, port, statePort, now }));
  } catch (error) {
    if (error instanceof FolderInUse) return running(folder);
    const { code, port: taken } = error as NodeJS.ErrnoException & { readonly port?: number };
    if (code !== 'EADDRINUSE') throw error;
    const remark = `port ${taken} is in use by another program, so that it has others: SPINE_PORT, SPINE_STATE_PORT`;
    return told(await startSpine({ folder, port: 0, statePort: 0, now }), remark);
  }
}

/** The one that works in the folder already: `npm run spine`, or that of another server. */
function running(folder: string): Started {
  const { url, stateUrl } = JSON.parse(readFileSync(join(folder, 'ports.json'), 'utf8')) as {
    readonly url: string;
    readonly stateUrl: string;
  };
  return { url, stateUrl, remark: 'it was running before', stop: async () => {} };
}

/** Where no others are named and there is a local Spine, its prescribers are believed: their certificates name no revocation lists. */
export function withLocalSigners(config: Config, dataDir: string): Config {
  const epsSignerCaFile = join(dataDir, 'spine', 'certificates', 'signing-ca.crt');
  const { epsSignerCaFile: given, spineUrl } = config;
  const isOwn =
    given === undefined && spineUrl === undefined && config.nodeEnv !== 'production' && config.spinePort !== 'off';
  return isOwn && existsSync(epsSignerCaFile) ? { ...config, epsSignerCaFile, revocation: 'off' } : config;
}

/**
 * The prescriber of a Spine of our own, who signs at once what is approved here: for trying. Undefined where another Spine
 * is configured, and in production: there people sign with keys of their own.
 */
export function openTrySigner(config: Config, dataDir: string): PrescriptionSigner | undefined {
  const file = (name: string): string => join(dataDir, 'spine', 'certificates', name);
  const isOwn = config.nodeEnv !== 'production' && config.spineCertFile === file('gateway.crt');
  if (!isOwn || !existsSync(file('prescriber.key'))) return undefined;
  const key = createPrivateKey(readFileSync(file('prescriber.key')));
  const certificate = new X509Certificate(readFileSync(file('prescriber.crt'))).raw;
  return { certificate, sign: async (bytes) => sign('sha256', bytes, key) };
}

function settingsFor(config: Config, dataDir: string, url: string): Config {
  const file = (name: string): string => join(dataDir, 'spine', 'certificates', name);
  return {
    ...withLocalSigners(config, dataDir),
    spineUrl: new URL(url),
    spineCertFile: file('gateway.crt'),
    spineKeyFile: file('gateway.key'),
    spineCaFile: file('ca.crt'),
    epsFromAsid: config.epsFromAsid ?? FROM_ASID,
    epsFromPartyKey: config.epsFromPartyKey ?? FROM_PARTY_KEY,
  };
}
