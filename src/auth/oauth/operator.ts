/**
 * The operator of this server: whoever can read a key in the data folder may have tokens for scripts. SECURITY KS-01
 * The key signs an assertion as `private_key_jwt` does; what the token is for stands in it as claims.
 */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  randomUUID,
} from 'node:crypto';
import { closeSync, fsyncSync, linkSync, openSync, readFileSync, statSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Request } from 'express';
import type { Clients, JwkSet, NewClient } from '../../ports/clients.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Grants } from '../../ports/grants.ts';
import type { User } from '../../ports/users.ts';
import { formatScopes, type ScopeVocabulary } from '../../standards/smart/scope.ts';
import { hasLevel } from '../../standards/smart/scope-set.ts';
import { AssertionError, type AssertionParts, checkAssertion } from './assertion.ts';
import { readScopes } from './grantable.ts';
import type { TokenAnswer } from './issue-tokens.ts';
import { invalidClient, invalidRequest, invalidScope, OAuthError } from './oauth-error.ts';
import { type Parameters, readParameter } from './parameters.ts';
import { grantUserOf } from './people.ts';
import type { Trail } from './trail.ts';

export const OPERATOR = 'operator';

/** The key file is missing, open to others, or no key. The message names it and what to do. */
export class OperatorKeyError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'OperatorKeyError';
  }
}

/** The operator of one node: its name among those of the database, and the public half of its key. */
export interface NodeOperator {
  readonly node: string;
  readonly jwks: { readonly keys: readonly [JwkSet['keys'][number]] };
}

/** Makes `operator.key` and `node` in the data folder where there are none. Throws `OperatorKeyError`. */
export function ensureOperator({ dataDir }: { readonly dataDir: string }): NodeOperator {
  const path = join(dataDir, 'operator.key');
  if (statSync(path, { throwIfNoEntry: false }) === undefined)
    makeFile(path, () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export(PEM).toString());
  const { publicJwk } = readOperatorKey(path);
  return { node: ensureNode(join(dataDir, 'node')), jwks: { keys: [publicJwk] } };
}

const PEM = { type: 'pkcs8', format: 'pem' } as const;

/** The folder's name: a new key in it takes the place of the one before, and of no other node's. */
function ensureNode(path: string): string {
  if (statSync(path, { throwIfNoEntry: false }) === undefined) makeFile(path, () => `${randomUUID()}\n`);
  const node = readFileSync(path, 'utf8').trim();
  if (/^[0-9a-f-]{36}$/.test(node)) return node;
  throw new OperatorKeyError(`${path} holds no name of a node: delete it, and the next start makes one`);
}

/** The key of the file, and its public half. Throws `OperatorKeyError`. */
export function readOperatorKey(path: string) {
  let text: string;
  try {
    const { mode } = statSync(path);
    if (process.platform !== 'win32' && (mode & 0o077) !== 0)
      throw new OperatorKeyError(`the operator's key ${path} can be read by other users: chmod 600 ${path}`);
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    if (cause instanceof OperatorKeyError) throw cause;
    throw new OperatorKeyError(`the operator's key ${path} cannot be read (${codeOf(cause)})`, cause);
  }
  try {
    const privateKey = createPrivateKey(text);
    const jwk = createPublicKey(privateKey).export({ format: 'jwk' });
    if (jwk.kty !== 'EC' || jwk.crv !== 'P-256') throw new Error('not a key of P-256');
    const kid = createHash('sha256').update(`${jwk.x}.${jwk.y}`).digest('base64url').slice(0, 16);
    return { privateKey, kid, publicJwk: { ...jwk, kid, alg: 'ES256', use: 'sig' } };
  } catch (cause) {
    throw new OperatorKeyError(`${path} holds no key of the operator: delete it, and the next start makes one`, cause);
  }
}

