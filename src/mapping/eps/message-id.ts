/** The id of a message: the UUID the sender gave the Bundle, Task or Claim. */
import { identifierOf } from './choose.ts';
import { listAt, type Node, nodeAt } from './node.ts';
import { UUID_SYSTEM } from './systems.ts';

/** A Bundle has one identifier, the others a list. */
export function messageId(resource: Node, type: 'Bundle' | 'Task' | 'Claim'): string {
  const path = `${type}.identifier`;
  if (type !== 'Bundle') return identifierOf(listAt(resource, 'identifier', type), UUID_SYSTEM, path);
  const identifier = nodeAt(resource, 'identifier', type);
  return identifierOf(identifier === undefined ? undefined : [identifier], UUID_SYSTEM, path);
}
