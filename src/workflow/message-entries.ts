/** What each entry of a message is about: read from its request, found by its identifiers, and locked. docs/gateway.md "Applying" */
import { ONLY_IF_FOUND, type TransactionEntry } from '../mapping/transaction-bundle.ts';
import type { Criteria, StoreTransaction } from '../ports/resource-store.ts';
import { badRequest, FhirError, type Issue, issue, multipleMatches } from '../standards/fhir/outcome.ts';
import type { ApplyMessageServices } from './apply-message.ts';
import { hasAll, tokensOf } from './criteria-tokens.ts';
import type { Known, StoredResource } from './known-resources.ts';
import { meantBy, mergedInto } from './merge-patients.ts';

/** An entry and the place at which it will be stored. */
export interface Planned {
  readonly entry: TransactionEntry;
  readonly type: string;
  readonly at: string;
  /** Picks the resource; absent where the id is known. */
  readonly criteria: Criteria | undefined;
  readonly id: string;
  /** What is stored, where the criteria found it. */
  readonly current: StoredResource | undefined;
}

/**
 * The entries with what they are about, locked. What only changes something that is not there is left out.
 * Throws `FhirError`: 400, 412, 422.
 */
export async function planEntries(
  services: ApplyMessageServices,
  tx: StoreTransaction,
  known: Known,
  entries: readonly TransactionEntry[],
): Promise<readonly Planned[]> {
  const read = entries.map((entry, index) => readEntry(services, entry, index));
  const locked = read.filter((plan) => plan.criteria && tokensOf(plan.criteria).length > 0 && !isShared(plan));
  // Both leave together; the look-up runs when the locks are had.
  const [, met] = await Promise.all([
    locked.length > 0 && tx.lockIdentity(locked.map((plan) => plan.criteria as Criteria)), // filtered
    findEntries(tx, known, read),
  ]);
  const decided = new Set(locked.map(({ criteria }) => criteria));
  return uniteSame(await lockMissing(services, tx, known, met.filter(isToBeDone), decided));
}

/** Names of elements that an extension of the entry lists. */
export const listed = ({ extension = [] }: TransactionEntry, url: string): readonly string[] =>
  extension.filter((e) => e.url === url).map((e) => e.valueString);

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
 * What many patients share is looked up without a lock, so that messages of one hospital or to one pharmacy, which all
 * name its wards and doctors, do not wait for one another: where it is there and stays as it is, nothing is decided. All
 * else is locked as it is looked up: from there on nobody else decides about its identifiers until the transaction ends.
 */
const isShared = ({ type }: Planned): boolean => SHARED.has(type);

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
