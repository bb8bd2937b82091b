/** What is stored of prescriptions that the Spine has released: whose they are now, beside all that the order said. */
import { isNode, type Node } from '../../mapping/eps/node.ts';
import { entriesOfBundle } from '../../mapping/eps/stored-message.ts';
import { EXTENSION, ID_SYSTEM } from '../../mapping/eps/systems.ts';
import { DEFAULT_ELEMENTS, type FhirResource, type TransactionEntry } from '../../mapping/transaction-bundle.ts';
import type { StoredMessage } from '../../ports/message-log.ts';
import type { Criteria, Resource, StoreTransaction } from '../../ports/resource-store.ts';
import { parseJson } from '../../standards/fhir/json.ts';
import { answerIn, spineAnswerOf } from './answer.ts';
import { identifierIn, itemChange, NEVER_SENT, reasonIn, WITH_DISPENSER } from './effects.ts';

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

export interface Released {
  /** By the prescription's number: the Spine's answer, by which a notification says what it follows. */
  readonly releaseIds: ReadonlyMap<string, string>;
  /** Why others were not released. */
  readonly reason: string;
  /** False where the request never went out. */
  readonly isSent: boolean;
}

/** What became of a request for prescriptions that is settled. */
export function readRelease(message: StoredMessage, baseUrl: string): Released {
  const none = { releaseIds: new Map<string, string>(), isSent: message.state !== 'dead' };
  if (message.state === 'dead') return { ...none, reason: NEVER_SENT };
  const said = answerIn(message);
  if (said === undefined) return { ...none, reason: 'The answer of the Spine was lost' };
  const { body } = spineAnswerOf(message, said, baseUrl);
  if (body.resourceType === 'OperationOutcome') return { ...none, reason: String(reasonIn(body)['text']) };
  const releaseIds = prescriptionsIn(body, 'passedPrescriptions').flatMap((bundle): readonly [string, string][] => {
    const entries = entriesIn(bundle);
    const response = entries.find(({ resourceType }) => resourceType === 'MessageHeader')?.['response'];
    const id = isNode(response) ? response['identifier'] : undefined;
    const number = numberIn(entries);
    return typeof id === 'string' && number !== undefined ? [[number, id]] : [];
  });
  return {
    releaseIds: new Map(releaseIds),
    isSent: true,
    reason: 'Its signature could not be verified: it went back to the Spine',
  };
}

/** Short form, of the items of a prescription. */
function numberIn(entries: readonly Node[]): string | undefined {
  const group = entries.find(({ resourceType }) => resourceType === 'MedicationRequest')?.['groupIdentifier'];
  return isNode(group) && typeof group['value'] === 'string' ? group['value'] : undefined;
}

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
    const before = known && (parseJson(known.content) as Resource);
    const resource = itemChange(WITH_DISPENSER)(kept.resource);
    // Dispensed here by its token, and only now asked for: it stays dispensed.
    return { ...kept, resource: before?.['status'] === DISPENSED ? { ...resource, status: DISPENSED } : resource };
  });
}

const DISPENSED = 'completed';
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
      ...(isNode(before) && {
        dispenseRequest: { ...before, ...(performer !== undefined && { performer: asKnown(performer, before) }) },
      }),
    },
  };
}

/** The pharmacy that was named stays the resource that it is here. */
function asKnown(performer: unknown, before: Node): unknown {
  const odsIn = (of: unknown): unknown => {
    const identifier = isNode(of) ? of['identifier'] : undefined;
    return isNode(identifier) ? identifier['value'] : undefined;
  };
  const known = before['performer'];
  const isSame = odsIn(known) !== undefined && odsIn(known) === odsIn(performer);
  return isSame && isNode(known) && known['reference'] !== undefined && isNode(performer)
    ? { ...performer, reference: known['reference'] }
    : performer;
}
