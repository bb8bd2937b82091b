/**
 * The audit trail over HTTP: `GET /api/v2/audit/events` and `events.csv` for those who examine it, `my-record` for
 * patients who ask who looked at theirs. Every call is itself recorded. SECURITY AU-13, WB-05
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AuditEvent, AuditLog, AuditRow, AuditRows, TrailQuery } from '../ports/audit.ts';
import type { Authenticate } from '../ports/authenticate.ts';
import type { Caller } from '../ports/caller.ts';
import type { Policy } from '../ports/policy.ts';
import { badValue, FhirError, forbidden, issue, notFound } from '../standards/fhir/outcome.ts';
import { correlationIdOf } from '../standards/fhir/request-id.ts';
import { suggestNames } from '../standards/fhir/search/suggest.ts';
import { csvCell } from './csv.ts';
import { iso } from './instant.ts';
import { labelRoute } from './metrics.ts';
import { decodePath } from './path.ts';
import { parseQuery } from './preferences.ts';
import { type ApiAnswer, sendAnswer } from './send-answer.ts';
import { sendOutcome } from './send-outcome.ts';

export interface AuditApiOptions {
  readonly audit: AuditLog;
  readonly trail: AuditRows;
  readonly policy: Policy;
  readonly authenticate: Authenticate;
  readonly onError: (error: unknown) => void;
}

type Query = ReadonlyMap<string, string>;

interface Route {
  readonly path: string;
  readonly right: string;
  readonly handle: (options: AuditApiOptions, caller: Caller, query: Query) => Promise<ApiAnswer>;
}

const AUDIT_ROUTES: readonly Route[] = [
  { path: '/api/v2/audit/events', right: 'audit:read', handle: events },
  { path: '/api/v2/audit/events.csv', right: 'audit:read', handle: eventsCsv },
  { path: '/api/v2/audit/my-record', right: 'audit:own', handle: myRecord },
];

const COUNT_DEFAULT = 50;
const COUNT_MAX = 500;
const CSV_ROWS_MAX = 50_000;

/** Answers `GET` and `HEAD` of `AUDIT_ROUTES`. */
export function createAuditApi(options: AuditApiOptions): (req: IncomingMessage, res: ServerResponse) => void {
  async function respond(req: IncomingMessage, res: ServerResponse): Promise<void> {
    try {
      const url = req.url ?? '/';
      const question = url.indexOf('?');
      const path = `/${decodePath(question < 0 ? url : url.slice(0, question)).join('/')}`;
      const route = AUDIT_ROUTES.find((one) => one.path === path);
      if (!route) throw notFound('That path');
      labelRoute(res, route.path);
      checkMethod(req.method);
      const caller = await options.authenticate(req, correlationIdOf(req));
      const text = question < 0 ? '' : url.slice(question + 1);
      const answer = await recorded(options, caller, route, text, () =>
        route.handle(options, caller, parseQuery(text)),
      );
      await sendAnswer(res, answer);
    } catch (error) {
      if (!(error instanceof FhirError)) options.onError(error);
      sendOutcome(res, error);
    }
  }
  return (req, res) => void respond(req, res);
}

function checkMethod(method = 'GET'): void {
  if (method === 'GET' || method === 'HEAD') return;
  throw new FhirError(405, [issue('not-supported', `${method} is not possible here: the audit trail is only read`)], {
    headers: { Allow: 'GET, HEAD' },
  });
}

/** Who may not, and what was asked, is in the trail before there is an answer. */
async function recorded(
  { audit, policy }: AuditApiOptions,
  caller: Caller,
  { path, right }: Route,
  query: string,
  work: () => Promise<ApiAnswer>,
): Promise<ApiAnswer> {
  const event: Omit<AuditEvent, 'outcome'> = {
    kind: 'audit-read',
    caller,
    query: query === '' ? path : `${path}?${query}`,
    operation: path.slice(path.lastIndexOf('/') + 1),
  };
  const decision = policy.allows(caller, right);
  if (!decision.allowed) {
    await audit.record({ ...event, outcome: 4, rule: decision.rule });
    throw forbidden();
  }
  try {
    const answer = await work();
    await audit.record({ ...event, outcome: 0 });
    return answer;
  } catch (error) {
    const isClients = error instanceof FhirError && error.status < 500;
    if (isClients) await audit.record({ ...event, outcome: 4, rule: error.issues[0]?.code ?? 'invalid' });
    throw error;
  }
}

async function events({ trail }: AuditApiOptions, _caller: Caller, query: Query): Promise<ApiAnswer> {
  const filter = readFilter(query, ['_count', 'cursor']);
  const { rows, next } = await trail.list(filter, readCount(query.get('_count')), query.get('cursor'));
  const answer = {
    events: rows.map(shown),
    ...(next !== undefined && { next: nextUrl(AUDIT_ROUTES[0]?.path, query, next) }),
  };
  return { json: answer };
}

function nextUrl(path: string | undefined, query: Query, cursor: string): string {
  const parameters = new URLSearchParams([...query].filter(([name]) => name !== 'cursor'));
  parameters.set('cursor', cursor);
  return `${path}?${parameters}`;
}
const shown = ({ at, ...row }: AuditRow): object => ({ ...row, at: iso(at) });

