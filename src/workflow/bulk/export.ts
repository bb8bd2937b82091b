/**
 * Bulk data export, step by step: each step is some thousand resources of one type, kept sealed with where the next begins.
 * Rights, Consents and members are those of the moment of each step. https://hl7.org/fhir/uv/bulkdata/STU2/export.html
 * SECURITY CP-14, CP-15, DP-05
 */
import type { AsyncPiece, AsyncStep, AsyncWork, AsyncWorker } from '../../ports/async-requests.ts';
import type { AuditLog } from '../../ports/audit.ts';
import type { Scan, ScanRequest } from '../../ports/bulk.ts';
import type { Caller } from '../../ports/caller.ts';
import type { ResourceStore, StoredVersion } from '../../ports/resource-store.ts';
import type { ProcessingStop } from '../../ports/subject-rights.ts';
import type { FindSubscriber, SubscriptionOwner } from '../../ports/subscriptions.ts';
import { parseJson } from '../../standards/fhir/json.ts';
import { FhirError, forbidden, issue, tooCostly } from '../../standards/fhir/outcome.ts';
import type { SearchRequest } from '../../standards/fhir/search/request.ts';
import { covers } from '../../standards/smart/scope.ts';

/** What is to be exported; kept sealed with the request. */
export interface ExportOrder {
  readonly owner: SubscriptionOwner;
  readonly types: readonly string[];
  readonly level: 'system' | 'patient' | 'group';
  readonly groupId?: string;
  /** ms UTC */
  readonly since?: number;
  /** `Observation?code=x` */
  readonly typeFilters: readonly string[];
  readonly elements?: readonly string[];
  /** URL of the request, for the manifest. */
  readonly request: string;
}

export interface ExportOptions {
  readonly scan: Scan;
  readonly store: Pick<ResourceStore, 'read'>;
  readonly searchOf: (type: string, query: string) => SearchRequest;
  readonly findCaller: FindSubscriber;
  readonly stop: ProcessingStop;
  /** A resource with these elements alone. */
  readonly subset: (content: string, elements: readonly string[]) => string;
  readonly audit: AuditLog;
  readonly now: () => number;
  readonly keptMs?: number;
  readonly pageSize?: number;
  readonly stepSize?: number;
}

export const EXPORT = 'export';
const PAGE = 4000;
const STEP = 16_000;
/** Resources of one file. */
const FILE_MAX = 128_000;
const MEMBERS_MAX = 1000;
const KEPT_MS = 24 * 60 * 60 * 1000;

interface Place {
  /** The instant of which the export tells, ms UTC. */
  readonly at: number;
  /** Index of the type. */
  readonly type: number;
  readonly after?: string;
  readonly file: number;
  readonly inFile: number;
  readonly total: number;
}

