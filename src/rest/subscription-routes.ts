/** Operations of a Subscription. https://hl7.org/fhir/uv/subscriptions-backport/STU1.1/components.html */
import { MORTAR } from '../standards/fhir/canonical.ts';
import {
  replaySubscription,
  subscriptionEvents,
  subscriptionStatus,
  subscriptionStatuses,
  websocketToken,
} from './operations/subscription.ts';
import type { RecordOperation } from './record-routes.ts';
import type { Handler } from './services.ts';

const BOTH = ['GET', 'POST'] as const;
const backport = (name: string): string =>
  `http://hl7.org/fhir/uv/subscriptions-backport/OperationDefinition/backport-subscription-${name}`;

const operation = (
  name: string,
  definition: string,
  methods: readonly ('GET' | 'POST')[],
  handle: Handler,
): RecordOperation => ({
  name,
  type: 'Subscription',
  definition,
  at: [{ level: 'instance', methods, letters: 'r', handle }],
});

export const SUBSCRIPTION_OPERATIONS: readonly RecordOperation[] = [
  {
    name: 'status',
    type: 'Subscription',
    definition: backport('status'),
    at: [
      { level: 'type', methods: BOTH, letters: 's', handle: subscriptionStatuses },
      { level: 'instance', methods: BOTH, letters: 'r', handle: subscriptionStatus },
    ],
  },
  operation('events', backport('events'), BOTH, subscriptionEvents),
  operation('get-ws-binding-token', backport('get-ws-binding-token'), BOTH, websocketToken),
  // What changes something is not asked for by GET.
  operation('replay', `${MORTAR}/OperationDefinition/replay`, ['POST'], replaySubscription),
];