/** Columns of the CSV, in their order. */
const COLUMNS: readonly (readonly [name: string, of: (row: AuditRow) => string | number | undefined])[] = [
  ['id', (row) => row.id],
  ['at', (row) => iso(row.at)],
  ['kind', (row) => row.kind],
  ['outcome', (row) => row.outcome],
  ['rule', (row) => row.rule],
  ['caller_kind', (row) => row.callerKind],
  ['caller', (row) => row.caller],
  ['client_id', (row) => row.clientId],
  ['user_id', (row) => row.userId],
  ['user_name', (row) => row.userName],
  ['roles', (row) => row.roles?.join(' ')],
  ['fhir_user', (row) => row.fhirUser],
  ['type', (row) => row.type],
  ['target', (row) => row.target],
  ['patients', (row) => row.patientIds.join(' ')],
  ['operation', (row) => row.operation],
  ['query', (row) => row.query],
  ['purpose', (row) => row.purpose],
  ['address', (row) => row.address],
  ['correlation_id', (row) => row.correlationId],
];

/** All that match; so many that it cannot be one file are refused. */
async function eventsCsv({ trail }: AuditApiOptions, _caller: Caller, query: Query): Promise<ApiAnswer> {
  const filter = readFilter(query, []);
  const lines = [COLUMNS.map(([name]) => name).join(',')];
  let cursor: string | undefined;
  do {
    const page = await trail.list(filter, COUNT_MAX, cursor);
    for (const row of page.rows) lines.push(COLUMNS.map(([, of]) => csvCell(of(row))).join(','));
    cursor = page.next;
    if (cursor !== undefined && lines.length > CSV_ROWS_MAX)
      throw badValue(`More than ${CSV_ROWS_MAX} events match: narrow them with from and until`, 'from');
  } while (cursor !== undefined);
  return {
    content: `${lines.join('\r\n')}\r\n`,
    mediaType: 'text/csv; charset=utf-8; header=present',
    headers: { 'Content-Disposition': 'attachment; filename="audit-events.csv"' },
  };
}

/** Own records only: the caller's, or the one of those that is named. */
async function myRecord({ trail }: AuditApiOptions, caller: Caller, query: Query): Promise<ApiAnswer> {
  checkNames(query, ['patient', '_count', 'cursor']);
  const own = new Set([...(caller.user?.patientIds ?? [])]);
  const asked = query.get('patient') ?? caller.patientId ?? [...own][0];
  if (asked === undefined || !own.has(asked)) throw forbidden();
  const { visits, next } = await trail.entriesOfPatient(asked, readCount(query.get('_count')), query.get('cursor'));
  const answer = {
    patient: `Patient/${asked}`,
    visits: visits.map(({ at, ...visit }) => ({ at: iso(at), ...visit })),
    ...(next !== undefined && { next: nextUrl(AUDIT_ROUTES[2]?.path, query, next) }),
  };
  return { json: answer };
}

const FILTERS = ['from', 'until', 'kind', 'outcome', 'type', 'id', 'patient', 'user', 'fhir-user', 'client'] as const;

function checkNames(query: Query, allowed: readonly string[]): void {
  for (const [name, value] of query) {
    if (!allowed.includes(name)) {
      const near = suggestNames(name, allowed);
      const hint = near.length > 0 ? `; did you mean ${near.join(' or ')}?` : `: use ${allowed.join(', ')}`;
      throw badValue(`There is no such parameter here${hint}`, name.slice(0, 64));
    }
    if (value.length > 256 && name !== 'cursor') throw badValue('The value is too long', name);
    if (value.includes('\u0000')) throw badValue('The value holds a character that no code has', name);
  }
}

function readFilter(query: Query, more: readonly string[]): TrailQuery {
  checkNames(query, [...FILTERS, ...more]);
  const [from, until, outcome] = [readInstant(query, 'from'), readInstant(query, 'until'), query.get('outcome')];
  if (outcome !== undefined && !/^(0|4|8|12)$/.test(outcome)) throw badValue('outcome is 0, 4, 8 or 12', 'outcome');
  if (query.has('id') && !query.has('type')) throw badValue('id needs the type of the resource', 'type');
  const kinds = query.get('kind')?.split(',');
  const text = (name: string, as: keyof TrailQuery): Partial<TrailQuery> => {
    const value = query.get(name);
    return value === undefined ? {} : { [as]: value };
  };
  return {
    ...(from !== undefined && { from }),
    ...(until !== undefined && { until }),
    ...(kinds && { kinds }),
    ...(outcome !== undefined && { outcome: Number(outcome) }),
    ...text('type', 'type'),
    ...text('id', 'id'),
    ...text('patient', 'patientId'),
    ...text('user', 'userId'),
    ...text('fhir-user', 'fhirUser'),
    ...text('client', 'clientId'),
  };
}

function readInstant(query: Query, name: string): number | undefined {
  const text = query.get(name);
  if (text === undefined) return undefined;
  const at = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2}))?$/.test(text)
    ? Date.parse(text)
    : Number.NaN;
  if (Number.isNaN(at)) throw badValue(`${name} is a date, or an instant with its offset: 2026-05-01T09:00:00Z`, name);
  return at;
}

function readCount(text: string | undefined): number {
  if (text === undefined) return COUNT_DEFAULT;
  if (!/^[1-9][0-9]{0,8}$/.test(text)) throw badValue('_count must be a whole number above 0', '_count');
  return Math.min(Number(text), COUNT_MAX);
}
