/** transaction: all entries or none. https://hl7.org/fhir/R4/http.html#trules */
import { recogniseEps } from '../../mapping/eps/recognise.ts';
import type {
  Criteria,
  Resource,
  StoredVersion,
  StoreTransaction,
  TransactionWrite,
  WriteResult,
} from '../../ports/resource-store.ts';
import { badRequest, badValue, FhirError, issue, notSupported } from '../../standards/fhir/outcome.ts';
import { isId, parseReference } from '../../standards/fhir/reference.ts';
import { mapInTurns } from '../../standards/turns.ts';
import { bundleAnswer, locationOf } from '../answers.ts';
import { checkValid } from '../body.ts';
import { criteriaOf, onlyMatch, searchOf } from '../criteria.ts';
import { etag, type FhirAnswer, type FhirRequest } from '../exchange.ts';
import { parseEtag, parsePrefer } from '../preferences.ts';
import type { Services } from '../services.ts';
import { type BundleEntry, readEntries } from './bundle-entry.ts';
import { readPatchEntry } from './bundle-patch.ts';
import { patchOf } from './patch.ts';
import { isVersion, versionAnswer } from './read.ts';
import { systemSearchOf } from './search-system.ts';
import { nearOf, searchBody } from './search-type.ts';
import { checkId, conditionalWrite } from './update.ts';

/** An entry with what has to be known before anything is written. */
interface Planned {
  readonly entry: BundleEntry;
  /** Conditional entries: what picks the resource. */
  readonly criteria: Criteria | undefined;
  readonly type: string;
  /** Known at once for plain creates and updates; for conditional ones after the search. */
  id: string | undefined;
  /** Conditional create: the resource that exists already. */
  existing: boolean;
}

export async function transaction(services: Services, request: FhirRequest, bundle: Resource): Promise<FhirAnswer> {
  const entries = readEntries(services, bundle);
  const planned = entries.filter((e) => e.method !== 'GET' && e.method !== 'HEAD').map((e) => planEntry(services, e));
  const byReference = mayHoldQuestionMark(request.body)
    ? await conditionalReferences(services, entries)
    : new Map<string, Criteria>();
  const conditional = [...planned.flatMap((p) => p.criteria ?? []), ...byReference.values()];
  const answers = await services.store.transaction(request.caller, async (tx) => {
    if (conditional.length > 0) await tx.lockIdentity(conditional);
    for (const plan of planned) await resolveEntry(services, tx, plan);
    joinCreates(planned);
    const references = await resolveReferences(tx, planned, byReference);
    const writes = await buildWrites(services, planned, references);
    checkDistinct(planned, writes);
    const results = await tx.write(writes.filter((w) => w !== undefined));
    return answersOf(services, tx, entries, planned, writes, results);
  });
  const representation = parsePrefer(request.headers).return === 'representation';
  return bundleAnswer('transaction-response', await mapInTurns(answers, (a) => formatAnswer(a, representation)));
}

/** The usual bundle has no conditional reference, and a body without a question mark, however written, has none. */
const mayHoldQuestionMark = (body: Buffer): boolean =>
  body.includes('?') || body.includes('\\u003') || body.includes('&#');

function planEntry(services: Services, entry: BundleEntry): Planned {
  const at = `Bundle.entry[${entry.index}]`;
  const [type, id, ...more] = entry.segments;
  if (type === undefined || more.length > 0 || !services.parameters.get(type))
    throw badRequest(
      'request.url must name a resource type, and for PUT, PATCH and DELETE a resource or criteria',
      `${at}.request.url`,
    );
  if (id !== undefined && entry.method !== 'POST' && !isId(id))
    throw badValue('A resource id has 1 to 64 letters, digits, hyphens and dots', `${at}.request.url`);
  const plan = (criteria: Criteria | undefined, known: string | undefined): Planned => ({
    entry,
    criteria,
    type,
    id: known,
    existing: false,
  });
  if (services.eps !== undefined && entry.method === 'POST' && recogniseEps(entry.resource) !== undefined)
    throw new FhirError(422, [
      issue(
        'not-supported',
        `A message to the Spine is sent by itself, with POST ${type}: in a transaction it would be stored and not sent`,
        at,
      ),
    ]);
  if (entry.method === 'POST') {
    if (id !== undefined) throw notSupported(`${at}: operations are not supported inside a transaction`);
    const criteria =
      entry.ifNoneExist === undefined ? undefined : criteriaOf(services, type, entry.ifNoneExist.replace(/^\?/, ''));
    return plan(criteria, criteria ? undefined : services.store.newId());
  }
  if (id !== undefined) return plan(undefined, id);
  return plan(criteriaOf(services, type, entry.query), undefined);
}

