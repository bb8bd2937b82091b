/** What is stored of prescriptions that the Spine has released: whose they are now, beside all that the order said. */
import { isNode, type Node } from '../../mapping/eps/node.ts';
import { entriesOfBundle } from '../../mapping/eps/stored-message.ts';
import { EXTENSION, ID_SYSTEM } from '../../mapping/eps/systems.ts';
import { DEFAULT_ELEMENTS, type FhirResource, type TransactionEntry } from '../../mapping/transaction-bundle.ts';
import type { Criteria, Resource, StoreTransaction } from '../../ports/resource-store.ts';
import { parseJson } from '../../standards/fhir/json.ts';
import { identifierIn, itemChange, WITH_DISPENSER } from './effects.ts';

/** Bundles in one of the two lists of a release. */
export function prescriptionsIn(parameters: FhirResource, name: string): readonly Node[] {
  const list = Array.isArray(parameters['parameter']) ? parameters['parameter'].filter(isNode) : [];
  const bundle = list.find((one) => one['name'] === name)?.['resource'];
  return entriesIn(bundle).filter(({ resourceType }) => resourceType === 'Bundle');
}

export const entriesIn = (bundle: unknown): readonly Node[] =>
  (isNode(bundle) && Array.isArray(bundle['entry']) ? bundle['entry'] : [])
    .map((entry: unknown) => (isNode(entry) ? entry['resource'] : undefined))
    .filter(isNode);

/** The pharmacy that asked for them, and has them now. */
export function ownerIn(asked: FhirResource | undefined): Node | undefined {
  const list = Array.isArray(asked?.['parameter']) ? asked['parameter'].filter(isNode) : [];
  const owner = list.find(({ name }) => name === 'owner')?.['resource'];
  const odsCode = isNode(owner) ? identifierIn(owner, ID_SYSTEM.odsOrganisation) : undefined;
  if (!isNode(owner) || odsCode === undefined) return undefined;
  return {
    identifier: { system: ID_SYSTEM.odsOrganisation, value: odsCode },
    ...(typeof owner['name'] === 'string' && { display: owner['name'] }),
  };
}

export async function releasedEntries(
  tx: StoreTransaction,
  criteriaOf: (type: string, query: string) => Criteria,
  released: { readonly bundles: readonly Node[]; readonly owner: Node | undefined; readonly messageId: string },
): Promise<readonly TransactionEntry[]> {
  const { bundles, owner, messageId } = released;
  const all = bundles.flatMap((bundle) => entriesOfBundle(bundle, messageId, 'order', owner));
  // Prescriptions of one release mention the same pharmacy by the same URL.
  const entries = [...new Map(all.map((entry) => [entry.fullUrl, entry])).values()];
  const items = entries.filter(isItem);
  const found = await tx.findCurrent(
    items.map(({ request }) => criteriaOf('MedicationRequest', request.url.split('?')[1] ?? '')),
    1,
  );
  const stored = new Map(items.map((entry, n) => [entry, found[n]?.[0]]));
  return entries.map((entry) => {
    if (!isItem(entry)) return entry;
    const known = stored.get(entry);
    const kept = known === undefined ? entry : besideTheOrder(entry, parseJson(known.content) as Resource);
    return { ...kept, resource: itemChange(WITH_DISPENSER)(kept.resource) };
  });
}

const isItem = ({ resource }: TransactionEntry): boolean => resource.resourceType === 'MedicationRequest';

/** Elements that a release brings anew; of all others the order as it was prescribed here knows more than V3 tells. */
const BROUGHT: ReadonlySet<string> = new Set(['resourceType', 'identifier', 'extension', 'status', 'dispenseRequest']);
const BROUGHT_EXTENSIONS: ReadonlySet<unknown> = new Set([
  EXTENSION.dispensingInformation,
  EXTENSION.medicationRepeatInformation,
]);

function besideTheOrder(entry: TransactionEntry, order: Resource): TransactionEntry {
  const { resource } = entry;
  const extensions = (of: Node): readonly Node[] =>
    Array.isArray(of['extension']) ? of['extension'].filter(isNode) : [];
  const brought = extensions(resource).filter(({ url }) => BROUGHT_EXTENSIONS.has(url));
  const urls = new Set(brought.map(({ url }) => url));
  const [before, now] = [order['dispenseRequest'], resource['dispenseRequest']];
  const performer = isNode(now) ? now['performer'] : undefined;
  return {
    ...entry,
    extension: Object.keys(resource)
      .filter((name) => !BROUGHT.has(name))
      .map((name) => ({ url: DEFAULT_ELEMENTS, valueString: name })),
    resource: {
      ...resource,
      extension: [...extensions(order).filter(({ url }) => !urls.has(url)), ...brought],
      ...(isNode(before) && { dispenseRequest: { ...before, ...(performer !== undefined && { performer }) } }),
    },
  };
}
