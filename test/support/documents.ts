/** Runs the commands that a document shows, in the order in which they stand, as a reader would in one terminal. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** A command, and the output that stands below it where there is one. */
export interface Step {
  readonly command: string;
  readonly output: string | undefined;
  /** Where the output stands in the document. */
  readonly at: number;
}

const ROOT = join(import.meta.dirname, '../..');
const STEP = /```sh\n((?:(?!```)[\s\S])*)```(?:(\n\n```text\n)([^`]*)```)?/g;

export const stepsOf = (document: string): Step[] =>
  [...document.matchAll(STEP)].map(({ index, 0: whole, 1: command = '', 3: output }) => ({
    command,
    output,
    at: index + whole.length - 3 - (output?.length ?? 0),
  }));

/** A terminal: what one command sets, the next one knows; what somebody types is `input`. Rejects when a command fails. */
export function createTerminal(env: Readonly<Record<string, string>>, stateFile: string) {
  return async (command: string, input = ''): Promise<string> => {
    const script = `set -a; [ ! -f "$STATE" ] || . "$STATE"\n${command}\nexport -p > "$STATE"`;
    const running = promisify(execFile)('bash', ['-euc', script], {
      cwd: ROOT,
      env: { ...process.env, ...env, STATE: stateFile },
    });
    running.child.stdin?.on('error', () => {}); // commands that read nothing may be over by now
    running.child.stdin?.end(`${input}\n`);
    const { stdout } = await running;
    return stdout.replace(/\n*$/, '\n');
  };
}

/** What differs from run to run goes: ids, instants, secrets. */
export const normalise = (text: string): string =>
  text
    .replaceAll(/eyJ[\w-]+\.[\w-]+\.[\w-]+/g, 'JWT')
    .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-[48][0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/g, 'ID')
    .replaceAll(/[\w-]{43}\.[\w-]{0,43}/g, 'SECRET')
    .replaceAll(/(?<![\w-])[\w-]{43,64}(?![\w-])/g, 'SECRET')
    .replaceAll(/\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z/g, 'INSTANT')
    .replaceAll(/\|\d{14}\+0000\|/g, '|INSTANT|')
    .replaceAll(/\|[0-9a-f]{20}\|/g, '|CONTROL-ID|')
    .replaceAll(/"(exp|iat)":\d{10}/g, '"$1":SECONDS')
    .replaceAll(/\(\d+\.\d s\)/g, '(SECONDS)')
    .replaceAll(/\b(?:[0-9a-f]{32}|[0-9A-F]{32})\b/g, 'SERIAL')
    .replaceAll(/(until|revoked) \d{4}-\d{2}-\d{2}/g, '$1 DAY')
    .replaceAll(/(Update|Time): \w{3} [\d: ]+ GMT/g, '$1: TIME')
    .replaceAll(/trail-\w+-\w+/g, 'ENTRY')
    .replaceAll(/\d+ (entries linked|waiting|signed checkpoints?)/g, 'N $1')
    .replaceAll(/digest: \S+/g, 'digest');
