/** A payer of our own for a server that is told of no other: on this machine, for development and trying. docs/ncpdp-telecom.md */
import type { Config } from './config.ts';
import type { Log } from './ports/log.ts';

export interface LocalPayer {
  /** `tcp://127.0.0.1:9100` */
  readonly url: string;
  /** What the operator should know of it; undefined when all is as the settings say. */
  readonly remark: string | undefined;
  stop(): Promise<void>;
}

/**
 * Undefined when another payer is configured, none is wanted, or patients are real. What stops it from starting is logged:
 * the server does without.
 */
export async function openLocalPayer(
  { telecomUrl, payerPort, nodeEnv }: Pick<Config, 'telecomUrl' | 'payerPort' | 'nodeEnv'>,
  log: Pick<Log, 'warn'>,
): Promise<LocalPayer | undefined> {
  if (telecomUrl !== undefined || payerPort === 'off' || nodeEnv === 'production') return undefined;
  try {
    const started = await start(payerPort);
    if (started.remark !== undefined) log.warn('the local payer is not where it should be', { why: started.remark });
    return started;
  } catch (error) {
    log.warn('there is no local payer', { cause: (error as Error).message });
    return undefined;
  }
}

async function start(port: number): Promise<LocalPayer> {
  const { startPayer } = await import('./peers/payer/start.ts');
  try {
    return told(await startPayer({ port }));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    return told(
      await startPayer({ port: 0 }),
      `port ${port} is in use by another program, so that it has another: PAYER_PORT`,
    );
  }
}

const told = ({ port, stop }: { readonly port: number; stop(): Promise<void> }, remark?: string): LocalPayer => ({
  url: `tcp://127.0.0.1:${port}`,
  remark,
  stop,
});

/** The settings with the way to it. */
export const withLocalPayer = (config: Config, payer: LocalPayer | undefined): Config =>
  payer === undefined ? config : { ...config, telecomUrl: new URL(payer.url) };
