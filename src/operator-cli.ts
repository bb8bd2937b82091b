/** What the operator's commands share: they ask the server that runs on DATA_DIR, and say what went wrong. docs/smart.md */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { OperatorKeyError } from './auth/oauth/operator.ts';
import { OperatorRequestError, type OperatorToken, requestOperatorToken, send } from './auth/oauth/operator-client.ts';

/** What was typed cannot be understood: the message says why, and the help follows it. */
export class UsageError extends Error {}

/** Runs a command; what can be expected to go wrong is told in a line, with exit code 1. */
export async function runCommand(name: string, help: string, run: () => Promise<void>): Promise<void> {
  try {
    await run();
  } catch (error) {
    const isUsage = error instanceof UsageError;
    if (!isUsage && !(error instanceof OperatorRequestError) && !(error instanceof OperatorKeyError)) throw error;
    process.stderr.write(`${name}: ${error.message}\n${isUsage ? `\n${help}` : ''}`);
    process.exitCode = 1;
  }
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

/** A minute's token for the server. Throws `OperatorRequestError` or `OperatorKeyError`. */
export const openServer = (): Promise<OperatorToken> =>
  requestOperatorToken({ dataDir: serverDataDir(), scope: 'system/*.cruds', ttlS: 60, now: Date.now });

/** One request, and its JSON answer. Throws `OperatorRequestError` with the server's words when it refuses. */
export async function ask(
  { address, token }: OperatorToken,
  method: string,
  path: string,
  body?: object,
): Promise<Readonly<Record<string, unknown>>> {
  const answer = await send(address + path, {
    method,
    headers: { Authorization: `Bearer ${token}`, ...(body && { 'Content-Type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
  });
  if (answer.status < 300) return answer.body;
  throw new OperatorRequestError(`the server refuses: ${whyOf(answer.body) ?? `status ${answer.status}`}`);
}

/** The words of an OAuth error, of an OperationOutcome, or of a problem (RFC 9457). */
function whyOf({ error_description, issue, detail }: Readonly<Record<string, unknown>>): unknown {
  const [first] = Array.isArray(issue) ? issue : [];
  return [error_description, first?.diagnostics, detail].find((text) => typeof text === 'string');
}
