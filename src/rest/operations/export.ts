/**
 * `$export` of the system, of all patients, of a group; its status, its files, its end.
 * https://hl7.org/fhir/uv/bulkdata/STU2/export.html, SECURITY CP-14
 */
import { randomUUID } from 'node:crypto';
import type { AsyncRequest, AsyncRequests } from '../../ports/async-requests.ts';
import type { Scan } from '../../ports/bulk.ts';
import type { Caller } from '../../ports/caller.ts';
import type { ProcessingStop } from '../../ports/subject-rights.ts';
import type { SubscriptionOwner } from '../../ports/subscriptions.ts';
import { formatJson } from '../../standards/fhir/json.ts';
import {
  badValue,
  FhirError,
  forbidden,
  gone,
  issue,
  notFound,
  notSupported,
  operationOutcome,
} from '../../standards/fhir/outcome.ts';
import { ASSOCIATED, type Associated } from '../../workflow/bulk/associated.ts';
import {
  activeMembers,
  checkTypeFilters,
  EXPORT,
  type ExportOrder,
  isCovered,
  PROVENANCE,
  patientIdOf,
} from '../../workflow/bulk/export.ts';
import { searchOf } from '../criteria.ts';
import type { FhirAnswer, FhirRequest } from '../exchange.ts';
import type { Services } from '../services.ts';
import { type OperationInput, readInput } from './parameters.ts';

export interface BulkDesk {
  readonly book: AsyncRequests;
  readonly scan: Scan;
  /** Whose data may only be stored. */
  readonly stop: ProcessingStop;
  readonly ownerOf: (caller: Caller) => Promise<SubscriptionOwner | undefined>;
  /** Has the request carried out. */
  readonly start: (id: string) => Promise<void>;
  readonly limits: { readonly ownerMax: number; readonly max: number };
  readonly maxFilters: number;
}

const NAMES = ['_outputFormat', '_since', '_type', '_typeFilter', '_elements', 'includeAssociatedData'];
/** Named patients; of more a Group is made. */
const PATIENTS_MAX = 500;
/** Of them, so many are looked for at once: each look is in the trail with their ids. */
const LOOKED_FOR = 50;
const FORMATS = new Set(['application/fhir+ndjson', 'application/ndjson', 'ndjson']);
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/;
export const NDJSON = 'application/fhir+ndjson';
export const RETRY_AFTER_S = '2';

export function deskOf({ bulk }: Services): BulkDesk {
  if (!bulk) throw notSupported('There is no bulk data here');
  return bulk;
}

/** Before anything of the request is looked at: people and apps of people never export. */
function checkProgram({ kind, scopes }: Caller): void {
  if (kind !== 'client' || !scopes.some(({ level }) => level === 'system')) throw forbidden();
}

/** Whose requests they are: nobody else hears of them. */
export const ownerName = ({ clientId }: Caller): string => `client ${clientId ?? ''}`;

export const exportSystem = (services: Services, request: FhirRequest): Promise<FhirAnswer> =>
  ask(services, request, { level: 'system' });

export const exportPatients = (services: Services, request: FhirRequest): Promise<FhirAnswer> =>
  ask(services, request, { level: 'patient' });

export async function exportGroup(services: Services, request: FhirRequest): Promise<FhirAnswer> {
  const groupId = request.segments[1] as string; // the route has it
  if (!isCovered(request.caller, 'Group')) throw forbidden();
  await services.store.read(request.caller, 'Group', groupId);
  return ask(services, request, { level: 'group', groupId });
}

