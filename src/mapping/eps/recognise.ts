/** Which requests at the FHIR base are of the Electronic Prescription Service: told by what they carry. */
import { isNode, type Node } from './node.ts';
import { CODE_SYSTEM, EXTENSION, ID_SYSTEM } from './systems.ts';

/** What kind of message to the Spine a resource asks for. */
export type EpsRequestKind = 'order' | 'cancellation' | 'notification' | 'release' | 'return' | 'withdrawal' | 'claim';

const EVENTS: ReadonlyMap<unknown, EpsRequestKind> = new Map<unknown, EpsRequestKind>([
  ['prescription-order', 'order'],
  ['prescription-order-update', 'cancellation'],
  ['dispense-notification', 'notification'],
]);

/** Types of what `recogniseEps` may know. */
export const EPS_TYPES: ReadonlySet<string> = new Set(['Bundle', 'Parameters', 'Task', 'Claim']);

/** Undefined for what is not of EPS, and for what is no resource. `payload`: as `parseJson` returns it. Never throws. */
export function recogniseEps(payload: unknown): EpsRequestKind | undefined {
  if (!isNode(payload)) return undefined;
  switch (payload['resourceType']) {
    case 'Bundle':
      return kindOfBundle(payload);
    case 'Parameters':
      return 'release';
    case 'Task':
      return kindOfTask(payload);
    case 'Claim':
      return isOfPrescription(payload) ? 'claim' : undefined;
    default:
      return undefined;
  }
}

function kindOfBundle(bundle: Node): EpsRequestKind | undefined {
  const header = nodesAt(bundle, 'entry')
    .map((entry) => entry['resource'])
    .find((resource): resource is Node => isNode(resource) && resource['resourceType'] === 'MessageHeader');
  const event = header?.['eventCoding'];
  return isNode(event) && event['system'] === CODE_SYSTEM.messageEvent ? EVENTS.get(event['code']) : undefined;
}

/** Of a prescription, and with the reason of a return or a withdrawal: other Tasks are only stored. */
function kindOfTask(task: Node): EpsRequestKind | undefined {
  const group = task['groupIdentifier'];
  if (!isNode(group) || group['system'] !== ID_SYSTEM.orderNumber) return undefined;
  const hasCoding = (name: string, system: string, code?: string): boolean =>
    isNode(task[name]) &&
    nodesAt(task[name], 'coding').some(
      (one) => one['system'] === system && (code === undefined || one['code'] === code),
    );
  if (task['status'] === 'rejected' && hasCoding('statusReason', CODE_SYSTEM.returnReason)) return 'return';
  const isAborted =
    hasCoding('statusReason', CODE_SYSTEM.withdrawReason) || hasCoding('code', CODE_SYSTEM.taskCode, 'abort');
  return task['status'] === 'in-progress' && isAborted ? 'withdrawal' : undefined;
}

const isOfPrescription = (claim: Node): boolean =>
  isNode(claim['prescription']) &&
  nodesAt(claim['prescription'], 'extension').some(({ url }) => url === EXTENSION.groupIdentifier);

const nodesAt = (parent: Node, name: string): readonly Node[] => {
  const list = parent[name];
  return Array.isArray(list) ? list.filter(isNode) : [];
};
