/** `$convert`: what the Spine would receive for a FHIR message, and nothing is sent. */
import type { Issue } from '../../standards/fhir/outcome.ts';
import type { Mapped } from '../../standards/mapped.ts';
import { writeXml } from '../../standards/xml/write.ts';
import { cancellationRequest } from './cancellation-request.ts';
import type { EpsContext } from './context.ts';
import { dispenseClaim } from './dispense-claim.ts';
import { dispenseNotification } from './dispense-notification.ts';
import { dispenseProposalReturn } from './dispense-proposal-return.ts';
import { etpWithdraw } from './etp-withdraw.ts';
import { fatalFinding, mapped } from './fault.ts';
import { type MessageBundle, readMessageBundle } from './message-bundle.ts';
import { messageId } from './message-id.ts';
import { isNode, type Node } from './node.ts';
import { normaliseSystems } from './normalise-systems.ts';
import { parentPrescription } from './parent-prescription.ts';
import { releaseRequest } from './release-request.ts';
import { sendMessage, type V3Message } from './send-message.ts';
import { validateBundle } from './validate-bundle.ts';
import { validateClaim } from './validate-claim.ts';
import { validateParameters } from './validate-parameters.ts';
import { validateTask } from './validate-task.ts';

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

const RESOURCES: ReadonlyMap<unknown, Translate> = new Map<unknown, Translate>([
  ['Bundle', fromBundle],
  ['Claim', fromClaim],
  ['Parameters', fromParameters],
  ['Task', fromTask],
]);

/** Deviates: a body that is no object makes the national gateway fail; it is answered like an unknown resource here. */
const NOT_SUPPORTED = fatalFinding('invalid', 'Message not supported by $convert endpoint');

function toMessage(payload: unknown, context: EpsContext): Mapped<V3Message> {
  const translate = isNode(payload) ? RESOURCES.get(payload['resourceType']) : undefined;
  return isNode(payload) && translate !== undefined ? translate(payload, context) : { issues: [NOT_SUPPORTED] };
}

/** Findings of the rules stop the translation. */
function unlessFound(issues: readonly Issue[], translate: () => V3Message): Mapped<V3Message> {
  return issues.length > 0 ? { issues } : { value: translate(), issues };
}

function fromBundle(resource: Node, context: EpsContext): Mapped<V3Message> {
  const bundle = readMessageBundle(resource);
  return unlessFound(validateBundle(bundle, context), () => bundleMessage(bundle, context));
}

/** The rules know these events and no others. */
function bundleMessage(bundle: MessageBundle, { now }: EpsContext): V3Message {
  const id = messageId(bundle.bundle, 'Bundle');
  switch (bundle.eventCode) {
    case 'prescription-order':
      return { name: 'ParentPrescription', id, message: parentPrescription(bundle, now).message };
    case 'prescription-order-update':
      return { name: 'CancellationRequest', id, message: cancellationRequest(bundle, now) };
    default:
      return { name: 'DispenseNotification', id, message: dispenseNotification(bundle, now) };
  }
}

function fromClaim(claim: Node, context: EpsContext): Mapped<V3Message> {
  return unlessFound(validateClaim(claim, context), () => ({
    name: 'DispenseClaim',
    id: messageId(claim, 'Claim'),
    message: dispenseClaim(claim),
  }));
}

function fromParameters(parameters: Node, context: EpsContext): Mapped<V3Message> {
  return unlessFound(validateParameters(parameters, context), () => releaseRequest(parameters, context));
}

function fromTask(task: Node, context: EpsContext): Mapped<V3Message> {
  return unlessFound(validateTask(task, context), () => {
    const id = messageId(task, 'Task');
    return task['status'] === 'rejected'
      ? { name: 'DispenseProposalReturn', id, message: dispenseProposalReturn(task) }
      : { name: 'ETPWithdraw', id, message: etpWithdraw(task) };
  });
}
