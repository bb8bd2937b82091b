/** The operator's side: asks the server that runs on a data folder for a token, by the key that lies in it. */
import { randomUUID, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../ports/clock.ts';
import { PATHS } from './discovery.ts';
import { OPERATOR, readOperatorKey } from './operator.ts';

export interface OperatorRequest {
  readonly dataDir: string;
  readonly scope?: string;
  /** Name or e-mail of the person to act for. */
  readonly user?: string;
  readonly ttlS?: number;
  readonly now: Clock;
}

export interface OperatorToken {
  readonly token: string;
  /** Where the server answers on this machine, without a trailing slash. */
  readonly address: string;
}

/** What keeps the operator from a token, in words for a terminal. */
export class OperatorRequestError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'OperatorRequestError';
  }
}

const ASSERTION_S = 60;
const ANSWER_MS = 10_000;

/** Throws `OperatorRequestError` or `OperatorKeyError`. */
export async function requestOperatorToken(request: OperatorRequest): Promise<OperatorToken> {
  const { publicUrl, address } = readPorts(request.dataDir);
  const assertion = signRequest(request, publicUrl + PATHS.operatorToken);
  const answer = await send(`${address}${PATHS.operatorToken}`, {
    method: 'POST',
    body: new URLSearchParams({ assertion }),
  });
  const { access_token: token, error, error_description: why } = answer.body;
  if (answer.status === 200 && typeof token === 'string') return { token, address };
  throw new OperatorRequestError(`the server refuses a token: ${why ?? error ?? answer.status}`);
}

/** One request to the server, and its JSON answer. Throws `OperatorRequestError` when nobody answers. */
export async function send(
  url: string,
  init: RequestInit,
): Promise<{ readonly status: number; readonly body: Readonly<Record<string, unknown>> }> {
  let response: Response;
  try {
    response = await fetch(url, { ...init, signal: AbortSignal.timeout(ANSWER_MS) });
  } catch (cause) {
    throw new OperatorRequestError(`the server does not answer at ${new URL(url).origin}: is it running?`, cause);
  }
  const text = await response.text();
  try {
    return { status: response.status, body: text === '' ? {} : JSON.parse(text) };
  } catch (cause) {
    throw new OperatorRequestError(`the server's answer cannot be read (status ${response.status})`, cause);
  }
}

/** `ports.json` is there while a server runs. Plain HTTP is spoken on this machine in any case. */
function readPorts(dataDir: string): { readonly publicUrl: string; readonly address: string } {
  const file = join(dataDir, 'ports.json');
  let ports: Readonly<Record<string, unknown>>;
  try {
    ports = JSON.parse(readFileSync(file, 'utf8'));
  } catch (cause) {
    throw new OperatorRequestError(
      `${file} is not there: no server runs on this data folder. Start it with npm start, or set DATA_DIR`,
      cause,
    );
  }
  const { url, http } = ports;
  if (typeof url !== 'string') throw new OperatorRequestError(`${file} does not tell where the server is`);
  // A URL with a path is that of a proxy.
  const isHere = /^http:\/\/(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/.test(url);
  return { publicUrl: url, address: isHere || typeof http !== 'number' ? url : `http://127.0.0.1:${http}` };
}

function signRequest({ dataDir, scope, user, ttlS, now }: OperatorRequest, audience: string): string {
  const { privateKey, kid } = readOperatorKey(join(dataDir, 'operator.key'));
  const at = Math.floor(now() / 1000);
  const header = { alg: 'ES256', typ: 'JWT', kid };
  const claims = {
    iss: OPERATOR,
    sub: OPERATOR,
    aud: audience,
    jti: randomUUID(),
    iat: at,
    exp: at + ASSERTION_S,
    ...(scope !== undefined && { scope }),
    ...(user !== undefined && { user }),
    ...(ttlS !== undefined && { ttl: ttlS }),
  };
  const input = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  const signature = sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' });
  return `${input}.${signature.toString('base64url')}`;
}
