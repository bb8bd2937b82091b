/**
 * Applies what a message brings: resources are found again by their business identifiers, merged and written, inside a
 * transaction that its caller owns. DESIGN walk 3, docs/gateway.md "Applying"
 */
import { OWN_NUMBERS } from '../mapping/own-numbers.ts';
import {
  DEFAULT_ELEMENTS,
  MOVES_PATIENT,
  ONLY_IF_FOUND,
  REMOVED_ELEMENTS,
  type TransactionBundle,
  type TransactionEntry,
} from '../mapping/transaction-bundle.ts';
import type { Criteria, Resource, StoreTransaction, TransactionWrite } from '../ports/resource-store.ts';
import { formatJson } from '../standards/fhir/json.ts';
import { badRequest, FhirError, type Issue, issue, multipleMatches } from '../standards/fhir/outcome.ts';
import type { ReplaceLink } from '../standards/fhir/reference-rewrite.ts';
import { ChangedMeanwhile } from './changed-meanwhile.ts';
import { bears, hasAll, tokensOf } from './criteria-tokens.ts';
import { type ImportOrigin, importProvenance, messageUrn } from './import-provenance.ts';
import { createKnown, type Known, type StoredResource } from './known-resources.ts';
import { findLateness, IN_ORDER, type Lateness, type Said, type Saying } from './late-messages.ts';
import { type Merge, meantBy, mergedInto, moveJob, moveReferences } from './merge-patients.ts';
import { elementOf, mergeResource, withoutLate } from './merge-resource.ts';
import { partedFrom, partPatients } from './part-patients.ts';

export interface ApplyMessageServices {
  readonly newId: () => string;
  /** ms UTC */
  readonly now: () => number;
  readonly validate: (resource: unknown, expectedType?: string) => readonly Issue[];
  readonly rewriteReferences: (resource: Resource, replace: ReplaceLink) => Resource;
  readonly criteriaOf: (type: string, query: string) => Criteria;
}

/**
 * Writes the bundle, with a Provenance of it. `settle` is told of the versions that are written, `Patient/1/_history/3`, and sends what follows
 * from them along. Throws `FhirError`: 400, 412, 422.
 */
export type ApplyMessage = (
  tx: StoreTransaction,
  bundle: TransactionBundle,
  origin: ImportOrigin & { readonly messageId: string; readonly saying?: Saying },
  // Sends before it returns. `late`: types of which later messages had been here.
  settle: (versions: readonly string[], late: readonly string[]) => Promise<void>,
) => Promise<void>;

interface Planned {
  readonly entry: TransactionEntry;
  readonly type: string;
  readonly at: string;
  /** Picks the resource; absent where the id is known. */
  readonly criteria: Criteria | undefined;
  readonly id: string;
  /** What is stored, where the criteria found it. */
  readonly current: StoredResource | undefined;
}

export function createApplyMessage(services: ApplyMessageServices): ApplyMessage {
  const known = createKnown();
  const checkType = createTypeCheck(services);
  return async (tx, bundle, origin, settle) => {
    const source = messageUrn(origin.messageId);
    for (const [index, { resource }] of bundle.entry.entries()) checkType(resource.resourceType, index);
    const parted = await partPatients(services, tx, bundle.entry.filter(isParted));
    const read = bundle.entry
      .filter((entry) => !isParted(entry))
      .map((entry, index) => readEntry(services, entry, index));
    const locked = read.filter((plan) => plan.criteria && tokensOf(plan.criteria).length > 0 && !isShared(plan));
    // Both leave together; the look-up runs when the locks are had.
    const [, met] = await Promise.all([
      locked.length > 0 && tx.lockIdentity(locked.map((plan) => plan.criteria as Criteria)), // filtered
      findEntries(tx, known, read),
    ]);
    const decided = new Set(locked.map(({ criteria }) => criteria));
    const planned = uniteSame(await lockMissing(services, tx, known, met.filter(isToBeDone), decided));
    const lateness = origin.saying ? await findLateness(tx, origin.saying, saidIn(planned)) : IN_ORDER;
    const written = new Set(planned.map(({ type, id }) => `${type}/${id}`));
    const { writes: moves, rest } = await moveReferences(services, tx, mergesOf(planned), written);
    if (rest.length > 0) await tx.jobs.add(rest.map((merge) => moveJob(merge, origin)));
    await tx.write(
      [...buildWrites(services, planned, source, lateness), ...moves, ...parted],
      (results) => {
        const versions = results
          .filter(({ outcome }) => outcome !== 'unchanged')
          .map(({ version }) => `${version.type}/${version.id}/_history/${version.versionId}`);
        // First, as what it throws keeps the commit from leaving.
        const settled = settle(versions, lateness.lateTypes);
        const kept = lateness.keep(results);
        // Of a transaction that failed the first error is the one that says why.
        kept.catch(() => undefined);
        return settled.then(() => kept);
      },
      importProvenance(origin, services.now(), services.newId),
    );
  };
}