export function createExportWorker(options: ExportOptions): AsyncWorker {
  const { scan, store, searchOf, findCaller, stop, subset, audit, now } = options;
  const pageSize = options.pageSize ?? PAGE;
  const stepSize = options.stepSize ?? STEP;

  async function callerOf({ owner }: ExportOrder, id: string): Promise<Caller> {
    const caller = await findCaller(owner, `export-${id}`.slice(0, 64));
    if (!caller) throw forbidden();
    return caller;
  }

  /** Those who are members at this moment. */
  async function membersOf(caller: Caller, groupId: string): Promise<readonly string[]> {
    const { content } = await store.read(caller, 'Group', groupId);
    const { member = [] } = parseJson(content) as {
      readonly member?: readonly { readonly inactive?: boolean; readonly entity?: { readonly reference?: string } }[];
    };
    const ids = member.flatMap(({ inactive, entity }) =>
      inactive === true ? [] : (/(?:^|\/)Patient\/([A-Za-z0-9.-]{1,64})$/.exec(entity?.reference ?? '')?.[1] ?? []),
    );
    if (ids.length > MEMBERS_MAX) throw tooCostly(`The group has more than ${MEMBERS_MAX} patients: export the system`);
    return [...new Set(ids)];
  }

  async function scanOf(caller: Caller, order: ExportOrder, place: Place): Promise<Omit<ScanRequest, 'limit'>> {
    const type = order.types[place.type] as string; // a place is within the types
    if (!isCovered(caller, type)) throw forbidden();
    const queries = order.typeFilters.filter((one) => one.startsWith(`${type}?`));
    const patients =
      order.level === 'group'
        ? await membersOf(caller, order.groupId ?? '')
        : order.level === 'patient'
          ? 'any'
          : undefined;
    return {
      type,
      anyOf: queries.map((one) => searchOf(type, one.slice(type.length + 1)).conditions),
      ...(patients !== undefined && { patients }),
      ...(order.since !== undefined && { since: order.since }),
      at: place.at,
    };
  }

  /** Without what is about patients whose data may only be stored. */
  async function allowed(versions: readonly StoredVersion[]): Promise<readonly StoredVersion[]> {
    const named = versions.map(patientsOf);
    const restricted = await stop.restrictedAmong([...new Set(named.flat())]);
    return restricted.size === 0 ? versions : versions.filter((_, i) => !named[i]?.some((id) => restricted.has(id)));
  }

  function pieceOf(versions: readonly StoredVersion[], file: string, elements?: readonly string[]): AsyncPiece {
    const lines = versions.map(({ content }) => `${elements ? subset(content, elements) : content}\n`);
    return { file, bytes: Buffer.from(lines.join('')), count: lines.length };
  }

  async function begin(order: ExportOrder, caller: Caller): Promise<AsyncStep> {
    await audit.record({
      kind: 'export',
      caller,
      outcome: 0,
      rule: 'begun',
      detail: { types: order.types.join(' ').slice(0, 200) },
    });
    const at = now();
    await scan.settle();
    return { pieces: [], checkpoint: { at, type: 0, file: 1, inFile: 0, total: 0 } satisfies Place, progress: '0 %' };
  }

  /** Some pages of one type; the pieces are added to those there are. */
  async function readType(
    caller: Caller,
    order: ExportOrder,
    from: Place,
    pieces: AsyncPiece[],
    signal: AbortSignal,
  ): Promise<Place> {
    const request = await scanOf(caller, order, from);
    const read = (after: string | undefined) =>
      scan.page(caller, { ...request, limit: pageSize, ...(after !== undefined && { after }) });
    let place = from;
    let page = await read(place.after);
    for (;;) {
      signal.throwIfAborted();
      const { next } = page;
      const isEnough = countOf(pieces) + page.versions.length >= stepSize;
      // The database reads on while this page is written.
      const ahead = next === undefined || isEnough ? undefined : read(next);
      ahead?.catch(() => undefined);
      const mine = await allowed(page.versions);
      if (place.inFile >= FILE_MAX) place = { ...place, file: place.file + 1, inFile: 0 };
      if (mine.length > 0) pieces.push(pieceOf(mine, `${request.type}-${place.file}.ndjson`, order.elements));
      const { after: _after, ...rest } = { ...place, total: place.total + mine.length };
      if (next === undefined) return { ...rest, type: place.type + 1, file: 1, inFile: 0 };
      place = { ...rest, inFile: place.inFile + mine.length, after: next };
      if (!ahead) return place;
      page = await ahead;
    }
  }

  async function step({ id, payload, checkpoint }: AsyncWork, signal: AbortSignal): Promise<AsyncStep> {
    const order = payload as unknown as ExportOrder; // as the door asked for it
    const caller = await callerOf(order, id);
    if (!checkpoint) return begin(order, caller);
    let place = checkpoint as unknown as Place; // what the last step left
    if (place.type >= order.types.length) return finish(order, place, caller);
    const pieces: AsyncPiece[] = [];
    while (place.type < order.types.length && countOf(pieces) < stepSize)
      place = await readType(caller, order, place, pieces, signal);
    const share = Math.floor((100 * place.type) / order.types.length);
    return { pieces, checkpoint: { ...place }, progress: `${place.total} resources, ${share} % of the types` };
  }

  async function finish({ types, request }: ExportOrder, { at, total }: Place, caller: Caller): Promise<AsyncStep> {
    const detail = { types: types.join(' ').slice(0, 200), count: String(total) };
    await audit.record({ kind: 'export', caller, outcome: 0, rule: 'done', detail });
    return { pieces: [], result: { transactionTime: new Date(at).toISOString(), request, total } };
  }

  return { kind: EXPORT, step, keptMs: options.keptMs ?? KEPT_MS };
}

const countOf = (pieces: readonly AsyncPiece[]): number => pieces.reduce((sum, { count }) => sum + count, 0);

/** SECURITY CP-14: by a system scope that reads and searches, without a constraint. */
export const isCovered = ({ kind, scopes }: Caller, type: string): boolean =>
  kind === 'client' &&
  (['r', 's'] as const).every((letter) =>
    scopes.some((scope) => scope.level === 'system' && scope.constraint === undefined && covers(scope, type, letter)),
  );

const PATIENT = /\bPatient\/([A-Za-z0-9.-]{1,64})/g;

function patientsOf({ type, id, content }: StoredVersion): readonly string[] {
  const named = content.includes('Patient/') ? [...content.matchAll(PATIENT)].map(([, found]) => found as string) : [];
  return type === 'Patient' ? [id, ...named] : named;
}

/** Throws 400 for a filter that is none. */
export function checkTypeFilters(
  filters: readonly string[],
  types: readonly string[],
  searchOf: ExportOptions['searchOf'],
): void {
  for (const filter of filters) {
    const [, type = '', query = ''] = /^([A-Za-z]+)\?(.+)$/s.exec(filter) ?? [];
    if (!types.includes(type))
      throw new FhirError(400, [
        issue('value', `_typeFilter is of a type that is exported: Type?parameter=value`, '_typeFilter'),
      ]);
    const { sort, includes, revincludes, summary, elements } = searchOf(type, query);
    if (sort.length + includes.length + revincludes.length > 0 || summary !== undefined || elements !== undefined)
      throw new FhirError(400, [
        issue('not-supported', '_typeFilter says what is found, not how it is shown', '_typeFilter'),
      ]);
  }
}
