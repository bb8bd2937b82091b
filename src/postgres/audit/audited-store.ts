/**
 * A store whose reads, searches and histories are in the audit trail before they are answered, and its refusals too.
 * Writes leave their entries in their own statements. SECURITY AU-01, AU-03, AU-04, AU-06
 */
import type { AuditEvent, AuditKind, AuditLog } from '../../ports/audit.ts';
import type { Caller } from '../../ports/caller.ts';
import type {
  HistoryPage,
  HistoryRequest,
  ResourceStore,
  SearchPage,
  StoredVersion,
  StoreTransaction,
  WriteResult,
} from '../../ports/resource-store.ts';
import { conflict, FhirError, unavailable } from '../../standards/fhir/outcome.ts';
import type { SearchRequest, SystemSearchRequest } from '../../standards/fhir/search/request.ts';
import { errorCode } from '../database-error.ts';

/** The trail's own AuditEvents, which stand beside those that clients have stored. */
export interface AuditEventSource {
  /** Whether an id is one of the trail's. */
  owns(id: string): boolean;
  /** Throws not-found; also where the caller may not read the trail. */
  read(caller: Caller, id: string): Promise<StoredVersion>;
  /** A page of both; `stored` searches those that clients have stored. */
  search(
    caller: Caller,
    request: SearchRequest,
    stored: (request: SearchRequest) => Promise<SearchPage>,
  ): Promise<SearchPage>;
}

type Described = Omit<AuditEvent, 'caller' | 'outcome'>;

/** What `undefined` relation or missing right of the audit tables looks like: SQLSTATE 42P01, 42501, 23514. */
const BROKEN_TABLE = new Set(['42P01', '42501', '23514']);

/** The same store, audited. Its writes must be audited by `StoreOptions.audit`. */
export function auditedStore<S extends ResourceStore>(store: S, audit: AuditLog, events?: AuditEventSource): S {
  /** Runs `work`, then records what came of it; nothing is given out before that is durable. */
  async function recorded<T>(
    caller: Caller,
    asked: Described,
    work: () => Promise<T>,
    touched: (result: T) => Partial<Described> | undefined,
  ): Promise<T> {
    let result: T;
    try {
      result = await work();
    } catch (error) {
      throw await recordFailure(audit, caller, asked, error);
    }
    const found = touched(result);
    if (found) await audit.record({ ...asked, ...found, caller, outcome: 0 });
    return result;
  }

  const isTrail = (type: string, id: string): boolean => type === 'AuditEvent' && events?.owns(id) === true;
  const checkWritable = (type: string, id: string): void => {
    if (isTrail(type, id)) throw conflict(`AuditEvent/${id} belongs to the audit trail: nobody may change it`);
  };

  const wrapped: ResourceStore = {
    ...store,
    create: (caller, resource, id) =>
      recorded(
        caller,
        { kind: 'create', targets: [{ type: resource.resourceType, id }] },
        () => store.create(caller, resource, id),
        () => undefined,
      ),
    update: (caller, type, id, change, options) =>
      recorded(
        caller,
        { kind: options?.operation ?? 'update', targets: [{ type, id }] },
        async () => {
          checkWritable(type, id);
          return store.update(caller, type, id, change, options);
        },
        unchanged,
      ),
    delete: (caller, type, id, ifMatch) =>
      recorded<WriteResult | undefined>(
        caller,
        { kind: 'delete', targets: [{ type, id }] },
        async () => {
          checkWritable(type, id);
          return store.delete(caller, type, id, ifMatch);
        },
        (result) => (result ? unchanged(result) : {}),
      ),
    read: (caller, type, id) =>
      recorded(
        caller,
        readEvent('read', type, id),
        () => (events && isTrail(type, id) ? events.read(caller, id) : store.read(caller, type, id)),
        found,
      ),
    vread: (caller, type, id, versionId) =>
      recorded(
        caller,
        readEvent('vread', type, id, versionId),
        () =>
          events && isTrail(type, id) && versionId === 1
            ? events.read(caller, id)
            : store.vread(caller, type, id, versionId),
        found,
      ),
    search: (caller, request) =>
      recorded(
        caller,
        searchEvent(request),
        () =>
          events && request.type === 'AuditEvent'
            ? events.search(caller, request, (inner) => store.search(caller, inner))
            : store.search(caller, request),
        // Of whom the trail told is in the query: events of their own for each would only fill it.
        request.type === 'AuditEvent' ? () => ({}) : patientsOfPage,
      ),
    searchSystem: (caller, request) =>
      recorded(caller, systemEvent(request), () => store.searchSystem(caller, request), patientsOfPage),
    history: (caller, request) =>
      recorded(caller, historyEvent(request), () => historyOf(caller, request), patientsOfHistory),
    transaction: (caller, work, options) =>
      recorded(
        caller,
        { kind: 'operation', operation: 'transaction' },
        async () => {
          let seen: AuditEvent[] = [];
          try {
            const attempt = (tx: StoreTransaction): ReturnType<typeof work> => {
              seen = []; // what an attempt read that lost against another was given to nobody
              return work(auditedTransaction(tx, caller, seen, checkWritable));
            };
            return await store.transaction(caller, attempt, options);
          } finally {
            // Never while it is open: an entry may wait for a connection that waits for a row which the transaction holds.
            await Promise.all(seen.map((event) => audit.record(event)));
          }
        },
        () => undefined,
      ),
  };

  async function historyOf(caller: Caller, request: HistoryRequest): Promise<HistoryPage> {
    if (!events || request.type === undefined || request.id === undefined || !isTrail(request.type, request.id))
      return store.history(caller, request);
    return { versions: [await events.read(caller, request.id)], total: 1 };
  }

  return wrapped as S; // the same functions, and what else the store has
}

