/**
 * Applies what a message brings: resources are found again by their business identifiers, merged and written, inside a
 * transaction that its caller owns. DESIGN walk 3, docs/gateway.md "Applying"
 */
import { REMOVED_ELEMENTS, type TransactionBundle, type TransactionEntry } from '../mapping/transaction-bundle.ts';
import type { Criteria, Resource, StoreTransaction, TransactionWrite } from '../ports/resource-store.ts';
import { formatJson } from '../standards/fhir/json.ts';
import { badRequest, FhirError, type Issue, issue, multipleMatches } from '../standards/fhir/outcome.ts';
import type { ReplaceLink } from '../standards/fhir/reference-rewrite.ts';
import { mergeResource } from './merge-resource.ts';

export interface ApplyMessageServices {
  readonly newId: () => string;
  readonly validate: (resource: unknown, expectedType?: string) => readonly Issue[];
  readonly rewriteReferences: (resource: Resource, replace: ReplaceLink) => Resource;
  readonly criteriaOf: (type: string, query: string) => Criteria;
}

/** Writes the bundle; resolves to the versions touched, `Patient/1/_history/3`. Throws `FhirError`: 400, 412, 422. */
export type ApplyMessage = (
  tx: StoreTransaction,
  bundle: TransactionBundle,
  source: string,
) => Promise<readonly string[]>;

interface Planned {
  readonly entry: TransactionEntry;
  readonly type: string;
  readonly at: string;
  /** Picks the resource; absent where the id is known. */
  readonly criteria: Criteria | undefined;
  readonly id: string;
  /** It is there already. */
  readonly found: boolean;
}

export function createApplyMessage(services: ApplyMessageServices): ApplyMessage {
  return async (tx, bundle, source) => {
    const read = bundle.entry.map((entry, index) => readEntry(services, entry, index));
    const criteria = read.flatMap((plan) => plan.criteria ?? []);
    if (criteria.length > 0) await tx.lockIdentity(criteria);
    const planned = await Promise.all(read.map((plan) => findEntry(services, tx, plan)));
    const writes = buildWrites(services, planned, source);
    const results = await tx.write(writes);
    return results
      .filter(({ outcome }) => outcome !== 'unchanged')
      .map(({ version }) => `${version.type}/${version.id}/_history/${version.versionId}`);
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
    found: false,
  });
  if (type !== entry.resource.resourceType) throw badRequest('request.url names another type than the resource', at);
  if (method === 'PUT' && id !== undefined) return plan(undefined, id);
  if (method === 'PUT' && query !== undefined) return plan(services.criteriaOf(type, query), '');
  if (method === 'POST' && ifNoneExist !== undefined) return plan(services.criteriaOf(type, ifNoneExist), '');
  if (method === 'POST') return plan(undefined, services.newId());
  throw badRequest('request.url must name a resource or criteria', at);
}

/** Under the identity lock: nobody else decides about these identifiers until the transaction ends. */
async function findEntry(services: ApplyMessageServices, tx: StoreTransaction, plan: Planned): Promise<Planned> {
  if (!plan.criteria) return plan;
  const ids = await tx.find(plan.criteria, 2);
  if (ids.length > 1)
    throw multipleMatches(
      `The message's identifiers match several ${plan.type} resources: merge them, or send the identifiers of one`,
      plan.at,
    );
  return { ...plan, id: ids[0] ?? services.newId(), found: ids.length > 0 };
}

function buildWrites(services: ApplyMessageServices, planned: readonly Planned[], source: string): TransactionWrite[] {
  const places = new Map<string, string>();
  const seen = new Set<string>();
  for (const { entry, type, id, at } of planned) {
    const path = `${type}/${id}`;
    if (seen.has(path)) throw badRequest(`Two entries of the message are the same ${type}`, at);
    seen.add(path);
    places.set(entry.fullUrl, path);
  }
  const issues: Issue[] = [];
  const writes = planned.flatMap((plan): TransactionWrite[] => {
    const { entry, type, id, at } = plan;
    const isConditional = plan.criteria !== undefined;
    if (entry.request.method === 'POST' && plan.found) return [];
    const resource = resolved(services, plan, places, issues);
    const marked = isConditional ? withSource(resource, source) : resource;
    const fault = services.validate(marked, type);
    if (fault.length > 0) {
      issues.push(...fault.map((i) => ({ ...i, expression: (i.expression ?? [type]).map((e) => `${at} › ${e}`) })));
      return [];
    }
    if (entry.request.method === 'POST') return [{ kind: 'create', resource: marked, id }];
    const removed = (entry.extension ?? []).filter((e) => e.url === REMOVED_ELEMENTS).map((e) => e.valueString);
    const change = (current: Resource | undefined): Resource => {
      if (!current || !isConditional) return { ...marked, id };
      checkSamePatient(current, resource, at);
      const merged = mergeResource(current, resource, removed);
      // A message that says nothing new makes no version; one that does is named as where it came from.
      if (formatJson(merged) === formatJson(current)) return current;
      const result = withSource(merged, source);
      const faults = services.validate(result, type);
      if (faults.length > 0) throw new FhirError(422, faults);
      return result;
    };
    return [{ kind: 'update', operation: 'update', type, id, change }];
  });
  if (issues.length > 0) throw new FhirError(422, issues);
  return writes;
}

/**
 * A number that a sender uses again for somebody else must never move a record from one patient to another. Records are
 * moved by merging patients, not by messages about them.
 */
function checkSamePatient(current: Resource, incoming: Resource, at: string): void {
  for (const name of ['subject', 'patient', 'beneficiary']) {
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
  return services.rewriteReferences(entry.resource, (text, place) => {
    const found = places.get(text);
    if (found === undefined && place === 'reference' && text.startsWith('urn:uuid:'))
      issues.push(issue('not-found', 'A reference names no entry of the message', at));
    return found;
  });
}

const withSource = (resource: Resource, source: string): Resource => {
  const { resourceType, meta, ...rest } = resource;
  return { resourceType, meta: { ...(meta as object | undefined), source }, ...rest };
};
