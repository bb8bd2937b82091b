/**
 * `$viewdefinition-run`: a type as a table, while it is read. https://sql-on-fhir.org/ig/2.0.0/operations.html
 * SECURITY AZ-04, CP-02, DP-05
 */
import type { AuditLog } from '../../ports/audit.ts';
import type { Caller } from '../../ports/caller.ts';
import { createModel, type Model } from '../../standards/fhir/fhirpath/model.ts';
import { formatJson, isNumber, parseJson } from '../../standards/fhir/json.ts';
import {
  badRequest,
  badStructure,
  badValue,
  FhirError,
  forbidden,
  issue,
  notSupported,
} from '../../standards/fhir/outcome.ts';
import { type CompiledView, compileView, type ViewRow } from '../../standards/fhir/sql-on-fhir/compile-view.ts';
import { isObject, objectsOf } from '../../standards/fhir/sql-on-fhir/objects.ts';
import { withoutRestricted } from '../../workflow/bulk/restricted.ts';
import { csvCell } from '../csv.ts';
import type { FhirAnswer, FhirRequest } from '../exchange.ts';
import { parseRepeatedQuery } from '../preferences.ts';
import type { Services } from '../services.ts';
import type { BulkDesk } from './export.ts';

type Json = Readonly<Record<string, unknown>>;

const FORMATS = new Map([
  ['json', 'application/json'],
  ['ndjson', 'application/x-ndjson'],
  ['csv', 'text/csv; charset=utf-8'],
]);
const NAMES = new Set(['viewResource', '_format', 'header', '_limit', '_since', 'patient']);
const PAGE = 1000;
const PATIENT = /^(?:Patient\/)?([A-Za-z0-9.-]{1,64})$/;
const models = new WeakMap<Services['definitions'], Model>();

interface Asked {
  readonly view: Json;
  readonly format: string;
  readonly hasHeader: boolean;
  readonly limit: number;
  readonly since?: number;
  readonly patient?: string;
}

export async function runView(services: Services, request: FhirRequest): Promise<FhirAnswer> {
  const { policy, definitions, bulk, parameters } = services;
  const { caller } = request;
  // Before anything of the body is looked at: who may search nothing is told nothing.
  if (!definitions.resourceTypes.some((type) => policy.decide(caller, type, 's').allowed)) throw forbidden();
  const asked = readAsked(request);
  const model = models.get(definitions) ?? createModel(definitions);
  models.set(definitions, model);
  const view = compileView(asked.view, model);
  if (parameters.get(view.type) === undefined)
    throw badValue(`There is no type ${view.type}`, 'ViewDefinition.resource');
  const decision = policy.decide(caller, view.type, 's');
  // Who is shown but some elements of a type is not shown a table of the others.
  if (!decision.allowed || policy.elementsFor(caller, view.type) !== undefined) throw forbidden();
  if (!bulk) throw notSupported('There is no bulk data here');
  const batches = read(bulk, services.audit, caller, view, asked, services.now());
  // What is wrong with the view shows at its first rows, while it can still be said.
  const first = await batches.next();
  return {
    status: 200,
    headers: {},
    contentType: FORMATS.get(asked.format) as string, // `readAsked` has checked it
    stream: written(view, asked, first, batches),
  };
}

/** Rows, a page of resources at a time. */
async function* read(
  { scan, stop }: Pick<BulkDesk, 'scan' | 'stop'>,
  audit: AuditLog,
  caller: Caller,
  view: CompiledView,
  { limit, since, patient }: Asked,
  at: number,
): AsyncGenerator<readonly ViewRow[]> {
  let left = limit;
  let after: string | undefined;
  do {
    const page = await scan.page(caller, {
      type: view.type,
      anyOf: [],
      at,
      limit: PAGE,
      ...(since !== undefined && { since }),
      ...(patient !== undefined && { patients: [patient] }),
      ...(after !== undefined && { after }),
    });
    const versions = await withoutRestricted(stop, page.versions, ({ content }) => content);
    const rows = versions.flatMap(({ content }) => view.rows(parseJson(content) as Json)).slice(0, left);
    const patientRids = [...new Set(versions.flatMap(({ patientRid }) => patientRid ?? []))];
    await audit.record({
      kind: 'search',
      caller,
      outcome: 0,
      type: view.type,
      operation: 'viewdefinition-run',
      patientRids,
    });
    left -= rows.length;
    after = page.next;
    yield rows;
  } while (after !== undefined && left > 0);
}

