/** What a sender's last word is against what is stored: element by element, never their values. docs/hl7v2.md "Reconciliation" */
import { REMOVED_ELEMENTS, type TransactionBundle, type TransactionEntry } from '../mapping/transaction-bundle.ts';
import type { Criteria, Resource, StoreTransaction } from '../ports/resource-store.ts';
import { formatJson, parseJson } from '../standards/fhir/json.ts';
import type { ReplaceLink } from '../standards/fhir/reference-rewrite.ts';
import { elementsOf, type Saying } from './late-messages.ts';
import { meantBy, mergedInto } from './merge-patients.ts';
import { elementOf, mergeResource } from './merge-resource.ts';
import { partedFrom } from './part-patients.ts';

export interface ReconcileServices {
  readonly criteriaOf: (type: string, query: string) => Criteria;
  readonly rewriteReferences: (resource: Resource, replace: ReplaceLink) => Resource;
}

export interface Difference {
  /** `Patient/1`; absent for what is about nobody, or is not there. */
  readonly patient?: string;
  /** `Encounter/2`; the type alone where it is not there. */
  readonly resource: string;
  /** `missing`: nothing is stored under the message's numbers. `changed`: these elements say something else. */
  readonly kind: 'missing' | 'changed';
  readonly elements: readonly string[];
  /** The version that stands, and when it was written. */
  readonly version?: string;
  readonly lastUpdated?: string;
}

const FOUND_MAX = 5;

/** Where the record differs from what this message, as the sender's last word of each element, has said. */
export async function findDifferences(
  services: ReconcileServices,
  tx: Pick<StoreTransaction, 'findCurrent' | 'sourceTimes'>,
  bundle: TransactionBundle,
  { feed, at }: Saying,
): Promise<readonly Difference[]> {
  const entries = bundle.entry.filter((entry) => partedFrom(entry) === undefined && criteriaIn(entry) !== undefined);
  const criteria = entries.map((entry) => services.criteriaOf(entry.resource.resourceType, criteriaIn(entry) ?? ''));
  const found = await tx.findCurrent(criteria, FOUND_MAX);
  const stored = entries.map((entry, index) => {
    const versions = (found[index] ?? []).map(({ id, content }) => ({ id, content: parseJson(content) as Resource }));
    return { entry, current: meantBy(versions, undefined)[0]?.content };
  });
  const places = new Map(
    stored.flatMap(({ entry, current }) => (current === undefined ? [] : [[entry.fullUrl, placeOf(current)] as const])),
  );
  const times = await tx.sourceTimes.read(feed, [...places.values()]);
  const saidAt = new Map(times.map(({ resource, elements }) => [resource, elements]));
  return stored.flatMap(({ entry, current }) => {
    if (entry.request.method !== 'PUT' || mergedInto(entry) !== undefined) return [];
    if (current === undefined) return [{ resource: entry.resource.resourceType, kind: 'missing', elements: [] }];
    const said = saidAt.get(placeOf(current)) ?? {};
    const words = elementsOf(entry, true).filter((name) => said[name] === at);
    const incoming = services.rewriteReferences(entry.resource, (text) => places.get(text));
    const elements = differing(current, incoming, removedIn(entry), new Set(words));
    return elements.length === 0 ? [] : [differenceOf(current, elements)];
  });
}

function criteriaIn({ request }: TransactionEntry): string | undefined {
  return request.ifNoneExist ?? request.url.split('?', 2)[1];
}
const placeOf = ({ resourceType, id }: Resource): string => `${resourceType}/${String(id)}`;
const removedIn = ({ extension = [] }: TransactionEntry): readonly string[] =>
  extension.filter(({ url }) => url === REMOVED_ELEMENTS).map(({ valueString }) => valueString);

/** Elements that would become something else were the message applied now. */
function differing(
  current: Resource,
  incoming: Resource,
  removed: readonly string[],
  words: ReadonlySet<string>,
): readonly string[] {
  const kept = Object.entries(incoming).filter(([name]) => words.has(elementOf(name)));
  const merged = mergeResource(
    current,
    { ...Object.fromEntries(kept), resourceType: current.resourceType },
    removed.filter((name) => words.has(elementOf(name))),
  );
  const names = new Set([...Object.keys(merged), ...Object.keys(current)]);
  return [...names].filter((name) => formatJson(merged[name] ?? null) !== formatJson(current[name] ?? null));
}

function differenceOf(current: Resource, elements: readonly string[]): Difference {
  const { versionId, lastUpdated } = (current['meta'] ?? {}) as { versionId?: string; lastUpdated?: string };
  const subject = (current['subject'] ?? current['patient'] ?? current['beneficiary']) as
    | { reference?: string }
    | undefined;
  const patient = current.resourceType === 'Patient' ? placeOf(current) : subject?.reference;
  return {
    ...(patient?.startsWith('Patient/') && { patient }),
    resource: placeOf(current),
    kind: 'changed',
    elements,
    ...(versionId !== undefined && { version: versionId }),
    ...(lastUpdated !== undefined && { lastUpdated }),
  };
}
