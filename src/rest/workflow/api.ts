/**
 * The door of the workflow APIs: finds the route, asks who it is and whether they may, checks the request by the route's
 * schemas, writes the trail, answers. MISSION M9, M10; SECURITY AZ-01, AU-01, AU-04, IN-01, WB-06
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { withWorkflowScopes } from '../../policy/workflow-scopes.ts';
import type { AuditLog } from '../../ports/audit.ts';
import type { Authenticate } from '../../ports/authenticate.ts';
import type { Caller, CallerUser } from '../../ports/caller.ts';
import type { Policy } from '../../ports/policy.ts';
import type { KeptAnswers } from '../../ports/request-answers.ts';
import { badRequest, badValue, FhirError, isConflict, issue } from '../../standards/fhir/outcome.ts';
import { correlationIdOf } from '../../standards/fhir/request-id.ts';
import { checkRight } from '../access.ts';
import { anonymousCaller } from '../door.ts';
import { labelRoute } from '../metrics.ts';
import { decodePath } from '../path.ts';
import { type RateLimits, throttled } from '../rate-limit.ts';
import { readBody } from '../read-body.ts';
import { createRouting } from '../routing.ts';
import { sendAnswer } from '../send-answer.ts';
import { faultOf } from '../send-outcome.ts';
import { checkStepUp } from '../step-up.ts';
import { keepingOf } from './kept.ts';
import { sendProblem } from './problem.ts';
import type { SignedRequest, WorkflowAnswer, WorkflowRoute } from './route.ts';
import { type CheckSchema, createSchemas } from './schemas.ts';

export interface WorkflowApiOptions {
  readonly routes: readonly WorkflowRoute[];
  readonly authenticate: Authenticate;
  readonly policy: Policy;
  readonly audit: AuditLog;
  readonly answers: Pick<KeptAnswers, 'find'>;
  readonly limits: RateLimits;
  readonly addressOf: (req: IncomingMessage) => string;
  readonly now: () => number;
  readonly onError: (error: unknown) => void;
}

const BODY_BYTES_MAX = 64 * 1024;
const NO_QUERY = { type: 'object', properties: {} };

interface Prepared extends WorkflowRoute {
  readonly checkQuery: CheckSchema;
  readonly checkBody: CheckSchema | undefined;
}

/** Compiles the schemas: throws where one is no schema, or two routes are the same. */
export function createWorkflowApi(options: WorkflowApiOptions): (req: IncomingMessage, res: ServerResponse) => void {
  const { authenticate, policy, audit, answers, limits, addressOf, now, onError } = options;
  const schemas = createSchemas();
  const find = createRouting(
    options.routes.map(
      (route): Prepared => ({
        ...route,
        checkQuery: schemas.query(route.request?.query ?? NO_QUERY),
        checkBody: route.request?.body && schemas.body(route.request.body),
      }),
    ),
  );

  async function callerOf(req: IncomingMessage, route: WorkflowRoute): Promise<Caller> {
    const correlationId = correlationIdOf(req);
    const isAnonymous = route.rights === 'anonymous' && req.headers.authorization === undefined;
    if (isAnonymous) return anonymousCaller(correlationId, addressOf(req));
    return authenticate(req, correlationId);
  }

  /** Who has signed the request; what was not signed as it should be is in the trail. */
  async function signerOf(req: IncomingMessage, route: WorkflowRoute, signed: SignedRequest): Promise<Caller> {
    const correlationId = correlationIdOf(req);
    try {
      const caller = await route.signedBy?.(signed);
      if (!caller) throw new Error('the route is signed');
      return { ...caller, correlationId };
    } catch (error) {
      const caller = anonymousCaller(correlationId, signed.address);
      const rule = signingRuleOf(error);
      if (rule !== undefined) await audit.record({ kind: route.kind, caller, operation: route.told, outcome: 4, rule });
      throw error;
    }
  }

  function checkRights(caller: Caller, { rights }: WorkflowRoute): void {
    if (rights === 'anonymous') return;
    checkRight(policy, caller, rights.find((right) => policy.allows(caller, right).allowed) ?? rights[0] ?? '');
  }

  async function checkRate({ kind, clientId, name, user }: Caller, { method }: WorkflowRoute): Promise<void> {
    if (kind !== 'user') return;
    const verdict = await limits.check(method === 'GET' ? 'read' : 'write', `${clientId ?? name} ${user?.id ?? ''}`);
    if (!verdict.allowed) throw throttled(verdict);
  }

  async function answer(req: IncomingMessage, res: ServerResponse): Promise<WorkflowAnswer> {
    const [pathText = '', queryText = ''] = split(req.url ?? '');
    const { route, path } = find(req.method ?? 'GET', decodePath(pathText));
    labelRoute(res, route.path);
    const read = (): Promise<Buffer> => readBody(req, route.request?.bodyBytesMax ?? BODY_BYTES_MAX);
    const signed = route.signedBy
      ? { path, headers: req.headers, bytes: await read(), address: addressOf(req) }
      : undefined;
    const caller = signed ? await signerOf(req, route, signed) : await callerOf(req, route);
    const asked = { kind: route.kind, caller, operation: route.told };
    try {
      checkRights(caller, route);
      if (route.stepUp) checkStepUp(personOf(caller), now());
      await checkRate(caller, route);
      const query = readQuery(queryText);
      route.checkQuery(query);
      const bytes = signed?.bytes ?? (route.method === 'GET' ? NO_BODY : await read());
      const body = route.request?.isBodyIgnored ? {} : readJson(route, bytes);
      const { find: findKept, keep } = keepingOf(answers, signed ? signedKey(req) : req, caller, bytes);
      const given = await once(findKept, () =>
        route.handle({
          caller: withWorkflowScopes(caller),
          person: () => personOf(caller),
          path,
          query,
          body,
          may: (right) => policy.allows(caller, right).allowed,
          address: addressOf(req),
          keep,
        }),
      );
      const { patientId, detail, status, searched, rule } = given;
      if (!route.isUntold)
        await audit.record({
          ...asked,
          outcome: status < 400 ? 0 : 4,
          ...(patientId !== undefined && { patientId }),
          ...(rule !== undefined && { rule }),
          ...(detail && { detail }),
          ...searched,
        });
      return given;
    } catch (error) {
      const rule = ruleOf(error);
      if (rule !== undefined) await audit.record({ ...asked, outcome: 4, rule });
      throw error;
    }
  }

  async function respond(req: IncomingMessage, res: ServerResponse): Promise<void> {
    try {
      await sendAnswer(res, await answer(req, res));
    } catch (error) {
      if (!(error instanceof FhirError)) onError(error);
      sendProblem(res, faultOf(error), correlationIdOf(req));
    }
  }
  return (req, res) => void respond(req, res);
}

