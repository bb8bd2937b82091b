/** Puts a local Spine together: certificates, journal, the two doors. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { believing, openCertificates, type SpineCertificates } from './certificates.ts';
import { createFaults, type Faults } from './faults.ts';
import { createMutualTlsServer } from './mutual-tls-server.ts';
import { openSpine, type Spine } from './spine.ts';
import { createStateServer } from './state-server.ts';

export interface SpineProgramOptions {
  /** Everything of the Spine's is below it. */
  readonly folder: string;
  readonly host?: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly statePort: number;
  readonly names?: readonly string[];
  /** Authorities of signers beside the Spine's own, PEM. */
  readonly signerAuthorities?: readonly string[];
  readonly allowSha1?: boolean;
  readonly now: () => number;
}

export interface RunningSpine {
  /** `https://localhost:9443` */
  readonly url: string;
  readonly stateUrl: string;
  readonly certificates: SpineCertificates;
  readonly spine: Spine;
  readonly faults: Faults;
  stop(): Promise<void>;
}

const NAMES = ['localhost', '127.0.0.1', '::1'];

/** Rejects with the system's error when a port is taken, and when another Spine works in the folder. */
export async function startSpine(options: SpineProgramOptions): Promise<RunningSpine> {
  const { folder, host = '127.0.0.1', port, statePort, names = NAMES, now } = options;
  const spine = openSpine({
    folder,
    signatures: {
      // The authority is made below, before the first message can come.
      checkSigner: (certificate, at) => checkSigner(certificate, at),
      allowSha1: options.allowSha1 ?? false,
    },
    now,
  });
  const stops: (() => Promise<void>)[] = [() => spine.stop()];
  const stop = async (): Promise<void> => {
    for (const end of stops.splice(0).reverse()) await end();
  };
  const certificates = openCertificates(join(folder, 'certificates'), names, {
    tls: Date.now(),
    signing: now(),
  });
  const checkSigner = believing([certificates.signerCa, ...(options.signerAuthorities ?? [])]);
  const faults = createFaults();
  try {
    const door = await createMutualTlsServer({ host, port, tls: certificates.tls, spine, faults });
    stops.push(() => door.stop());
    const state = await createStateServer({ port: statePort, spine, faults, door });
    stops.push(() => state.stop());
    const urls = { url: `https://localhost:${door.port}`, stateUrl: state.url };
    writeFileSync(join(folder, 'ports.json'), `${JSON.stringify(urls)}\n`);
    return { ...urls, certificates, spine, faults, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
