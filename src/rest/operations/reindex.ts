/**
 * `$reindex` of the system, of a type, of a resource; its status and its end; and where the values of posted search
 * parameters stand. SECURITY SC-05, docs/fhir.md
 */
import { randomUUID } from 'node:crypto';
import type { AsyncRequest } from '../../ports/async-requests.ts';
import type { Caller } from '../../ports/caller.ts';
import type { CustomParameterStatus } from '../../ports/custom-parameters.ts';
import { parseJson } from '../../standards/fhir/json.ts';
import { FhirError, forbidden, gone, issue, notFound, notSupported } from '../../standards/fhir/outcome.ts';
import { isAdministrator } from '../../workflow/bulk/import.ts';
import { REINDEX, type ReindexOrder } from '../../workflow/reindex.ts';
import { outcomeAnswer } from '../answers.ts';
import type { FhirAnswer, FhirRequest } from '../exchange.ts';
import { parsePrefer } from '../preferences.ts';
import type { Services } from '../services.ts';
import { deskOf, ownerName, RETRY_AFTER_S } from './export.ts';
import { parametersAnswer, readInput } from './parameters.ts';

export async function reindexOperation(services: Services, request: FhirRequest): Promise<FhirAnswer> {
  const { caller, headers, segments } = request;
  // Before anything of the request is looked at.
  if (!isAdministrator(caller)) throw forbidden();
  const desk = deskOf(services);
  readInput(services, request, []);
  if (!parsePrefer(headers).isAsync)
    throw new FhirError(400, [
      issue('required', '$reindex is done in the background: send the header Prefer: respond-async'),
    ]);
  const [type, id] = segments.filter((segment) => !segment.startsWith('$'));
  if (type !== undefined && id !== undefined) await services.store.read(caller, type, id);
  const owner = await desk.ownerOf(caller);
  if (!owner) throw forbidden();
  const { baseUrl } = services.settings;
  const all = services.definitions.resourceTypes.filter((one) => services.parameters.get(one) !== undefined);
  const order: ReindexOrder = {
    owner,
    request: `${baseUrl}/${segments.join('/')}`,
    types: type === undefined ? all : [type],
    ...(id !== undefined && { id }),
  };
  const asked = {
    id: randomUUID(),
    kind: REINDEX,
    owner: ownerName(caller),
    payload: { ...order },
    askedAt: services.now(),
  };
  if (!(await desk.book.ask(asked, desk.limits)))
    throw new FhirError(
      429,
      [
        issue(
          'throttled',
          'Too many asynchronous requests of yours are kept or under way: DELETE one at its Content-Location first',
        ),
      ],
      {
        headers: { 'Retry-After': '60' },
      },
    );
  await tell(services, caller, 'begun', asked.id);
  await desk.start(asked.id);
  const url = `${baseUrl}/$reindex-status/${asked.id}`;
  return outcomeAnswer(
    202,
    [
      {
        severity: 'information',
        code: 'informational',
        diagnostics: `Search values are made again. GET ${url} until it answers 200; DELETE it to stop`,
      },
    ],
    {
      'Content-Location': url,
    },
  );
}

const NAME = 'This $reindex request';

const tell = (services: Services, caller: Caller, rule: string, request: string): Promise<void> =>
  services.audit.record({ kind: 'operation', operation: 'reindex', caller, outcome: 0, rule, detail: { request } });

/** The request of this very client; for anybody else there is none. */
async function find(services: Services, { caller, segments }: FhirRequest): Promise<AsyncRequest> {
  if (!isAdministrator(caller)) throw forbidden();
  const found = await deskOf(services).book.find(segments[1] as string); // the route has it
  const isTheirs = found?.kind === REINDEX && found.owner === ownerName(caller);
  if (!found || !isTheirs || found.state === 'cancelled') throw notFound(NAME);
  if (found.state === 'gone') throw gone(NAME);
  return found;
}

export async function reindexStatus(services: Services, request: FhirRequest): Promise<FhirAnswer> {
  const found = await find(services, request);
  if (found.state === 'waiting' || found.state === 'running')
    return { status: 202, headers: { 'X-Progress': found.progress ?? 'waiting', 'Retry-After': RETRY_AFTER_S } };
  if (found.failure) throw new FhirError(found.failure.status, found.failure.issues);
  const expires = found.expiresAt === undefined ? {} : { Expires: new Date(found.expiresAt).toUTCString() };
  return { status: 200, headers: expires, contentType: 'application/json', body: JSON.stringify(found.result ?? {}) };
}

export async function cancelReindex(services: Services, request: FhirRequest): Promise<FhirAnswer> {
  const found = await find(services, request);
  await deskOf(services).book.cancel(found.id);
  await tell(services, request.caller, 'ended', found.id);
  return { status: 202, headers: {} };
}

/** `GET /SearchParameter/[id]/$index-status`: whether it is searched by yet. */
export async function indexStatus(services: Services, request: FhirRequest): Promise<FhirAnswer> {
  readInput(services, request, []);
  const id = request.segments[1] as string; // the route has it
  const { content } = await services.store.read(request.caller, 'SearchParameter', id);
  if (!services.customParameters)
    throw notSupported('This server does not take search parameters of its users: nothing is indexed');
  const found = (await services.customParameters.status()).find((one) => one.id === id);
  const resource = parseJson(content) as Readonly<Record<string, unknown>>; // stored text was checked
  return parametersAnswer(describe(services, resource, found));
}

function describe(
  services: Services,
  resource: Readonly<Record<string, unknown>>,
  status: CustomParameterStatus | undefined,
): object[] {
  if (!status || status.state === 'retired')
    return [
      { name: 'state', valueCode: 'unused' },
      { name: 'message', valueString: whyUnused(services, resource) },
    ];
  const { state, types, typesAll, rows, changed, ready } = status;
  return [
    { name: 'state', valueCode: state },
    { name: 'message', valueString: MESSAGES[state] },
    { name: 'types', valueInteger: typesAll },
    { name: 'types-done', valueInteger: types },
    { name: 'resources-done', valueInteger: rows },
    { name: 'asked', valueInstant: new Date(changed).toISOString() },
    ...(ready === undefined ? [] : [{ name: 'ready', valueInstant: new Date(ready).toISOString() }]),
  ];
}

const MESSAGES: Readonly<Record<Exclude<CustomParameterStatus['state'], 'retired'>, string>> = {
  waiting: 'It is indexed when every process of this server knows it: some seconds, a minute if one has died',
  indexing: 'What was stored before is being indexed: until then a search by it is refused',
  ready: 'It is searched by',
};

function whyUnused({ definitions }: Services, { status, url }: Readonly<Record<string, unknown>>): string {
  if (status !== 'active') return `Its status is ${status}: only what is active is searched by`;
  if (definitions.searchParameters.some((one) => one.url === url))
    return 'It has the url of a search parameter of R4, which is searched by without it';
  return 'It was written a moment ago, or another active one has its code: ask again in some seconds';
}