/** Conditional entries look their resource up, now that nobody else can decide on the same criteria. */
async function resolveEntry(services: Services, tx: StoreTransaction, plan: Planned): Promise<void> {
  if (!plan.criteria) return;
  const match = onlyMatch(plan.type, await tx.find(plan.criteria, 2));
  const { entry } = plan;
  if (entry.method === 'POST') {
    plan.existing = match !== undefined;
    plan.id = match ?? services.store.newId();
  } else if (entry.method === 'PUT') {
    const given = entry.resource?.['id'];
    plan.id = match ?? (typeof given === 'string' ? given : services.store.newId());
    plan.existing = match !== undefined;
  } else plan.id = match;
}

/** Conditional creates with the same criteria, that nothing matches, are one: the second finds what the first makes. */
function joinCreates(planned: readonly Planned[]): void {
  const made = new Map<string, Planned>();
  for (const plan of planned) {
    if (plan.entry.method !== 'POST' || !plan.criteria || plan.existing) continue;
    const key = `${plan.type}?${plan.entry.ifNoneExist?.replace(/^\?/, '')}`;
    const first = made.get(key);
    if (first) {
      plan.id = first.id;
      plan.existing = true;
    } else made.set(key, plan);
  }
}

/** `Patient?identifier=…` inside resources, with what it asks for. */
async function conditionalReferences(
  services: Services,
  entries: readonly BundleEntry[],
): Promise<ReadonlyMap<string, Criteria>> {
  const found = new Map<string, Criteria>();
  await mapInTurns(entries, ({ resource }) => {
    if (!resource) return;
    services.rewriteReferences(resource, (text, place) => {
      if (place === 'reference' && text.includes('?') && !found.has(text)) {
        const reference = parseReference(text);
        if (reference?.kind === 'conditional') found.set(text, criteriaOf(services, reference.type, reference.query));
      }
      return undefined;
    });
  });
  return found;
}

/** What references become: fullUrls of entries, and conditional references. */
async function resolveReferences(
  tx: StoreTransaction,
  planned: readonly Planned[],
  conditional: ReadonlyMap<string, Criteria>,
): Promise<ReadonlyMap<string, string>> {
  const map = new Map<string, string>();
  for (const { entry, type, id } of planned) {
    if (entry.fullUrl === undefined || id === undefined) continue;
    if (map.has(entry.fullUrl))
      throw badRequest('Two entries have the same fullUrl', `Bundle.entry[${entry.index}].fullUrl`);
    map.set(entry.fullUrl, `${type}/${id}`);
    // A relative reference is resolved against the fullUrl's base: https://hl7.org/fhir/R4/bundle.html#references
    const parsed = parseReference(entry.fullUrl);
    if (parsed?.kind === 'absolute' && parsed.id !== undefined) map.set(`${parsed.type}/${parsed.id}`, `${type}/${id}`);
  }
  for (const [text, criteria] of conditional) {
    const match = onlyMatch(criteria.type, await tx.find(criteria, 2));
    if (match === undefined)
      throw new FhirError(412, [
        issue('not-found', `No ${criteria.type} matches a conditional reference of the bundle: nothing was stored`),
      ]);
    map.set(text, `${criteria.type}/${match}`);
  }
  return map;
}