/** Written aside and linked into place: of two starts one makes the file, and it is never seen half written. */
function makeFile(path: string, makeText: () => string): void {
  const aside = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`;
  try {
    const file = openSync(aside, 'wx', 0o600);
    try {
      writeSync(file, makeText());
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    try {
      linkSync(aside, path);
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
    } finally {
      unlinkSync(aside);
    }
  } catch (cause) {
    throw new OperatorKeyError(`${path} cannot be made (${codeOf(cause)})`, cause);
  }
}

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? 'unknown';

const OPERATOR_SCOPES = [
  'system/*.cruds user/*.cruds patient/*.cruds openid fhirUser profile launch/patient',
  'prescription:read prescription:write pharmacy:read pharmacy:nominate',
].join(' ');

/** The built-in client of the operator; its keys are those of the nodes. */
export const OPERATOR_CLIENT: NewClient = {
  name: 'Operator of this server',
  kind: 'asymmetric',
  redirectUris: [],
  postLogoutUris: [],
  scope: OPERATOR_SCOPES,
  mayIntrospect: true,
  isLegacyAudience: false,
  isVerified: true,
  needsPushedRequests: false,
};

export interface OperatorParts extends AssertionParts {
  readonly clients: Pick<Clients, 'find'>;
  readonly grants: Pick<Grants, 'createToken' | 'rememberAssertion'>;
  readonly findUserByName: (nameOrEmail: string) => Promise<User | undefined>;
  readonly vocabulary: ScopeVocabulary;
  /** Keys of the operator, on every node. */
  readonly operatorKeys: () => Promise<JwkSet>;
  readonly operatorTokenUrl: string;
  readonly fhirBaseUrl: string;
  readonly areOperatorTokensAllowed: boolean;
  readonly trail: Trail;
  readonly now: Clock;
}

const HOUR_MS = 3_600_000;
const TTL_MAX_S = 24 * 3600;

/** Answers an assertion of the operator's key with an access token. */
export async function grantToOperator(
  parts: OperatorParts,
  req: Request,
  parameters: Parameters,
): Promise<TokenAnswer> {
  if (!parts.areOperatorTokensAllowed)
    throw new OAuthError(403, 'access_denied', 'operator tokens are off: OPERATOR_TOKENS=on allows them', {
      rule: 'operator-off',
    });
  const claims = await readAssertion(parts, readParameter(parameters, 'assertion'));
  const user = await readUser(parts, claims['user']);
  const ttl = claims['ttl'] ?? HOUR_MS / 1000;
  if (typeof ttl !== 'number' || !Number.isInteger(ttl) || ttl < 1 || ttl > TTL_MAX_S)
    throw invalidRequest(`ttl is a number of seconds from 1 to ${TTL_MAX_S}`);
  const scopes = readScopes(readText(claims['scope']) ?? (user ? 'user/*.cruds' : 'system/*.cruds'), parts.vocabulary);
  if (scopes.length === 0) throw invalidScope('none of the scopes is known');
  if (user ? hasLevel(scopes, 'system') : hasLevel(scopes, 'user') || hasLevel(scopes, 'patient'))
    throw invalidScope(user ? 'a person has no system scopes' : 'patient and user scopes need a person', 'level');
  const issuedAt = parts.now();
  const scope = formatScopes(scopes);
  const [patientId, ...more] = user?.patientIds ?? [];
  const token = await parts.grants.createToken({
    grant: {
      clientId: OPERATOR,
      scope,
      audience: parts.fhirBaseUrl,
      // The launch context of a person who has one record.
      ...(patientId !== undefined && more.length === 0 && { patientId }),
      ...(user && { user: grantUserOf(user, { authTime: issuedAt, amr: ['swk'] }) }),
    },
    issuedAt,
    expiresAt: issuedAt + ttl * 1000,
  });
  await parts.trail({
    kind: 'token',
    req,
    clientId: OPERATOR,
    rule: 'operator',
    detail: { scope, ttl: String(ttl), ...(user && { user: user.id }) },
  });
  return { access_token: token, token_type: 'Bearer', expires_in: ttl, scope };
}

async function readAssertion(parts: OperatorParts, assertion: string) {
  const client = await parts.clients.find(OPERATOR);
  if (!client || client.isDisabled) throw invalidClient('operator-disabled');
  try {
    const jwks = await parts.operatorKeys();
    return await checkAssertion(assertion, { ...client, jwks }, [parts.operatorTokenUrl], parts);
  } catch (error) {
    if (error instanceof AssertionError) throw invalidClient(`assertion-${error.fault}`);
    throw error;
  }
}

async function readUser(parts: OperatorParts, claim: unknown): Promise<User | undefined> {
  const name = readText(claim);
  if (name === undefined) return undefined;
  const user = await parts.findUserByName(name);
  if (!user || user.isDisabled) throw invalidRequest('there is no such active user', 'operator-user');
  return user;
}

function readText(claim: unknown): string | undefined {
  if (claim === undefined) return undefined;
  if (typeof claim !== 'string' || claim === '') throw invalidRequest('a claim of the assertion is not a text');
  return claim;
}
