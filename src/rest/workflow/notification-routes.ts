/** What somebody was told, what they want to be told and how, and the browsers that take messages. MISSION M13; SECURITY DP-10 */
import type { CallerUser } from '../../ports/caller.ts';
import type { Delivery, NoticeBook, NoticeChannel, Preferences } from '../../ports/notices.ts';
import type { ResourceStore } from '../../ports/resource-store.ts';
import { parseJson } from '../../standards/fhir/json.ts';
import { badValue, notFound } from '../../standards/fhir/outcome.ts';
import type { SearchRequest } from '../../standards/fhir/search/request.ts';
import type { JsonSchema } from '../../standards/openapi/document.ts';
import { readPushKeys } from '../../standards/web-push/message.ts';
import type { NoticeKind } from '../../workflow/notices/kinds.ts';
import { recipientsOf } from '../../workflow/notices/own-notices.ts';
import { basisOf, CHANNELS } from '../../workflow/notices/preferences.ts';
import { TEXT } from './dispensing-parts.ts';
import type { WorkflowAnswer, WorkflowCall, WorkflowRoute } from './route.ts';

export interface NotificationRouteParts {
  /** Audited. */
  readonly store: Pick<ResourceStore, 'search'>;
  readonly searchOf: (type: string, query: string) => SearchRequest;
  readonly book: NoticeBook;
  readonly kinds: ReadonlyMap<string, NoticeKind>;
  /** Those there is a way for. */
  readonly channels: readonly NoticeChannel[];
  /** For browsers; absent where there is no way to them. */
  readonly pushKey?: string;
  /** `host:port` of push services that may be reached without TLS. */
  readonly pushTargets?: ReadonlySet<string> | undefined;
  readonly timeZone: string;
}

type Node = Readonly<Record<string, unknown>>;

const TAG = 'Notifications';
const PAGE = 20;
const RIGHTS = ['notifications:own'];
const ENDPOINT_CHARS_MAX = 2000;
const TIME = {
  type: 'string',
  pattern: '^(?:[01][0-9]|2[0-3]):[0-5][0-9]$',
  description: 'a time',
  examples: ['22:30'],
};
const CHANNEL_SWITCHES: JsonSchema = {
  type: 'object',
  additionalProperties: false,
  properties: Object.fromEntries(CHANNELS.map((channel) => [channel, { type: 'boolean' }])),
};
const OF_ORGANIZATION: JsonSchema = { type: 'object', properties: { organization_id: TEXT(64) } };

