/** What the commands of `npm run` share: how they read what was typed, say what went wrong, and end. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';

/** What was typed cannot be understood: the message says why, and the help follows it. */
export class UsageError extends Error {}

/** Runs a command; what can be expected to go wrong is told in a line, with exit code 1. */
export async function runCommand(
  name: string,
  help: string,
  run: () => Promise<void>,
  isExpected: (error: unknown) => boolean,
): Promise<void> {
  endWithReader();
  try {
    await run();
  } catch (error) {
    const isUsage = error instanceof UsageError;
    if (!isUsage && !isExpected(error)) throw error;
    process.stderr.write(`${name}: ${(error as Error).message}\n${isUsage ? `\n${help}` : ''}`);
    process.exitCode = 1;
  }
}

/** Whoever reads the output may have had enough of it: `… list | head -2` is no fault. */
export function endWithReader(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit();
  });
}

/** What goes on until it is stopped: npm hands SIGTERM to the shell between us, which ends without handing it on. */
export function endWithNpm(script: string, stop: () => void): void {
  if (process.env['npm_lifecycle_event'] !== script) return;
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    stop();
  }, 250);
  timer.unref();
}

/** The words of `parseArgs`, whose faults are those of the user. Throws `UsageError`. */
export function parsed<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

/** The folder of the server's data, by the settings file beside it where there is one. */
export function serverDataDir(): string {
  if (existsSync('.env')) process.loadEnvFile('.env');
  return resolve(process.env['DATA_DIR'] || '.data');
}

/** A path as the user typed it: npm moves to the folder of the project, and the user's own is where the file is. */
export const typedPath = (path: string): string => resolve(process.env['INIT_CWD'] ?? '.', path);
