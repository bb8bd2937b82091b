/**
 * Emergency access: `POST /api/v2/break-glass` opens one patient's record for an hour, to be read, with a reason; somebody
 * else reviews it. SECURITY FA-04, FA-05, AZ-08
 */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AuditLog } from '../ports/audit.ts';
import type { Authenticate } from '../ports/authenticate.ts';
import type { BreakGlass, BreakGlassBook } from '../ports/break-glass.ts';
import type { Caller, CallerUser } from '../ports/caller.ts';
import type { Policy } from '../ports/policy.ts';
import { badValue, FhirError, issue, notFound } from '../standards/fhir/outcome.ts';
import { isId } from '../standards/fhir/reference.ts';
import { correlationIdOf } from '../standards/fhir/request-id.ts';
import { checkRight } from './access.ts';
import { labelRoute } from './metrics.ts';
import { readBody } from './read-body.ts';
import { sendOutcome } from './send-outcome.ts';
import { checkStepUp } from './step-up.ts';

export interface BreakGlassOptions {
  readonly book: BreakGlassBook;
  readonly authenticate: Authenticate;
  readonly policy: Policy;
  readonly audit: AuditLog;
  /** Whether there is such a patient; asked only after everything else is right. */
  readonly patientExists: (id: string) => Promise<boolean>;
  /** Tells the privacy officer and the patient. Without it, and without its audit entry, the record does not stay open. */
  readonly alert: (entry: {
    readonly userId: string;
    readonly patientId: string;
    readonly reason: string;
  }) => Promise<void>;
  /** Something about rights has changed: cached callers are looked up anew. */
  readonly forget: () => void;
  readonly now: () => number;
  readonly onError: (error: unknown) => void;
}

/** Reasons that may be given. */
export const REASONS = ['emergency', 'unconscious', 'public-safety', 'legal-duty', 'system-failure', 'other'] as const;

const PATH = '/api/v2/break-glass';
const BODY_MAX = 64 * 1024;
const EXPLANATION_MIN = 10;
const EXPLANATION_MAX = 2000;
const OPEN_MS = 60 * 60 * 1000;
const DAY_MS = 24 * 60 * 60 * 1000;
const PER_DAY_MAX = 5;
const LIST_MAX = 500;