/** What is read inside a transaction is recorded when it has ended, before its answer leaves; `seen` collects the events. */
function auditedTransaction(
  tx: StoreTransaction,
  caller: Caller,
  seen: AuditEvent[],
  checkWritable: (type: string, id: string) => void,
): StoreTransaction {
  const note = <T>(asked: Described, touched: (result: T) => Partial<Described> | undefined, work: Promise<T>) =>
    work.then(
      (result) => {
        const found = touched(result);
        if (found) seen.push({ ...asked, ...found, caller, outcome: 0 });
        return result;
      },
      (error: unknown) => {
        seen.push({ ...asked, caller, ...failureOf(error) });
        throw error;
      },
    );
  return {
    ...tx,
    read: (type, id) => note(readEvent('read', type, id), found, tx.read(type, id)),
    vread: (type, id, versionId) => note(readEvent('vread', type, id, versionId), found, tx.vread(type, id, versionId)),
    search: (request) => note(searchEvent(request), patientsOfPage, tx.search(request)),
    searchSystem: (request) => note(systemEvent(request), patientsOfPage, tx.searchSystem(request)),
    history: (request) => note(historyEvent(request), patientsOfHistory, tx.history(request)),
    async write(writes, last, beside) {
      for (const write of writes) if (write.kind !== 'create') checkWritable(write.type, write.id);
      const results = await tx.write(writes, last, beside);
      results.forEach((result, i) => {
        const write = writes[i];
        const same = unchanged(result);
        if (!write || !same) return;
        const made = write.kind === 'make' ? 'create' : write.kind;
        const kind = write.kind === 'update' ? write.operation : made;
        seen.push({ kind, ...same, caller, outcome: 0 });
      });
      return results;
    },
  };
}

const targetOf = ({ type, id, versionId, patientRid }: StoredVersion) => ({
  type,
  id,
  ...(versionId > 0 && { versionId }),
  ...(patientRid !== undefined && { patientRid }),
});

const found = (version: StoredVersion): Partial<Described> => ({ targets: [targetOf(version)] });

/** A write that made no version has no statement its entry could go with. */
const unchanged = ({ outcome, version }: WriteResult): Partial<Described> | undefined =>
  outcome === 'unchanged' || outcome === 'existing' ? { targets: [targetOf(version)] } : undefined;

const readEvent = (kind: 'read' | 'vread', type: string, id: string, versionId?: number): Described => ({
  kind: type === 'AuditEvent' ? 'audit-read' : kind,
  targets: [{ type, id, ...(versionId !== undefined && { versionId }) }],
});

const queryOf = ({ applied }: Pick<SearchRequest, 'applied'>): string =>
  applied.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`).join('&');

const systemEvent = (request: SystemSearchRequest): Described => ({ kind: 'search', query: `?${queryOf(request)}` });

function searchEvent(request: SearchRequest): Described {
  const { type, applied } = request;
  const kind: AuditKind = type === 'AuditEvent' ? 'audit-read' : 'search';
  return { kind, type, query: applied.length === 0 ? type : `${type}?${queryOf(request)}` };
}

function historyEvent({ type, id }: HistoryRequest): Described {
  const kind: AuditKind = type === 'AuditEvent' ? 'audit-read' : 'history';
  if (type === undefined) return { kind, query: '_history' };
  return id === undefined ? { kind, type, query: `${type}/_history` } : { kind, targets: [{ type, id }] };
}

const patientsOfPage = ({ matches, included }: SearchPage): Partial<Described> => ({
  patientRids: patientRids([...matches, ...included]),
});
const patientsOfHistory = ({ versions }: HistoryPage): Partial<Described> => ({ patientRids: patientRids(versions) });

const patientRids = (versions: readonly StoredVersion[]): string[] => [
  ...new Set(versions.flatMap(({ patientRid }) => patientRid ?? [])),
];

/** Whose fault it was, and by what rule; no text of the error, which could hold a value. */
function failureOf(error: unknown): Pick<AuditEvent, 'outcome' | 'rule'> {
  if (!(error instanceof FhirError)) return { outcome: 8, rule: 'exception' };
  return { outcome: error.status < 500 ? 4 : 8, rule: error.issues[0]?.code ?? String(error.status) };
}

/** Resolves to what is to be thrown. */
async function recordFailure(audit: AuditLog, caller: Caller, asked: Described, error: unknown): Promise<unknown> {
  const failure = failureOf(error);
  const isClients = failure.outcome === 4;
  try {
    await audit.record({ ...asked, caller, ...failure });
  } catch (unrecorded) {
    // A fault of the server stays what it is: where the database is away, neither can be written.
    if (isClients) return unrecorded;
  }
  return BROKEN_TABLE.has(errorCode(error) ?? '') && isOfTrail(error)
    ? unavailable('The audit trail cannot be written just now, so nothing was changed; try again', error)
    : error;
}

/** Whether an error of the database is about the trail's tables; others that writes meet are not the trail's fault. */
const isOfTrail = (error: unknown): boolean =>
  error instanceof Error &&
  (('schema' in error && error.schema === 'audit') || /\b(?:audit|entry)\b/.test(error.message));
