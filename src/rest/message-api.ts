/**
 * The message log over HTTP: list, look at a message from every side, replay one or many; and the dead jobs.
 * docs/gateway.md "Looking at messages"
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Caller } from '../ports/caller.ts';
import { badRequest, FhirError } from '../standards/fhir/outcome.ts';
import { checkRight } from './access.ts';
import { admit } from './door.ts';
import { epcsReport, listJobs, overview, queueScript, replayJobs } from './gateway-handlers.ts';
import type { MessageApiOptions, Route } from './message-desk.ts';
import {
  answerBytes,
  CONTENT,
  lineage,
  list,
  raw,
  reconciliation,
  replay,
  replayMany,
  show,
} from './message-handlers.ts';
import { labelRoute } from './metrics.ts';
import { decodePath } from './path.ts';
import { parseQuery } from './preferences.ts';
import { readBody } from './read-body.ts';
import { createRouting } from './routing.ts';
import { sendAnswer } from './send-answer.ts';
import { sendOutcome } from './send-outcome.ts';

const MESSAGE_ROUTES: readonly Route[] = [
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

/** Who sees what a message says of patients says why. MISSION M7 */
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

/** Answers requests below `/gateway`. */
export function createMessageApi(options: MessageApiOptions): (req: IncomingMessage, res: ServerResponse) => void {
  const find = createRouting(MESSAGE_ROUTES);
  async function respond(req: IncomingMessage, res: ServerResponse): Promise<void> {
    try {
      const url = req.url ?? '/';
      const question = url.indexOf('?');
      const segments = decodePath(question < 0 ? url : url.slice(0, question));
      const { route } = find(req.method ?? 'GET', segments);
      labelRoute(res, route.path);
      const caller = await admit(options.door, req, route.right);
      if (route.right === CONTENT) checkReason(caller, req);
      const query = parseQuery(question < 0 ? '' : url.slice(question + 1));
      const body = route.method === 'POST' ? await readBody(req, options.bodyBytesMax) : Buffer.alloc(0);
      if (body.length > 0 && route.right !== 'script:send') checkRight(options.door.policy, caller, 'messages:correct');
      const answer = await route.handle(options, { caller, segments, query, body });
      if (route.told !== undefined) await tell(options, caller, req, route.told);
      await sendAnswer(res, answer);
    } catch (error) {
      if (!(error instanceof FhirError)) options.onError(error);
      sendOutcome(res, error);
    }
  }
  return (req, res) => void respond(req, res);
}
