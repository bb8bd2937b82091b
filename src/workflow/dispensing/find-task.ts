/** The queue's Task of a token, and with it the order. MISSION M10 */
import { serviceCaller } from '../../policy/service-caller.ts';
import type { PrescriptionToken, PrescriptionTokens } from '../../ports/prescription-tokens.ts';
import type { ResourceStore, StoredVersion } from '../../ports/resource-store.ts';
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

/** As the system, whoever asks: what they learn is decided by whoever calls. Undefined for an id of no stored token. */
export async function findTask(
  { store, searchOf, tokens }: FindTaskServices,
  tokenId: string,
  hasOrder = false,
): Promise<FoundTask | undefined> {
  const identifier = encodeURIComponent(`${PRESCRIPTION_TOKEN}|${tokenId}`);
  const include = hasOrder ? '&_include=Task:focus' : '';
  const { matches, included } = await store.search(
    SERVICE,
    searchOf('Task', `identifier=${identifier}&_count=2${include}`),
  );
  const [version] = matches;
  // Two Tasks of one id were not made by approval: neither is believed.
  return version && matches.length === 1 ? readTask(version, tokens, included) : undefined;
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
