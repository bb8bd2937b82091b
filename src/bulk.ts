/** Composition of bulk data: what is asked for, and who carries it out. docs/bulk.md */
import { asyncJob } from './jobs/async-jobs.ts';
import type { AsyncRequests, AsyncWorker } from './ports/async-requests.ts';
import type { AuditLog } from './ports/audit.ts';
import type { Resource } from './ports/resource-store.ts';
import type { BulkStop } from './ports/subject-rights.ts';
import type { OpenStore } from './postgres/store.ts';
import type { BulkDesk } from './rest/operations/export.ts';
import { formatJson, parseJson } from './standards/fhir/json.ts';
import type { SearchRequest } from './standards/fhir/search/request.ts';
import type { SubscriptionParts } from './subscriptions.ts';
import { createExportWorker } from './workflow/bulk/export.ts';
import { createImportWorker, type ImportOptions } from './workflow/bulk/import.ts';

export interface BulkParts extends Pick<ImportOptions, 'store' | 'validate' | 'isType' | 'lineBytesMax'> {
  /** Where requests are kept that are answered later. */
  readonly book: AsyncRequests;
  readonly plain: OpenStore;
  readonly searchOf: (type: string, query: string) => SearchRequest;
  readonly subset: (resource: Resource, options: { readonly elements: readonly string[] }) => Resource;
  readonly subscribers: SubscriptionParts['subscribers'];
  readonly stop: BulkStop;
  readonly audit: AuditLog;
  readonly now: () => number;
}

/** Exports and imports of one client that are kept or under way, and of all that are under way. */
const LIMITS = { ownerMax: 10, max: 50 };
const FILTERS_MAX = 50;

export function openBulk(parts: BulkParts): { readonly desk: BulkDesk; readonly workers: readonly AsyncWorker[] } {
  const { book, plain, now } = parts;
  const findCaller: ImportOptions['findCaller'] = (owner, correlationId) =>
    parts.subscribers().findSubscriber(owner, correlationId);
  const exporting = createExportWorker({
    scan: plain.scan,
    store: plain,
    book,
    searchOf: parts.searchOf,
    findCaller,
    stop: parts.stop,
    subset: (content, elements) => formatJson(parts.subset(parseJson(content) as Resource, { elements })),
    audit: parts.audit,
    now,
  });
  return {
    desk: {
      book,
      scan: plain.scan,
      stop: parts.stop,
      ownerOf: (caller) => parts.subscribers().ownerOf(caller),
      start: (id) => plain.jobs.add([asyncJob(id)]),
      limits: LIMITS,
      maxFilters: FILTERS_MAX,
    },
    workers: [exporting, createImportWorker({ ...parts, findCaller })],
  };
}
