/**
 * `Prefer: respond-async`: a search or a bundle is taken, done by a job, and fetched later by who asked, under the rights
 * they had. https://hl7.org/fhir/R4/async.html, RFC 7240 section 4.1
 */
import { createHash, randomUUID } from 'node:crypto';
import type { AsyncRequest, AsyncRequests } from '../ports/async-requests.ts';
import type { AuditLog } from '../ports/audit.ts';
import type { Caller } from '../ports/caller.ts';
import type { Clock } from '../ports/clock.ts';
import { FhirError, issue, notFound } from '../standards/fhir/outcome.ts';
import { outcomeAnswer } from './answers.ts';
import { interactionPayload } from './async-interaction.ts';
import type { FhirAnswer, FhirRequest } from './exchange.ts';

export interface AsyncDesk {
  /** 202 with where to look. Throws 429 when the caller, or everybody, has too many. */
  accept(request: FhirRequest): Promise<FhirAnswer>;
  /** 202 while it lasts, then what came of it. Throws 404 to everybody else. */
  status(caller: Caller, id: string): Promise<FhirAnswer>;
  /** Ends it, and removes what there is of its result. */
  cancel(caller: Caller, id: string): Promise<FhirAnswer>;
}

export interface AsyncDeskOptions {
  readonly book: AsyncRequests;
  /** Has the request done in the background. */
  readonly begin: (id: string) => Promise<void>;
  readonly audit: AuditLog;
  readonly baseUrl: string;
  readonly now: Clock;
}

export const INTERACTION = 'interaction';
const LIMIT = { ownerMax: 10, max: 1000 };
const RETRY_S = '1';

/** Who alone may hear of a request: the program with the person and the patient it acts for. */
export const ownerOf = ({ kind, clientId, name, user, patientId }: Caller): string =>
  [kind, clientId ?? name, user?.id ?? '', patientId ?? ''].join(' ');

/** Two callers with the same rights; an emergency that has ended makes another. */
export function rightsOf({
  scopes,
  otherScopes,
  user,
  patientId,
  encounterId,
  organizationId,
  purpose,
}: Caller): string {
  const {
    authTime: _at,
    amr: _amr,
    name: _name,
    sessionId: _session,
    ...rights
  } = user ?? { authTime: 0, amr: [], name: '' };
  const text = JSON.stringify([scopes, otherScopes, rights, patientId, encounterId, organizationId, purpose]);
  return createHash('sha256').update(text).digest('base64url');
}

export function createAsyncDesk({ book, begin, audit, baseUrl, now }: AsyncDeskOptions): AsyncDesk {
  async function find(caller: Caller, id: string): Promise<AsyncRequest> {
    const found = await book.find(id);
    const isTheirs = found?.kind === INTERACTION && found.owner === ownerOf(caller);
    if (!found || !isTheirs || found.state === 'cancelled') throw notFound('A request with that id');
    return found;
  }
  const tell = (caller: Caller, operation: string, id: string): Promise<void> =>
    audit.record({ kind: 'operation', caller, outcome: 0, operation, detail: { request: id } });

  return {
    async accept(request) {
      const { caller } = request;
      const id = randomUUID();
      const payload = { rights: rightsOf(caller), ...interactionPayload(request) };
      const asked = { id, kind: INTERACTION, owner: ownerOf(caller), payload, askedAt: now() };
      if (!(await book.ask(asked, LIMIT)))
        throw new FhirError(
          429,
          [
            issue(
              'throttled',
              `${LIMIT.ownerMax} requests wait or are kept for you already, or too many for everybody: fetch or delete some`,
            ),
          ],
          { headers: { 'Retry-After': '30' } },
        );
      await begin(id);
      const headers = { 'Content-Location': `${baseUrl}/_async/${id}`, 'Preference-Applied': 'respond-async' };
      return outcomeAnswer(
        202,
        [{ severity: 'information', code: 'informational', diagnostics: 'Taken: look at Content-Location' }],
        headers,
      );
    },

    async status(caller, id) {
      const found = await find(caller, id);
      if (found.state === 'gone')
        throw new FhirError(410, [issue('not-found', 'The result was kept for an hour and is gone: ask again')]);
      if (found.state === 'waiting' || found.state === 'running')
        return { status: 202, headers: { 'X-Progress': found.progress ?? found.state, 'Retry-After': RETRY_S } };
      if (found.failure) throw new FhirError(found.failure.status, found.failure.issues);
      if (found.payload['rights'] !== rightsOf(caller))
        throw new FhirError(410, [issue('forbidden', 'Your rights are others than when you asked: ask again')]);
      await tell(caller, 'async-result', id);
      const body = Buffer.concat(await Array.fromAsync(book.readFile(id, 'answer'))).toString();
      const expires = { Expires: new Date(found.expiresAt ?? 0).toUTCString() };
      return { status: 200, headers: expires, body: asBatchResponse(Number(found.result?.['status']), body) };
    },

    async cancel(caller, id) {
      await find(caller, id);
      await book.cancel(id);
      await tell(caller, 'async-cancel', id);
      return { status: 202, headers: {} };
    },
  };
}

/** What a bundle was answered with stands as it is; all else is the one entry of a batch-response. */
function asBatchResponse(status: number, body: string): string {
  if (status === 200 && /^\{"resourceType":"Bundle","type":"(?:batch|transaction)-response"/.test(body)) return body;
  const content = body === '' ? '' : status < 400 ? `"resource":${body},` : '';
  const outcome = body !== '' && status >= 400 ? `,"outcome":${body}` : '';
  return `{"resourceType":"Bundle","type":"batch-response","entry":[{${content}"response":{"status":"${status}"${outcome}}}]}`;
}
