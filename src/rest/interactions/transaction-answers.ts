/** What each entry of a transaction is answered. https://hl7.org/fhir/R4/http.html#transaction-response */
import type { StoredVersion, StoreTransaction, WriteResult } from '../../ports/resource-store.ts';
import { badRequest, badValue } from '../../standards/fhir/outcome.ts';
import { isId } from '../../standards/fhir/reference.ts';
import { nextTurn } from '../../standards/turns.ts';
import { locationOf } from '../answers.ts';
import { searchOf } from '../criteria.ts';
import { etag } from '../exchange.ts';
import type { Services } from '../services.ts';
import type { BundleEntry } from './bundle-entry.ts';
import { isVersion, versionAnswer } from './read.ts';
import { systemSearchOf } from './search-system.ts';
import { nearOf, searchBody } from './search-type.ts';
import type { Planned } from './transaction-writes.ts';

/** Entries that are answered at once. */
const TURN = 64;

interface EntryAnswer {
  readonly status: string;
  readonly version?: StoredVersion;
  readonly location?: string;
  /** JSON of the resource, for reads always, for writes when asked for. */
  readonly resource?: string;
  readonly always?: boolean;
}

/** What is answered to. */
export interface Answered {
  readonly entries: readonly BundleEntry[];
  /** In the order of their entries. */
  readonly planned: readonly Planned[];
  /** One for each that is planned; undefined of those that write nothing. */
  readonly results: readonly (WriteResult | undefined)[];
  /** Whether what was written is shown. */
  readonly representation: boolean;
}

/** JSON of the answer of each entry, in their order. */
export async function answersOf(
  services: Services,
  tx: StoreTransaction,
  { entries, planned, results, representation }: Answered,
): Promise<readonly string[]> {
  const answers: string[] = [];
  let next = 0;
  for (const entry of entries) {
    if (answers.length % TURN === TURN - 1) await nextTurn();
    const plan = planned[next]?.entry === entry ? planned[next] : undefined;
    const answer = plan
      ? await writeEntryAnswer(services, tx, plan, results[next++])
      : await readEntryAnswer(services, tx, entry);
    answers.push(formatAnswer(answer, representation));
  }
  return answers;
}

async function writeEntryAnswer(
  services: Services,
  tx: StoreTransaction,
  plan: Planned,
  result: WriteResult | undefined,
): Promise<EntryAnswer> {
  if (plan.entry.method === 'DELETE') return { status: '204 No Content' };
  const version = result?.version ?? (await tx.read(plan.type, plan.id as string)); // a conditional create that matched
  return {
    status: result?.outcome === 'created' ? '201 Created' : '200 OK',
    version,
    location: locationOf(services, version),
    resource: version.content,
  };
}

/** GET entries see what the transaction wrote. */
async function readEntryAnswer(services: Services, tx: StoreTransaction, entry: BundleEntry): Promise<EntryAnswer> {
  const [type, id, historyWord, versionId, ...more] = entry.segments;
  if (type === undefined) {
    const search = systemSearchOf(services, entry.query);
    const near = search.parts.flatMap((part) => nearOf(part.conditions));
    const body = searchBody(services, { ...search, near }, await tx.searchSystem(search), services.settings.baseUrl);
    return { status: '200 OK', resource: body, always: true };
  }
  if (!services.parameters.get(type))
    throw badRequest('A GET entry must name a resource type', `Bundle.entry[${entry.index}].request.url`);
  if (id === undefined) {
    const search = searchOf(services, type, entry.query);
    const body = searchBody(services, search, await tx.search(search), `${services.settings.baseUrl}/${type}`);
    return { status: '200 OK', resource: body, always: true };
  }
  if (
    !isId(id) ||
    more.length > 0 ||
    (historyWord !== undefined && !(historyWord === '_history' && isVersion(versionId)))
  )
    throw badValue(
      'A GET entry of a transaction is a search, a read or a read of a version: send others in a batch',
      `Bundle.entry[${entry.index}].request.url`,
    );
  const version = versionId === undefined ? await tx.read(type, id) : await tx.vread(type, id, Number(versionId));
  const headers = { 'if-none-match': entry.ifNoneMatch, 'if-modified-since': entry.ifModifiedSince };
  const { status, body } = versionAnswer(services, { query: entry.query, headers }, version);
  const shown = body !== undefined && entry.method === 'GET';
  return {
    status: status === 304 ? '304 Not Modified' : '200 OK',
    version,
    ...(shown && { resource: body }),
    always: true,
  };
}

function formatAnswer(answer: EntryAnswer, representation: boolean): string {
  const { version } = answer;
  const response = {
    status: answer.status,
    ...(answer.location !== undefined && { location: answer.location }),
    ...(version && { etag: etag(version), lastModified: new Date(version.lastUpdated).toISOString() }),
  };
  const resource =
    answer.resource !== undefined && (representation || answer.always) ? `"resource":${answer.resource},` : '';
  return `{${resource}"response":${JSON.stringify(response)}}`;
}
