/** How the operator's commands ask the server that runs on DATA_DIR. docs/smart.md */
import { OperatorKeyError } from './auth/oauth/operator.ts';
import { OperatorRequestError, type OperatorToken, requestOperatorToken, send } from './auth/oauth/operator-client.ts';
import { serverDataDir } from './command.ts';

/** The server refuses or does not answer, or its key is not to be had. */
export const isOperatorError = (error: unknown): boolean =>
  error instanceof OperatorRequestError || error instanceof OperatorKeyError;

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
