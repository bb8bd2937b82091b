/** `$convert`: what the Spine would receive for a FHIR message, and nothing is sent. */
import type { Mapped } from '../../standards/mapped.ts';
import { writeXml } from '../../standards/xml/write.ts';
import { cancellationRequest } from './cancellation-request.ts';
import type { EpsContext } from './context.ts';
import { fatalFinding, invalidValue, mapped } from './fault.ts';
import { type MessageBundle, readMessageBundle } from './message-bundle.ts';
import { messageId } from './message-id.ts';
import { isNode, type Node } from './node.ts';
import { normaliseSystems } from './normalise-systems.ts';
import { parentPrescription } from './parent-prescription.ts';
import { sendMessage, type V3Message } from './send-message.ts';
import { validateBundle } from './validate-bundle.ts';

/**
 * The V3 document of a prescription order, a cancellation, a dispense notification (Bundle), a claim (Claim), a return or
 * withdrawal (Task) or a release request (Parameters), in its wrapper. `payload`: as `parseJson` returns it. Without a
 * value the issues are what the national gateway answers; `statusOf` tells the HTTP status. Never throws.
 */
export function convertToV3(payload: unknown, context: EpsContext): Mapped<string> {
  return mapped(() => {
    const { value, issues } = toMessage(normaliseSystems(payload), context);
    return value === undefined ? { issues } : { value: writeXml(sendMessage(value, context), 'pretty'), issues };
  });
}

type Translate = (resource: Node, context: EpsContext) => Mapped<V3Message>;

const RESOURCES: ReadonlyMap<unknown, Translate> = new Map([['Bundle', fromBundle]]);

/** Deviates: a body that is no object makes the national gateway fail; it is answered like an unknown resource here. */
const NOT_SUPPORTED = fatalFinding('invalid', 'Message not supported by $convert endpoint');

function toMessage(payload: unknown, context: EpsContext): Mapped<V3Message> {
  const translate = isNode(payload) ? RESOURCES.get(payload['resourceType']) : undefined;
  return isNode(payload) && translate !== undefined ? translate(payload, context) : { issues: [NOT_SUPPORTED] };
}

function fromBundle(resource: Node, context: EpsContext): Mapped<V3Message> {
  const bundle = readMessageBundle(resource);
  const issues = validateBundle(bundle, context);
  return issues.length > 0 ? { issues } : { value: bundleMessage(bundle, context), issues };
}

function bundleMessage(bundle: MessageBundle, context: EpsContext): V3Message {
  const id = messageId(bundle.bundle, 'Bundle');
  switch (bundle.eventCode) {
    case 'prescription-order':
      return { name: 'ParentPrescription', id, message: parentPrescription(bundle, context.now).message };
    case 'prescription-order-update':
      return { name: 'CancellationRequest', id, message: cancellationRequest(bundle, context.now) };
    default:
      throw invalidValue('Message not supported by $convert endpoint');
  }
}
