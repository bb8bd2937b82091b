/** Reads, searches and writes of the store, each within what its caller may. SECURITY AZ-03, AZ-05 */
import type { Caller } from '../ports/caller.ts';
import type {
  ResourceStore,
  SearchPage,
  StoredVersion,
  StoreTransaction,
  TransactionWrite,
  WriteResult,
} from '../ports/resource-store.ts';
import { forbidden } from '../standards/fhir/outcome.ts';
import type { SearchRequest } from '../standards/fhir/search/request.ts';
import type { Access } from './access.ts';
import { translated } from './database-error.ts';
import type { ProtectedSearch } from './encryption/protected-search.ts';
import type { Pools } from './pools.ts';
import { checkNew, guardChange } from './privileged-meta.ts';
import { createReader, existing, toVersion, vreadStatement } from './reader.ts';
import type { RidCodec } from './rid.ts';
import type { Cursors } from './search/cursor.ts';
import { createRecorder } from './search/explain.ts';
import { isMatch } from './search/judge.ts';
import { visibleMetas } from './search/metas.ts';
import { createRun, runSearch, type SearchOptions } from './search/search.ts';
import type { Run } from './search/search-tools.ts';
import { runSystemSearch } from './search/system-search.ts';
import type { OpenStore } from './store.ts';
import { tableOf } from './tables.ts';
import { visibleHistory } from './visible-history.ts';
import { readVisible, vreadVisible } from './visible-reader.ts';
import { oldRow, type RowBuilder, type Writer } from './writer.ts';

export interface InteractionTools {
  readonly reads: Pools['reads'];
  readonly rids: RidCodec;
  readonly rowOf: RowBuilder;
  readonly writer: Writer;
  readonly cursors: Cursors;
  readonly run: Run;
  readonly accessOf: (caller: Caller) => Access;
  readonly toolsOf: (access: Access) => SearchOptions;
  readonly inTransaction: <T>(access: Access, work: (tx: StoreTransaction) => Promise<T>) => Promise<T>;
  readonly protection: ProtectedSearch | undefined;
}

type Interactions = Omit<ResourceStore, 'newId'> & Pick<OpenStore, 'judge'>;

export function createInteractions(tools: InteractionTools): Interactions {
  const { reads, rids, rowOf, writer, cursors, run, accessOf, toolsOf, inTransaction, protection } = tools;
  const reader = createReader(reads, rids);
  const plainly = createRun(reads, () => undefined);
  /** A search with, where that is asked, how it was answered. */
  const explained = async (
    access: Access,
    request: Pick<SearchRequest, 'explain'>,
    search: (run: Run) => Promise<SearchPage>,
  ): Promise<SearchPage> => {
    if (!request.explain) return search(run);
    if (!access.mayExplain) throw forbidden();
    const recorder = createRecorder(run);
    const page = await search(recorder.run);
    return { ...page, explained: await recorder.explain(plainly) };
  };
  /** Where rights depend on the resource, they are checked in the transaction that writes it. */
  const checkedWrite = async (access: Access, write: TransactionWrite): Promise<WriteResult> => {
    const [result] = await inTransaction(access, (tx) => tx.write([write]));
    return result as WriteResult; // one a write
  };
  const vreadAny = async (type: string, id: string, versionId: number): Promise<StoredVersion> => {
    rids.lanes(id);
    const [row] = await reads.query(vreadStatement(tableOf(type), rids.hi, rids.lo, versionId));
    return existing(row && row[0] === id ? toVersion(type, row) : undefined, type, `${id}/_history/${versionId}`);
  };
  return {
    create: (caller, resource, id) =>
      translated(async () => {
        const access = accessOf(caller);
        const isFree = access.conditions(resource.resourceType, 'c').length === 0;
        checkNew(access, resource);
        return isFree ? writer.create(caller, resource, id) : checkedWrite(access, { kind: 'create', resource, id });
      }),
    read: (caller, type, id) =>
      translated(async () => {
        const access = accessOf(caller);
        const conditions = access.conditions(type, 'r');
        const version =
          conditions.length === 0
            ? existing(await reader.find(type, id), type, id)
            : await readVisible(toolsOf(access), type, id, conditions, run);
        access.belt([version]);
        return version;
      }),
    vread: (caller, type, id, versionId) =>
      translated(async () => {
        const access = accessOf(caller);
        const conditions = access.conditions(type, 'r');
        const version =
          conditions.length === 0
            ? await vreadAny(type, id, versionId)
            : await vreadVisible({ search: toolsOf(access), rowOf, rids }, type, id, versionId, conditions, run);
        access.belt([version]);
        return version;
      }),
    update: (caller, type, id, change, updateOptions = {}) =>
      translated(async () => {
        const access = accessOf(caller);
        if (access.conditions(type, 'u').length === 0)
          return writer.update(caller, type, id, guardChange(access, change), updateOptions);
        const { ifMatch, operation = 'update' } = updateOptions;
        const write = {
          kind: 'update',
          operation,
          type,
          id,
          change,
          ...(ifMatch !== undefined && { ifMatch }),
        } as const;
        return checkedWrite(access, write);
      }),
    delete: (caller, type, id, ifMatch) =>
      translated(async () => {
        const access = accessOf(caller);
        return access.conditions(type, 'd').length === 0
          ? writer.delete(caller, type, id, ifMatch)
          : checkedWrite(access, { kind: 'delete', type, id, ...(ifMatch !== undefined && { ifMatch }) });
      }),
    search: (caller, request) =>
      translated(async () => {
        const access = accessOf(caller);
        access.conditions(request.type, 's');
        access.checkChains(request.conditions);
        const page = await explained(access, request, (running) => runSearch(toolsOf(access), request, running));
        access.belt([...page.matches, ...page.included]);
        return page;
      }),
    searchSystem: (caller, request) =>
      translated(async () => {
        const access = accessOf(caller);
        const page = await explained(access, request, (running) =>
          runSystemSearch(toolsOf(access), access, request, running),
        );
        access.belt([...page.matches, ...page.included]);
        return page;
      }),
    judge: (caller, version, conditions) =>
      translated(async () => {
        const access = accessOf(caller);
        access.checkChains(conditions);
        const asked = [
          ...access.conditions(version.type, 's'),
          ...conditions.map(protection?.rewrite ?? ((one) => one)),
        ];
        return isMatch(toolsOf(access), (v) => oldRow(rowOf, v), version, asked, run);
      }),
    history: (caller, request) =>
      translated(async () => {
        const access = accessOf(caller);
        const history = { rids, cursors, callerKey: access.callerKey };
        const page = await visibleHistory({ history, search: toolsOf(access), rowOf }, access, request, run);
        access.belt(page.versions);
        return page;
      }),
    metas: (caller, types, limit) =>
      translated(async () => {
        const access = accessOf(caller);
        for (const type of types) access.conditions(type, 's');
        return visibleMetas(toolsOf(access), types, limit, plainly);
      }),
    transaction: (caller, work) => translated(() => inTransaction(accessOf(caller), work)),
  };
}
