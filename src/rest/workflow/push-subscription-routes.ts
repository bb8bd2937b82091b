/** The browsers that take messages of somebody. MISSION M13; RFC 8030, RFC 8291 */
import type { NoticeBook } from '../../ports/notices.ts';
import { badValue, notFound } from '../../standards/fhir/outcome.ts';
import { readPushKeys } from '../../standards/web-push/message.ts';
import { recipientsOf } from '../../workflow/notices/own-notices.ts';
import { TEXT } from './dispensing-parts.ts';
import { aboutOf, NOTIFICATIONS } from './own-notifications.ts';
import type { WorkflowAnswer, WorkflowCall, WorkflowRoute } from './route.ts';

export interface PushSubscriptionParts {
  readonly book: NoticeBook;
  /** For browsers; absent where there is no way to them. */
  readonly pushKey?: string;
  /** `host:port` of push services that may be reached without TLS. */
  readonly pushTargets?: ReadonlySet<string> | undefined;
}

const ENDPOINT_CHARS_MAX = 2000;

export function createPushSubscriptionRoutes(parts: PushSubscriptionParts): readonly WorkflowRoute[] {
  const { book, pushKey, pushTargets } = parts;

  async function subscribe(call: WorkflowCall): Promise<WorkflowAnswer> {
    const [recipient = ''] = recipientsOf(call.person());
    if (pushKey === undefined) throw notFound('A way to browsers');
    const { endpoint, keys } = call.body as { endpoint: string; keys: { p256dh: string; auth: string } }; // as the schema says
    const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
    if (!url || (url.protocol !== 'https:' && !pushTargets?.has(url.host)))
      throw badValue('endpoint is the https URL that the browser gave', 'endpoint');
    if (url.username !== '' || url.password !== '') throw badValue('endpoint has no user name', 'endpoint');
    if (!readPushKeys(keys.p256dh, keys.auth))
      throw badValue('keys are those of PushSubscription.toJSON(): p256dh and auth in base64url', 'keys');
    const id = await book.addPushSubscription(recipient, { endpoint: url.href, p256dh: keys.p256dh, auth: keys.auth });
    return { status: 201, json: { id }, ...aboutOf(call.person()) };
  }

  async function unsubscribe(call: WorkflowCall): Promise<WorkflowAnswer> {
    for (const recipient of recipientsOf(call.person()))
      if (await book.removePushSubscription(recipient, call.path['id'] ?? ''))
        return { status: 204, ...aboutOf(call.person()) };
    throw notFound('That browser');
  }

  async function browsers(call: WorkflowCall): Promise<WorkflowAnswer> {
    const [recipient = ''] = recipientsOf(call.person());
    const kept = await book.pushSubscriptions(recipient);
    const subscriptions = kept.map(({ id, endpoint, createdAt }) => ({
      id,
      service: new URL(endpoint).host,
      created_at: new Date(createdAt).toISOString(),
    }));
    return { status: 200, json: { public_key: pushKey ?? null, subscriptions }, ...aboutOf(call.person()) };
  }

  return [
    {
      ...NOTIFICATIONS,
      method: 'GET',
      path: '/api/notifications/push',
      summary: 'The key that browsers subscribe with, and the browsers that have',
      kind: 'read',
      told: 'push-subscriptions',
      answers: { 200: { about: 'Of the person', schema: { type: 'object' } } },
      handle: browsers,
    },
    {
      ...NOTIFICATIONS,
      method: 'POST',
      path: '/api/notifications/push',
      summary: 'Adds a browser: what its PushSubscription.toJSON() gives',
      kind: 'create',
      told: 'push-subscribe',
      request: {
        body: {
          type: 'object',
          required: ['endpoint', 'keys'],
          properties: {
            endpoint: TEXT(ENDPOINT_CHARS_MAX),
            expirationTime: { type: ['number', 'null'] },
            keys: {
              type: 'object',
              additionalProperties: false,
              required: ['p256dh', 'auth'],
              properties: { p256dh: TEXT(100), auth: TEXT(40) },
            },
          },
        },
      },
      answers: { 201: { about: 'Its id', schema: { type: 'object' } } },
      handle: subscribe,
    },
    {
      ...NOTIFICATIONS,
      method: 'DELETE',
      path: '/api/notifications/push/:id',
      summary: 'Takes a browser away',
      kind: 'delete',
      told: 'push-unsubscribe',
      answers: { 204: { about: 'It gets nothing more' } },
      handle: unsubscribe,
    },
  ];
}
