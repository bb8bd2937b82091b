/** The queue's Task of a token, and with it the order. MISSION M10 */
import { serviceCaller } from '../../policy/service-caller.ts';
import type { PrescriptionToken, PrescriptionTokens } from '../../ports/prescription-tokens.ts';
import type { ResourceStore, SearchPage, StoredVersion } from '../../ports/resource-store.ts';
import { parseJson } from '../../standards/fhir/json.ts';
import type { SearchRequest } from '../../standards/fhir/search/request.ts';
import type { Node } from './pharmacies.ts';
import { PRESCRIPTION_TOKEN } from './queue-entry.ts';

export interface FoundTask {
  readonly task: Node;
  readonly taskId: string;
  readonly token: PrescriptionToken;
  readonly orderId: string;
  readonly patientId: string;
  /** The pharmacy's Organization; absent of a token that any pharmacy may dispense. */
  readonly pharmacyId?: string;
  /** The order; only where it was asked for. */
  readonly order?: Node;
}

export interface FindTaskServices {
  readonly store: Pick<ResourceStore, 'search'>;
  readonly searchOf: (type: string, query: string) => SearchRequest;
  readonly tokens: Pick<PrescriptionTokens, 'open'>;
}

const SERVICE = serviceCaller('dispensing');

/**
 * The Tasks of these ids, and with `hasOrder` their orders; `isWhole`: there are no more. As the system, whoever asks: what
 * they learn is decided by whoever calls.
 */
export async function findVersions(
  { store, searchOf }: Pick<FindTaskServices, 'store' | 'searchOf'>,
  tokenIds: readonly string[],
  hasOrder: boolean,
): Promise<Pick<SearchPage, 'matches' | 'included'> & { readonly isWhole: boolean }> {
  const identifiers = tokenIds.map((id) => encodeURIComponent(`${PRESCRIPTION_TOKEN}|${id}`)).join(',');
  const include = hasOrder ? '&_include=Task:focus' : '';
  const request = searchOf('Task', `identifier=${identifiers}${include}`);
  const { matches, included, next } = await store.search(SERVICE, { ...request, count: 2 * tokenIds.length });
  return { matches, included, isWhole: next === undefined };
}

/** Ids of tokens that a Task says it is of. */
export function tokenIdsOf({ content }: Pick<StoredVersion, 'content'>): readonly string[] {
  const { identifier = [] } = JSON.parse(content) as { readonly identifier?: readonly Node[] }; // stored: it is valid
  return [
    ...new Set(identifier.flatMap(({ system, value }) => (system === PRESCRIPTION_TOKEN ? [String(value)] : []))),
  ];
}

/** Undefined where it carries no token of ours. */
export function readTask(
  { id, content }: Pick<StoredVersion, 'id' | 'content'>,
  tokens: Pick<PrescriptionTokens, 'open'>,
  included: readonly StoredVersion[] = [],
): FoundTask | undefined {
  const task = JSON.parse(content) as Node; // stored: it is valid; nothing that is read here is a decimal
  const token = tokens.open(task);
  const orderId = idIn(task['focus'], 'MedicationRequest');
  const patientId = idIn(task['for'], 'Patient');
  const pharmacyId = idIn(task['owner'], 'Organization');
  if (!token || orderId === undefined || patientId === undefined) return undefined;
  const order = included.find((one) => one.type === 'MedicationRequest' && one.id === orderId);
  return {
    task,
    taskId: id,
    token,
    orderId,
    patientId,
    ...(pharmacyId !== undefined && { pharmacyId }),
    ...(order && { order: parseJson(order.content) as Node }),
  };
}

function idIn(reference: unknown, type: string): string | undefined {
  const text = String((reference as Node | undefined)?.['reference'] ?? '');
  return text.startsWith(`${type}/`) ? text.slice(type.length + 1) : undefined;
}
