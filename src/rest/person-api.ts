/**
 * Doors at which a person asks for something about a record: a table of routes, each with its rights, and an entry of the
 * audit trail for whatever is done or refused. SECURITY AU-01, AU-04, AZ-01, LG-12
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AuditKind, AuditLog } from '../ports/audit.ts';
import type { Authenticate } from '../ports/authenticate.ts';
import type { Caller, CallerUser } from '../ports/caller.ts';
import type { Policy } from '../ports/policy.ts';
import { badValue, FhirError, issue } from '../standards/fhir/outcome.ts';
import { correlationIdOf } from '../standards/fhir/request-id.ts';
import { checkRight } from './access.ts';
import { labelRoute } from './metrics.ts';
import { decodePath } from './path.ts';
import { readBody } from './read-body.ts';
import { createRouting } from './routing.ts';
import { type ApiAnswer, sendAnswer } from './send-answer.ts';
import { sendOutcome } from './send-outcome.ts';
import { checkStepUp } from './step-up.ts';

export interface PersonCall {
  readonly caller: Caller;
  readonly user: CallerUser;
  /** What the path's `:names` stand for. */
  readonly path: Readonly<Record<string, string>>;
  /** An empty object where there is no body. */
  readonly body: Readonly<Record<string, unknown>>;
  readonly may: (right: string) => boolean;
}

export interface PersonAnswer extends ApiAnswer {
  readonly status: number;
  /** Of whom, for the trail. */
  readonly patientId?: string;
  /** Ids and codes, for the trail. */
  readonly detail?: Readonly<Record<string, string>>;
}

export interface PersonRoute {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** `/api/v2/things/:id` */
  readonly path: string;
  /** Any of these. */
  readonly rights: readonly string[];
  /** Needs proof of who asks that is not older than five minutes. */
  readonly stepUp: boolean;
  readonly kind: AuditKind;
  /** What the trail calls it. */
  readonly told: string;
  readonly handle: (call: PersonCall) => Promise<PersonAnswer>;
}

export interface PersonApiOptions {
  readonly routes: readonly PersonRoute[];
  readonly authenticate: Authenticate;
  readonly policy: Policy;
  readonly audit: AuditLog;
  readonly now: () => number;
  readonly onError: (error: unknown) => void;
}

const BODY_MAX = 64 * 1024;

export function createPersonApi(options: PersonApiOptions): (req: IncomingMessage, res: ServerResponse) => void {
  const { authenticate, policy, audit, now, onError } = options;
  const find = createRouting(options.routes);

  async function answer(req: IncomingMessage, res: ServerResponse): Promise<PersonAnswer> {
    const segments = decodePath((req.url ?? '').split('?')[0] ?? '');
    const { route, path } = find(req.method ?? 'GET', segments);
    labelRoute(res, route.path);
    const caller = await authenticate(req, correlationIdOf(req));
    const asked = { kind: route.kind, caller, operation: route.told };
    try {
      const may = (right: string): boolean => policy.allows(caller, right).allowed;
      const right = route.rights.find(may) ?? route.rights[0] ?? '';
      checkRight(policy, caller, right);
      const user = personOf(caller);
      if (route.stepUp) checkStepUp(user, now());
      const body = await readJson(req, route.method);
      const given = await route.handle({ caller, user, path, body, may });
      const { patientId, detail } = given;
      await audit.record({
        ...asked,
        outcome: 0,
        ...(patientId !== undefined && { patientId }),
        ...(detail && { detail }),
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
      if (res.headersSent) return void res.destroy();
      sendOutcome(res, error);
    }
  }
  return (req, res) => void respond(req, res);
}

function personOf({ user }: Caller): CallerUser {
  if (!user) throw new FhirError(403, [issue('forbidden', 'Only a person may do this')], { cause: { rule: 'person' } });
  return user;
}

async function readJson(req: IncomingMessage, method: string): Promise<Readonly<Record<string, unknown>>> {
  if (method === 'GET') return {};
  const bytes = await readBody(req, BODY_MAX);
  if (bytes.length === 0) return {};
  try {
    const value: unknown = JSON.parse(bytes.toString());
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // said below
  }
  throw badValue('The body is a JSON object');
}

/** Why who asks may not, for the trail; undefined for faults of ours. */
function ruleOf(error: unknown): string | undefined {
  if (!(error instanceof FhirError) || error.status >= 500) return undefined;
  if (error.status === 401) return 'step-up';
  const { cause } = error;
  const isRule = typeof cause === 'object' && cause !== null && 'rule' in cause && typeof cause.rule === 'string';
  return isRule ? String(cause.rule) : (error.issues[0]?.code ?? 'invalid');
}

/** Words of a person from a body, in bounds. */
export function readWords(body: Readonly<Record<string, unknown>>, name: string, min = 10, max = 2000): string {
  const value = body[name];
  const text = typeof value === 'string' ? value.trim() : '';
  if (text.length < min || text.length > max || text.includes('\u0000'))
    throw badValue(`${name} is a text of ${min} to ${max} characters`, name);
  return text;
}
