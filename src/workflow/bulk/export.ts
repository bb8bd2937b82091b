/**
 * Bulk data export, step by step: each step is some thousand resources of one type, kept sealed with where the next begins.
 * Rights, Consents and members are those of the moment of each step. https://hl7.org/fhir/uv/bulkdata/STU2/export.html
 * SECURITY CP-14, CP-15, DP-05
 */
import type { AsyncPiece, AsyncRequests, AsyncStep, AsyncWork, AsyncWorker } from '../../ports/async-requests.ts';
import type { AuditLog } from '../../ports/audit.ts';
import type { Scan, ScanLines, ScanRequest } from '../../ports/bulk.ts';
import type { Caller } from '../../ports/caller.ts';
import type { ResourceStore, StoredVersion } from '../../ports/resource-store.ts';
import type { BulkStop } from '../../ports/subject-rights.ts';
import type { FindSubscriber, SubscriptionOwner } from '../../ports/subscriptions.ts';
import { parseJson } from '../../standards/fhir/json.ts';
import { FhirError, forbidden, issue, tooCostly } from '../../standards/fhir/outcome.ts';
import { parseReference } from '../../standards/fhir/reference.ts';
import type { SearchRequest } from '../../standards/fhir/search/request.ts';
import { covers } from '../../standards/smart/scope.ts';
import { type Associated, type AssociatedOptions, findAssociated } from './associated.ts';
import { withoutRestricted } from './restricted.ts';

/** What is to be exported; kept sealed with the request. */
export interface ExportOrder {
  readonly owner: SubscriptionOwner;
  readonly types: readonly string[];
  readonly level: 'system' | 'patient' | 'group';
  readonly groupId?: string;
  /** Ids of the patients that were named, of those of the level. */
  readonly patients?: readonly string[];
  /** ms UTC */
  readonly since?: number;
  /** `Observation?code=x` */
  readonly typeFilters: readonly string[];
  readonly elements?: readonly string[];
  /** Provenances of what is exported; then they are none of the types. */
  readonly associated?: Associated;
  /** URL of the request, for the manifest. */
  readonly request: string;
  /** Absolute references below it are local. */
  readonly baseUrl: string;
}

export interface ExportOptions {
  readonly scan: Scan;
  readonly store: Pick<ResourceStore, 'read'>;
  readonly book: Pick<AsyncRequests, 'pack'>;
  readonly searchOf: (type: string, query: string) => SearchRequest;
  readonly findCaller: FindSubscriber;
  readonly stop: BulkStop;
  /** A resource with these elements alone. */
  readonly subset: (content: string, elements: readonly string[]) => string;
  readonly audit: AuditLog;
  readonly now: () => number;
  readonly keptMs?: number;
  readonly pageSize?: number;
  readonly stepSize?: number;
}

export const EXPORT = 'export';
export const PROVENANCE = 'Provenance';
const PAGE = 8000;
const PAGE_BYTES = 8 * 1024 * 1024;
const STEP = 64_000;
/** Bytes of a step, as they are kept. */
const STEP_BYTES = 32 * 1024 * 1024;
/** Resources of one file. */
const FILE_MAX = 128_000;
const MEMBERS_MAX = 100_000;
/** Provenances that are judged at once. */
const ASSOCIATED_PAGE = 500;
const KEPT_MS = 24 * 60 * 60 * 1000;

/** One part of an export, page by page. */
interface Pages {
  readonly type: string;
  readonly read: (after: string | undefined) => Promise<ScanLines>;
}

interface Place {
  /** The instant of which the export tells, ms UTC. */
  readonly at: number;
  /** Index of the type; one more: what is associated. */
  readonly type: number;
  readonly after?: string;
  readonly file: number;
  readonly inFile: number;
  readonly total: number;
}