const isParted = (entry: TransactionEntry): boolean => partedFrom(entry) !== undefined;

/** What the message is about; of what it only mentions it says nothing new. */
const saidIn = (planned: readonly Planned[]): readonly Said[] =>
  planned
    .filter(({ entry, criteria }) => entry.request.method === 'PUT' && criteria !== undefined)
    .map(({ entry, type, id, current }) => ({ entry, place: `${type}/${id}`, current: current?.content }));

/** A type that R4 does not have is a fault of the message, before anything is looked for. */
function createTypeCheck({ criteriaOf }: ApplyMessageServices): (type: string, index: number) => void {
  const types = new Set<string>();
  return (type, index) => {
    if (types.has(type)) return;
    try {
      criteriaOf(type, '_id=any');
    } catch (error) {
      if (!(error instanceof FhirError)) throw error;
      throw badRequest(
        'resourceType must name a resource type that R4 stores',
        `Bundle.entry[${index}].resource.resourceType`,
      );
    }
    types.add(type);
  };
}

function readEntry(services: ApplyMessageServices, entry: TransactionEntry, index: number): Planned {
  const at = `Bundle.entry[${index}]`;
  const { method, url, ifNoneExist } = entry.request;
  const [path = '', query] = url.split('?', 2);
  const [type = '', id] = path.split('/', 2);
  const plan = (criteria: Criteria | undefined, known: string): Planned => ({
    entry,
    type,
    at,
    criteria,
    id: known,
    current: undefined,
  });
  if (type !== entry.resource.resourceType) throw badRequest('request.url names another type than the resource', at);
  if (method === 'PUT' && id !== undefined) return plan(undefined, id);
  if (method === 'PUT' && query !== undefined) return plan(services.criteriaOf(type, query), '');
  if (method === 'POST' && ifNoneExist !== undefined) return plan(services.criteriaOf(type, ifNoneExist), '');
  if (method === 'POST') return plan(undefined, services.newId());
  throw badRequest('request.url must name a resource or criteria', at);
}

/** A record that stays has the numbers of those that gave way to it. */
const FOUND_MAX = 5;

/** The pairs of a message that merges records. */
function mergesOf(planned: readonly Planned[]): readonly Merge[] {
  const ids = new Map(planned.map(({ entry, id }) => [entry.fullUrl, id]));
  return planned.flatMap(({ entry, id }) => {
    const survivorId = ids.get(mergedInto(entry) ?? '');
    return survivorId === undefined || survivorId === id ? [] : [{ retiredId: id, survivorId }];
  });
}

/** The entries with what is stored under their criteria: one statement for all of them. */
async function findEntries(
  tx: StoreTransaction,
  known: Known,
  plans: readonly Planned[],
  all: readonly Planned[] = [],
): Promise<readonly Planned[]> {
  const conditional = plans.filter((plan) => plan.criteria !== undefined);
  if (conditional.length === 0) return plans;
  const found = await tx.findCurrent(
    conditional.map((plan) => plan.criteria as Criteria), // filtered
    FOUND_MAX,
  );
  const met = new Map(conditional.map((plan, i) => [plan, found[i] ?? []]));
  const meant = new Map(
    plans.map((plan) => {
      const stored = (met.get(plan) ?? []).map(({ id, content }) => ({ id, current: known(content) }));
      return [plan, stored.map((one) => ({ ...one, content: one.current.content }))];
    }),
  );
  const survivors = new Map([
    ...all.map(({ entry, id }) => [entry.fullUrl, id] as const),
    ...plans.map((plan) => [plan.entry.fullUrl, meantBy(meant.get(plan) ?? [], undefined)[0]?.id ?? plan.id] as const),
  ]);
  return plans.map((plan) => {
    const into = mergedInto(plan.entry);
    const [version, another] = meantBy(meant.get(plan) ?? [], into && survivors.get(into));
    if (another)
      throw multipleMatches(
        `The message's identifiers match several ${plan.type} resources: merge them, or send the identifiers of one`,
        plan.at,
      );
    if (!version) return plan;
    return { ...plan, id: version.id, current: version.current };
  });
}

