/**
 * The message log over HTTP: list, look at a message from every side, replay one or many; and the dead jobs.
 * docs/gateway.md "Looking at messages"
 */
import { isUtf8 } from 'node:buffer';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Caller } from '../ports/caller.ts';
import type { EpcsReport } from '../ports/epcs.ts';
import type { JobTable } from '../ports/jobs.ts';
import type { LoggedMessage, MessageFilter, MessageLog, MessageState, StoredMessage } from '../ports/message-log.ts';
import { parseJson } from '../standards/fhir/json.ts';
import { badRequest, badValue, FhirError, type Issue, issue, notFound } from '../standards/fhir/outcome.ts';
import { suggestNames } from '../standards/fhir/search/suggest.ts';
import type { PartyAddress } from '../standards/script/message.ts';
import { checkRight } from './access.ts';
import { admit, type Door } from './door.ts';
import { labelRoute } from './metrics.ts';
import { decodePath } from './path.ts';
import { parseQuery } from './preferences.ts';
import { readBody } from './read-body.ts';
import { sendOutcome } from './send-outcome.ts';

/** A message from every side. */
export interface MessageView {
  /** As the dialect's reader sees it. */
  readonly parsed?: unknown;
  /** What it translates to today. */
  readonly fhir?: unknown;
  readonly issues: readonly Issue[];
}

export interface Replayed {
  readonly id?: string;
  readonly verdict: string;
  readonly answer: Buffer;
}

/** What the API does with messages; the gateway's composition gives it. */
export interface MessageDesk {
  readonly messages: MessageLog;
  readonly jobs: JobTable;
  view(message: StoredMessage): MessageView;
  /** Which element each field becomes; undefined where that is not known. */
  lineage(message: StoredMessage): unknown;
  /** Works one message again, with other bytes when they are given. */
  replay(caller: Caller, id: string, corrected?: Buffer): Promise<Replayed>;
  /** Queues every message of the filter; resolves to how many. */
  replayMany(caller: Caller, filter: MessageFilter): Promise<number>;
  /** What a sender has said against the record: a page of its messages. */
  reconcile(
    caller: Caller,
    filter: Pick<MessageFilter, 'sender' | 'since' | 'until'>,
    cursor: string | undefined,
  ): Promise<unknown>;
  mediaTypeOf(dialect: string): string;
  /** Puts a Bundle into a partner's mailbox as the SCRIPT message it stands for. */
  queueScript(
    caller: Caller,
    bundle: unknown,
    parties: { readonly from: PartyAddress; readonly to: PartyAddress },
  ): Promise<{ readonly id: string; readonly messageId: string; readonly kind: string }>;
  /** What came of controlled substances on a day, and whether the archive is whole. */
  epcsReport(day: string): Promise<EpcsReport>;
}

export interface MessageApiOptions {
  readonly desk: MessageDesk;
  readonly door: Door;
  readonly bodyBytesMax: number;
  readonly onError: (error: unknown) => void;
}

interface Call {
  readonly caller: Caller;
  readonly segments: readonly string[];
  readonly query: ReadonlyMap<string, string>;
  readonly body: Buffer;
}

interface Answer {
  readonly status: number;
  readonly json?: unknown;
  readonly bytes?: Buffer;
  readonly mediaType?: string;
}

interface Route {
  readonly method: 'GET' | 'POST';
  /** `:id` stands for any segment. */
  readonly path: string;
  /** Right of the policy that its caller must have. */
  readonly right: string;
  /** What the audit trail calls it, where messages are shown or worked again. SECURITY AU-01 */
  readonly told?: string;
  readonly handle: (options: MessageApiOptions, call: Call) => Promise<Answer>;
}

