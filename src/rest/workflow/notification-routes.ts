/** What somebody was told, the newest first. MISSION M13 */
import type { Delivery, NoticeBook } from '../../ports/notices.ts';
import type { ResourceStore } from '../../ports/resource-store.ts';
import { parseJson } from '../../standards/fhir/json.ts';
import type { SearchRequest } from '../../standards/fhir/search/request.ts';
import { TEXT } from './dispensing-parts.ts';
import { createNoticePreferenceRoutes, type NoticePreferenceParts } from './notice-preference-routes.ts';
import { aboutOf, NOTIFICATIONS, ofCaller } from './own-notifications.ts';
import { createPushSubscriptionRoutes, type PushSubscriptionParts } from './push-subscription-routes.ts';
import type { WorkflowAnswer, WorkflowCall, WorkflowRoute } from './route.ts';

export interface NotificationRouteParts extends NoticePreferenceParts, PushSubscriptionParts {
  /** Audited. */
  readonly store: Pick<ResourceStore, 'search'>;
  readonly searchOf: (type: string, query: string) => SearchRequest;
  readonly book: NoticeBook;
}

type Node = Readonly<Record<string, unknown>>;

const PAGE = 20;

export function createNotificationRoutes(parts: NotificationRouteParts): readonly WorkflowRoute[] {
  const { store, searchOf, book } = parts;

  async function list(call: WorkflowCall): Promise<WorkflowAnswer> {
    const recipients = ofCaller(call);
    const { limit = PAGE, cursor } = call.query as { limit?: number; cursor?: string }; // as the schema says
    const query = [
      `recipient=${recipients.map(encodeURIComponent).join(',')}&_sort=-sent&_count=${limit}`,
      ...(cursor === undefined ? [] : [`_cursor=${encodeURIComponent(cursor)}`]),
    ].join('&');
    const { matches, next } = await store.search(call.caller, searchOf('Communication', query));
    const told = await book.ofNotices(
      matches.map(({ id }) => id),
      recipients,
    );
    const notifications = matches.map(({ id, content }) =>
      shown(
        id,
        parseJson(content) as Node, // stored: it is valid
        told.filter(({ noticeId }) => noticeId === id),
      ),
    );
    return {
      status: 200,
      json: { notifications, ...(next !== undefined && { next }) },
      ...aboutOf(call.person()),
    };
  }

  return [
    {
      ...NOTIFICATIONS,
      method: 'GET',
      path: '/api/notifications',
      summary: 'What one was told, the newest first, and how',
      kind: 'search',
      told: 'notifications',
      request: {
        query: {
          type: 'object',
          properties: {
            organization_id: TEXT(64),
            limit: { type: 'integer', minimum: 1, maximum: 100 },
            cursor: { type: 'string', maxLength: 2000, description: '`next` of the page before' },
          },
        },
      },
      answers: { 200: { about: 'A page; `next` is `cursor` of the page after it', schema: { type: 'object' } } },
      handle: list,
    },
    ...createNoticePreferenceRoutes(parts),
    ...createPushSubscriptionRoutes(parts),
  ];
}

const listOf = (value: unknown): readonly Node[] => (Array.isArray(value) ? (value as Node[]) : []); // validated

const shown = (id: string, communication: Node, told: readonly Delivery[]) => ({
  id,
  kind: listOf(listOf(communication['category'])[0]?.['coding'])[0]?.['code'] ?? null,
  sent: (communication['sent'] as string | undefined) ?? null,
  text: listOf(communication['payload'])
    .map(({ contentString }) => contentString)
    .filter((text) => typeof text === 'string')
    .join('\n'),
  about: listOf(communication['about'])[0]?.['reference'] ?? null,
  deliveries: told.map(({ channel, state, why, basis, doneAt }) => ({
    channel,
    state,
    ...(why !== undefined && { why }),
    ...(basis !== undefined && { basis }),
    ...(doneAt !== undefined && { at: new Date(doneAt).toISOString() }),
  })),
});