export function createExportWorker(options: ExportOptions): AsyncWorker {
  const { scan, store, book, searchOf, findCaller, stop, subset, audit, now } = options;
  const pageSize = options.pageSize ?? PAGE;
  const stepSize = options.stepSize ?? STEP;

  async function callerOf({ owner }: ExportOrder, id: string): Promise<Caller> {
    const caller = await findCaller(owner, `export-${id}`.slice(0, 64));
    if (!caller) throw forbidden();
    return caller;
  }

  /** Those who are members at this moment. */
  async function membersOf(caller: Caller, { groupId = '', baseUrl }: ExportOrder): Promise<readonly string[]> {
    const { content } = await store.read(caller, 'Group', groupId);
    const members = activeMembers(content, baseUrl);
    if (members.size > MEMBERS_MAX)
      throw tooCostly(`The group has more than ${MEMBERS_MAX} patients: export the system`);
    return [...members];
  }

  /** Undefined: whoever the resources are about, if anybody. */
  async function patientsOf(caller: Caller, order: ExportOrder): Promise<ScanRequest['patients']> {
    if (order.level === 'system') return undefined;
    if (order.level === 'patient') return order.patients ?? 'any';
    const members = await membersOf(caller, order);
    return order.patients ? members.filter((id) => order.patients?.includes(id)) : members;
  }

  async function scanOf(
    caller: Caller,
    order: ExportOrder,
    type: string,
    at: number,
  ): Promise<Omit<ScanRequest, 'limit'>> {
    if (!isCovered(caller, type)) throw forbidden();
    const queries = order.typeFilters.filter((one) => one.startsWith(`${type}?`));
    const patients = await patientsOf(caller, order);
    return {
      type,
      anyOf: queries.map((one) => searchOf(type, one.slice(type.length + 1)).conditions),
      ...(patients !== undefined && { patients }),
      ...(order.since !== undefined && { since: order.since }),
      at,
    };
  }

  const allowed = (versions: readonly StoredVersion[]): Promise<readonly StoredVersion[]> =>
    withoutRestricted(stop, versions, ({ content }) => content);

  /** Pages of a type; after the last type of what is associated with them. */
  async function pagesOf(caller: Caller, order: ExportOrder, { type: index, at }: Place): Promise<Pages> {
    const type = order.types[index];
    if (type !== undefined) {
      const request = await scanOf(caller, order, type, at);
      return {
        type,
        read: (after) => scan.lines(caller, { ...request, ...paged(pageSize, after), bytesMax: PAGE_BYTES }),
      };
    }
    if (!isCovered(caller, PROVENANCE)) throw forbidden();
    const requests = new Map<string, Promise<Omit<ScanRequest, 'limit'>>>();
    const exportOf = (exported: string): ReturnType<AssociatedOptions['exportOf']> => {
      if (!order.types.includes(exported)) return Promise.resolve(undefined);
      const request = requests.get(exported) ?? scanOf(caller, order, exported, at);
      requests.set(exported, request);
      return request;
    };
    const judging = { scan, searchOf, exportOf, allowed, baseUrl: order.baseUrl, caller, at };
    return {
      type: PROVENANCE,
      async read(after) {
        const page = await scan.page(caller, { type: PROVENANCE, anyOf: [], at, ...paged(ASSOCIATED_PAGE, after) });
        const found = await findAssociated(judging, page.versions, order.associated as Associated); // else no such place
        const text = found.map(({ content }) => content).join('\n');
        return { text, count: found.length, ...(page.next !== undefined && { next: page.next }) };
      },
    };
  }

  /** Without what is about patients whose data may only be stored, and of the rest what was asked for. */
  async function shown({ text, count }: ScanLines, elements?: readonly string[]): Promise<Omit<ScanLines, 'next'>> {
    if (count === 0) return { text: '', count: 0 };
    const isAnybody = await stop.isAnyRestricted();
    if (!isAnybody && elements === undefined) return { text, count };
    const lines = text.split('\n');
    const mine = isAnybody ? await withoutRestricted(stop, lines, (line) => line) : lines;
    return { text: (elements ? mine.map((line) => subset(line, elements)) : mine).join('\n'), count: mine.length };
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

  const isFull = (pieces: readonly AsyncPiece[], more = 0): boolean =>
    pieces.reduce((sum, { count }) => sum + count, more) >= stepSize ||
    pieces.reduce((sum, { bytes }) => sum + bytes.length, 0) >= STEP_BYTES;

  /** Some pages of one type; the pieces are added to those there are. */
  async function readType(
    caller: Caller,
    order: ExportOrder,
    from: Place,
    pieces: AsyncPiece[],
    signal: AbortSignal,
  ): Promise<Place> {
    const { type, read } = await pagesOf(caller, order, from);
    let place = from;
    let page = await read(place.after);
    for (;;) {
      signal.throwIfAborted();
      const { next } = page;
      const isEnough = isFull(pieces, page.count);
      // The database reads on while this page is packed.
      const ahead = next === undefined || isEnough ? undefined : read(next);
      ahead?.catch(() => undefined);
      const { text, count } = await shown(page, order.elements);
      if (place.inFile > 0 && place.inFile + count > FILE_MAX) place = { ...place, file: place.file + 1, inFile: 0 };
      const file = `${type}-${place.file}.ndjson`;
      if (count > 0) pieces.push(await book.pack({ file, bytes: Buffer.from(`${text}\n`), count }));
      const { after: _after, ...rest } = { ...place, total: place.total + count };
      if (next === undefined) return { ...rest, type: place.type + 1, file: 1, inFile: 0 };
      place = { ...rest, inFile: place.inFile + count, after: next };
      if (!ahead) return place;
      page = await ahead;
    }
  }

  async function step({ id, payload, checkpoint }: AsyncWork, signal: AbortSignal): Promise<AsyncStep> {
    const order = payload as unknown as ExportOrder; // as the door asked for it
    const caller = await callerOf(order, id);
    if (!checkpoint) return begin(order, caller);
    let place = checkpoint as unknown as Place; // what the last step left
    const parts = order.types.length + (order.associated === undefined ? 0 : 1);
    if (place.type >= parts) return finish(order, place, caller);
    const pieces: AsyncPiece[] = [];
    while (place.type < parts && !isFull(pieces)) place = await readType(caller, order, place, pieces, signal);
    const share = Math.floor((100 * place.type) / parts);
    return { pieces, checkpoint: { ...place }, progress: `${place.total} resources, ${share} % of the types` };
  }

  async function finish({ types, request }: ExportOrder, { at, total }: Place, caller: Caller): Promise<AsyncStep> {
    const detail = { types: types.join(' ').slice(0, 200), count: String(total) };
    await audit.record({ kind: 'export', caller, outcome: 0, rule: 'done', detail });
    return { pieces: [], result: { transactionTime: new Date(at).toISOString(), request, total } };
  }

  return { kind: EXPORT, step, keptMs: options.keptMs ?? KEPT_MS };
}

const paged = (limit: number, after: string | undefined): Pick<ScanRequest, 'limit' | 'after'> => ({
  limit,
  ...(after !== undefined && { after }),
});

/** Ids of a stored Group's patients, without those that are inactive or another server's. */
export function activeMembers(content: string, baseUrl: string): ReadonlySet<string> {
  const { member = [] } = parseJson(content) as {
    readonly member?: readonly { readonly inactive?: boolean; readonly entity?: { readonly reference?: string } }[];
  };
  return new Set(
    member.flatMap(({ inactive, entity }) =>
      inactive === true ? [] : (patientIdOf(entity?.reference ?? '', baseUrl) ?? []),
    ),
  );
}

/** The id of `Patient/id`, relative or below this server's base; the id of another server's patient says nothing here. */
export function patientIdOf(reference: string, baseUrl: string): string | undefined {
  const base = `${baseUrl}/`;
  const parsed = parseReference(reference.startsWith(base) ? reference.slice(base.length) : reference);
  return parsed?.kind === 'relative' && parsed.type === 'Patient' ? parsed.id : undefined;
}

/** SECURITY CP-14: by a system scope that reads and searches, without a constraint. */
export const isCovered = ({ kind, scopes }: Caller, type: string): boolean =>
  kind === 'client' &&
  (['r', 's'] as const).every((letter) =>
    scopes.some((scope) => scope.level === 'system' && scope.constraint === undefined && covers(scope, type, letter)),
  );

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