async function ask(
  services: Services,
  request: FhirRequest,
  what: Pick<ExportOrder, 'level' | 'groupId'>,
): Promise<FhirAnswer> {
  const { caller, headers } = request;
  checkProgram(caller);
  const desk = deskOf(services);
  if (!/(?:^|[,;\s])respond-async(?:$|[,;\s])/.test(headers['prefer'] ?? ''))
    throw new FhirError(400, [issue('required', 'An export is answered later: send Prefer: respond-async')]);
  const input = readInput(services, request, what.level === 'system' ? NAMES : [...NAMES, 'patient']);
  const associated = associatedOf(input);
  const types = typesOf(services, caller, input, what.level).filter(
    (type) => associated === undefined || type !== PROVENANCE,
  );
  if (types.length === 0) throw badValue('It asks for the Provenances of nothing: name other types', '_type');
  if (associated !== undefined && !isCovered(caller, PROVENANCE)) throw forbidden();
  const format = input.text('_outputFormat');
  if (format !== undefined && !FORMATS.has(format)) throw badValue(`The format is ${NDJSON}`, '_outputFormat');
  const filters = input.texts('_typeFilter').flatMap(splitFilters);
  if (filters.length > desk.maxFilters) throw badValue(`At most ${desk.maxFilters} filters are taken`, '_typeFilter');
  checkTypeFilters(filters, types, (type, query) => searchOf(services, type, query));
  const patients = await patientsOf(services, caller, input, what.groupId);
  const owner = await desk.ownerOf(caller);
  if (!owner) throw forbidden();
  const since = sinceOf(input.text('_since'));
  const elements = input.texts('_elements').flatMap((one) => one.split(','));
  const order: ExportOrder = {
    owner,
    types,
    ...what,
    ...(patients && { patients }),
    ...(since !== undefined && { since }),
    typeFilters: filters,
    ...(elements.length > 0 && { elements }),
    ...(associated !== undefined && { associated }),
    baseUrl: services.settings.baseUrl,
    request: `${services.settings.baseUrl}/${request.segments.join('/')}${request.query === '' ? '' : `?${request.query}`}`,
  };
  const id = randomUUID();
  const isTaken = await desk.book.ask(
    { id, kind: EXPORT, owner: ownerName(caller), payload: { ...order }, askedAt: services.now() },
    desk.limits,
  );
  if (!isTaken)
    throw new FhirError(429, [issue('throttled', 'Too many exports are kept or under way: delete one first')], {
      headers: { 'Retry-After': '60' },
    });
  await desk.start(id);
  const url = `${services.settings.baseUrl}/$export-status/${id}`;
  const body = formatJson(
    operationOutcome([{ severity: 'information', code: 'informational', diagnostics: `Ask ${url}` }]),
  );
  return { status: 202, headers: { 'Content-Location': url }, body };
}

/** Those that are asked for, or else exactly those that the scopes cover; stored with the request. */
function typesOf(
  services: Services,
  caller: Caller,
  input: OperationInput,
  level: ExportOrder['level'],
): readonly string[] {
  const asked = input
    .texts('_type')
    .flatMap((one) => one.split(','))
    .filter((one) => one !== '');
  const inCompartment = new Set(['Patient', ...Object.keys(services.definitions.compartments.Patient)]);
  const isOfLevel = (type: string): boolean => level === 'system' || inCompartment.has(type);
  for (const type of asked) {
    if (services.parameters.get(type) === undefined) throw badValue(`There is no type ${type.slice(0, 64)}`, '_type');
    if (!isOfLevel(type)) throw badValue(`${type} is not in the compartment of patients`, '_type');
    if (!isCovered(caller, type)) throw forbidden();
  }
  if (level !== 'system' && !isCovered(caller, 'Patient')) throw forbidden();
  const all = services.definitions.resourceTypes.filter((type) => services.parameters.get(type) !== undefined);
  const types = asked.length > 0 ? asked : all.filter((type) => isOfLevel(type) && isCovered(caller, type));
  if (types.length === 0) throw forbidden();
  return [...new Set(types)];
}

/**
 * The patients that are named, each of whom must be one of the level whom the caller sees; undefined: all of the level.
 * https://hl7.org/fhir/uv/bulkdata/STU2/export.html#query-parameters
 */
async function patientsOf(
  services: Services,
  caller: Caller,
  input: OperationInput,
  groupId: string | undefined,
): Promise<readonly string[] | undefined> {
  const named = input.values<{ readonly reference?: string }>('patient');
  if (named.length === 0) return undefined;
  if (named.length > PATIENTS_MAX)
    throw badValue(`At most ${PATIENTS_MAX} patients are named: export a Group`, 'patient');
  const { baseUrl } = services.settings;
  const ids = [...new Set(named.map(({ reference = '' }) => patientIdOf(reference, baseUrl)))];
  if (!ids.every((id) => id !== undefined)) throw badValue('patient is a reference such as Patient/123', 'patient');
  const there =
    groupId === undefined
      ? await seenPatients(services, caller, ids)
      : activeMembers((await services.store.read(caller, 'Group', groupId)).content, baseUrl);
  const missing = ids.find((id) => !there.has(id));
  const what = groupId === undefined ? 'is not here' : 'is no active member of the group';
  if (missing !== undefined) throw badValue(`Patient/${missing} ${what}`, 'patient');
  return ids;
}

