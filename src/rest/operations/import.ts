/**
 * `$import`: ndjson in the body, applied later; its status, its error file, its end. Nothing is fetched from addresses that
 * a client names. SECURITY AZ-01, IN-40, docs/bulk.md
 */
import { randomUUID } from 'node:crypto';
import type { AsyncRequest, AsyncStep } from '../../ports/async-requests.ts';
import type { Caller } from '../../ports/caller.ts';
import { badRequest, conflict, FhirError, forbidden, gone, issue, notFound } from '../../standards/fhir/outcome.ts';
import {
  beginApplying,
  ERRORS,
  IMPORT,
  type ImportOrder,
  INPUT,
  isAdministrator,
  type Uploading,
} from '../../workflow/bulk/import.ts';
import { cutLines } from '../../workflow/bulk/lines.ts';
import { outcomeAnswer } from '../answers.ts';
import type { FhirAnswer, FhirRequest } from '../exchange.ts';
import { checkContentType, parsePrefer } from '../preferences.ts';
import type { Services } from '../services.ts';
import { type BulkDesk, deskOf, NDJSON, ownerName, RETRY_AFTER_S } from './export.ts';

const TYPES = [NDJSON, 'application/ndjson', 'application/x-ndjson'];
/** Some thousand lines: between pieces nothing is under way. */
const PIECE_BYTES = 8 * 1024 * 1024;
/** Nothing ends while it is uploaded. */
const NO_TIMES = { endedAt: 0, expiresAt: 0 };

/** Before anything of the request is looked at. */
function checkAdministrator(caller: Caller): void {
  if (!isAdministrator(caller)) throw forbidden();
}

export async function importLines(services: Services, request: FhirRequest): Promise<FhirAnswer> {
  const { caller, headers, upload, query } = request;
  checkAdministrator(caller);
  const desk = deskOf(services);
  if (!parsePrefer(headers).isAsync)
    throw new FhirError(400, [issue('required', 'An import is answered later: send Prefer: respond-async')]);
  if (query !== '') throw badRequest('$import takes no parameters: the body is the resources, one a line');
  checkContentType(headers, TYPES);
  if (!upload) throw badRequest('An import is a request of its own, and no entry of a bundle');
  const owner = await desk.ownerOf(caller);
  if (!owner) throw forbidden();
  const { baseUrl } = services.settings;
  const order: ImportOrder = { owner, request: `${baseUrl}/$import` };
  const id = randomUUID();
  const asked = { id, kind: IMPORT, owner: ownerName(caller), payload: { ...order }, askedAt: services.now() };
  if (!(await desk.book.ask(asked, desk.limits)))
    throw new FhirError(429, [issue('throttled', 'Too many imports are kept or under way: delete one first')], {
      headers: { 'Retry-After': '60' },
    });
  try {
    await keepUpload(services, desk, id, upload);
    await tell(services, caller, 'begun', id);
  } catch (error) {
    await desk.book.cancel(id);
    throw error;
  }
  await desk.start(id);
  const url = `${baseUrl}/$import-status/${id}`;
  return outcomeAnswer(202, [{ severity: 'information', code: 'informational', diagnostics: `Ask ${url}` }], {
    'Content-Location': url,
  });
}

/** Sealed, a piece a step, no faster than they are kept. */
async function keepUpload(
  services: Services,
  { book }: BulkDesk,
  id: string,
  upload: AsyncIterable<Buffer>,
): Promise<void> {
  const begun = await book.begin(id);
  if (!begun) throw endedMeanwhile();
  const append = async (step: number, kept: AsyncStep): Promise<void> => {
    if (!(await book.append(id, step, kept, NO_TIMES))) throw endedMeanwhile();
  };
  let pieces = 0;
  let lines = 0;
  const limits = { pieceBytes: PIECE_BYTES, lineBytesMax: services.settings.bodyBytesMax };
  for await (const { bytes, count } of cutLines(upload, limits)) {
    lines += count;
    const checkpoint: Uploading = { stage: 'upload', at: services.now() };
    await append(pieces, {
      pieces: [await book.pack({ file: INPUT, bytes, count })],
      checkpoint: { ...checkpoint },
      progress: `${lines} lines have come`,
    });
    pieces += 1;
  }
  await append(pieces, { pieces: [], checkpoint: { ...beginApplying(pieces, lines) } });
}

const endedMeanwhile = (): FhirError => conflict('The import was ended while it was sent: nothing was imported');

const tell = (services: Services, caller: Caller, rule: string, request: string): Promise<void> =>
  services.audit.record({ kind: 'operation', operation: 'import', caller, outcome: 0, rule, detail: { request } });

/** The request of this very client; for anybody else there is none. */
async function find(services: Services, { caller, segments }: FhirRequest): Promise<AsyncRequest> {
  checkAdministrator(caller);
  const found = await deskOf(services).book.find(segments[1] as string); // the route has it
  const isTheirs = found?.kind === IMPORT && found.owner === ownerName(caller);
  if (!found || !isTheirs || found.state === 'cancelled') throw notFound('This import');
  if (found.state === 'gone') throw gone('This import');
  return found;
}

export async function importStatus(services: Services, request: FhirRequest): Promise<FhirAnswer> {
  const found = await find(services, request);
  if (found.state === 'waiting' || found.state === 'running') {
    const progress = found.progress ?? 'waiting';
    return { status: 202, headers: { 'X-Progress': progress, 'Retry-After': RETRY_AFTER_S } };
  }
  if (found.failure) throw new FhirError(found.failure.status, found.failure.issues);
  const files = await deskOf(services).book.files(found.id);
  const errors = files.filter(({ name }) => name === ERRORS);
  const { types, ...result } = found.result ?? {};
  const manifest = {
    ...result,
    requiresAccessToken: true,
    output: Object.entries((types ?? {}) as Readonly<Record<string, number>>).map(([type, count]) => ({ type, count })),
    error: errors.map(({ name, count }) => ({
      type: 'OperationOutcome',
      url: `${services.settings.baseUrl}/$import-file/${found.id}/${name}`,
      count,
    })),
  };
  const expires = found.expiresAt === undefined ? {} : { Expires: new Date(found.expiresAt).toUTCString() };
  return { status: 200, headers: expires, contentType: 'application/json', body: JSON.stringify(manifest) };
}

export async function cancelImport(services: Services, request: FhirRequest): Promise<FhirAnswer> {
  const found = await find(services, request);
  await deskOf(services).book.cancel(found.id);
  await tell(services, request.caller, 'ended', found.id);
  return { status: 202, headers: {} };
}

export async function importFile(services: Services, request: FhirRequest): Promise<FhirAnswer> {
  const found = await find(services, request);
  const { book } = deskOf(services);
  const name = request.segments[2]; // the route has it
  const file = found.state === 'done' ? (await book.files(found.id)).find((one) => one.name === name) : undefined;
  if (!file) throw notFound('This file');
  await tell(services, request.caller, 'read', found.id);
  const stream = book.readFile(found.id, file.name);
  return { status: 200, headers: {}, contentType: NDJSON, length: file.length, stream };
}