export const MESSAGE_ROUTES: readonly Route[] = [
  { method: 'GET', path: '/gateway', right: 'messages:list', handle: overview },
  { method: 'GET', path: '/gateway/messages', right: 'messages:list', handle: list },
  {
    method: 'POST',
    path: '/gateway/messages/replay',
    right: 'messages:replay',
    told: 'message-replay-many',
    handle: replayMany,
  },
  { method: 'GET', path: '/gateway/messages/:id', right: 'messages:content', told: 'message-read', handle: show },
  { method: 'GET', path: '/gateway/messages/:id/raw', right: 'messages:content', told: 'message-raw', handle: raw },
  {
    method: 'GET',
    path: '/gateway/messages/:id/lineage',
    right: 'messages:content',
    told: 'message-lineage',
    handle: lineage,
  },
  {
    method: 'GET',
    path: '/gateway/messages/:id/answer',
    right: 'messages:content',
    told: 'message-answer',
    handle: answerBytes,
  },
  {
    method: 'POST',
    path: '/gateway/messages/:id/replay',
    right: 'messages:replay',
    told: 'message-replay',
    handle: replay,
  },
  {
    method: 'GET',
    path: '/gateway/reconciliation',
    right: 'messages:content',
    told: 'message-reconciliation',
    handle: reconciliation,
  },
  { method: 'POST', path: '/gateway/script', right: 'script:send', told: 'script-queue', handle: queueScript },
  { method: 'GET', path: '/gateway/epcs', right: 'epcs:report', told: 'epcs-report', handle: epcsReport },
  { method: 'GET', path: '/gateway/jobs', right: 'jobs:read', handle: listJobs },
  { method: 'POST', path: '/gateway/jobs/replay', right: 'jobs:replay', told: 'jobs-replay', handle: replayJobs },
];

/** Sees what a message says of patients: a person says why. MISSION M7 */
const CONTENT = 'messages:content';
const REASON_MIN = 10;

const REASON_MAX = 500;

const reasonOf = ({ headers }: IncomingMessage): string => String(headers['x-access-reason'] ?? '').trim();

function checkReason(caller: Caller, req: IncomingMessage): void {
  const { length } = reasonOf(req);
  if (caller.kind !== 'user' || (length >= REASON_MIN && length <= REASON_MAX)) return;
  throw badRequest(
    `Say why in the header X-Access-Reason, in ${REASON_MIN} to ${REASON_MAX} characters: it is kept in the audit trail`,
  );
}

/** Durable before the answer leaves. The reason may name a person: it is kept where queries are, sealed. */
async function tell({ door }: MessageApiOptions, caller: Caller, req: IncomingMessage, told: string): Promise<void> {
  const reason = reasonOf(req).slice(0, REASON_MAX);
  const query = `${req.method} ${req.url}${reason === '' ? '' : ` because: ${reason}`}`;
  await door.audit.record({ kind: 'operation', caller, outcome: 0, operation: told, query });
}

const COUNT_DEFAULT = 50;
const COUNT_MAX = 500;
const JOBS_MAX = 500;

/** Answers requests below `/gateway`. */
export function createMessageApi(options: MessageApiOptions): (req: IncomingMessage, res: ServerResponse) => void {
  async function respond(req: IncomingMessage, res: ServerResponse): Promise<void> {
    try {
      const url = req.url ?? '/';
      const question = url.indexOf('?');
      const segments = decodePath(question < 0 ? url : url.slice(0, question));
      const route = find(req.method ?? 'GET', segments);
      labelRoute(res, route.path);
      const caller = await admit(options.door, req, route.right);
      if (route.right === CONTENT) checkReason(caller, req);
      const query = parseQuery(question < 0 ? '' : url.slice(question + 1));
      const body = route.method === 'POST' ? await readBody(req, options.bodyBytesMax) : Buffer.alloc(0);
      if (body.length > 0 && route.right !== 'script:send') checkRight(options.door.policy, caller, 'messages:correct');
      const answer = await route.handle(options, { caller, segments, query, body });
      if (route.told !== undefined) await tell(options, caller, req, route.told);
      send(req, res, answer);
    } catch (error) {
      if (!(error instanceof FhirError)) options.onError(error);
      sendOutcome(
        res,
        error instanceof FhirError
          ? error
          : new FhirError(500, [issue('exception', 'the server failed; its log says why')]),
      );
    }
  }
  return (req, res) => void respond(req, res);
}

function find(method: string, segments: readonly string[]): Route {
  const wanted = method === 'HEAD' ? 'GET' : method;
  const fits = ({ path }: Route): boolean => {
    const parts = path.slice(1).split('/');
    return parts.length === segments.length && parts.every((part, i) => part === ':id' || part === segments[i]);
  };
  const matches = MESSAGE_ROUTES.filter(fits);
  const route = matches.find((r) => r.method === wanted);
  if (route) return route;
  if (matches.length === 0) throw notFound('That path');
  const allowed = matches.map((r) => r.method).join(', ');
  throw new FhirError(405, [issue('not-supported', `${method} is not possible here: use ${allowed}`)], {
    headers: { Allow: allowed },
  });
}