/**
 * Mentions of what many patients share are looked up without a lock, so that messages of one hospital, which all name its
 * wards and doctors, do not wait for one another. All else is locked as it is looked up: from there on nobody else
 * decides about its identifiers until the transaction ends.
 */
const isShared = ({ type, entry }: Planned): boolean => entry.request.method === 'POST' && SHARED.has(type);

const SHARED = new Set([
  'Device',
  'HealthcareService',
  'Location',
  'Medication',
  'Organization',
  'Practitioner',
  'PractitionerRole',
  'Substance',
]);

/** One that is there and lacks an identifier it will be given is decided about as one that is not there. */
const isDoubtful = ({ criteria, current }: Planned): boolean =>
  criteria !== undefined && !(current && hasAll(current.content, criteria));

/** Those that are not there are looked for again under the identity lock, unless they were found to be so under it. */
async function lockMissing(
  services: ApplyMessageServices,
  tx: StoreTransaction,
  known: Known,
  met: readonly Planned[],
  decided: ReadonlySet<Criteria | undefined>,
): Promise<readonly Planned[]> {
  const missing = met.filter((plan) => isDoubtful(plan) && !decided.has(plan.criteria));
  checkOwnNumbers(missing);
  const criteria = missing.map((plan) => plan.criteria as Criteria); // filtered
  const [, again] =
    missing.length > 0
      ? await Promise.all([tx.lockIdentity(criteria), findEntries(tx, known, missing, met)])
      : [undefined, []];
  const settled = new Map(missing.map((plan, i) => [plan, again[i] as Planned])); // of the same length
  return met.map((plan) => {
    const now = settled.get(plan) ?? plan;
    return now.criteria && !now.current ? { ...now, id: services.newId() } : now;
  });
}

/** Under a number that we gave nothing is made. */
function checkOwnNumbers(missing: readonly Planned[]): void {
  const unknown = missing.filter((plan) => tokensOf(plan.criteria as Criteria).length === 0);
  if (unknown.length === 0) return;
  const fault = ({ type, at }: Planned): Issue =>
    issue('not-found', `We have no ${type} of this number: quote the one that we sent, or leave it out`, at);
  throw new FhirError(422, unknown.map(fault));
}

/** What only changes something has nothing to do where that is not stored. */
const isToBeDone = ({ entry, current }: Planned): boolean =>
  current !== undefined || listed(entry, ONLY_IF_FOUND).length === 0;

/**
 * Entries of one type that name one and the same by different identifiers: an order that names a doctor by two numbers
 * in one place and by one of them in another. What is only mentioned gives way to the first.
 */
function uniteSame(planned: readonly Planned[]): readonly Planned[] {
  const byToken = new Map<string, string>();
  return planned.map((plan) => {
    if (!plan.criteria) return plan;
    const keys = tokensOf(plan.criteria).map(({ system = '', code = '' }) => `${plan.type} ${system}|${code}`);
    const known = plan.current ? undefined : keys.map((key) => byToken.get(key)).find((id) => id !== undefined);
    const id = known ?? plan.id;
    for (const key of keys) if (!byToken.has(key)) byToken.set(key, id);
    return known === undefined ? plan : { ...plan, id };
  });
}