/** Answers `POST` and `GET` of the path, and `POST {path}/:id/review`. */
export function createBreakGlassApi(options: BreakGlassOptions): (req: IncomingMessage, res: ServerResponse) => void {
  const { book, authenticate, policy, audit, now } = options;

  /** Nothing is read of who may not. */
  async function open(caller: Caller, req: IncomingMessage): Promise<object> {
    checkRight(policy, caller, 'break-glass');
    const user = personOf(caller);
    checkStepUp(user, now());
    const { patient, reason, text } = readRequest(await readBody(req, BODY_MAX));
    if (!(await options.patientExists(patient))) throw notFound(`Patient/${patient}`);
    const openedAt = now();
    const entry = { id: randomUUID(), userId: user.id, patientId: patient, reason, explanation: text };
    const times = { openedAt, expiresAt: openedAt + OPEN_MS };
    const isOpen = await book.open({ ...entry, ...times }, { max: PER_DAY_MAX, since: openedAt - DAY_MS });
    const tell = (outcome: 0 | 4 | 8, rule?: string): Promise<void> =>
      audit.record({
        kind: 'break-glass',
        caller: { ...caller, purpose: 'BTG' },
        outcome,
        ...(rule !== undefined && { rule }),
        patientId: patient,
        detail: { reason },
      });
    if (!isOpen) {
      await tell(4, 'break-glass-limit');
      throw tooMany();
    }
    try {
      await tell(0);
      await options.alert({ userId: user.id, patientId: patient, reason });
    } catch (error) {
      await book.withdraw(entry.id);
      options.forget();
      // What was told as opened is told as closed; where nothing can be told, nothing was.
      await tell(8, 'withdrawn').catch(options.onError);
      throw error;
    }
    options.forget();
    return { id: entry.id, patient: `Patient/${patient}`, expires_at: new Date(times.expiresAt).toISOString() };
  }

  async function review(caller: Caller, id: string): Promise<object> {
    checkRight(policy, caller, 'break-glass:review');
    const user = personOf(caller);
    if (!UUID.test(id) || !(await book.review(id, user.id, now())))
      throw notFound('An access of somebody else to review');
    await audit.record({ kind: 'break-glass', caller, outcome: 0, rule: 'reviewed', detail: { access: id } });
    return { id, reviewed: true };
  }

  async function answer(req: IncomingMessage, path: string): Promise<readonly [number, object]> {
    const caller = await authenticate(req, correlationIdOf(req));
    try {
      return await act(caller, req, path);
    } catch (error) {
      const rule = ruleOf(error);
      const query = `${req.method} ${path}`;
      if (rule !== undefined) await audit.record({ kind: 'access-refused', caller, outcome: 4, rule, query });
      throw error;
    }
  }

  async function act(caller: Caller, req: IncomingMessage, path: string): Promise<readonly [number, object]> {
    const reviewed = /^\/api\/v2\/break-glass\/([^/]{1,64})\/review$/.exec(path)?.[1];
    if (path === PATH && req.method === 'POST') return [201, await open(caller, req)];
    if (path === PATH && req.method === 'GET') {
      checkRight(policy, caller, 'break-glass:review');
      return [200, { accesses: (await book.unreviewed(LIST_MAX)).map(shown) }];
    }
    if (reviewed !== undefined && req.method === 'POST') return [200, await review(caller, reviewed)];
    if (path === PATH || reviewed !== undefined)
      throw new FhirError(405, [issue('not-supported', `${req.method} is not possible here`)], {
        headers: { Allow: path === PATH ? 'GET, POST' : 'POST' },
      });
    throw notFound('That path');
  }

  return (req, res) => {
    labelRoute(res, PATH);
    const [path = ''] = (req.url ?? '').split('?');
    answer(req, path).then(
      ([status, json]) => {
        const body = Buffer.from(JSON.stringify(json));
        res.writeHead(status, {
          'Content-Type': 'application/json',
          'Content-Length': body.length,
          'Cache-Control': 'no-store',
        });
        res.end(body);
      },
      (error: unknown) => {
        if (!(error instanceof FhirError)) options.onError(error);
        sendOutcome(res, error);
      },
    );
  };
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

const shown = ({ openedAt, expiresAt, patientId, userId, ...entry }: BreakGlass): object => ({
  ...entry,
  user: userId,
  patient: `Patient/${patientId}`,
  opened_at: new Date(openedAt).toISOString(),
  expires_at: new Date(expiresAt).toISOString(),
});

function personOf({ user }: Caller): CallerUser {
  if (!user) throw new FhirError(403, [issue('forbidden', 'Only a person may do this')]);
  return user;
}

/** Why who asks may not, for the trail; undefined for other faults. SECURITY AU-04 */
function ruleOf(error: unknown): string | undefined {
  if (!(error instanceof FhirError)) return undefined;
  if (error.status === 401) return 'step-up';
  if (error.status !== 403) return undefined;
  const { cause } = error;
  const isRule = typeof cause === 'object' && cause !== null && 'rule' in cause && typeof cause.rule === 'string';
  return isRule ? String(cause.rule) : 'person';
}

const tooMany = (): FhirError =>
  new FhirError(429, [
    issue('throttled', `Emergency access was opened ${PER_DAY_MAX} times in 24 hours: ask an operations manager`),
  ]);

function readRequest(body: Buffer): { readonly patient: string; readonly reason: string; readonly text: string } {
  const value = parse(body);
  const given = value['patient'];
  const patient = typeof given === 'string' ? given.replace(/^Patient\//, '') : '';
  if (!isId(patient)) throw badValue('patient is the id of a Patient', 'patient');
  const reason = REASONS.find((known) => known === value['reason']);
  if (reason === undefined) throw badValue(`reason is one of ${REASONS.join(', ')}`, 'reason');
  const text = typeof value['text'] === 'string' ? value['text'].trim() : '';
  if (text.length < EXPLANATION_MIN || text.length > EXPLANATION_MAX)
    throw badValue(`text says why, in ${EXPLANATION_MIN} to ${EXPLANATION_MAX} characters`, 'text');
  return { patient, reason, text };
}

function parse(body: Buffer): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(body.toString());
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // said below
  }
  throw badValue('The body is a JSON object {patient, reason, text}');
}