async function overview({ desk }: MessageApiOptions, { caller }: Call): Promise<Answer> {
  const [messages, dead] = await Promise.all([desk.messages.count(caller), desk.jobs.list('dead', JOBS_MAX)]);
  return { status: 200, json: { messages, deadJobs: dead.length } };
}

async function list({ desk }: MessageApiOptions, { caller, query }: Call): Promise<Answer> {
  const filter = readFilter(query, ['_count', 'cursor']);
  const count = readCount(query.get('_count'));
  const { messages, next } = await desk.messages.list(caller, filter, count, query.get('cursor'));
  return {
    status: 200,
    json: { messages: messages.map(shown), ...(next !== undefined && { next: nextUrl(query, next) }) },
  };
}

function nextUrl(query: ReadonlyMap<string, string>, cursor: string): string {
  const parameters = new URLSearchParams([...query].filter(([name]) => name !== 'cursor'));
  parameters.set('cursor', cursor);
  return `/gateway/messages?${parameters}`;
}

async function show({ desk }: MessageApiOptions, { caller, segments }: Call): Promise<Answer> {
  const message = await desk.messages.read(caller, segments[2] as string);
  const { parsed, fhir, issues } = desk.view(message);
  return {
    status: 200,
    json: {
      ...shown(message),
      issues: message.issues ?? issues,
      raw: asText(message.raw),
      ...(message.answer && { answer: asText(message.answer) }),
      ...(parsed !== undefined && { parsed }),
      ...(fhir !== undefined && { fhir }),
    },
  };
}

async function raw({ desk }: MessageApiOptions, { caller, segments }: Call): Promise<Answer> {
  const message = await desk.messages.read(caller, segments[2] as string);
  return { status: 200, bytes: message.raw, mediaType: desk.mediaTypeOf(message.dialect) };
}

async function lineage({ desk }: MessageApiOptions, { caller, segments }: Call): Promise<Answer> {
  const found = desk.lineage(await desk.messages.read(caller, segments[2] as string));
  if (found === undefined) throw notFound('The lineage of this message');
  return { status: 200, json: { lineage: found } };
}

async function answerBytes({ desk }: MessageApiOptions, { caller, segments }: Call): Promise<Answer> {
  const message = await desk.messages.read(caller, segments[2] as string);
  if (!message.answer) throw notFound('An answer to this message');
  return { status: 200, bytes: message.answer, mediaType: desk.mediaTypeOf(message.dialect) };
}

async function replay({ desk, door }: MessageApiOptions, { caller, segments, body }: Call): Promise<Answer> {
  const id = segments[2] as string;
  const { id: replayedId, verdict, answer } = await desk.replay(caller, id, body.length > 0 ? body : undefined);
  const shows = door.policy.allows(caller, CONTENT).allowed;
  return { status: 200, json: { id: replayedId ?? id, verdict, ...(shows && { answer: asText(answer) }) } };
}

async function replayMany({ desk }: MessageApiOptions, { caller, query }: Call): Promise<Answer> {
  const filter = readFilter(query, []);
  if (filter.state !== 'dead' && filter.state !== 'rejected' && filter.state !== 'received')
    throw badRequest('Say which messages: state=dead, state=rejected or state=received', 'state');
  return { status: 202, json: { queued: await desk.replayMany(caller, filter) } };
}

async function reconciliation({ desk }: MessageApiOptions, { caller, query }: Call): Promise<Answer> {
  const { sender, since, until, ...others } = readFilter(query, ['cursor']);
  const [other] = Object.keys(others);
  if (other !== undefined) throw badValue('Reconciliation takes sender, since and until', other);
  if (sender === undefined || sender === '') throw badValue('Say whose messages: sender=PAS|RXX', 'sender');
  const filter = { sender, ...(since !== undefined && { since }), ...(until !== undefined && { until }) };
  return { status: 200, json: await desk.reconcile(caller, filter, query.get('cursor')) };
}

async function listJobs({ desk }: MessageApiOptions, { query }: Call): Promise<Answer> {
  const state = query.get('state') ?? 'dead';
  if (state !== 'dead' && state !== 'ready' && state !== 'running' && state !== 'held')
    throw badValue('state is ready, running, held or dead', 'state');
  const jobs = await desk.jobs.list(state, JOBS_MAX);
  return {
    status: 200,
    json: { jobs: jobs.map((job) => ({ ...job, runAt: iso(job.runAt), createdAt: iso(job.createdAt) })) },
  };
}