function buildWrites(
  services: ApplyMessageServices,
  planned: readonly Planned[],
  source: string,
  lateness: Lateness,
): TransactionWrite[] {
  const places = new Map<string, string>();
  const seen = new Set<string>();
  const repeated = new Set<TransactionEntry>();
  for (const { entry, type, id, at } of planned) {
    const path = `${type}/${id}`;
    places.set(entry.fullUrl, path);
    const isMention = entry.request.method === 'POST';
    if (seen.has(path) && isMention) repeated.add(entry);
    else if (seen.has(path)) throw badRequest(`Two entries of the message are the same ${type}`, at);
    else seen.add(path);
  }
  const issues: Issue[] = [];
  const writes = planned.flatMap((plan): TransactionWrite[] => {
    const { entry, type, id, at } = plan;
    const isConditional = plan.criteria !== undefined;
    if (repeated.has(entry) || (entry.request.method === 'POST' && plan.current)) return [];
    const resource = resolved(services, plan, places, issues);
    const checked = (result: Resource): Resource => {
      const faults = services.validate(result, type);
      if (faults.length > 0)
        throw new FhirError(
          422,
          faults.map((i) => ({ ...i, expression: (i.expression ?? [type]).map((e) => `${at} › ${e}`) })),
        );
      return result;
    };
    const change = (current: Resource | undefined): Resource => {
      if (!isConditional) return { ...checked(resource), id };
      if (plan.current && !(current && isStillMeant(current, plan.criteria as Criteria)))
        throw new ChangedMeanwhile('what the identifiers of the message found is gone');
      if (!current) return { ...checked(withSource(resource, source)), id };
      if (listed(entry, MOVES_PATIENT).length === 0) checkSamePatient(current, resource, at);
      const late = lateness.lateOf(entry);
      const said = without(resource, listed(entry, DEFAULT_ELEMENTS));
      const merged = mergeResource(
        current,
        late.size === 0 ? said : withoutLate(current, said, late),
        listed(entry, REMOVED_ELEMENTS).filter((name) => !late.has(elementOf(name))),
      );
      // A message that says nothing new makes no version; one that does is named as where it came from.
      return formatJson(merged) === formatJson(current) ? current : checked(withSource(merged, source));
    };
    try {
      if (!plan.current && (isConditional || entry.request.method === 'POST'))
        return [{ kind: 'create', resource: change(undefined), id }];
      // What changes nothing is left out before any row is locked; who changes it at this moment does so after us.
      const isKnown = plan.current && !lateness.isOutdated(entry) && lateness.lateOf(entry).size === 0;
      if (plan.current && isKnown && changesNothing(plan.current, entry, resource, change)) return [];
      return [{ kind: 'update', operation: 'update', type, id, change }];
    } catch (error) {
      if (!(error instanceof FhirError)) throw error;
      issues.push(...error.issues);
      return [];
    }
  });
  if (issues.length > 0) throw new FhirError(422, issues);
  return writes;
}

/** One that was found by its id is itself. */
function isStillMeant(current: Resource, criteria: Criteria): boolean {
  const tokens = tokensOf(criteria);
  return tokens.length === 0 || tokens.some((token) => bears(current, token));
}

function changesNothing(
  current: StoredResource,
  entry: TransactionEntry,
  resource: Resource,
  change: (current: Resource) => Resource,
): boolean {
  const said = formatJson([resource, entry.extension ?? []]);
  if (current.saidBefore === said) return true;
  if (change(current.content) !== current.content) return false;
  current.saidBefore = said;
  return true;
}

/** Names of elements that an extension of the entry lists. */
const listed = ({ extension = [] }: TransactionEntry, url: string): readonly string[] =>
  extension.filter((e) => e.url === url).map((e) => e.valueString);

function without(resource: Resource, names: readonly string[]): Resource {
  if (names.length === 0) return resource;
  const kept = Object.entries(resource).filter(([name]) => !names.includes(name));
  return Object.fromEntries(kept) as Resource; // resourceType is never among the names
}

/**
 * A number that a sender uses again for somebody else must never move a record from one patient to another. Records are
 * moved by merging patients, not by messages about them.
 */
function checkSamePatient(current: Resource, incoming: Resource, at: string): void {
  for (const name of ['subject', 'patient', 'beneficiary', 'for']) {
    const [before, after] = [current, incoming].map((r) => (r[name] as { reference?: unknown } | undefined)?.reference);
    if (before !== undefined && after !== undefined && before !== after)
      throw new FhirError(422, [
        issue(
          'business-rule',
          `Another patient has this ${incoming.resourceType}: send it under identifiers of its own`,
          `${at}.resource.${name}`,
        ),
      ]);
  }
}

/** The entry's resource with references to other entries resolved to where these are stored. */
function resolved(
  services: ApplyMessageServices,
  { entry, at }: Planned,
  places: ReadonlyMap<string, string>,
  issues: Issue[],
): Resource {
  return services.rewriteReferences(withoutOwnNumbers(entry.resource), (text, place) => {
    const found = places.get(text);
    if (found === undefined && place === 'reference' && text.startsWith('urn:uuid:'))
      issues.push(issue('not-found', 'A reference names no entry of the message', at));
    return found;
  });
}

/** The number under which we told of a resource is its id, which it has. */
function withoutOwnNumbers(resource: Resource): Resource {
  if (!Array.isArray(resource['identifier'])) return resource;
  const others = resource['identifier'].filter(({ system }) => system !== OWN_NUMBERS);
  if (others.length === resource['identifier'].length) return resource;
  const { identifier: _, ...rest } = resource;
  return others.length === 0 ? rest : { ...rest, identifier: others };
}

const withSource = (resource: Resource, source: string): Resource => {
  const { resourceType, meta, ...rest } = resource;
  return { resourceType, meta: { ...(meta as object | undefined), source }, ...rest };
};