async function* written(
  { columns }: CompiledView,
  { format, hasHeader }: Asked,
  first: IteratorResult<readonly ViewRow[]>,
  rest: AsyncGenerator<readonly ViewRow[]>,
): AsyncGenerator<Buffer> {
  let isFirst = true;
  const json = (row: ViewRow): string => {
    const comma = isFirst ? '' : ',\n';
    isFirst = false;
    return comma + formatJson(row);
  };
  const line = (row: ViewRow): string =>
    format === 'json'
      ? json(row)
      : format === 'ndjson'
        ? `${formatJson(row)}\n`
        : `${columns.map((name) => csvCell(cellOf(row[name]))).join(',')}\r\n`;
  if (format === 'json') yield Buffer.from('[');
  if (format === 'csv' && hasHeader) yield Buffer.from(`${columns.map(csvCell).join(',')}\r\n`);
  for (let batch = first; batch.done !== true; batch = await rest.next())
    yield Buffer.from(batch.value.map(line).join(''));
  if (format === 'json') yield Buffer.from(']\n');
}

/** Numbers as they are written; lists and objects as JSON. */
function cellOf(value: unknown): string | number | undefined {
  if (value === null || value === undefined) return undefined;
  if (typeof value === 'string' || typeof value === 'number') return value;
  return isNumber(value) || typeof value === 'boolean' ? String(value) : formatJson(value as object);
}

const NO_VIEW = 'Send a ViewDefinition, or Parameters with one as viewResource';
const refuse = (text: string, place: string): never => {
  throw badStructure(text, place);
};

/** A ViewDefinition, or Parameters with one: neither is checked as R4, which does not know the type. */
function readAsked(request: FhirRequest): Asked {
  const body = parseJson(request.body);
  if (!isObject(body)) throw badRequest(NO_VIEW);
  const given = new Map<string, unknown>();
  if (body['resourceType'] === 'Parameters')
    for (const one of objectsOf(body['parameter'], 'Parameters.parameter', refuse)) {
      const value = one['resource'] ?? Object.entries(one).find(([key]) => key.startsWith('value'))?.[1];
      given.set(String(one['name']), value);
    }
  else given.set('viewResource', body);
  for (const [name, values] of parseRepeatedQuery(request.query)) given.set(name, values[0]);
  for (const name of given.keys())
    if (!NAMES.has(name))
      throw new FhirError(400, [
        issue('not-supported', `There is no parameter ${name.slice(0, 64)}: there are ${[...NAMES].join(', ')}`),
      ]);
  const view = given.get('viewResource');
  if (!isObject(view) || (view['resourceType'] ?? 'ViewDefinition') !== 'ViewDefinition') throw badRequest(NO_VIEW);
  const text = (name: string): string | undefined => (given.has(name) ? String(given.get(name)) : undefined);
  const format = text('_format') ?? 'ndjson';
  const known = [...FORMATS].find(([name, type]) => name === format || type.split(';')[0] === format)?.[0];
  if (known === undefined) throw badValue(`_format is one of ${[...FORMATS.keys()].join(', ')}`, '_format');
  const limit = text('_limit');
  if (limit !== undefined && !/^[1-9]\d{0,8}$/.test(limit))
    throw badValue('_limit is a number of rows from 1', '_limit');
  const since = text('_since');
  if (since !== undefined && Number.isNaN(Date.parse(since))) throw badValue('_since is an instant', '_since');
  const reference = given.get('patient');
  const named = typeof reference === 'object' && reference !== null ? (reference as Json)['reference'] : reference;
  const patient = named === undefined ? undefined : PATIENT.exec(String(named))?.[1];
  if (named !== undefined && patient === undefined) throw badValue('patient is Patient/ and an id', 'patient');
  return {
    view,
    format: known,
    hasHeader: text('header') !== 'false',
    limit: limit === undefined ? Number.MAX_SAFE_INTEGER : Number(limit),
    ...(since !== undefined && { since: Date.parse(since) }),
    ...(patient !== undefined && { patient }),
  };
}