async function buildWrites(
  services: Services,
  planned: readonly Planned[],
  references: ReadonlyMap<string, string>,
): Promise<(TransactionWrite | undefined)[]> {
  const issues: FhirError[] = [];
  const writes = await mapInTurns(planned, (plan): TransactionWrite | undefined => {
    const { entry, type, id } = plan;
    const at = `Bundle.entry[${entry.index}]`;
    const ifMatch = entry.ifMatch === undefined ? undefined : parseEtag(entry.ifMatch);
    const version = ifMatch === undefined ? {} : { ifMatch };
    try {
      if (entry.method === 'DELETE') return id === undefined ? undefined : { kind: 'delete', type, id, ...version };
      if (entry.method === 'PATCH') {
        if (id === undefined)
          throw new FhirError(404, [issue('not-found', `No ${type} matches the criteria of the patch`, at)]);
        const change = patchOf(services, type, id, readPatchEntry(services, entry));
        return { kind: 'update', operation: 'patch', type, id, ...version, change };
      }
      if (entry.method === 'POST' && plan.existing) return undefined;
      const resource = localResource(services, entry, type, references);
      if (entry.method === 'POST') return { kind: 'create', resource, id: id as string }; // planned above
      if (plan.criteria)
        return conditionalWrite(resource, type, plan.existing ? id : undefined, () => id as string, ifMatch);
      checkId(resource, type, id as string);
      return { kind: 'update', operation: 'update', type, id: id as string, ...version, change: () => resource };
    } catch (error) {
      if (!(error instanceof FhirError)) throw error;
      issues.push(error);
      return undefined;
    }
  });
  const [first] = issues;
  if (first) throw new FhirError(first.status, issues.flatMap((e) => e.issues).slice(0, 100));
  return writes;
}

/** The entry's resource with its references resolved, valid, and pointing nowhere into the void. */
function localResource(
  services: Services,
  entry: BundleEntry,
  type: string,
  references: ReadonlyMap<string, string>,
): Resource {
  const at = `Bundle.entry[${entry.index}].resource`;
  const given = entry.resource as Resource; // checked when the entry was read
  if (given.resourceType !== type) throw badRequest(`The resource is not a ${type}, as request.url says`, at);
  const dangling: string[] = [];
  const resource = services.rewriteReferences(given, (text, place) => {
    const found = references.get(text);
    if (found === undefined && place === 'reference' && text.startsWith('urn:uuid:')) dangling.push(text);
    return found;
  });
  if (dangling.length > 0)
    throw new FhirError(400, [
      issue(
        'not-found',
        `${dangling.length === 1 ? 'A reference' : `${dangling.length} references`} to urn:uuid: names no entry of the bundle: give that entry this fullUrl`,
        at,
      ),
    ]);
  checkValid(services, resource, type, `Bundle.entry[${entry.index}].resource`);
  return resource;
}

/** One resource may be written once only. */
function checkDistinct(planned: readonly Planned[], writes: readonly (TransactionWrite | undefined)[]): void {
  const seen = new Set<string>();
  writes.forEach((write, i) => {
    if (!write) return;
    const key = write.kind === 'create' ? `${write.resource.resourceType}/${write.id}` : `${write.type}/${write.id}`;
    if (seen.has(key))
      throw badRequest(
        `Two entries write ${key}: a transaction may write a resource once`,
        `Bundle.entry[${planned[i]?.entry.index}]`,
      );
    seen.add(key);
  });
}

interface EntryAnswer {
  readonly status: string;
  readonly version?: StoredVersion;
  readonly location?: string;
  /** JSON of the resource, for reads always, for writes when asked for. */
  readonly resource?: string;
  readonly always?: boolean;
}

async function answersOf(
  services: Services,
  tx: StoreTransaction,
  entries: readonly BundleEntry[],
  planned: readonly Planned[],
  writes: readonly (TransactionWrite | undefined)[],
  results: readonly WriteResult[],
): Promise<EntryAnswer[]> {
  const byIndex = new Map<number, EntryAnswer>();
  let next = 0;
  for (const [i, plan] of planned.entries()) {
    const result = writes[i] ? results[next++] : undefined;
    byIndex.set(plan.entry.index, await writeEntryAnswer(services, tx, plan, result));
  }
  const answers: EntryAnswer[] = [];
  for (const entry of entries) answers.push(byIndex.get(entry.index) ?? (await readEntryAnswer(services, tx, entry)));
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