const NO_BODY = Buffer.alloc(0);

/** An event is done once, however often it comes. */
const signedKey = ({ method, url, headers }: IncomingMessage): Parameters<typeof keepingOf>[1] => ({
  ...(method !== undefined && { method }),
  ...(url !== undefined && { url }),
  headers: { ...headers, 'idempotency-key': String(headers['webhook-id']) },
});

function signingRuleOf(error: unknown): string | undefined {
  const { cause } = error as { readonly cause?: { readonly rule?: unknown } };
  return error instanceof FhirError && typeof cause?.rule === 'string' ? cause.rule : undefined;
}

/** The answer that was given already, also by who was faster with the same key just now. */
async function once(
  findKept: () => Promise<WorkflowAnswer | undefined>,
  handle: () => Promise<WorkflowAnswer>,
): Promise<WorkflowAnswer> {
  const before = await findKept();
  if (before) return before;
  try {
    const given = await handle();
    // Refused as what is done already: by the same request, perhaps.
    return (given.status === 409 ? await findKept() : undefined) ?? given;
  } catch (error) {
    const made = isConflict(error) ? await findKept() : undefined;
    if (made) return made;
    throw error;
  }
}

function personOf({ user }: Caller): CallerUser {
  if (!user) throw new FhirError(403, [issue('forbidden', 'Only a person may do this')], { cause: { rule: 'person' } });
  return user;
}

function split(url: string): readonly [path: string, query: string] {
  const question = url.indexOf('?');
  return question < 0 ? [url, ''] : [url.slice(0, question), url.slice(question + 1)];
}

/** Each name once. */
function readQuery(text: string): Record<string, unknown> {
  const query = Object.create(null) as Record<string, unknown>;
  for (const [name, value] of new URLSearchParams(text)) {
    if (name in query) throw badRequest('A query parameter is there twice', name.slice(0, 64));
    query[name] = value;
  }
  return query;
}

function readJson(route: Prepared, bytes: Buffer): Readonly<Record<string, unknown>> {
  if (bytes.length === 0 && !route.checkBody) return {};
  let value: unknown;
  try {
    value = bytes.length === 0 ? {} : JSON.parse(bytes.toString(), withoutPrototype);
  } catch (cause) {
    throw new FhirError(400, [issue('structure', 'The body is not JSON')], { cause });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw badValue('The body is a JSON object');
  route.checkBody?.(value);
  return value as Readonly<Record<string, unknown>>; // looked at above
}

function withoutPrototype(key: string, value: unknown): unknown {
  if (key === '__proto__') throw new SyntaxError('a key that no JSON of ours has');
  return value;
}

/** Why who asks may not, for the trail; undefined for faults of ours. */
function ruleOf(error: unknown): string | undefined {
  if (!(error instanceof FhirError) || error.status >= 500) return undefined;
  if (error.status === 401) return 'step-up';
  const { cause } = error;
  const isRule = typeof cause === 'object' && cause !== null && 'rule' in cause && typeof cause.rule === 'string';
  const [first] = error.issues;
  return isRule ? String(cause.rule) : (first?.details?.coding[0]?.code ?? first?.code ?? 'invalid');
}
