/** A local Spine as a process of its own, to be killed. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

export interface SpineProcess {
  readonly url: string;
  readonly stateUrl: string;
  /** As a power cut would: nothing of it is told. */
  kill(): Promise<void>;
}

const MAIN = join(import.meta.dirname, '../../src/peers/spine/main.ts');

/** Resolves when it is ready. `port` and `statePort`: 0 for free ones. */
export async function startSpineProcess(dataDir: string, port = 0, statePort = 0): Promise<SpineProcess> {
  const child: ChildProcess = spawn(
    process.execPath,
    [MAIN, '--data-dir', dataDir, '--port', String(port), '--state-port', String(statePort)],
    { stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: process.env['PATH'] } },
  );
  const said = await new Promise<string>((done, fail) => {
    let text = '';
    const hear = (chunk: Buffer): void => {
      text += chunk.toString();
      if (text.includes('its CA')) done(text);
    };
    child.stdout?.on('data', hear);
    child.stderr?.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    child.once('exit', () => fail(new Error(`the Spine did not start: ${text}`)));
  });
  return {
    url: new URL(/https:\S+/.exec(said)?.[0] ?? '').origin,
    stateUrl: /http:\S+/.exec(said)?.[0] ?? '',
    async kill() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    },
  };
}
