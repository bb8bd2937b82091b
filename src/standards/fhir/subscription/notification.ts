/**
 * Notifications about a topic, as R4 carries them: a history Bundle whose first entry is the status.
 * https://hl7.org/fhir/uv/subscriptions-backport/STU1.1/notifications.html
 */
import { randomUUID } from 'node:crypto';

const STATUS_PROFILE =
  'http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-subscription-status-r4';
const NOTIFICATION_PROFILE =
  'http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-subscription-notification-r4';

export interface NotifiedEvent {
  readonly number: number;
  /** ms UTC */
  readonly at: number;
  readonly type: string;
  readonly id: string;
  readonly operation: string;
  /** JSON text of the resource; only of `full-resource`. */
  readonly content?: string;
  /** What goes with it, as the topic says. */
  readonly related?: readonly RelatedResource[];
}

export interface RelatedResource {
  readonly type: string;
  readonly id: string;
  /** As that of the event. */
  readonly content?: string;
}

export interface SubscriptionStatus {
  readonly baseUrl: string;
  readonly subscriptionId: string;
  readonly topic?: string;
  readonly status: string;
  readonly kind: 'handshake' | 'heartbeat' | 'event-notification' | 'query-status' | 'query-event';
  /** Events told since the start. */
  readonly total: number;
  readonly events: readonly NotifiedEvent[];
  /** `empty`: not even what the events are about. */
  readonly content: 'empty' | 'id-only' | 'full-resource';
  readonly error?: string;
}

/** The status as Parameters. */
export function formatStatus(status: SubscriptionStatus): Record<string, unknown> {
  const { baseUrl, subscriptionId, topic, events, content, error } = status;
  return {
    resourceType: 'Parameters',
    id: randomUUID(),
    meta: { profile: [STATUS_PROFILE] },
    parameter: [
      { name: 'subscription', valueReference: { reference: `${baseUrl}/Subscription/${subscriptionId}` } },
      ...(topic === undefined ? [] : [{ name: 'topic', valueCanonical: topic }]),
      { name: 'status', valueCode: status.status },
      { name: 'type', valueCode: status.kind },
      { name: 'events-since-subscription-start', valueString: String(status.total) },
      ...events.map((event) => ({
        name: 'notification-event',
        part: [
          { name: 'event-number', valueString: String(event.number) },
          { name: 'timestamp', valueInstant: new Date(event.at).toISOString() },
          ...(content === 'empty'
            ? []
            : [
                { name: 'focus', valueReference: { reference: `${baseUrl}/${event.type}/${event.id}` } },
                ...(event.related ?? []).map(({ type, id }) => ({
                  name: 'additional-context',
                  valueReference: { reference: `${baseUrl}/${type}/${id}` },
                })),
              ]),
        ],
      })),
      ...(error === undefined ? [] : [{ name: 'error', valueCodeableConcept: { text: error } }]),
    ],
  };
}

/** The notification as JSON text; contents of resources are passed on as they are. */
export function formatNotification(status: SubscriptionStatus, at: number): string {
  const { baseUrl, subscriptionId, events, content } = status;
  const parameters = formatStatus(status);
  const first = JSON.stringify({
    fullUrl: `urn:uuid:${String(parameters['id'])}`,
    resource: parameters,
    request: { method: 'GET', url: `${baseUrl}/Subscription/${subscriptionId}/$status` },
    response: { status: '200' },
  });
  const rest =
    content === 'empty'
      ? []
      : [...events.map((event) => formatEntry(baseUrl, event)), ...formatRelated(baseUrl, events)];
  const head = JSON.stringify({
    resourceType: 'Bundle',
    id: randomUUID(),
    meta: { profile: [NOTIFICATION_PROFILE] },
    type: 'history',
    timestamp: new Date(at).toISOString(),
  });
  return `${head.slice(0, -1)},"entry":[${[first, ...rest].join(',')}]}`;
}

type Done = (type: string, url: string) => object;
const changed: Done = (_type, url) => ({ request: { method: 'PUT', url }, response: { status: '200' } });
const DONE: ReadonlyMap<string, Done> = new Map<string, Done>([
  ['create', (type) => ({ request: { method: 'POST', url: type }, response: { status: '201' } })],
  ['delete', (_type, url) => ({ request: { method: 'DELETE', url }, response: { status: '204' } })],
]);

function formatEntry(baseUrl: string, { type, id, operation, content }: NotifiedEvent): string {
  const url = `${type}/${id}`;
  const entry = JSON.stringify({ fullUrl: `${baseUrl}/${url}`, ...(DONE.get(operation) ?? changed)(type, url) });
  return content === undefined ? entry : `${entry.slice(0, -1)},"resource":${content}}`;
}

/** What goes with the events, each once and none that is an event itself; as it was read for the subscriber. */
function formatRelated(baseUrl: string, events: readonly NotifiedEvent[]): readonly string[] {
  const seen = new Set(events.map(({ type, id }) => `${type}/${id}`));
  return events
    .flatMap(({ related = [] }) => related)
    .flatMap(({ type, id, content }) => {
      const url = `${type}/${id}`;
      if (content === undefined || seen.has(url)) return [];
      seen.add(url);
      const entry = JSON.stringify({
        fullUrl: `${baseUrl}/${url}`,
        request: { method: 'GET', url },
        response: { status: '200' },
      });
      return [`${entry.slice(0, -1)},"resource":${content}}`];
    });
}

/** A message about one event. https://hl7.org/fhir/R4/messaging.html */
export function formatMessage(baseUrl: string, subscriptionId: string, event: NotifiedEvent, eventUrl: string): string {
  const url = `${baseUrl}/${event.type}/${event.id}`;
  const header = JSON.stringify({
    fullUrl: `urn:uuid:${randomUUID()}`,
    resource: {
      resourceType: 'MessageHeader',
      eventUri: eventUrl,
      source: { endpoint: `${baseUrl}/Subscription/${subscriptionId}` },
      focus: [{ reference: url }],
    },
  });
  const focus = `{"fullUrl":${JSON.stringify(url)}${event.content === undefined ? '' : `,"resource":${event.content}`}}`;
  const related = (event.related ?? []).flatMap(({ type, id, content }) =>
    content === undefined ? [] : [`{"fullUrl":${JSON.stringify(`${baseUrl}/${type}/${id}`)},"resource":${content}}`],
  );
  const entries = event.content === undefined ? [header] : [header, focus, ...related];
  return `{"resourceType":"Bundle","type":"message","timestamp":${JSON.stringify(new Date(event.at).toISOString())},"entry":[${entries.join(',')}]}`;
}