/** `?from=D:6301875277001&to=P:0300123`, and a Bundle. It waits in the mailbox of `to` until it is fetched. */
async function queueScript({ desk }: MessageApiOptions, { caller, query, body }: Call): Promise<Answer> {
  const party = (name: 'from' | 'to'): PartyAddress => {
    const [, qualifier = '', address = ''] = /^([A-Z]{1,6}):(\S{1,255})$/.exec(query.get(name) ?? '') ?? [];
    if (address === '') throw badValue(`${name} is a qualifier and an address, like P:0300123`, name);
    return { qualifier, address };
  };
  const queued = await desk.queueScript(caller, parseJson(body), { from: party('from'), to: party('to') });
  return { status: 202, json: queued };
}

/** `?day=2026-01-31`, UTC. 21 CFR 1311.150, .215 */
async function epcsReport({ desk }: MessageApiOptions, { query }: Call): Promise<Answer> {
  return { status: 200, json: await desk.epcsReport(query.get('day') ?? '') };
}

async function replayJobs({ desk }: MessageApiOptions, { query }: Call): Promise<Answer> {
  const [kind, id] = [query.get('kind'), query.get('id')];
  if (kind?.includes('\u0000') === true) throw badValue('kind is the kind of a job', 'kind');
  if (id !== undefined && !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id))
    throw badValue('id is the id of a job', 'id');
  const queued = await desk.jobs.replay({
    ...(kind !== undefined && { kind }),
    ...(id !== undefined && { ids: [id] }),
  });
  return { status: 202, json: { queued } };
}

const shown = ({ receivedAt, updatedAt, ...message }: LoggedMessage): object => {
  const { raw: _raw, answer: _answer, ...rest } = message as StoredMessage; // without its bytes where it has them
  return { ...rest, receivedAt: iso(receivedAt), updatedAt: iso(updatedAt) };
};

const iso = (ms: number): string => new Date(ms).toISOString();

const asText = (bytes: Buffer): { readonly encoding: 'utf-8' | 'latin1'; readonly text: string } =>
  isUtf8(bytes)
    ? { encoding: 'utf-8', text: bytes.toString() }
    : { encoding: 'latin1', text: bytes.toString('latin1') };

const STATES: readonly MessageState[] = [
  'received',
  'applied',
  'rejected',
  'queued',
  'sent',
  'unknown',
  'acknowledged',
  'dead',
];
const FILTERS = ['state', 'dialect', 'kind', 'direction', 'sender', 'control-id', 'since', 'until'];

function readFilter(query: ReadonlyMap<string, string>, others: readonly string[]): MessageFilter {
  for (const name of query.keys())
    if (!FILTERS.includes(name) && !others.includes(name)) {
      const near = suggestNames(name, FILTERS);
      throw badValue(
        `There is no such parameter here${near.length > 0 ? `; did you mean ${near.join(' or ')}?` : `: use ${FILTERS.join(', ')}`}`,
        name.slice(0, 64),
      );
    }
  for (const [name, value] of query)
    if (value.includes('\u0000')) throw badValue('The value holds a character that no message code has', name);
  const state = query.get('state');
  const known = STATES.find((one) => one === state);
  if (state !== undefined && !known) throw badValue(`state is one of ${STATES.join(', ')}`, 'state');
  const direction = query.get('direction');
  if (direction !== undefined && direction !== 'in' && direction !== 'out')
    throw badValue('direction is in or out', 'direction');
  const text = (name: string, as: keyof MessageFilter): Partial<MessageFilter> => {
    const value = query.get(name);
    return value === undefined ? {} : { [as]: value };
  };
  const [since, until] = [readInstant(query, 'since'), readInstant(query, 'until')];
  return {
    ...(known && { state: known }),
    ...(direction !== undefined && { direction }),
    ...text('dialect', 'dialect'),
    ...text('kind', 'kind'),
    ...text('sender', 'sender'),
    ...text('control-id', 'controlId'),
    ...(since !== undefined && { since }),
    ...(until !== undefined && { until }),
  };
}

function readInstant(query: ReadonlyMap<string, string>, name: string): number | undefined {
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

function send(req: IncomingMessage, res: ServerResponse, { status, json, bytes, mediaType }: Answer): void {
  const body = bytes ?? Buffer.from(`${JSON.stringify(json)}\n`);
  res.writeHead(status, {
    'Content-Type': mediaType ?? 'application/json; charset=utf-8',
    'Content-Length': body.length,
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    // Raw messages are shown, never run.
    'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'; sandbox",
  });
  res.end(req.method === 'HEAD' ? undefined : body);
}
