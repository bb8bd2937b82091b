/** What somebody wants to be told, and how. MISSION M13; SECURITY DP-10 */
import type { NoticeBook, NoticeChannel, Preferences } from '../../ports/notices.ts';
import { badValue } from '../../standards/fhir/outcome.ts';
import type { JsonSchema } from '../../standards/openapi/document.ts';
import type { NoticeKind } from '../../workflow/notices/kinds.ts';
import { basisOf, CHANNELS } from '../../workflow/notices/preferences.ts';
import { TEXT } from './dispensing-parts.ts';
import { aboutOf, NOTIFICATIONS, ofCaller } from './own-notifications.ts';
import type { WorkflowAnswer, WorkflowCall, WorkflowRoute } from './route.ts';

export interface NoticePreferenceParts {
  readonly book: NoticeBook;
  readonly kinds: ReadonlyMap<string, NoticeKind>;
  /** Those there is a way for. */
  readonly channels: readonly NoticeChannel[];
  readonly timeZone: string;
}

interface PreferencesBody {
  readonly kinds?: Readonly<Record<string, Readonly<Partial<Record<NoticeChannel, boolean>>>>>;
  readonly quiet_hours?: { readonly from: string; readonly until: string; readonly time_zone?: string } | null;
  readonly language?: 'en' | 'cy' | null;
}

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
const CHANGE: JsonSchema = {
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
};
const PREFERENCES = { 200: { about: 'What is on and off, by kind and channel', schema: { type: 'object' } } };

export function createNoticePreferenceRoutes(parts: NoticePreferenceParts): readonly WorkflowRoute[] {
  const { book, kinds, channels, timeZone } = parts;

  async function showPreferences(call: WorkflowCall): Promise<WorkflowAnswer> {
    const [recipient = ''] = ofCaller(call);
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
    const recipients = ofCaller(call);
    const body = call.body as PreferencesBody; // as the schema says
    const { kinds: asked = {}, quiet_hours: quiet } = body;
    const unknown = Object.keys(asked).find((code) => code !== '*' && !kinds.has(code));
    if (unknown !== undefined) throw badValue('There are no notices of this kind', 'kinds');
    const here = Object.keys(asked).find((code) => kinds.get(code)?.to.length === 0);
    if (here !== undefined) throw badValue(`Notices of the kind ${here} are in the app alone: name another`, 'kinds');
    if (quiet && !isTimeZone(quiet.time_zone ?? timeZone))
      throw badValue(
        'quiet_hours.time_zone is the name of a time zone, such as Europe/London',
        'quiet_hours.time_zone',
      );
    const change = (current: Preferences | undefined): Preferences => changed(current ?? {}, body, timeZone);
    const by = `user ${call.person().id}`;
    for (const recipient of recipients) await book.changePreferences(recipient, change, by);
    const [recipient = ''] = recipients;
    const preferences = (await book.waysOf([recipient])).get(recipient)?.preferences;
    return { status: 200, json: preferencesJson(recipient, preferences), ...aboutOf(call.person()) };
  }

  return [
    {
      ...NOTIFICATIONS,
      method: 'GET',
      path: '/api/notifications/preferences',
      summary: 'What one is told, and how',
      kind: 'read',
      told: 'notification-preferences',
      request: { query: OF_ORGANIZATION },
      answers: PREFERENCES,
      handle: showPreferences,
    },
    {
      ...NOTIFICATIONS,
      method: 'PUT',
      path: '/api/notifications/preferences',
      summary: 'Switches kinds and channels on and off; what is not named stays as it is',
      kind: 'update',
      told: 'notification-preferences',
      request: {
        query: OF_ORGANIZATION,
        body: CHANGE,
      },
      answers: PREFERENCES,
      handle: putPreferences,
    },
  ];
}

/** What is not named stays as it is; null takes it away. */
function changed(
  { quiet: before, language: spoken, channels: given = {} }: Partial<Preferences>,
  { kinds: asked = {}, quiet_hours: quiet, language }: PreferencesBody,
  timeZone: string,
): Preferences {
  const hours = quiet && { from: quiet.from, until: quiet.until, timeZone: quiet.time_zone ?? timeZone };
  const nextQuiet = quiet === undefined ? before : hours;
  const nextLanguage = language === undefined ? spoken : language;
  const switched = Object.entries(asked).map(([code, switches]) => [code, { ...given[code], ...switches }]);
  return {
    channels: { ...given, ...Object.fromEntries(switched) },
    ...(nextQuiet && { quiet: nextQuiet }),
    ...(nextLanguage && { language: nextLanguage }),
  };
}

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }) !== undefined;
  } catch {
    return false;
  }
}
