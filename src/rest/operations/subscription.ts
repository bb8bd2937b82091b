/**
 * `$status`, `$events`, `$replay` and `$get-ws-binding-token` of a Subscription.
 * https://hl7.org/fhir/uv/subscriptions-backport/STU1.1/components.html
 */
import { formatJson } from '../../standards/fhir/json.ts';
import { badValue, notSupported } from '../../standards/fhir/outcome.ts';
import { isId } from '../../standards/fhir/reference.ts';
import {
  formatNotification,
  formatStatus,
  type SubscriptionStatus,
} from '../../standards/fhir/subscription/notification.ts';
import type { EventRange, SubscriptionDesk } from '../../workflow/subscriptions/desk.ts';
import type { FhirAnswer, FhirRequest } from '../exchange.ts';
import type { Services } from '../services.ts';
import { type OperationInput, parametersAnswer, readInput } from './parameters.ts';

const RANGE = ['eventsSinceNumber', 'eventsUntilNumber'];
const CONTENTS = ['empty', 'id-only', 'full-resource'] as const;

function deskOf({ subscriptions }: Services): SubscriptionDesk {
  if (!subscriptions) throw notSupported('Nobody is told of changes here');
  return subscriptions;
}
const idOf = ({ segments }: FhirRequest): string => segments[1] as string; // the routes have it

function rangeOf(input: OperationInput): EventRange {
  const from = input.count('eventsSinceNumber') ?? 1;
  const to = input.count('eventsUntilNumber') ?? Number.MAX_SAFE_INTEGER;
  if (to < from) throw badValue('eventsUntilNumber is not below eventsSinceNumber', 'eventsUntilNumber');
  return { from, to };
}

export async function subscriptionStatus(services: Services, request: FhirRequest): Promise<FhirAnswer> {
  readInput(services, request, []);
  return statusBundle([await deskOf(services).status(request.caller, idOf(request))]);
}

const STATES = ['requested', 'active', 'error', 'off'];

/** `GET /Subscription/$status`: of all that the caller may see; `id` and `status` narrow it. */
export async function subscriptionStatuses(services: Services, request: FhirRequest): Promise<FhirAnswer> {
  const input = readInput(services, request, ['id', 'status']);
  const ids = input.texts('id');
  const states = input.texts('status');
  if (!ids.every(isId)) throw badValue('id is the id of a Subscription', 'id');
  if (!states.every((state) => STATES.includes(state)))
    throw badValue(`status is one of ${STATES.join(', ')}`, 'status');
  return statusBundle(await deskOf(services).statuses(request.caller, { ids, states }));
}

function statusBundle(statuses: readonly SubscriptionStatus[]): FhirAnswer {
  const entry = statuses.map(formatStatus).map((resource) => ({
    fullUrl: `urn:uuid:${String(resource['id'])}`,
    resource,
    search: { mode: 'match' },
  }));
  const bundle = { resourceType: 'Bundle', type: 'searchset', total: entry.length, ...(entry.length > 0 && { entry }) };
  return { status: 200, headers: {}, body: formatJson(bundle) };
}

export async function subscriptionEvents(services: Services, request: FhirRequest): Promise<FhirAnswer> {
  const input = readInput(services, request, [...RANGE, 'content']);
  const text = input.text('content');
  const content = CONTENTS.find((one) => one === text);
  if (text !== undefined && content === undefined)
    throw badValue(`content is one of ${CONTENTS.join(', ')}`, 'content');
  const range = { ...rangeOf(input), ...(content && { content }) };
  const status = await deskOf(services).events(request.caller, idOf(request), range);
  return { status: 200, headers: {}, body: formatNotification(status, services.now()) };
}

export async function replaySubscription(services: Services, request: FhirRequest): Promise<FhirAnswer> {
  const range = rangeOf(readInput(services, request, RANGE));
  const queued = await deskOf(services).replay(request.caller, idOf(request), range);
  return parametersAnswer([{ name: 'queued', valueInteger: queued }]);
}

export async function websocketToken(services: Services, request: FhirRequest): Promise<FhirAnswer> {
  readInput(services, request, []);
  const id = idOf(request);
  const { token, expiresAt } = await deskOf(services).bindingToken(request.caller, id);
  const { baseUrl } = services.settings;
  return parametersAnswer([
    { name: 'token', valueString: token },
    { name: 'expiration', valueDateTime: new Date(expiresAt).toISOString() },
    { name: 'subscription', valueString: id },
    { name: 'websocket-url', valueUrl: websocketUrl(baseUrl) },
  ]);
}

/** Where sockets are opened: below the base, as the rest of the API. */
const websocketUrl = (baseUrl: string): string => `${baseUrl.replace(/^http/, 'ws')}/$websocket`;