export function createNotificationRoutes(parts: NotificationRouteParts): readonly WorkflowRoute[] {
  const { store, searchOf, book, kinds, channels, pushKey, pushTargets, timeZone } = parts;

  const ownOf = (call: WorkflowCall): readonly string[] =>
    recipientsOf(call.person(), call.query['organization_id'] as string | undefined); // as the schema says

  async function list(call: WorkflowCall): Promise<WorkflowAnswer> {
    const recipients = ownOf(call);
    const { limit, before } = call.query as { limit?: number; before?: string }; // as the schema says
    const size = limit ?? PAGE;
    const query = [
      `recipient=${recipients.map(encodeURIComponent).join(',')}`,
      ...(before === undefined ? [] : [`sent=lt${encodeURIComponent(before)}`]),
      `_sort=-sent&_count=${size}`,
    ].join('&');
    const { matches } = await store.search(call.caller, searchOf('Communication', query));
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
    const last = notifications.at(-1)?.sent;
    return {
      status: 200,
      json: { notifications, ...(matches.length === size && last !== null && last !== undefined && { next: last }) },
      ...aboutOf(call.person()),
    };
  }

  async function showPreferences(call: WorkflowCall): Promise<WorkflowAnswer> {
    const [recipient = ''] = ownOf(call);
    const preferences = (await book.waysOf([recipient])).get(recipient)?.preferences;
    return { status: 200, json: preferencesJson(recipient, preferences), ...aboutOf(call.person()) };
  }

  function preferencesJson(recipient: string, preferences: Preferences | undefined): object {
    const [type] = recipient.split('/');
    const those = [...kinds.values()].filter(({ to }) => to.some((one) => one === type));
    return {
      available_channels: channels.filter((channel) => type !== 'Organization' || channel === 'email'),
      kinds: Object.fromEntries(
        those.map((kind) => [
          kind.code,
          {
            ...Object.fromEntries(CHANNELS.map((one) => [one, basisOf(kind, one, preferences) !== undefined])),
            always: kind.isAlways === true,
          },
        ]),
      ),
      quiet_hours: preferences?.quiet ?? null,
      language: preferences?.language ?? null,
    };
  }

  async function putPreferences(call: WorkflowCall): Promise<WorkflowAnswer> {
    const recipients = ownOf(call);
    const { kinds: asked = {}, quiet_hours: quiet, language } = call.body as PreferencesBody; // as the schema says
    const unknown = Object.keys(asked).find((code) => code !== '*' && !kinds.has(code));
    if (unknown !== undefined) throw badValue('There are no notices of this kind', 'kinds');
    const here = Object.keys(asked).find((code) => kinds.get(code)?.to.length === 0);
    if (here !== undefined) throw badValue(`Notices of the kind ${here} are in the app alone: name another`, 'kinds');
    if (quiet && !isTimeZone(quiet.time_zone ?? timeZone))
      throw badValue(
        'quiet_hours.time_zone is the name of a time zone, such as Europe/London',
        'quiet_hours.time_zone',
      );
    const change = (current: Preferences | undefined): Preferences => {
      const { quiet: before, language: spoken, channels: given = {} } = current ?? {};
      const hours = quiet && { from: quiet.from, until: quiet.until, timeZone: quiet.time_zone ?? timeZone };
      const nextQuiet = quiet === undefined ? before : hours;
      const nextLanguage = language === undefined ? spoken : language;
      return {
        channels: {
          ...given,
          ...Object.fromEntries(
            Object.entries(asked).map(([code, switches]) => [code, { ...given[code], ...switches }]),
          ),
        },
        ...(nextQuiet && { quiet: nextQuiet }),
        ...(nextLanguage && { language: nextLanguage }),
      };
    };
    const by = `user ${call.person().id}`;
    for (const recipient of recipients) await book.changePreferences(recipient, change, by);
    const [recipient = ''] = recipients;
    const preferences = (await book.waysOf([recipient])).get(recipient)?.preferences;
    return { status: 200, json: preferencesJson(recipient, preferences), ...aboutOf(call.person()) };
  }

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

  const own = { tag: TAG, rights: RIGHTS } as const;
  const preferences = { 200: { about: 'What is on and off, by kind and channel', schema: { type: 'object' } } };
  return [
    {
      ...own,
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
            before: { type: 'string', format: 'date-time' },
          },
        },
      },
      answers: { 200: { about: 'A page; `next` is `before` of the page after it', schema: { type: 'object' } } },
      handle: list,
    },
    {
      ...own,
      method: 'GET',
      path: '/api/notifications/preferences',
      summary: 'What one is told, and how',
      kind: 'read',
      told: 'notification-preferences',
      request: { query: OF_ORGANIZATION },
      answers: preferences,
      handle: showPreferences,
    },
    {
      ...own,
      method: 'PUT',
      path: '/api/notifications/preferences',
      summary: 'Switches kinds and channels on and off; what is not named stays as it is',
      kind: 'update',
      told: 'notification-preferences',
      request: {
        query: OF_ORGANIZATION,
        body: {
          type: 'object',
          properties: {
            kinds: {
              type: 'object',
              description: 'By kind, or `*` for all',
              maxProperties: 50,
              additionalProperties: CHANNEL_SWITCHES,
            },
            quiet_hours: {
              type: ['object', 'null'],
              additionalProperties: false,
              required: ['from', 'until'],
              properties: { from: TIME, until: TIME, time_zone: TEXT(64) },
            },
            language: { enum: ['en', 'cy', null] },
          },
        },
      },
      answers: preferences,
      handle: putPreferences,
    },
    {
      ...own,
      method: 'GET',
      path: '/api/notifications/push',
      summary: 'The key that browsers subscribe with, and the browsers that have',
      kind: 'read',
      told: 'push-subscriptions',
      answers: { 200: { about: 'Of the person', schema: { type: 'object' } } },
      handle: browsers,
    },
    {
      ...own,
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
      ...own,
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

interface PreferencesBody {
  readonly kinds?: Readonly<Record<string, Readonly<Partial<Record<NoticeChannel, boolean>>>>>;
  readonly quiet_hours?: { readonly from: string; readonly until: string; readonly time_zone?: string } | null;
  readonly language?: 'en' | 'cy' | null;
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

/** For the trail: of whose record it speaks, where it is one's own. */
const aboutOf = ({ patientIds }: CallerUser): { readonly patientId?: string } =>
  patientIds[0] === undefined ? {} : { patientId: patientIds[0] };

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }) !== undefined;
  } catch {
    return false;
  }
}