async function seenPatients(services: Services, caller: Caller, ids: readonly string[]): Promise<ReadonlySet<string>> {
  const seen = new Set<string>();
  for (let at = 0; at < ids.length; at += LOOKED_FOR) {
    const some = ids.slice(at, at + LOOKED_FOR);
    const search = searchOf(services, 'Patient', `_id=${some.join(',')}`);
    const { matches } = await services.store.search(caller, { ...search, count: some.length });
    for (const { id } of matches) seen.add(id);
  }
  return seen;
}

/** Of both it is the larger: the latest are among the relevant. */
function associatedOf(input: OperationInput): Associated | undefined {
  const asked = input.texts('includeAssociatedData').flatMap((one) => one.split(','));
  for (const one of asked)
    if (!ASSOCIATED.some((known) => known === one))
      throw badValue(`includeAssociatedData is one of ${ASSOCIATED.join(', ')}`, 'includeAssociatedData');
  return ASSOCIATED.findLast((known) => asked.includes(known));
}

/** Several may stand in one parameter, with commas; a comma of a value stands before no `Type?`. */
const splitFilters = (text: string): readonly string[] => text.split(/,(?=[A-Z][A-Za-z]+\?)/);

function sinceOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  // A plus sign of a query is a space once it is decoded.
  const instant = text.replace(' ', '+');
  if (!INSTANT.test(instant) || Number.isNaN(Date.parse(instant)))
    throw badValue('_since is an instant such as 2026-11-22T10:00:00Z', '_since');
  return Date.parse(instant);
}

/** The request of this very client; for anybody else there is none. */
async function find(services: Services, { caller, segments }: FhirRequest): Promise<AsyncRequest> {
  checkProgram(caller);
  const found = await deskOf(services).book.find(segments[1] as string); // the route has it
  if (!found || found.kind !== EXPORT || found.owner !== ownerName(caller)) throw notFound('This export');
  if (found.state === 'cancelled') throw notFound('This export');
  if (found.state === 'gone') throw gone('This export');
  return found;
}

/** What was exported is given to nobody who may not read it any more. */
function checkCovered(caller: Caller, { payload }: AsyncRequest): void {
  const { types } = payload as unknown as ExportOrder; // as `ask` kept it
  if (!types.every((type) => isCovered(caller, type))) throw forbidden();
}

export async function exportStatus(services: Services, request: FhirRequest): Promise<FhirAnswer> {
  const found = await find(services, request);
  if (found.state === 'waiting' || found.state === 'running') {
    const progress = found.progress ?? 'waiting';
    return { status: 202, headers: { 'X-Progress': progress, 'Retry-After': RETRY_AFTER_S } };
  }
  if (found.failure) throw new FhirError(found.failure.status, found.failure.issues);
  checkCovered(request.caller, found);
  const { baseUrl } = services.settings;
  const files = await deskOf(services).book.files(found.id);
  const { transactionTime, request: asked } = found.result ?? {};
  const manifest = {
    transactionTime,
    request: asked,
    requiresAccessToken: true,
    output: files.map(({ name, count }) => ({
      type: name.slice(0, name.indexOf('-')),
      url: `${baseUrl}/$export-file/${found.id}/${name}`,
      count,
    })),
    error: [],
  };
  const expires = found.expiresAt === undefined ? {} : { Expires: new Date(found.expiresAt).toUTCString() };
  return { status: 200, headers: expires, contentType: 'application/json', body: JSON.stringify(manifest) };
}

export async function cancelExport(services: Services, request: FhirRequest): Promise<FhirAnswer> {
  const found = await find(services, request);
  await deskOf(services).book.cancel(found.id);
  return { status: 202, headers: {} };
}

export async function exportFile(services: Services, request: FhirRequest): Promise<FhirAnswer> {
  const { caller, segments } = request;
  const found = await find(services, request);
  if (found.state !== 'done') throw notFound('This file');
  checkCovered(caller, found);
  const { book } = deskOf(services);
  const name = segments[2] as string; // the route has it
  const file = (await book.files(found.id)).find((one) => one.name === name);
  if (!file) throw notFound('This file');
  await services.audit.record({
    kind: 'export',
    caller,
    outcome: 0,
    rule: 'read',
    detail: { file: name, count: String(file.count) },
  });
  return { status: 200, headers: {}, contentType: NDJSON, length: file.length, stream: book.readFile(found.id, name) };
}
